"""What lists of recordings need to bring them out of git directories of public repositories onto a disk.

Such lists name repository, commit, path and the sha256 of the bytes; the recordings are in no commit of ours. Git
directories (bare or not) lie below one folder as `<owner>+<name>/repo`, `<owner>+<name>/repo/.git` or
`<owner>+<name>/.git`.
"""

import argparse
import csv
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


class Listed(Protocol):
    """A row of such a list. Its path is a file, or a folder of pictures where its medium is `pictures`."""

    @property
    def sha256(self) -> str:
        """Of the bytes; of the pictures in a row where it is a folder of them."""

    @property
    def medium(self) -> str:
        """`pictures`, or what kind of file it is."""

    @property
    def repository(self) -> str:
        """Owner and name."""

    @property
    def commit(self) -> str:
        """Which holds it."""

    @property
    def path(self) -> str:
        """Inside the repository."""

    @property
    def file(self) -> Path:
        """Where it is to lie here."""


def place_in(folder: Path, one: Listed) -> Path:
    """Where `fetch` puts a recording: a file, or a folder of pictures, by the sha256 of its bytes."""
    suffix = "" if one.medium == "pictures" else PurePosixPath(one.path).suffix.lower()
    return folder / f"{one.sha256[:16]}{suffix}"


Row = TypeVar("Row", bound="DataclassInstance")


def read_rows(kind: type[Row], path: Path) -> list[Row]:
    """Return the rows of a list, each field made what the dataclass says it is (str, int or float)."""
    kinds: dict[str, Any] = {one.name: one.type for one in fields(kind)}
    with path.open(encoding="utf-8", newline="") as lines:
        return [kind(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(lines)]


def command_line(
    about: str | None, wanted: Callable[[], Sequence[Listed]], table: Callable[[], str], arguments: Sequence[str] | None
) -> None:
    """`fetch DIR` brings what is wanted out of git directories (exit 1 where some fail); `list` shows the table."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="copy them from git directories")
    fetching.add_argument("below", type=Path, metavar="DIR")
    commands.add_parser("list", help="what there is")
    chosen = parser.parse_args(arguments)
    if chosen.command == "fetch":
        faults = fetch(chosen.below, wanted())
        print("\n".join(faults), file=sys.stderr)
        raise SystemExit(1 if faults else 0)
    print(table())


def git_directory(below: Path, repository: str) -> Path | None:
    """Return the git directory of owner/name below a folder, or None."""
    top = below / repository.replace("/", "+", 1)
    candidates = (top / "repo" / ".git", top / "repo", top / ".git", top)
    return next((path for path in candidates if (path / "HEAD").is_file()), None)


def blobs(git: Path, one: Listed) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of a recording's file, or of its pictures in the order of the numbers in their names.

    subprocess.CalledProcessError where the commit does not hold them.
    """
    if one.medium != "pictures":
        yield PurePosixPath(one.path).name, _git(git, "cat-file", "blob", f"{one.commit}:{one.path}")
        return
    listed = _git(git, "ls-tree", "-z", "--name-only", one.commit, f"{one.path}/").decode().split("\0")
    paths = sorted((path for path in listed if path.lower().endswith(PICTURES)), key=counted)
    asked = "".join(f"{one.commit}:{path}\n" for path in paths).encode()
    answer, at = _git(git, "cat-file", "--batch", given=asked), 0
    for path in paths:  # "<id> blob <bytes>", a line feed, that many bytes, a line feed
        head = answer.index(b"\n", at)
        length = int(answer[at:head].split()[2])
        yield PurePosixPath(path).name, answer[head + 1 : head + 1 + length]
        at = head + 2 + length


def counted(name: str) -> list[str]:
    """Return what puts names into the order of the numbers in them, with leading zeros or without: 2 before 10."""
    return [part.zfill(12) if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def _git(directory: Path, *words: str, given: bytes = b"") -> bytes:
    command = ["git", "--git-dir", str(directory), *words]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def fetch(below: Path, wanted: Sequence[Listed]) -> list[str]:
    """Write what is not there yet; return a line for each recording that could not be had or is not what it was."""
    faults = []
    for one in wanted:
        if one.file.exists():
            continue
        git = git_directory(below, one.repository)
        if git is None:
            faults.append(f"{one.repository}: no git directory below {below}")
            continue
        try:
            held = list(blobs(git, one))
        except subprocess.CalledProcessError:
            faults.append(f"{one.repository}: {one.path} is not in commit {one.commit[:12]}")
            continue
        if digest(content for _, content in held) != one.sha256:
            faults.append(f"{one.repository}: {one.path} is not what it was")
            continue
        _write(one, held)
    return faults


def _write(one: Listed, held: Sequence[tuple[str, bytes]]) -> None:
    """Write beside the place and move there, so that what lies there is whole."""
    one.file.parent.mkdir(parents=True, exist_ok=True)
    partial = one.file.with_name(f"{one.file.name}.part")
    if one.medium != "pictures":
        partial.write_bytes(held[0][1])
    else:
        partial.mkdir(exist_ok=True)
        for number, (name, content) in enumerate(held, start=1):
            (partial / f"{number:06d}{PurePosixPath(name).suffix.lower()}").write_bytes(content)
    partial.rename(one.file)


def digest(contents: Iterable[bytes]) -> str:
    """Return the sha256 of all that is given, in a row."""
    total = hashlib.sha256()
    for content in contents:
        total.update(content)
    return total.hexdigest()
