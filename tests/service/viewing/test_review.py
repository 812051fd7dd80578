"""The page for reviewing, asked over real HTTP: what it tells, plays and keeps, and what it refuses."""

import http.client
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest

from agent.config.schema import Camera
from agent.errors import VedetteError
from agent.service.viewing.page import Page
from agent.service.viewing.review import PAGE_LENGTH, Review
from agent.service.viewing.run import run_review
from agent.types import NS_PER_S, Evidence
from agent.uplink.history import history
from agent.uplink.storage import store
from agent.uplink.storage.store import open_beside, open_for_reading
from agent.uplink.uplink import DATABASE
from calibration.thresholds import from_history
from tests.service.digest.test_digest import NOON, Past
from tests.service.viewing.test_viewing import Browser

FILM = bytes(range(256)) * 400


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    page = Page(Review(tmp_path, UTC))
    page.start()
    let_in = Browser(page.url)
    assert let_in.enter() == 303
    yield let_in
    page.close()


def listed(browser: Browser, **asked: str) -> list[str]:
    """The ids of every incident that fits, page after page."""
    found: list[str] = []
    before: str | None = ""
    while before is not None:
        status, told = browser.ask(f"/review/incidents?{urlencode({**asked, 'before': before})}")
        assert status == 200, told
        found += [row["id"] for row in told["incidents"]]
        before = told["before"]
    return found


