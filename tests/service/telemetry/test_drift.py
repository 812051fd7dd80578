"""Drift of scores: by hand, over time, over restarts, and as the state, the metrics and the doctor tell it."""

import json
import logging
import math
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import checks
from agent.config.load import of_data
from agent.service.telemetry.drift import BANDS, FORGET_S, LEAST_RECENT, REFERENCE_SAMPLES, SAMPLE_EVERY_NS, Drift, psi
from agent.service.telemetry.drift_watch import FILE, MOST_BYTES, DriftWatch, bases, read
from agent.types import NS_PER_S, Box, Detection, Heard, PictureStats, Score, Seen

STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.1)
BOX = Box(left_frac=0.1, top_frac=0.1, right_frac=0.2, bottom_frac=0.4)
BASES = {"hall": {"vision": "v1", "hearing": "h1"}}
COUNTS = st.lists(st.integers(0, 10_000), min_size=BANDS, max_size=BANDS).filter(any)


def seen(score: float | None, at_ns: int, *, drill: bool = False, looked: bool = True) -> Seen:
    found = (
        ()
        if score is None
        else tuple(Detection(label="person", score_prob=prob, box=BOX) for prob in (score / 2, score))
    )
    return Seen(
        camera="hall", at_ns=at_ns, aspect_ratio=1.8, stats=STATS, detections=found if looked else None, drill=drill
    )


def heard(prob: float, at_ns: int, *, drill: bool = False, between: bool = False, silent: bool = False) -> Heard:
    return Heard(
        camera="hall",
        start_ns=at_ns - 2 * NS_PER_S,
        at_ns=at_ns,
        level_dbfs=-30.0,
        peak_dbfs=-10.0,
        scores=(Score(label="speech", prob=prob / 3, llr=0.0), Score(label="siren", prob=prob, llr=0.0)),
        embedding=() if silent else (0.5,),
        drill=drill,
        between=between,
    )


def noted(drift: Drift, scores: Iterable[float], from_n: int = 0) -> Drift:
    """Note scores in the rhythm of sampling."""
    for n, score in enumerate(scores):
        drift.note(score, (from_n + n) * SAMPLE_EVERY_NS)
    return drift


def learned() -> Drift:
    """A camera that was watched for its first days: half nobody, half somebody."""
    return noted(Drift("v1"), (0.0 if n % 2 else 0.8 for n in range(REFERENCE_SAMPLES)))


def test_the_index_of_what_did_not_change_is_nothing() -> None:
    counts = [5.0, 0.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0]
    assert psi(counts, counts) == 0.0
    assert psi(counts, [count / 7 for count in counts]) == pytest.approx(0.0, abs=1e-12)


def test_the_index_of_what_moved_is_as_worked_out_by_hand() -> None:
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5) = 0.022314 + 0.018232
    assert psi([50, 50], [40, 60]) == pytest.approx(0.040547, abs=1e-6)
    # an empty band counts as a thousandth: (0.001 - 0.5) ln(0.001 / 0.5) + (1 - 0.5) ln(1 / 0.5)
    assert psi([50, 50], [0, 3]) == pytest.approx(0.499 * math.log(500) + 0.5 * math.log(2), abs=1e-9)


@given(COUNTS, COUNTS)
def test_the_index_is_never_negative_and_the_same_from_both_sides(one: list[int], other: list[int]) -> None:
    assert 0.0 <= psi(one, other) < 2 * math.log(1000)
    assert psi(one, other) == pytest.approx(psi(other, one))


def test_nothing_is_told_until_the_first_days_are_over() -> None:
    drift = noted(Drift("v1"), [0.4] * (REFERENCE_SAMPLES - 1))
    assert drift.figure() is None
    drift.note(0.4, REFERENCE_SAMPLES * SAMPLE_EVERY_NS)
    assert drift.figure() == 0.0


