"""`vedette model`: which models there are, whether their bytes are right, and what their cards say."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_error, print_json, print_table, say
from agent.errors import ModelError

if TYPE_CHECKING:
    from agent.inference.card import Card, ModelFile
    from agent.inference.device import Chosen

app = typer.Typer(help="The models: list them, verify their bytes, read their cards, install others and go back.")

_RESTART = "The agent takes it at its next start: sudo systemctl restart vedette"

Folder = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="Models there, instead of those that the agent uses."),
]


@app.command("list")
def list_(folder: Folder = None, json: AsJson = False) -> None:
    """List every model file with its precision, size and hash."""
    cards = _cards(folder)
    if json:
        print_json([_summary(card) for card in cards])
        return
    rows = [
        (
            card.name,
            card.version,
            file.file,
            file.precision,
            _canvas(file),
            f"{file.bytes / 1e6:.2f} MB",
            file.sha256[:12],
            _origin(card),
        )
        for card in cards
        for file in card.files
    ]
    print_table(("model", "version", "file", "precision", "input", "size", "sha256", "from"), rows)


@app.command()
def verify(folder: Folder = None, json: AsJson = False) -> None:
    """Compare the bytes of every model file with its card; exit code 6 if one differs."""
    findings = [finding for card in _cards(folder) for finding in _verified(card)]
    bad = [error for *_, error in findings if error is not None]
    if json:
        print_json([{"model": n, "file": f, "ok": e is None, "error": e.line() if e else None} for n, f, e in findings])
    else:
        print_table(("model", "file", ""), [(n, f, "wrong" if e else "right") for n, f, e in findings])
        for error in bad:
            print_error(error)
    if bad:
        raise ModelError(
            f"{len(bad)} of {len(findings)} model files are wrong", cure="Install Vedette again, or repair the folder."
        )


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="vision, hearing, hearing-verifier or fusion.")],
    folder: Folder = None,
    json: AsJson = False,
) -> None:
    """Show a model's card, and where the model runs on this machine."""
    from agent.inference.card import CARD_NAMES, load_card

    if name not in CARD_NAMES:
        raise typer.BadParameter(f"there is no model {name!r}; there are {', '.join(CARD_NAMES)}.", param_hint="NAME")
    folder = folder or _used(name)
    card = load_card(name, folder)
    places = _places(name, folder)
    if json:
        print_json(_full(card) | {"runs": places})
        return
    say(f"{card.name} {card.version}, features {card.feature_version}")
    for place in places:
        degraded = ", degraded" if place["degraded"] else ""
        say(f"  {place['file']} runs on {place['place']}, {place['run_ms']:.2f} ms ({place['reason']}{degraded})")
    say(f"  precision: {places[0]['arithmetic']}")
    _say_card(card)


@app.command()
def install(
    source: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="A folder with a card, the card, a .zip or a .tar.gz of both.")
    ],
) -> None:
    """Use other models from the agent's next start on: verified, tried on this machine, the present ones kept."""
    from agent.config.places import state_dir
    from agent.inference import installed

    with installed.opened(source) as folder:
        for card in installed.checked(folder):
            for place in _places(card.name, folder):
                say(f"{place['file']} runs on {place['place']}, {place['run_ms']:.2f} ms")
        cards = installed.install(folder, state_dir())
    for card in cards:
        say(f"installed: {card.name} {card.version}; the one used before is kept (vedette model rollback)")
    say(_RESTART)


@app.command()
def rollback(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]", help="vision, hearing, hearing-verifier or fusion; without it all that can go back."
        ),
    ] = "",
) -> None:
    """Use again the models that were used before the last `install`; a second time: the newer ones again."""
    from agent.config.places import state_dir
    from agent.inference import installed
    from agent.inference.card import CARD_NAMES

    if name and name not in CARD_NAMES:
        raise typer.BadParameter(f"there is no model {name!r}; there are {', '.join(CARD_NAMES)}.", param_hint="NAME")
    for card in installed.rollback(state_dir(), (name,) if name else CARD_NAMES).values():
        say(f"used from the next start on: {card.name} {card.version}, {_origin(card)}")
    say(_RESTART)


