"""`vedette calibrate normality` and `replay --normality`, as an outside script runs them."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.outside import Ended, left_in_home, vedette

FPS, PICTURES = 5, 120


def draw(folder: Path, count: int, step_px: float) -> Path:
    """Numbered pictures of a patterned block that crosses a yard, again and again."""
    folder.mkdir()
    rows, columns = np.mgrid[0:192, 0:320].astype(np.float32)
    ground = 120 + 8 * np.sin(0.31 * columns) * np.cos(0.23 * rows)
    for index in range(count):
        left = (20 + step_px * index) % 290
        inside = (columns >= left) & (columns < left + 20) & (rows >= 90) & (rows < 140)
        block = 60 + 45 * np.sin(0.55 * (columns - left)) * np.cos(0.5 * rows)
        cv2.imwrite(str(folder / f"{index:03d}.png"), np.where(inside, block, ground).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ordinary pictures, fast ones, and what was learned of the ordinary ones."""
    folder = tmp_path_factory.mktemp("yard") / "work"
    folder.mkdir()
    draw(folder / "ordinary", PICTURES, 2.0)
    draw(folder / "fast", 30, 11.0)
    ended = vedette("calibrate", "normality", "ordinary", "--fps", str(FPS), "--out", "yard.npz", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    figures = json.loads(ended.out)
    assert (figures["recordings"], figures["pictures"]) == (1, PICTURES)
    assert figures["bytes"] == (folder / "yard.npz").stat().st_size < 2_000_000
    return folder


def scores(place: Path, source: str, *more: str) -> list[dict[str, str]]:
    out = place / "scores.csv"
    ended = vedette("replay", source, "--fps", str(FPS), "--every-frame", "--scores", out, *more, cwd=place)
    assert ended.code == 0, ended.err
    with out.open() as lines:
        return list(csv.DictReader(lines))


def replayed(place: Path, file: str) -> Ended:
    return vedette("replay", "fast", "--fps", str(FPS), "--normality", file, "--json-lines", "-", cwd=place)


def test_the_unusual_column_rises_with_what_is_unusual_a_row_a_picture(place: Path) -> None:
    usual = [float(row["unusual"]) for row in scores(place, "ordinary", "--normality", "yard.npz")]
    fast = [float(row["unusual"]) for row in scores(place, "fast", "--normality", "yard.npz")]
    assert (len(usual), len(fast)) == (PICTURES, 30)
    assert np.median(fast[5:]) > max(usual[5:])


def test_without_learned_normality_the_column_is_nothing_and_nothing_is_left_behind(place: Path) -> None:
    assert {row["unusual"] for row in scores(place, "fast")} == {"0"}
    assert left_in_home(place) == []


def test_what_is_unusual_is_told_as_a_notice_that_says_why_twice_the_same(place: Path) -> None:
    first, second = replayed(place, "yard.npz"), replayed(place, "yard.npz")
    assert first.out == second.out
    opened = [json.loads(line) for line in first.out.splitlines()]
    unusual = next(message for message in opened if message["kind"] == "unusual")
    assert unusual["severity"] == "notice"
    assert unusual["evidence"][0]["modality"] == "normality"
    assert "nusual" in unusual["summary"]


@pytest.mark.parametrize("what", ["missing", "empty", "truncated", "text", "other", "array", "folder"])
def test_a_file_that_is_no_learned_normality_ends_with_one_line_and_a_cure(place: Path, what: str) -> None:
    path = place / f"bad-{what}.npz"
    whole = (place / "yard.npz").read_bytes()
    if what == "empty":
        path.write_bytes(b"")
    elif what == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif what == "text":
        path.write_text("not an archive")
    elif what == "other":
        np.savez(path, a=np.zeros(3))
    elif what == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif what == "folder":
        path.mkdir()
    ended = replayed(place, path.name)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert path.name in ended.err
    assert "vedette calibrate normality" in " ".join(ended.err.split())


def test_a_recording_that_cannot_be_read_is_told_and_the_rest_is_learned(place: Path) -> None:
    ended = vedette(
        "calibrate", "normality", "nowhere", "ordinary", "--fps", str(FPS), "--out", "rest.npz", cwd=place
    )  # fmt: skip
    assert ended.code == 4
    assert "nowhere" in ended.err
    assert (place / "rest.npz").exists()


def test_too_little_to_learn_from_is_said_and_nothing_is_written(place: Path) -> None:
    ended = vedette("calibrate", "normality", "fast", "--fps", str(FPS), "--out", "short.npz", cwd=place)
    assert ended.code == 1
    assert "at least 20" in ended.err
    assert not (place / "short.npz").exists()
