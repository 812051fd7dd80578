"""What the benchmarks of hours and of joined clips count, on recordings and incidents made up here."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import footage, hours
from benchmarks.clips import Clip
from benchmarks.continuous import Film, Happening, Score, Told, films_of, happenings_of, heard_at
from benchmarks.footage import Recording, recordings
from benchmarks.hours import Opened
from benchmarks.repositories import digest, fetch

FALL = frozenset({"fall"})


def film(*told: Told, events: tuple[tuple[float, float], ...] = ((10.0, 12.0),)) -> Film:
    happenings = tuple(Happening(start, end, FALL) for start, end in events)
    return Film([(Path("calm.mp4"), ()), (Path("fall.mp4"), happenings)], [0.0, 100.0], 200.0, list(told))


def scored(*told: Told, events: tuple[tuple[float, float], ...] = ((10.0, 12.0),)) -> Score:
    score = Score()
    score.add(film(*told, events=events), FALL)
    return score


def test_one_incident_within_ten_seconds_of_its_happening_is_what_is_asked_for() -> None:
    score = scored(Told("fall", 111.0, 130.0, "quiet"))
    assert (score.asked, score.in_time, score.late, score.incidents, score.false, score.left_open) == (
        1,
        1,
        0,
        [1],
        0,
        0,
    )


def test_a_second_incident_of_the_same_happening_is_a_repetition_and_not_a_false_one() -> None:
    score = scored(Told("fall", 111.0, 112.0, "quiet"), Told("fall", 115.0, 118.0, "quiet"))
    assert (score.in_time, score.incidents, score.repeated, score.false) == (1, [2], 1, 0)


def test_what_the_second_incident_absorbs_is_no_repetition() -> None:
    score = scored(Told("fall", 111.0, 112.0, "absorbed"), Told("fall", 112.0, 118.0, "quiet"))
    assert (score.incidents, score.repeated, score.false) == ([1], 0, 0)


def test_of_several_fights_of_one_group_the_longest_is_joined() -> None:
    clips = [Clip("calm.mp4", ("normal",), "c", 9.0)]
    clips += [Clip(f"{n}.mp4", ("fight",), "g", length_s) for n, length_s in enumerate((2.0, 5.0, 3.0))]
    (film_,) = films_of(clips)
    assert [path.name for path, happenings in film_.sources if happenings] == ["1.mp4"]


def test_what_opens_late_does_not_find_and_what_opens_elsewhere_is_false() -> None:
    score = scored(Told("fall", 125.0, 130.0, "quiet"), Told("fall", 20.0, 30.0, "quiet"), events=((10.0, 40.0),))
    assert (score.in_time, score.late, score.incidents, score.false) == (0, 1, [1], 1)


def test_a_happening_without_an_incident_is_asked_for_all_the_same() -> None:
    score = scored()
    assert (score.asked, score.in_time, score.incidents) == (1, 0, [])


def test_what_only_the_end_of_the_film_closes_was_left_open() -> None:
    assert scored(Told("fall", 111.0, 200.0, "source_ended")).left_open == 1
    assert scored(Told("fall", 111.0)).left_open == 1


def test_a_fall_and_the_lying_after_it_are_one_happening_and_a_clip_without_times_is_one_too() -> None:
    falls = ((2.0, 3.0, FALL), (3.0, 9.0, FALL))
    assert happenings_of(Clip("a.mp4", ("fall",), "g", 12.0, falls)) == (Happening(2.0, 9.0, FALL),)
    assert happenings_of(Clip("a.mp4", ("fight",), "g", 4.0)) == (Happening(0.0, 4.0, frozenset({"fight"})),)


def test_between_two_happenings_lie_ten_calm_seconds_and_after_the_last_forty_five() -> None:
    clips = [
        Clip(f"{label}{n}.mp4", (label,), f"{label}{n}", 4.0) for label in ("fight", "fall", "normal") for n in range(6)
    ]
    films = films_of(clips)
    assert [sum(bool(happenings) for _, happenings in one.sources) for one in films] == [8, 4]
    for one in films:
        calm = "".join("." if not happenings else "E" for _, happenings in one.sources).split("E")
        assert all(len(run) * 4.0 >= 10.0 for run in calm[:-1])
        assert len(calm[-1]) * 4.0 >= 45.0


def test_a_bang_comes_later_and_quieter_to_a_camera_farther_away() -> None:
    import numpy as np

    bang = np.ones(100, dtype=np.float32)
    near, far = heard_at(bang, 1000, 0.0, 1.0), heard_at(bang, 1000, 0.25, 0.25)
    assert int(np.argmax(near > 0.1)) == 6000
    assert int(np.argmax(far > 0.1)) == 6250
    assert far.max() < 0.3


def recording(sha256: str = "0" * 64, **changed: object) -> Recording:
    known: dict[str, object] = {
        "sha256": sha256, "group": "g", "source": "roads", "medium": "video", "seconds": 3600.0, "fps": 0.0,
        "size": "320x240", "sound": 0, "repository": "owner/name", "commit": "HEAD", "path": "a.mp4",
        "licence": "MIT", "use": "normal",
    }  # fmt: skip
    return Recording(**(known | changed))  # type: ignore[arg-type]


def test_the_list_of_footage_names_each_film_once_and_counts_none_with_an_incident() -> None:
    rows = recordings()
    assert len({one.sha256 for one in rows}) == len(rows)
    assert all(one.seconds >= 10.0 for one in rows if one.use == "normal" and one.medium != "sound")
    assert {one.part for one in rows} == {"dev", "held"}
    assert any(one.use.startswith("holds an incident") for one in rows)


def test_a_camera_lies_wholly_in_one_part() -> None:
    parts: dict[str, set[str]] = {}
    for one in recordings():
        parts.setdefault(one.group, set()).add(one.part)
    assert all(len(found) == 1 for found in parts.values())


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "walk").mkdir(parents=True)
    (work / "a.mp4").write_bytes(b"a film")
    for number in (1, 2, 10):
        (work / "walk" / f"frame{number}.jpg").write_bytes(b"picture %d\n" % number)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(work)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    (tmp_path / "mirror" / "owner+name").mkdir(parents=True)
    (work / ".git").rename(tmp_path / "mirror" / "owner+name" / "repo")
    return tmp_path / "mirror"


def test_films_and_folders_of_pictures_come_out_of_git_as_they_were(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footage, "CLIPS", tmp_path / "clips")
    film_ = recording(digest([b"a film"]))
    pictures = [b"picture %d\n" % number for number in (1, 2, 10)]
    folder = recording(digest(pictures), path="walk", medium="pictures", fps=10.0)
    assert fetch(mirror, [film_, folder]) == []
    assert film_.file.read_bytes() == b"a film"
    assert [path.read_bytes() for path in sorted(folder.file.iterdir())] == pictures


def test_what_is_gone_or_is_not_what_it_was_is_told_and_not_written(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footage, "CLIPS", tmp_path / "clips")
    faults = fetch(mirror, [recording(), recording(path="b.mp4"), recording(repository="no/body")])
    assert [fault.split(": ")[1].split(" ")[-1] for fault in faults] == ["was", "HEAD", str(mirror)]
    assert not (tmp_path / "clips").exists()


def test_hours_and_incidents_are_counted_by_source_and_in_all() -> None:
    one, two = recording("1" * 64), recording("2" * 64, source="halls", seconds=1800.0)
    left = recording("3" * 64)
    table = hours.table([one, two, left], {one.sha256: [Opened(1.0, "fall", "critical", "x")], two.sha256: []})
    cells = {line.split("|")[1].strip(): line.split("|")[2:6] for line in table.splitlines() if line.startswith("| ")}
    assert [cell.strip() for cell in cells["roads"]] == ["1", "1.000", "1 (fall 1)", "114"]
    assert [cell.strip() for cell in cells["halls"]] == ["1", "0.500", "0", "144"]
    assert [cell.strip() for cell in cells["**all**"]] == ["2", "1.500", "1 (fall 1)", "76"]
    assert "Not played yet: 1 recordings, 1.00 h" in table


def test_a_recording_played_before_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "OPENED", tmp_path)
    monkeypatch.setattr(footage, "CLIPS", tmp_path / "clips")
    played: list[Path] = []

    def replayed(one: Recording, senses: object) -> list[Opened]:
        played.append(one.file)
        return [Opened(1.0, "fall", "critical", "x")]

    monkeypatch.setattr(hours, "replayed", replayed)
    monkeypatch.setattr(hours, "senses_of_default", lambda: None)
    one = recording("4" * 64)
    assert hours.play([one], 1.0) == {}  # it is not there
    one.file.parent.mkdir()
    one.file.write_bytes(b"x")
    known = hours.play([one], 1.0)
    assert hours.play([one], 1.0) == known == {one.sha256: [Opened(1.0, "fall", "critical", "x")]}
    assert len(played) == 1
