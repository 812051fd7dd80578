import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from agent.config.schema import Camera, Config, Node, Snapshots
from agent.errors import StoreError
from agent.service.digest import page as digest_page
from agent.service.digest.day import Day, gather_day, quiet, rows, summary
from agent.service.digest.page import MOST_CARDS, page
from agent.types import NS_PER_S, Closed, IncidentChange, Opened, Updated
from agent.uplink.history import history
from agent.uplink.storage.store import open_beside
from agent.uplink.uplink import DATABASE, Uplink
from tests.uplink.made import incident

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 22, tzinfo=UTC)


class Past:
    """A history that is written as the agent writes it, at times of our choosing."""

    def __init__(self, folder: Path, cameras: dict[str, Camera] | None = None) -> None:
        self.folder = folder
        config = Config(node=Node(name="box"), snapshots=Snapshots(enabled=True), cameras=cameras or {})
        self._uplink = Uplink.open(config, folder)
        self._count = 0
        self._values: dict[str, Any] = {}

    def happened(self, at: datetime, lasted_s: float | None = 10.0, *, picture: bool = False, **changes: Any) -> str:
        self._count += 1
        started_ns = int(at.timestamp()) * NS_PER_S
        values = self._values = {"started_ns": started_ns, "at_ns": started_ns + 2 * NS_PER_S} | changes
        opened = Opened(incident=incident(self._count, **values))
        incident_id = self._raise(opened, np.zeros((90, 160, 3), np.uint8) if picture else None)
        if lasted_s is not None:
            ended_ns = started_ns + int(lasted_s * NS_PER_S)
            over = {"at_ns": ended_ns, "ended_ns": ended_ns, "close_reason": "quiet"}
            self._raise(Closed(incident=incident(self._count, **values | over)), None)
        return incident_id

    def amend(self, *, closes: bool = True, **changes: Any) -> None:
        """Say more of the last incident, 10 s after it began."""
        at_ns = self._values["started_ns"] + 10 * NS_PER_S
        values = self._values | {"at_ns": at_ns} | changes
        if closes:
            self._raise(Closed(incident=incident(self._count, **values, ended_ns=at_ns, close_reason="quiet")), None)
        else:
            self._raise(Updated(incident=incident(self._count, **values)), None)

    def _raise(self, change: IncidentChange, picture: Any) -> str:
        return self._uplink.raise_change(change, wall_offset_ns=0, clock_synchronised=True, picture=picture)

    def close(self) -> None:
        self._uplink.close()

    def day(self, now: datetime = LATER, day: date = DAY, zone: Any = UTC) -> Day:
        self.close()
        return gather_day(self.folder, day, zone=zone, now=now)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_a_day_holds_what_began_in_it_and_drills_apart(past: Past) -> None:
    past.happened(NOON - timedelta(hours=12, seconds=1))
    first = past.happened(NOON - timedelta(hours=12))
    last = past.happened(NOON + timedelta(hours=11, minutes=59))
    past.happened(NOON + timedelta(hours=12))
    drill = past.happened(NOON, drill=True)
    day = past.day()
    assert [entry.newest["id"] for entry in day.entries] == [first, last]
    assert [entry.newest["id"] for entry in day.drills] == [drill]
    assert summary(day)["incidents"] == 2
    assert day.entries[0].open_after_s == pytest.approx(2.0)


def test_the_day_of_a_zone_has_the_hours_that_it_has(past: Past) -> None:
    day = past.day(day=date(2026, 10, 25), zone=ZoneInfo("Europe/Berlin"))
    assert day.midnight - day.begin == timedelta(hours=25)
    assert day.begin == datetime(2026, 10, 24, 22, tzinfo=UTC)
    shown = page(day, LATER)
    assert shown.count('class="hour"') + shown.count('class="six"') == 26