def test_days_like_the_first_are_no_drift_and_a_blind_day_is() -> None:
    chance = random.Random(4)

    def day(hour_of: int) -> float:  # busy by day, hardly anybody at night
        busy = 0.6 if 8 <= hour_of % 24 < 20 else 0.05
        return chance.betavariate(5, 2) if chance.random() < busy else 0.0

    per_hour = 360
    drift = noted(Drift("v1"), (day(n // per_hour) for n in range(REFERENCE_SAMPLES)))
    told = []
    for hour in range(48):
        noted(drift, (day(hour) for _ in range(per_hour)), REFERENCE_SAMPLES + hour * per_hour)
        told.append(drift.figure())
    assert max(figure for figure in told if figure is not None) < 0.1
    assert None not in told
    noted(drift, [0.0] * (2 * 24 * per_hour), REFERENCE_SAMPLES + 48 * per_hour)
    blind = drift.figure()
    assert blind is not None
    assert blind > 0.25


def test_the_reference_stays_and_the_last_day_fades() -> None:
    drift = learned()
    before = list(drift.reference)
    at_ns = (REFERENCE_SAMPLES - 1) * SAMPLE_EVERY_NS + round(FORGET_S * NS_PER_S)
    faded = [count / math.e for count in drift.recent]
    drift.note(0.95, at_ns)
    assert drift.recent == pytest.approx([*faded[:-1], faded[-1] + 1.0])
    assert drift.reference == before
    drift.note(0.95, at_ns + 5 * round(FORGET_S * NS_PER_S))
    assert sum(drift.recent) < LEAST_RECENT
    assert drift.figure() is None, "who hardly looked for days does not know"


def test_more_looks_at_one_moment_count_once() -> None:
    drift = Drift("v1")
    for n in range(100):
        drift.note(0.5, n * NS_PER_S // 10)
    assert sum(drift.reference) == 1
    drift.note(0.5, SAMPLE_EVERY_NS)
    assert sum(drift.reference) == 2


def test_only_real_looks_and_windows_count(tmp_path: Path) -> None:
    watch = DriftWatch(tmp_path, BASES)
    day_ns = 86_400 * NS_PER_S
    for left_out in (seen(0.9, day_ns, drill=True), seen(None, day_ns, looked=False)):
        watch.seen(left_out)
    for silent in (heard(0.9, day_ns, drill=True), heard(0.9, day_ns, between=True), heard(0.9, day_ns, silent=True)):
        watch.heard(silent)
    watch.seen(seen(0.95, 2 * day_ns))
    watch.seen(seen(None, 2 * day_ns + SAMPLE_EVERY_NS))  # looked, nobody there
    watch.heard(heard(0.95, 2 * day_ns))
    watch.save()
    kept = read(tmp_path / FILE)["hall"]
    assert kept["vision"].reference == [1.0, *[0.0] * (BANDS - 2), 1.0]
    assert kept["hearing"].reference == [*[0.0] * (BANDS - 1), 1.0]


def write(folder: Path, **drifts: Drift) -> None:
    content = {
        sense: {"basis": drift.basis, "reference": drift.reference, "recent": drift.recent}
        for sense, drift in drifts.items()
    }
    (folder / FILE).write_text(json.dumps({"schema": "vedette.drift/1", "cameras": {"hall": content}}))


def test_what_is_known_outlives_a_restart_and_takes_little_room(tmp_path: Path) -> None:
    write(tmp_path, vision=learned())
    first = DriftWatch(tmp_path, BASES)
    first.seen(seen(0.8, 0))
    told = first.figures("hall")
    assert told["vision"] is not None
    assert told["hearing"] is None
    first.save()
    assert DriftWatch(tmp_path, BASES).figures("hall") == told
    assert (tmp_path / FILE).stat().st_size < 600
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]


def test_another_model_or_camera_begins_anew_and_the_other_sense_goes_on(tmp_path: Path) -> None:
    write(tmp_path, vision=learned(), hearing=Drift("h1", learned().reference, learned().recent))
    assert DriftWatch(tmp_path, {"hall": {"vision": "v2", "hearing": "h1"}}).figures("hall")["vision"] is None
    assert DriftWatch(tmp_path, {"hall": {"vision": "v2", "hearing": "h1"}}).figures("hall")["hearing"] is not None
    moved = DriftWatch(tmp_path, {"yard": {"vision": "v1", "hearing": "h1"}})
    moved.save()
    assert read(tmp_path / FILE).keys() == {"yard"}, "a camera that is gone takes no room"


def test_the_basis_is_the_model_and_the_address_and_tells_neither() -> None:
    def basis(sense: str, url: str, sound: str, vision: str, hearing: str) -> str:
        config = of_data({"cameras": {"hall": {"url": url, "sound": sound}}})
        return bases(config.cameras, {"vision": vision, "hearing": hearing})["hall"][sense]

    given_ = ("rtsp://10.0.0.1/a?token=hunter2", "same", "0123456789ab", "ba9876543210")
    for sense, moved_by in (("vision", (0, 2)), ("hearing", (0, 1, 3))):
        was = basis(sense, *given_)
        assert "hunter2" not in was
        for n in range(4):
            other = list(given_)
            other[n] = "rtsp://10.0.0.2/b" if n < 2 else "another"
            assert (basis(sense, *other) != was) == (n in moved_by)


BROKEN = {
    "cut": '{"schema": "vedette.drift/1", "cam',
    "list": "[]",
    "empty": "",
    "version": '{"schema": "vedette.drift/9", "cameras": {}}',
    "deep": "[" * 100_000,
    "large": " " * (MOST_BYTES + 1),
}
for name_, bad in {
    "short": [1.0],
    "negative": [-1.0] * BANDS,
    "endless": [1e999] * BANDS,
    "huge": [10**400] * BANDS,
    "words": ["x"] * BANDS,
}.items():
    BROKEN[name_] = json.dumps(
        {
            "schema": "vedette.drift/1",
            "cameras": {"hall": {"vision": {"basis": "v1", "reference": bad, "recent": [0] * BANDS}}},
        }
    )


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_begun_anew_and_told(how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_text(BROKEN[how])
    (finding,) = checks.drift(of_data({}), tmp_path)
    assert finding.status == "skipped"
    watch = DriftWatch(tmp_path, BASES)
    assert watch.figures("hall") == {"vision": None, "hearing": None}
    assert "learned anew" in caplog.text
    watch.save()
    assert read(tmp_path / FILE).keys() == {"hall"}


def test_a_disk_that_takes_nothing_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    watch = DriftWatch(tmp_path / "file", BASES)  # a folder that cannot be
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        watch.save()
        watch.save()
    assert len([one for one in caplog.records if "not kept" in one.getMessage()]) == 1
    watch.seen(seen(0.5, 0))


def test_the_doctor_names_the_camera_that_drifted_and_no_other(tmp_path: Path) -> None:
    config = of_data({"cameras": {"hall": {"url": "rtsp://10.0.0.1/a"}, "yard": {"url": "rtsp://10.0.0.2/a"}}})
    assert list(checks.drift(config, tmp_path)) == []
    write(tmp_path, vision=learned(), hearing=noted(learned(), [0.0] * 20_000, REFERENCE_SAMPLES))
    (finding,) = checks.drift(config, tmp_path)
    assert (finding.stage, finding.subject, finding.status) == ("drift", "hall", "warning")
    assert finding.what.startswith("what the hearing model says at hall is not what it said in its first days (")
    assert "vedette calibrate" in finding.cure
    assert checks.exit_code_of([finding]) == 0
