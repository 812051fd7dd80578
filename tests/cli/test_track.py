"""`vedette track` to the letter of its contract: MOTChallenge text in and out."""

from pathlib import Path

import pytest

from agent.cli.track import track


def person_at(frame: int, x: float, *, score: float = 0.9, name: str = "-1") -> str:
    return f"{frame},{name},{x:.1f},300,80,200,{score},-1,-1,-1"


def tracked(tmp_path: Path, text: str, *, fps: float = 30.0) -> list[list[float]]:
    source, out = tmp_path / "det.txt", tmp_path / "out.txt"
    source.write_text(text)
    track(source, out, fps)
    return [[float(field) for field in line.split(",")] for line in out.read_text().splitlines()]


def test_a_walking_person_keeps_one_identity_from_1(tmp_path: Path) -> None:
    lines = tracked(tmp_path, "\n".join(person_at(k, 100 + 4 * k) for k in range(1, 31)))
    assert [line[0] for line in lines] == list(range(1, 31))
    assert {line[1] for line in lines} == {1}
    assert lines[4] == [5, 1, 120, 300, 80, 200, 0.9, -1, -1, -1]


def test_identities_in_the_input_are_ignored(tmp_path: Path) -> None:
    text = "\n".join(person_at(k, 100 + 4 * k, name=name) for k, name in enumerate(("7", "3", "x?", ""), start=1))
    assert [line[1] for line in tracked(tmp_path, text)] == [1, 1, 1, 1]


def test_a_person_is_found_again_after_missing_frames(tmp_path: Path) -> None:
    frames = [k for k in range(1, 40) if not 15 <= k < 27]
    lines = tracked(tmp_path, "\n".join(person_at(k, 100 + 4 * k) for k in frames))
    assert [line[0] for line in lines] == frames
    assert {line[1] for line in lines} == {1}


def test_weak_detections_continue_a_track_but_start_none(tmp_path: Path) -> None:
    lines = tracked(tmp_path, "\n".join(person_at(k, 100 + k, score=0.9 if k < 10 else 0.2) for k in range(1, 20)))
    assert len(lines) == 19
    assert tracked(tmp_path, "\n".join(person_at(k, 100 + k, score=0.2) for k in range(1, 20))) == []


def test_a_line_never_depends_on_later_frames(tmp_path: Path) -> None:
    people = [person_at(k, 100 + 30 * p + (3 - p) * k, score=0.5 + 0.1 * (k % 5)) for k in range(1, 60) for p in (0, 3)]
    whole = tracked(tmp_path, "\n".join(people))
    for cut in (1, 2, 17, 40):
        part = tracked(tmp_path, "\n".join(line for line in people if int(line.split(",")[0]) <= cut))
        assert part == [line for line in whole if line[0] <= cut]


def test_lines_may_come_in_any_order(tmp_path: Path) -> None:
    people = [person_at(k, 100 + 4 * k) for k in range(1, 31)]
    assert tracked(tmp_path, "\n".join(reversed(people))) == tracked(tmp_path, "\n".join(people))


def test_the_frame_rate_says_how_long_a_gap_is(tmp_path: Path) -> None:
    text = "\n".join(person_at(k, 100.0) for k in [*range(1, 10), *range(30, 40)])
    assert {line[1] for line in tracked(tmp_path, text, fps=60.0)} == {1}
    assert {line[1] for line in tracked(tmp_path, text, fps=2.0)} == {1, 2}


def test_no_detections_give_no_tracks(tmp_path: Path) -> None:
    assert tracked(tmp_path, "") == []
    assert tracked(tmp_path, "\n \n") == []


def test_boxes_without_a_size_are_not_followed(tmp_path: Path) -> None:
    assert tracked(tmp_path, "1,-1,10,10,0,20,0.9\n2,-1,10,10,0,20,0.9\n3,-1,10,10,-5,20,0.9\n") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2,-1,10,20,30", "'2,-1,10,20,30' has 5 columns instead of 7 or more"),
        ("2,-1,10,20,a,40,0.5", "'2,-1,10,20,a,40,0.5' is not frame,id,x,y,w,h,score"),
        ("2,-1,10,20,nan,40,0.5", "holds a number that is not finite"),
        ("0,-1,10,20,30,40,0.5", "'0' is not a frame number from 1"),
        ("1.5,-1,10,20,30,40,0.5", "'1.5' is not a frame number from 1"),
        ("2,-1,10,20,30,40,50", "the score '50' is not between 0 and 1"),
        ("2 -1 10 20 30 40 0.5", "is not frame,id,x,y,w,h,score"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_a_cure(
    tmp_path: Path, vedette: object, line: str, reason: str
) -> None:
    source = tmp_path / "det.txt"
    source.write_text(f"1,-1,10,20,30,40,0.5\n{line}\n")
    assert callable(vedette)
    ended = vedette("track", str(source), "--out", str(tmp_path / "out.txt"))
    assert ended.code == 4
    assert "line 2" in ended.err
    assert reason in ended.err
    assert "Write one detection a line as frame,id,x,y,w,h,score" in ended.err
    assert not (tmp_path / "out.txt").exists()


def test_files_that_cannot_be_read_or_written_are_said_so(tmp_path: Path, vedette: object) -> None:
    assert callable(vedette)
    missing = vedette("track", str(tmp_path / "none.txt"), "--out", str(tmp_path / "out.txt"))
    assert (missing.code, "No file" in missing.err) == (4, True)
    garbage = tmp_path / "garbage.txt"
    garbage.write_bytes(bytes(range(256)) * 100)
    assert vedette("track", str(garbage), "--out", str(tmp_path / "out.txt")).code == 4
    assert vedette("track", str(tmp_path), "--out", str(tmp_path / "out.txt")).code == 4
    good = tmp_path / "good.txt"
    good.write_text(person_at(1, 10.0) + "\n")
    ended = vedette("track", str(good), "--out", str(tmp_path / "no" / "out.txt"))
    assert (ended.code, "Cannot write" in ended.err) == (1, True)