def test_films_are_linked_or_put_into_the_page_the_most_severe_first_as_far_as_they_fit(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [past.happened(NOON), past.happened(NOON + timedelta(hours=1), severity="notice"), past.happened(NOON)]
    (past.folder / "clips").mkdir()
    for number, incident_id in enumerate(ids[:2]):
        (past.folder / "clips" / f"{incident_id}.mp4").write_bytes(bytes([number]) * 6)
    day = past.day()
    assert summary(day)["clips"] == 2
    linked, within = page(day, LATER), page(day, LATER, with_clips=True)
    assert "<video" not in linked
    assert linked.count(">clip</a>") == 2
    assert f"{ids[0]}.mp4" in linked
    assert within.count("<video") == 2
    monkeypatch.setattr(digest_page, "MOST_FILM_BYTES", 10)
    within = page(day, LATER, with_clips=True)
    assert within.count("<video") == 1
    assert "video/mp4;base64,AAAAAAAA" in within  # the critical one


def test_quiet_hours_are_the_longest_stretches_of_an_hour_or_more(past: Past) -> None:
    for hour in (1, 2, 10, 16, 23):
        past.happened(NOON - timedelta(hours=12 - hour), lasted_s=600)
    at = NOON - timedelta(hours=12)
    told = quiet(past.day())
    assert [(began - at, ended - at) for began, ended in told] == [
        (timedelta(hours=2, minutes=10), timedelta(hours=10)),
        (timedelta(hours=10, minutes=10), timedelta(hours=16)),
        (timedelta(hours=16, minutes=10), timedelta(hours=23)),
    ]


def test_today_ends_now_and_what_is_open_lasts_until_then(past: Past) -> None:
    past.happened(NOON - timedelta(hours=3), lasted_s=None)
    day = past.day(now=NOON)
    assert day.end == NOON
    assert day.entries[0].ended(day.end) == NOON
    assert quiet(day) == [(day.begin, NOON - timedelta(hours=3))]
    assert "still open" in page(day, NOON)


def test_what_is_yet_to_come_is_shaded_no_further_down_than_the_timeline(past: Past) -> None:
    past.happened(NOON - timedelta(hours=3))
    shown = page(past.day(now=NOON), NOON)
    (top, down) = re.findall(r'<rect class="future"[^>]* y="(\d+)"[^>]* height="(\d+)"', shown)[0]
    (height,) = re.findall(r'<svg class="timeline"[^>]* height="(\d+)"', shown)
    assert int(top) + int(down) == int(height)


@pytest.mark.parametrize(("apart_min", "needed"), [(11, 2), (12, 1), (30, 1)])
def test_incidents_that_would_cover_each_other_get_rows_of_their_own(past: Past, apart_min: int, needed: int) -> None:
    past.happened(NOON)
    past.happened(NOON + timedelta(minutes=apart_min))
    day = past.day()
    assert len(rows(day.entries, day)) == needed


def test_the_page_tells_everything_and_needs_nothing_else(past: Past) -> None:
    seen = past.happened(NOON, picture=True)
    past.happened(NOON + timedelta(hours=2), kind="alarm", severity="warning", camera="yard", cameras=("yard", "hall"))
    past.happened(NOON + timedelta(hours=3), drill=True, summary="Drill: Person fell.")
    store = open_beside(past.folder / DATABASE)
    with store.transaction() as db:
        history.mark(db, seen, verdict=False, at="2026-11-21T08:00:00.000Z", note="the <cat>")
    store.close()
    shown = page(past.day(), LATER)
    for words in (
        "Friday 20 November 2026",
        "2 incidents on 2 cameras",
        "false alarm: the &lt;cat&gt;",
        "lasted 10.0 s",
    ):
        assert words in shown, words
    assert "A person fell and stays on the floor." in shown
    assert "data:image/jpeg;base64," in shown
    assert shown.count("<article") == 2
    assert "Played on purpose" in shown
    assert "raised 2.0 s after it began" in shown
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\(|@import|<script|<link""", shown), "asks the network"
    assert "$" not in shown


def test_what_others_wrote_is_text_and_not_markup(past: Past) -> None:
    past.happened(NOON, summary="<script>alert(1)</script> $title", zones=('"><u>',))
    shown = page(past.day(), LATER)
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $title" in shown
    assert '"><u>' not in shown


def test_a_broken_picture_is_left_out(past: Past) -> None:
    seen = past.happened(NOON, picture=True)
    (past.folder / "evidence" / f"{seen}.jpg").write_bytes(b"no picture")
    assert "data:image" not in page(past.day(), LATER)


def test_of_very_many_the_less_severe_are_left_out_and_counted(past: Past) -> None:
    for number in range(MOST_CARDS + 3):
        past.happened(NOON + timedelta(seconds=number), lasted_s=None, severity="notice" if number < 9 else "critical")
    shown = page(past.day(), LATER)
    assert shown.count("<article") == MOST_CARDS
    assert shown.count('<article class="card notice') == 6
    assert "And 3 less severe" in shown


def test_an_empty_day_says_so(past: Past) -> None:
    shown = page(past.day(), LATER)
    assert "No incident." in shown
    assert "Nothing was raised" in shown


def test_without_a_history_there_is_a_cure(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="vedette run"):
        gather_day(tmp_path, DAY, zone=UTC, now=LATER)


def test_people_read_the_names_of_cameras_and_no_name_is_markup(tmp_path: Path) -> None:
    attack = "Süd <img src=x onerror=alert(1)>"
    past = Past(tmp_path, {"hall": Camera(url="x", name=attack)})
    past.happened(NOON)
    past.happened(NOON, cameras=("hall", "yard"))
    day = past.day()
    assert (day.called("hall"), day.called("yard")) == (attack, "yard")
    shown = page(day, LATER)
    assert "<img src=x" not in shown
    assert shown.count("Süd &lt;img src=x onerror=alert(1)&gt;") >= 4  # in the lane, the table and on both cards
