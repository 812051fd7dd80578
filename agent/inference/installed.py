"""Models that a person installed over the shipped ones: in the state folder, with the one used before kept beside.

    <state>/models/installed.json            which set of each model is used, and which was used before
    <state>/models/<model>/<id>/             one set: its card and every file that the card names

A set gets in only whole: the card fits this Vedette, and every file has the sha256 that the card names.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.config.files import write_atomically
from agent.errors import ConfigError, ModelError
from agent.inference.card import CARD_NAMES, Card, load_card

FOLDER = "models"
FILE = "installed.json"
SCHEMA = "vedette.installed/1"
SHIPPED = "shipped"
KEPT = 2  # sets of one model: the one in use and the one before
MAX_BYTES = 500_000_000  # of an archive's content; our own models have 16 MB together

_ID_CHARACTERS = 12
_DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a zip with a password, or packed in a way that is unknown
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
with contextlib.suppress(ImportError):  # a Python without it reads no .xz either
    from lzma import LZMAError

    _DAMAGED = (*_DAMAGED, LZMAError)


def used(state_folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the ids of the sets of each model, the one in use first; a file that cannot be read counts as none."""
    try:
        document = json.loads((state_folder / FOLDER / FILE).read_text("utf-8"))
        stacks = document["used"] if document["schema"] == SCHEMA else {}
        return {
            name: tuple(str(one) for one in stacks[name] if one == SHIPPED or str(one).isalnum())
            for name in CARD_NAMES
            if isinstance(stacks.get(name), list)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def candidates(name: str, state_folder: Path) -> tuple[Path | None, ...]:
    """Return the folders that the model `name` may come from, best first, the shipped one (None) last."""
    found = [_place(name, one, state_folder) for one in used(state_folder).get(name, ())]
    return tuple(dict.fromkeys([*found, None]))


def install(folder: Path, state_folder: Path) -> tuple[Card, ...]:
    """Copy every model whose card lies in `folder` to the state folder, and use it from the next start on.

    Errors: ModelError when there is no card, one does not fit, a file is not the one its card names, or the
    state folder cannot be written: nothing changes then.
    """
    cards = checked(folder)
    stacks = dict(used(state_folder))
    for card in cards:
        before = stacks.get(card.name) or (SHIPPED,)
        kept = _copied(card, folder, state_folder)
        stacks[card.name] = tuple(dict.fromkeys([kept, *before]))[:KEPT]
    _keep(stacks, state_folder)
    return cards


def rollback(state_folder: Path, names: Sequence[str] = CARD_NAMES) -> dict[str, Card]:
    """Use again what was used before, of each of `names` that has such a set; return the cards that are used now.

    Errors: ModelError when there is nothing to go back to, or the set of before is not sound any more.
    """
    stacks = dict(used(state_folder))
    going = [name for name in names if len(stacks.get(name, ())) == KEPT]
    if not going:
        raise ModelError(
            "There is no model to go back to",
            why=f"no other {' or '.join(names)} model was installed here before",
            cure="`vedette model list` shows what is used.",
        )
    cards = {}
    for name in going:
        stacks[name] = stacks[name][::-1]
        cards[name] = _sound(load_card(name, _place(name, stacks[name][0], state_folder)))
    _keep(stacks, state_folder)
    return cards


def checked(folder: Path) -> tuple[Card, ...]:
    """Return the cards in `folder`, whose files were all found to be the right ones. Errors: ModelError."""
    names = [name for name in CARD_NAMES if (folder / f"{name}.json").is_file()]
    if not names:
        raise ModelError(
            f"{folder} holds no model",
            why=f"there is none of {', '.join(f'{name}.json' for name in CARD_NAMES)}",
            cure="Name a folder or archive with a card and the files that it names.",
        )
    return tuple(_sound(load_card(name, folder)) for name in names)


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Path]:
    """Yield the folder that `source` stands for: itself, that of a card, or an archive's content, for a while.

    Only plain files are taken from an archive, by their bare names. Errors: ModelError.
    """
    if source.is_dir():
        yield source
    elif source.suffix == ".json" and source.is_file():
        yield source.parent
    else:
        with tempfile.TemporaryDirectory(prefix="vedette-models-") as name:
            _unpack(source, Path(name))
            yield Path(name)


def _sound(card: Card) -> Card:
    for file in card.files:
        card.path_of(file)
    return card


def _place(name: str, one: str, state_folder: Path) -> Path | None:
    return None if one == SHIPPED else state_folder / FOLDER / name / one


def _copied(card: Card, folder: Path, state_folder: Path) -> str:
    """Copy a set beside the others and return its id, made from its card, which names the hash of every file."""
    one = hashlib.sha256((folder / f"{card.name}.json").read_bytes()).hexdigest()[:_ID_CHARACTERS]
    target = state_folder / FOLDER / card.name / one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(dir=target.parent, prefix=".incoming-"))
        try:
            for file in (f"{card.name}.json", *(file.file for file in card.files)):
                _copy(folder / file, incoming / file)
            _sound(load_card(card.name, incoming))
            incoming.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            incoming.rename(target)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    except OSError as error:
        raise _unwritable(state_folder, error.strerror or type(error).__name__) from error
    return one


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o644)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep(stacks: Mapping[str, tuple[str, ...]], state_folder: Path) -> None:
    """Write down which sets are used, then remove those that are not."""
    text = json.dumps({"schema": SCHEMA, "used": {name: list(stack) for name, stack in stacks.items()}}, indent=1)
    try:
        write_atomically(state_folder / FOLDER / FILE, text + "\n", mode=0o644)
    except ConfigError as error:
        raise _unwritable(state_folder, error.why) from error
    for name, stack in stacks.items():
        place = state_folder / FOLDER / name
        for one in place.iterdir() if place.is_dir() else ():
            if one.name not in stack:
                shutil.rmtree(one, ignore_errors=True)


def _unwritable(state_folder: Path, why: str) -> ModelError:
    return ModelError(
        f"The models in {state_folder / FOLDER} cannot be written", why=why, cure="Use sudo, or make room on the disk."
    )


def _unpack(source: Path, into: Path) -> None:
    try:
        if zipfile.is_zipfile(source):
            _unzip(source, into)
        else:
            _untar(source, into)
    except _DAMAGED as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, tarfile.ReadError):
            why = "it is no archive, or was damaged on its way"  # tarfile tells what each packer said
        raise ModelError(
            f"{source} holds no model", why=why, cure="Name a folder, a card (.json), a .zip or a .tar.gz."
        ) from error


def _unzip(source: Path, into: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        members = [member for member in archive.infolist() if _wanted(member.filename) and not member.is_dir()]
        _require_size(sum(member.file_size for member in members))
        for member in members:
            (into / Path(member.filename).name).write_bytes(archive.read(member))


def _untar(source: Path, into: Path) -> None:
    with tarfile.open(source) as archive:
        members = [member for member in archive if member.isfile() and _wanted(member.name)]
        _require_size(sum(member.size for member in members))
        for member in members:
            stream = archive.extractfile(member)
            assert stream is not None
            (into / Path(member.name).name).write_bytes(stream.read())


def _wanted(name: str) -> bool:
    return Path(name).suffix in (".json", ".onnx")


def _require_size(size_bytes: int) -> None:
    if size_bytes > MAX_BYTES:
        raise ValueError(f"{size_bytes / 1e6:.0f} MB are too many")
