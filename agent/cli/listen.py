"""`vedette listen`: what the hearing model makes of recordings, half second by half second."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from agent.cli.output import print_error, say
from agent.cli.progress import progress
from agent.cli.results import open_output
from agent.errors import SourceError

if TYPE_CHECKING:
    from agent.inference.card import Card
    from agent.inference.hearing import HearingModel
    from agent.types import Heard

_TOLD_PROB = 0.5


def listen(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Sound or video files of any format.", show_default=False)
    ],
    json_lines: Annotated[
        str | None, typer.Option(metavar="OUT|-", help="One line of JSON per half second; - is stdout.")
    ] = None,
    models: Annotated[str, typer.Option(metavar="FOLDER", help="Other models than those that came along.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="A sound taught with `calibrate label`; may be repeated.")
    ] = None,
) -> None:
    """Listen to recordings: the probability of every sound the model knows, each half second."""
    from agent.config.schema import Models
    from agent.inference.hearing import HearingModel

    model = HearingModel.load(Models(device="cpu", folder=models, site_labels=tuple(label or ())))
    if json_lines is None:
        bad = _listen_all(model, files, None)
    else:
        with open_output(json_lines) as stream:
            bad = _listen_all(model, files, stream)
    if bad:
        raise SourceError(
            f"{bad} of {len(files)} files could not be heard",
            fault="codec",
            cure="The lines above say which and why; the others were heard.",
        )


def _listen_all(model: "HearingModel", files: list[str], stream: TextIO | None) -> int:
    bad = 0
    least = _told_from(model.card) | {label.name: label.threshold_prob for label in model.taught}
    for source in progress(files, count=len(files), what="Files"):
        try:
            for heard in _heard_in(source, model):
                _tell(source, heard, stream, least)
        except SourceError as error:
            bad += 1
            print_error(error)
    return bad


def _heard_in(source: str, model: "HearingModel") -> "Iterator[Heard]":
    from agent.capture.source import SourceSpec, open_media
    from agent.inference.hear import heard_in
    from agent.types import SoundBlock

    with open_media(SourceSpec(camera="listen", url=source, want_picture=False, want_sound=True)) as media:
        if not media.info.has_sound:
            raise SourceError(f"{source} has no sound", fault="codec", cure="Name a file with an audio stream.")
        yield from heard_in((item for item in media.read() if isinstance(item, SoundBlock)), model)


def _told_from(card: "Card") -> dict[str, float]:
    """The probability from which a person is told of a label: the card's threshold, one half where it has none."""
    thresholds = {label: card.thresholds.get(label) for label in card.labels}
    return {label: (limit or {}).get("probability", _TOLD_PROB) for label, limit in thresholds.items()}


def _tell(source: str, heard: "Heard", stream: TextIO | None, least: dict[str, float]) -> None:
    line = _line(source, heard)
    if stream is not None:
        stream.write(json.dumps(line) + "\n")
        return
    likely = sorted(
        ((score.prob, score.label) for score in heard.scores if score.prob >= least[score.label]), reverse=True
    )
    if likely:
        labels = ", ".join(f"{label} {prob:.2f}" for prob, label in likely)
        say(f"{line['start_s']:8.2f} to {line['end_s']:.2f} s  {source}: {labels}")


def _line(source: str, heard: "Heard") -> dict[str, Any]:
    return {
        "source": source,
        "start_s": round(heard.start_ns / 1e9, 6),
        "end_s": round(heard.at_ns / 1e9, 6),
        "scores": {score.label: float(f"{score.prob:.8g}") for score in heard.scores},
    }
