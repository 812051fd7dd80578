"""What the README and the documents tell people to type exists: every command, every option."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from agent.cli.main import build_app

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
# Where a command may begin: on a line, after sudo, in a container (`exec vedette vedette …`: the service, the command).
_BEGINS = re.compile(
    r"(?:^|[$;] |   |sudo |-u vedette |bin/|compose run --rm |compose exec vedette | -v \S+ )vedette (?=\S)"
)
_ROOT = typer.main.get_command(build_app())


def typed(text: str) -> Iterator[list[str]]:
    """Yield the words after `vedette` of each command in blocks of code and in `code` within sentences."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    for line in [line for block in blocks for line in block.splitlines()] + inline:
        told = re.sub(r"'[^']*'", "QUOTED", line.split("  #")[0].replace("\\|", "|"))
        begins = [match.end() for match in _BEGINS.finditer(told)]
        for begin, end in zip(begins, [*begins[1:], len(told)], strict=False):
            yield re.sub(r"[\[\]`]", " ", told[begin:end]).split()


def unknown(words: list[str]) -> str:
    """Return what of a command line Vedette does not know; empty where it knows all."""
    command, path = _ROOT, "vedette"
    for word in words:
        if not (inner := getattr(command, "commands", None)):
            break
        if re.fullmatch(r"[A-Z…].*", word) or word.startswith("-"):
            break
        for name in word.split("|"):  # install|uninstall
            if name not in inner:
                return f"{path} {name}"
        command, path = inner[word.split("|")[0]], f"{path} {word}"
    options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    asked = [word.split("=")[0].rstrip(".,;:…") for word in words if re.match(r"--?[a-z]", word, re.IGNORECASE)]
    return next((f"{path} {option}" for option in asked if option not in options | {"--debug", "--version"}), "")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_tells_to_type_exists(document: Path) -> None:
    found = {" ".join(words): unknown(words) for words in typed(document.read_text())}
    assert {line: what for line, what in found.items() if what} == {}


def test_commands_are_found_where_documents_have_them_and_what_is_wrong_is_told() -> None:
    text = (REPOSITORY / "README.md").read_text() + (REPOSITORY / "docs" / "container.md").read_text()
    told = [" ".join(words) for words in typed(text)]
    assert "doctor --privacy" in told
    assert "drill fall --camera door" in told
    assert any(line.startswith("camera find") for line in told)
    assert len(told) > 30
    assert unknown(["camera", "fined"]) == "vedette camera fined"
    assert unknown(["run", "--recrod", "DIR"]) == "vedette run --recrod"
    assert unknown(["service", "install|uninstal"]) == "vedette service uninstal"


def test_the_index_of_decisions_names_each_of_them_by_its_title() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    told = (folder / "README.md").read_text()
    paths = sorted(folder.glob("[0-9]*.md"))
    assert len({path.name[:3] for path in paths}) == len(paths), "two decisions have one number"
    for path in paths:
        number, title = path.read_text().splitlines()[0].removeprefix("# ").split(" ", 1)
        assert path.name.startswith(number)
        assert f"- [{number}]({path.name}) {title}\n" in told


def anchors(document: Path) -> set[str]:
    """Return what GitHub calls the headings of a document: lower case, words joined by hyphens, no punctuation."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_between_documents_leads_to_a_file_and_a_heading_in_it() -> None:
    folders = ("*.md", "docs/**/*.md", "models/**/*.md", "benchmarks/*.md")
    broken = []
    for document in (path for folder in folders for path in REPOSITORY.glob(folder)):
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", document.read_text()):
            file = document.parent / target if target else document
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                broken.append(f"{document.relative_to(REPOSITORY)}: {target}#{anchor}")
    assert broken == []


def test_the_map_of_documents_names_each_of_them() -> None:
    told = (REPOSITORY / "docs" / "README.md").read_text()
    assert [path.name for path in DOCUMENTS[1:] if path.name != "README.md" and f"({path.name})" not in told] == []
