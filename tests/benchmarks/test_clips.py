"""What the benchmarks count, on clips made up here."""

import json
from pathlib import Path

from benchmarks.__main__ import command_of
from benchmarks.clips import Clip, event_table, measures_table
from benchmarks.delays import CLIPS, Opening, events_of
from benchmarks.hours import provenance

FALL = frozenset({"fall"})


def clip(*opened: tuple[float, str], events: tuple[tuple[float, float, frozenset[str]], ...] = ()) -> Clip:
    return Clip("x.mp4", ("fall",), "g", 60.0, events, [(at_s, kind, "critical") for at_s, kind in opened])


def row(clips: list[Clip], name: str) -> list[str]:
    line = next(line for line in event_table(clips).splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:6]


def test_an_alarm_within_ten_seconds_of_the_start_finds_an_event_once() -> None:
    event = (5.0, 40.0, FALL)
    assert row([clip((6.0, "fall"), (20.0, "fall"), events=(event,))], "fall") == ["1", "1", "0", "0", "1.00"]
    assert row([clip((15.1, "fall"), events=(event,))], "fall") == ["1", "0", "1", "0", "0.00"]
    assert row([clip((2.0, "fall"), events=(event,))], "fall") == ["1", "0", "0", "1", "0.00"]
    assert row([clip((50.5, "fall"), (6.0, "fall"), events=(event,))], "fall") == ["1", "1", "0", "1", "0.50"]


def test_an_alarm_of_another_kind_is_false_for_that_kind_only() -> None:
    clips = [clip((6.0, "fire"), events=((5.0, 40.0, FALL),))]
    assert row(clips, "fall")[:4] == ["1", "0", "0", "0"]
    assert row(clips, "fire or smoke")[:4] == ["0", "0", "0", "1"]


def measures(clips: list[Clip], name: str) -> list[str]:
    line = next(line for line in measures_table(clips).splitlines() if line.startswith(f"| {name} |"))
    return [cell.split("(")[0].strip() for cell in line.strip("|").split("|")][1:]


def labelled(label: str, *opened: tuple[float, str, str], group: str = "g") -> Clip:
    return Clip("x.mp4", (label,), group, 60.0, (), list(opened))


def test_a_clip_is_told_apart_once_by_whether_anything_opened_and_by_its_own_kind() -> None:
    clips = [
        labelled("fight", (1.0, "fight", "critical"), (2.0, "fight", "critical"), group="a"),
        labelled("fight", (1.0, "scream", "critical"), group="b"),  # an alarm, of another kind
        labelled("fall", group="c"),  # missed
        labelled("robbery", (3.0, "running", "warning"), group="d"),  # an event without a kind of its own; missed
        labelled("normal", (3.0, "fall", "critical"), group="e"),  # false
        labelled("normal", (3.0, "loud_noise", "notice"), (4.0, "camera_moved", "warning"), group="f"),  # no event
    ]
    assert measures(clips, "event or calm") == ["4", "2", "0.50", "0.67", "0.50", "0.57"]
    assert measures(clips, "event or calm, by its own kind") == ["4", "2", "0.33", "0.50", "0.25", "0.33"]
    assert measures(clips, "fight, against all others") == ["2", "4", "0.83", "1.00", "0.50", "0.67"]
    assert measures(clips, "fall, against all others") == ["1", "5", "0.67", "0.00", "0.00", "0.00"]
    assert "fire or smoke" not in measures_table(clips)


def test_labels_beside_a_clip_say_when_its_events_begin(tmp_path: Path) -> None:
    events = [{"name": "thud", "at_s": 4.0}, {"name": "down", "at_s": 4.5}, {"name": "down", "at_s": 9.0}]
    (tmp_path / "a.json").write_text(json.dumps({"events": events}))
    assert events_of(tmp_path / "a.mp4") == {"fall": 4.5}
    assert events_of(tmp_path / "unknown.mp4") == {}


def test_what_opens_after_its_limit_is_late() -> None:
    assert Opening("a", "fall", 4.5, 4.6, 5.3).in_time
    assert not Opening("a", "fall", 4.5, 4.6, 5.4).in_time
    assert not Opening("a", "fall", 4.5, None, None).in_time
    assert Opening("a", "fire", 1.0, 8.0, 10.9).in_time


def test_minutes_are_handed_on_to_the_sections_that_go_on_where_they_were_stopped() -> None:
    assert command_of("hours", 90) == ["benchmarks.hours", "--minutes", "90"]
    assert command_of("hours", None)[-1] == "30"
    assert command_of("tamper", 90) == ["benchmarks.tamper"]


def test_a_table_says_which_models_it_was_measured_with() -> None:
    versions = {
        name: json.loads(Path(f"models/zoo/{name}.json").read_text())["version"] for name in ("vision", "fusion")
    }
    assert all(f"{name} {version}" in provenance() for name, version in versions.items())


def test_the_times_of_the_demo_s_clips_are_those_of_the_clips_that_come_along() -> None:
    asked = {clip.stem: set(events_of(clip)) for clip in sorted(CLIPS.glob("*.mp4"))}
    assert asked == {"fall": {"fall"}, "fire": {"fire", "alarm"}, "intrude": {"glass_break"}, "walkby": set()}