def _say_card(card: "Card") -> None:
    say(f"  labels ({len(card.labels)}): {', '.join(card.labels)}")
    for group, members in card.groups.items():
        say(f"  {group}: {', '.join(members)}")
    for title, content in (
        ("intended use", card.intended_use),
        ("not for", card.not_for),
        ("limits", card.limits),
        ("training", card.training),
        ("figures", card.figures),
    ):
        if content:
            say(f"{title}:")
            for line in _lines(content):
                say(f"  {line}")


def _lines(content: Any, path: str = "") -> Iterable[str]:
    """Nested dictionaries and lists as lines `a.b: value`; a row of a table and a sentence of a list have one each."""
    head = f"{path}: " if path else ""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _lines(value, f"{path}.{key}" if path else str(key))
    elif not isinstance(content, list):
        yield f"{head}{content}"
    elif any(isinstance(value, dict | list) for value in content):
        for value in content:
            if isinstance(value, dict) and not any(isinstance(cell, dict | list) for cell in value.values()):
                yield head + ", ".join(f"{key} {cell}" for key, cell in value.items())
            else:
                yield from _lines(value, path)
    elif any(" " in str(value) for value in content):
        for value in content:
            yield f"{head}{value}"
    else:
        yield head + ", ".join(str(value) for value in content)


def _cards(folder: Path | None) -> "list[Card]":
    from agent.inference.card import CARD_NAMES, card_names, load_card

    places = {name: folder or _used(name) for name in CARD_NAMES}
    return [load_card(name, place) for name, place in places.items() if name in card_names(place)]


def _used(name: str) -> Path | None:
    """Return the folder of the model that the agent uses, None for the shipped one."""
    from agent.config.places import state_dir
    from agent.inference.installed import candidates

    return candidates(name, state_dir())[0]


def _origin(card: "Card") -> str:
    from agent.inference.card import zoo_folder

    return "shipped with Vedette" if card.folder == zoo_folder() else str(card.folder)


def _verified(card: "Card") -> "Iterable[tuple[str, str, ModelError | None]]":
    for file in card.files:
        try:
            card.path_of(file)
        except ModelError as error:
            yield card.name, file.file, error
        else:
            yield card.name, file.file, None


def _places(name: str, folder: Path | None) -> list[dict[str, Any]]:
    """Open the model as the service would by default, and tell where each export came to run."""
    from agent.config.schema import Models
    from agent.inference.card import has_card, load_card
    from agent.inference.fusion import FusionModel
    from agent.inference.hearing import HearingModel, probe_sound
    from agent.inference.verifier import NAME as VERIFIER
    from agent.inference.verifier import Verifier
    from agent.inference.vision import VisionModel

    models = Models(folder=str(folder or ""))
    if name == "hearing":
        return [_place(chosen) for chosen in HearingModel.load(models, verified=False).chosen]
    if name == VERIFIER:
        hearing = load_card("hearing", folder if has_card("hearing", folder) else _used("hearing"))
        verifier = Verifier.load(models, hearing, probe_sound())
        return [_place(chosen) for chosen in verifier.chosen] if verifier else []
    if name == "fusion":
        fusion = FusionModel.load(models)
        return [_place(chosen) for chosen in fusion.chosen] if fusion else []
    vision = VisionModel.load(models)
    for file in vision.card.files_of(models.precision):
        vision.open(file.size_px)
    return [_place(chosen) for chosen in vision.chosen]


def _place(chosen: "Chosen") -> dict[str, Any]:
    return {
        "file": chosen.file,
        "place": str(chosen.place),
        "precision": chosen.precision,
        "arithmetic": "f32 between int8 layers (no silent BF16)" if chosen.device == "cpu" else "f16",
        "reason": chosen.reason,
        "degraded": chosen.degraded,
        "run_ms": round(chosen.run_ms, 3),
    }


def _canvas(file: "ModelFile") -> str:
    return f"{file.width_px}×{file.height_px}" if file.width_px else ""


def _full(card: "Card") -> dict[str, Any]:
    content: dict[str, Any] = card.model_dump(mode="json", by_alias=True, exclude={"folder"})
    return content


def _summary(card: "Card") -> dict[str, Any]:
    full = _full(card)
    return {key: full[key] for key in ("name", "version", "feature_version", "files", "labels")}
