"""The command group `vedette calibrate`, found through the entry point group `vedette.commands`.

Only typer and the command line's own printing are imported before a command runs.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_table, remark, say, warn
from agent.errors import VedetteError

if TYPE_CHECKING:
    from calibration.thresholds import Judged, Margin

app = typer.Typer(help="Fit Vedette to this place: its own recordings and your verdicts, with before and after.")


@app.callback()
def _group() -> None:
    """Keep this a group, however few commands it has."""


@app.command("av-offset")
def av_offset(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING…",
            help="Video with sound in which somebody claps hands a few times, in view and alone.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Measure by how much the sound comes later than the picture: clap five times in front of the camera."""
    from calibration.av_offset import measure

    offset = measure(recordings)
    if as_json:
        print_json(
            {
                "sound_late_s": round(offset.sound_late_s, 3),
                "spread_s": round(offset.spread_s, 3),
                "claps": offset.claps,
            }
        )
        return
    say(f"Sound comes {offset.sentence} (± {offset.spread_s:.3f} s, from {offset.claps} claps).")
    remark(f"Keep it: vedette config set cameras.NAME.sound_late_s {offset.sound_late_s:.3f}")


@app.command("label")
def label(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the sound: doorbell.", show_default=False)],
    clips: Annotated[
        list[str],
        typer.Argument(metavar="CLIP…", help="Recordings that hold the sound, three or more.", show_default=False),
    ],
    other: Annotated[
        list[str] | None,
        typer.Option(metavar="RECORDING", help="A recording of this place without the sound; may be repeated."),
    ] = None,
    not_a: Annotated[
        list[str] | None,
        typer.Option("--not-a", metavar="LABEL", help="What it is taken for and is not: alarm; may be repeated."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Where to; NAME.json by default.")] = None,
) -> None:
    """Teach a new sound: `vedette calibrate label doorbell ring*.wav --other hall.wav --not-a alarm`."""
    from agent.config.schema import Models
    from agent.inference.hearing import HearingModel
    from calibration.labels import teach

    model = HearingModel.load(Models(device="cpu"))
    _require_free(name, model.card.labels)
    _require_known(not_a or [], model.card.labels)
    taught = teach(name, clips, other or [], model)
    path = (out or Path(f"{name}.json")).absolute()
    _write(path, json.dumps(taught.content(model.card, not_a or []), indent=1) + "\n")
    say(
        f"{name}: {taught.found} of {taught.clips} clips found by heads that had not heard them; "
        f"{taught.false} of {taught.negatives} other windows taken for it."
    )
    if taught.found < taught.clips / 2:
        warn("It is not told apart well. More clips, from more places, and recordings of the place without it help.")
    remark(f"Try it: vedette listen CLIP --label {path}")
    remark(f"Keep it: vedette config set models.site_labels '[\"{path}\"]'")


@app.command("int8")
def int8(
    model: Annotated[str, typer.Argument(metavar="vision|hearing", help="Which model.", show_default=False)],
    recordings: Annotated[
        list[str],
        typer.Argument(metavar="RECORDING…", help="Recordings of ordinary life here.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the model goes; `model install` takes it.")],
    models: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Other models than those that came along.")
    ] = None,
) -> None:
    """Fit the ranges of an int8 model to this place's light or sound; installed only if you say so."""
    from calibration.int8 import JUDGED_OUTPUT, recalibrate

    if model not in JUDGED_OUTPUT:
        raise typer.BadParameter(f"{model!r} is neither vision nor hearing", param_hint="MODEL")
    outcome = recalibrate("vision" if model == "vision" else "hearing", recordings, out, models)
    say(
        f"{outcome.file}: {outcome.lost_before:.4%} of FP16's variance lost before, {outcome.lost_after:.4%} after "
        f"({outcome.candidate}; judged on {outcome.inputs} that were not fitted to)."
    )
    if outcome.better:
        remark(f"Use it: vedette model install {out}")
    else:
        remark("The shipped ranges fit this place already; the folder holds the model as it came.")


@app.command("thresholds")
def thresholds(
    ordinary: Annotated[
        list[str] | None,
        typer.Option(metavar="RECORDING", help="A recording of this place in which nothing happened; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="F", help="The configuration, instead of the usual one.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The state folder with the history, instead of the usual one.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the margins into the configuration.")] = False,
    as_json: AsJson = False,
) -> None:
    """Raise the thresholds of kinds that were false here: from `incidents mark` and from ordinary recordings."""
    from agent.config.load import load
    from calibration.thresholds import from_ordinary, margins

    settings = load(config)
    judged = _judged(state, settings.policy.margin_llr)
    if ordinary:
        false, hours = from_ordinary(ordinary, settings)
        remark(f"{len(false)} incidents in {hours:.2f} h of ordinary recordings.")
        judged += false
    if not judged:
        raise VedetteError(
            "There is nothing to learn from",
            why="no incident has a verdict, and no ordinary recording was given",
            cure="Give verdicts with `vedette incidents mark ID true|false`, or recordings with --ordinary.",
        )
    found = margins(judged, settings.policy.margin_llr)
    if as_json:
        print_json([asdict(margin) for margin in found])
    else:
        _show_margins(found)
    raised = {margin.kind: margin.after_llr for margin in found if margin.after_llr > margin.before_llr}
    for margin in found:
        if margin.false_kept and margin.kind not in raised:
            remark(_why_not(margin))
    _keep_margins(raised, settings.policy.margin_llr, config, state, apply=apply)


def _judged(state: Path | None, now_llr: Mapping[str, float]) -> "list[Judged]":
    from agent.config.places import state_dir
    from agent.uplink.history.history import Query, all_verdicts, find
    from agent.uplink.storage.store import open_for_reading
    from agent.uplink.uplink import DATABASE
    from calibration.applied import applied, margin_then
    from calibration.thresholds import from_history

    folder = state or state_dir()
    path, known = folder / DATABASE, applied(folder)
    if not path.exists():
        return []
    with closing(open_for_reading(path)) as store:
        verdicts = {incident: verdict.true for incident, verdict in all_verdicts(store).items()}
        return from_history(
            find(store, Query()), verdicts, lambda kind, started_at: margin_then(kind, started_at, known, now_llr)
        )


def _show_margins(found: "Sequence[Margin]") -> None:
    rows = [
        (
            margin.kind,
            f"{margin.before_llr:+.2f}",
            f"{margin.after_llr:+.2f}",
            f"{margin.true_kept} of {margin.true}",
            f"{margin.false_kept} of {margin.false}",
        )
        for margin in found
    ]
    print_table(("kind", "margin before", "after", "true that stay", "false that stay"), rows)


def _why_not(margin: "Margin") -> str:
    if margin.true:
        return f"{margin.kind}: a higher threshold would cost more true ones than it is worth."
    return (
        f"{margin.kind}: what was false is surer than a margin may ask for: draw another zone or mask, "
        f"move the camera, or name {margin.kind} in policy.disabled_kinds."
    )


def _keep_margins(
    raised: dict[str, float],
    before_llr: Mapping[str, float],
    config: Path | None,
    state: Path | None,
    *,
    apply: bool,
) -> None:
    from agent.config.edit import edit, with_key
    from agent.config.places import state_dir
    from agent.uplink.messages.payload import rfc3339
    from calibration.applied import note

    if not raised:
        remark("No threshold is raised; the configuration stays as it is.")
        return
    if not apply:
        remark("Keep them: the same command with --apply.")
        return

    def changed(text: str) -> str:
        for kind, margin_llr in raised.items():
            text = with_key(text, ("policy", "margin_llr", kind), margin_llr)
        return text

    note(state or state_dir(), rfc3339(time.time_ns()), before_llr)
    edit(changed, config)
    remark("The margins are in the configuration; restart a running service now: sudo systemctl restart vedette")


def _require_free(name: str, known: tuple[str, ...]) -> None:
    from agent.inference.site_label import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter(f"{name!r} is no name: small letters, digits and _, a letter first", param_hint="NAME")
    if name in known:
        raise typer.BadParameter(f"the model knows {name} already; give it another name", param_hint="NAME")


def _require_known(names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"the model knows no {name}; it knows {', '.join(known)}", param_hint="--not-a")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise VedetteError(
            f"{path} cannot be written", why=error.strerror or str(error), cure="Name another file with --out."
        ) from None


@app.command("normality")
def normality(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING…",
            help="Ordinary minutes of one camera: files, folders of numbered pictures, recorded observations.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where to.", show_default=False)],
    fps: Annotated[float | None, typer.Option(metavar="F", help="Pictures per second of a picture folder.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="F", help="Analysis size and models; none is read otherwise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn what is normal: `vedette calibrate normality monday.mp4 tuesday.mp4 --out yard.npz`."""
    from agent.config.load import load, of_data
    from agent.errors import SourceError
    from agent.service import normality_files
    from calibration.normality import learn

    learned = learn(recordings, config=load(config) if config else of_data({}), picture_fps=fps, warn=warn)
    size_bytes = normality_files.write(out.absolute(), learned.knowledge.arrays())
    figures = {
        "recordings": learned.recordings,
        "pictures": learned.pictures,
        "watched_s": round(learned.watched_s, 3),
        "sound_windows": learned.sounds,
        "bytes": size_bytes,
    }
    if as_json:
        print_json(figures)
    else:
        say(
            f"Learned from {learned.recordings} recordings, {learned.pictures} pictures, "
            f"{learned.watched_s:.0f} s: {size_bytes / 1000:.0f} kB."
        )
        remark(f"Try it: vedette replay RECORDING --normality {out}")
        remark("Keep it: put it into the state folder as normality/CAMERA.npz and restart")
    if learned.skipped:
        raise SourceError(
            f"{len(learned.skipped)} of {len(recordings)} recordings could not be read",
            fault=learned.skipped[0].fault,
            cure="The lines above say which and why.",
        )