def raw(browser: Browser, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(browser.host, timeout=30)
    connection.request("GET", path, headers={"Host": browser.host, "Cookie": browser.cookie} | headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def keep_film(folder: Path, incident_id: str) -> None:
    (folder / "clips").mkdir(exist_ok=True)
    (folder / "clips" / f"{incident_id}.mp4").write_bytes(FILM)


def test_an_empty_history_is_told_in_words_and_fills_while_the_page_is_open(tmp_path: Path, browser: Browser) -> None:
    status, about = browser.ask("/review/about")
    assert status == 200
    assert str(tmp_path) in about["empty"]
    assert (about["cameras"], about["waiting"], about["live"]) == ([], 0, False)
    assert listed(browser) == []
    past = Past(tmp_path)
    fall = past.happened(NOON)
    about = browser.ask("/review/about")[1]
    assert "empty" not in about
    assert (about["cameras"], about["kinds"], about["waiting"]) == (["hall"], ["fall"], 2)
    assert listed(browser) == [fall], "beside the agent that writes it"
    past.close()


def test_who_reviews_an_empty_history_is_told_where_the_service_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SYSTEM_STATE", tmp_path)
    told = Review(tmp_path / "mine").about()["empty"]
    assert f"The service keeps its own in {tmp_path}: use sudo" in told
    assert "use sudo" not in Review(tmp_path).about()["empty"]


def test_pages_go_through_all_incidents_newest_first_without_hole_or_repetition(past: Past, browser: Browser) -> None:
    ids = [past.happened(NOON + timedelta(minutes=n // 3)) for n in range(2 * PAGE_LENGTH + 7)]  # three at a time
    past.close()
    shown = listed(browser)
    assert len(shown) == len(ids)
    assert set(shown) == set(ids)
    started = [row["started_at"] for row in browser.ask("/review/incidents")[1]["incidents"]]
    assert started == sorted(started, reverse=True)
    assert browser.ask("/review/incidents")[1]["total"] == len(ids)


def test_incidents_are_chosen_by_camera_kind_severity_words_day_and_verdict(past: Past, browser: Browser) -> None:
    fall = past.happened(NOON)
    unusual = past.happened(NOON, kind="unusual", severity="notice", camera="yard", cameras=("yard", "door"))
    tomorrow = past.happened(NOON + timedelta(hours=12), summary="The cleaner's trolley.")
    past.close()
    browser.ask("/review/mark", {"id": fall, "true": True})
    browser.ask("/review/mark", {"id": tomorrow, "true": False})
    assert listed(browser, camera="door") == [unusual]
    assert listed(browser, kind="unusual") == [unusual]
    assert listed(browser, severity="critical") == [tomorrow, fall]
    assert listed(browser, text="TROLLEY") == [tomorrow]
    assert set(listed(browser, day="2026-11-20")) == {fall, unusual}, "a day ends at midnight"
    assert listed(browser, day="2026-11-19") == []
    assert listed(browser, marked="none") == [unusual]
    assert listed(browser, marked="true") == [fall]
    assert listed(browser, marked="false", severity="critical") == [tomorrow]
    for nonsense in ({"day": "yesterday"}, {"day": "9999-12-31"}, {"marked": "maybe"}):
        assert browser.ask(f"/review/incidents?{urlencode(nonsense)}")[0] == 400


def test_days_and_times_are_those_of_the_box(past: Past) -> None:
    late = past.happened(NOON + timedelta(hours=11, minutes=30))
    past.close()
    review = Review(past.folder, ZoneInfo("Europe/Berlin"))
    (row,) = review.incidents({})["incidents"]
    assert (row["id"], row["day"], row["time"]) == (late, "Saturday 21 November 2026", "00:30:00")
    assert review.incidents({"day": "2026-11-20"})["incidents"] == []


def test_an_incident_tells_how_its_evidence_grew_sound_and_sight_apart(past: Past, browser: Browser) -> None:
    start_ns = int(NOON.timestamp()) * NS_PER_S
    lying = Evidence(signal="lying", modality="vision", score=0.5, llr=2.0, at_ns=start_ns + NS_PER_S)
    more = Evidence(signal="lying", modality="vision", score=0.9, llr=6.0, at_ns=start_ns + 3 * NS_PER_S)
    thud = Evidence(signal="thud", modality="sound", score=0.4, llr=1.1, at_ns=start_ns)
    fall = past.happened(NOON, lasted_s=None, evidence=(lying, thud))
    past.amend(evidence=(more, thud))
    past.close()
    status, told = browser.ask(f"/review/incident/{fall}")
    assert status == 200
    assert [(e["signal"], e["modality"], e["llr"], e["after_s"], e["now"]) for e in told["evidence"]] == [
        ("thud", "sound", 1.1, 0.0, True),
        ("lying", "vision", 2.0, 1.0, False),
        ("lying", "vision", 6.0, 3.0, True),
    ]
    assert [(one["phase"], one["after_s"]) for one in told["course"]] == [("open", 2.0), ("close", 10.0)]
    assert (told["opened_after_s"], told["lasted_s"]) == (2.0, 10.0)
    assert (told["without_sound"], told["without_picture"]) == (True, False)
    assert told["delivery"] == "2 messages wait for the broker"
    nobody = fall[:-1] + ("1" if fall.endswith("0") else "0")
    assert browser.ask(f"/review/incident/{nobody}")[0] == 400


def test_of_a_very_long_incident_an_even_choice_of_messages_is_told(past: Past) -> None:
    crowd = past.happened(NOON, lasted_s=None)
    for n in range(300):
        past.amend(confidence=n / 1000, closes=False)
    past.close()
    course = Review(past.folder, UTC).incident(crowd)["course"]
    assert len(course) == 120
    assert (course[0]["phase"], course[-1]["confidence"]) == ("open", 0.299)
    steps = [later["seq"] - one["seq"] for one, later in pairwise(course)]
    assert set(steps) == {2, 3}


def test_a_verdict_is_the_one_that_the_command_keeps_and_that_calibration_learns_from(
    past: Past, browser: Browser
) -> None:
    fall, drill = past.happened(NOON), past.happened(NOON, drill=True)  # the agent goes on running: it has the database
    status, said = browser.ask("/review/mark", {"id": fall, "true": False, "note": "a <b>cat</b>"})
    assert status == 200
    assert (said["true"], said["note"]) == (False, "a <b>cat</b>")
    browser.ask("/review/mark", {"id": drill, "true": False})
    with closing(open_for_reading(past.folder / DATABASE)) as db:
        verdict = history.all_verdicts(db)[fall]
        judged = from_history(history.find(db, history.Query()), {fall: verdict.true, drill: False}, lambda *_: 0.0)
    assert (verdict.true, verdict.note) == (False, "a <b>cat</b>")
    assert abs(datetime.fromisoformat(verdict.at) - datetime.now(UTC)) < timedelta(minutes=5)
    assert [(one.kind, one.true) for one in judged] == [("fall", False)]
    assert browser.ask(f"/review/incident/{fall}")[1]["verdict"]["note"] == "a <b>cat</b>"
    assert browser.ask("/review/mark", {"id": fall, "true": True})[1]["true"] is True
    assert past.happened(NOON), "the agent can still write"
    past.close()


def test_a_verdict_comes_from_the_page_itself_and_means_one_incident(past: Past, browser: Browser) -> None:
    fall = past.happened(NOON)
    past.close()
    meant = {"id": fall, "true": True}
    assert browser.ask("/review/mark", meant, Origin="http://evil.example")[0] == 403
    assert browser.ask("/review/mark", meant, Host="evil.example")[0] == 403
    assert browser.ask("/review/mark", meant, Cookie="")[0] == 403
    for nonsense in (
        {"id": fall},
        {"id": fall, "true": "yes"},
        {"id": fall, "true": 1},
        {"id": 7, "true": True},
        {"id": fall, "true": True, "note": "x" * 501},
        {"id": fall, "true": True, "note": None},
        {"id": "../../etc/passwd", "true": True},
        {"id": "01a1fdfa-4600-7a91-807b-e2d44f10a6b3", "true": True},
    ):
        assert browser.ask("/review/mark", nonsense)[0] == 400, nonsense
    with closing(open_for_reading(past.folder / DATABASE)) as db:
        assert history.all_verdicts(db) == {}


def test_nobody_without_the_cookie_sees_anything(past: Past, browser: Browser) -> None:
    fall = past.happened(NOON, picture=True)
    past.close()
    keep_film(past.folder, fall)
    paths = [f"/review/{what}/{fall}" for what in ("incident", "picture", "clip")]
    for path in ("/", "/review", "/review/about", "/review/incidents", *paths):
        assert browser.ask(path, Cookie="")[0] == 403, path
        assert browser.ask(path, Host="evil.example")[0] == 403, path


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("", 200, slice(None)),
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=100-199", 206, slice(100, 200)),
        ("bytes=102300-999999", 206, slice(102_300, None)),
        ("bytes=-500", 206, slice(-500, None)),
        ("bytes=-999999", 206, slice(0, None)),
        ("bytes=102399-", 206, slice(-1, None)),
        ("bytes=102400-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=9-2", 200, slice(None)),
        ("bytes=0-1,5-6", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(None)),
        ("apples=1-2", 200, slice(None)),
    ],
)
def test_a_clip_is_served_whole_or_in_the_part_that_was_asked_for(
    past: Past, browser: Browser, asked: str, status: int, part: slice | None
) -> None:
    fall = past.happened(NOON)
    past.close()
    keep_film(past.folder, fall)
    got, headers, content = raw(browser, f"/review/clip/{fall}", **({"Range": asked} if asked else {}))
    assert got == status
    if part is None:
        assert (headers["Content-Range"], content) == (f"bytes */{len(FILM)}", b"")
        return
    assert content == FILM[part]
    assert (headers["Content-Type"], headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert headers["Cache-Control"] == "no-store"
    if status == 206:
        first, last, _ = part.indices(len(FILM))
        assert headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(FILM)}"


def test_only_what_is_kept_of_an_incident_is_served(past: Past, browser: Browser) -> None:
    fall, blind = past.happened(NOON, picture=True), past.happened(NOON)
    past.close()
    keep_film(past.folder, fall)
    (past.folder / "secret.mp4").write_bytes(b"secret")
    (past.folder / "secret.jpg").write_bytes(b"secret")
    status, headers, jpeg = raw(browser, f"/review/picture/{fall}")
    assert (status, headers["Content-Type"], jpeg[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert raw(browser, f"/review/picture/{blind}")[0] == 404
    assert raw(browser, f"/review/clip/{blind}")[0] == 404
    for other in (
        "../secret",
        quote("../secret", safe=""),
        quote(f"../clips/{fall}", safe=""),
        "",
        "%00",
        fall.upper(),
    ):
        for what in ("picture", "clip"):
            assert raw(browser, f"/review/{what}/{other}")[0] in (400, 404), other
    rows = {row["id"]: row for row in browser.ask("/review/incidents")[1]["incidents"]}
    assert [(rows[one]["has_picture"], rows[one]["has_clip"]) for one in (fall, blind)] == [
        (True, True),
        (False, False),
    ]


def test_without_cameras_the_page_begins_with_the_review_and_draws_nothing(browser: Browser) -> None:
    status, headers, _ = raw(browser, "/")
    assert (status, headers["Location"]) == (303, "/review")
    for path in ("/cameras", "/state/hall", "/picture/hall", "/parts/hall"):
        assert raw(browser, path)[0] == 404
    assert browser.ask("/keep", {"camera": "hall", "table": "zones", "name": "a", "points": []})[0] == 404


@pytest.mark.parametrize("name", ["review.html", "page.html"])
def test_a_page_takes_nothing_from_elsewhere_and_names_no_script_but_its_own(name: str) -> None:
    text = (files("agent.service.viewing") / name).read_text("utf-8")
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert text.count("<script") == 1
    for way_in in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " on", "javascript:"):
        found = re.findall(r"<[^>]* on\w+=", text) if way_in == " on" else re.findall(re.escape(way_in), text)
        assert not found, way_in


def test_scripts_run_by_their_sum_alone(browser: Browser) -> None:
    policy = raw(browser, "/review")[1]["Content-Security-Policy"]
    (scripts,) = re.findall(r"script-src ([^;]+)", policy)
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", scripts)
    assert "default-src 'none'" in policy


def test_a_disk_that_takes_no_verdict_is_told(past: Past, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    fall = past.happened(NOON)
    past.close()
    monkeypatch.setattr("agent.service.viewing.review.open_beside", open_for_reading)  # a disk that is read-only
    status, told = browser.ask("/review/mark", {"id": fall, "true": True})
    assert status == 400
    assert "read-only" in told["error"]


def test_a_mistake_of_ours_costs_one_answer_and_shows_no_traceback(
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def mistake(self: Review) -> dict[str, Any]:
        raise ZeroDivisionError

    with monkeypatch.context() as wrong:
        wrong.setattr(Review, "about", mistake)
        with pytest.raises(http.client.RemoteDisconnected):
            browser.ask("/review/about")
    hasty = socket.create_connection(("127.0.0.1", int(browser.host.split(":")[1])))
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets the connection
    hasty.close()
    assert browser.ask("/review/about")[0] == 200
    assert capsys.readouterr().err == ""
    assert ["ZeroDivisionError" in record.getMessage() for record in caplog.records] == [True]


def test_a_port_that_is_taken_is_told(browser: Browser, tmp_path: Path) -> None:
    with pytest.raises(VedetteError, match="cannot be served"):
        run_review(tmp_path, port=int(browser.host.split(":")[1]), on_ready=lambda url: None, stop=threading.Event())


@pytest.mark.integration
def test_the_command_serves_until_it_is_told_to_stop(past: Past) -> None:
    past.happened(NOON)
    command = [sys.executable, "-m", "agent.cli.main", "incidents", "review", "--state", str(past.folder)]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert served.stdout is not None
        asking = Browser(served.stdout.readline().strip())
        assert asking.enter() == 303
        assert len(asking.ask("/review/incidents")[1]["incidents"]) == 1
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 0
    finally:
        served.kill()
        served.stdout.close()
        past.close()


@pytest.mark.integration
def test_in_a_real_browser_names_and_sentences_are_words_and_never_markup(past: Past, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium (Debian: chromium)")
    attack = "</p><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    bad = Evidence(signal=attack, modality="sound", score=0.4, llr=1.1, at_ns=int(NOON.timestamp()) * NS_PER_S)
    named = {"camera": attack, "cameras": (attack,), "zones": (attack,)}
    happened = past.happened(NOON, summary=attack, evidence=(bad,), close_reason=attack, **named)
    with closing(open_beside(past.folder / DATABASE)) as beside, beside.transaction() as db:
        history.mark(db, happened, verdict=True, at="2026-11-21T12:00:00.000Z", note=attack)
    past.close()
    page = Page(Review(past.folder, UTC))
    page.start()
    try:
        quietly = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000")
        ended = subprocess.run(
            [chromium, *quietly, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.url],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    finally:
        page.close()
    assert "<title>Vedette: review</title>" in ended.stdout, ended.stderr
    assert ended.stdout.count("onerror") >= 4, "it stands there as text"
    assert '<img src="x"' not in ended.stdout
    assert ended.stdout.count("<script") == 1


def test_rows_and_choices_say_what_people_call_the_cameras(tmp_path: Path, browser: Browser) -> None:
    past = Past(tmp_path, {"hall": Camera(url="x", name="Eingang Süd")})
    fall = past.happened(NOON, cameras=("hall", "yard"))
    past.close()
    about = browser.ask("/review/about")[1]
    assert (about["cameras"], about["names"]) == (["hall"], {"hall": "Eingang Süd"})
    row = browser.ask("/review/incidents")[1]["incidents"][0]
    assert (row["camera_name"], row["cameras"]) == ("Eingang Süd", ["hall", "yard"])
    assert listed(browser, camera="hall") == listed(browser, camera="Eingang Süd") == [fall]
    assert listed(browser, text="eingang süd") == [fall]
