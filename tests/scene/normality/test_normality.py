"""What is learned of a place, forgotten, kept, and told."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.scene import LATENESS_NS, Policy, Scene
from agent.scene.evidence import Clue
from agent.scene.following import Following
from agent.scene.normality import Knowledge, Normality
from agent.scene.normality.exemplars import NOTHING_LIKE_IT, Exemplars
from agent.scene.normality.gauge import Gauge, llr_of
from agent.scene.normality.looks import Looks
from agent.scene.normality.normality import MATURE_S, WAIT_S
from agent.service.normality_files import MOST_BYTES, packed
from agent.types import Flow, IncidentChange, Observation, Opened, Seen
from tests.scene.observe import heard, ns, seen, walking

ROWS, COLUMNS = 48, 86


def moving(row: int, column: float, *, speed: float = 0.04, size: int = 4) -> Flow:
    """A block of cells that moves to the right at `speed` picture heights a second."""
    cells: list[int] = []
    for r in range(row, row + 2 * size):
        for c in range(int(column), int(column) + size):
            if r < ROWS and c < COLUMNS:
                cells += [r * COLUMNS + c, 200, round(1000 * speed), 0]
    return Flow(rows=ROWS, columns=COLUMNS, cells=tuple(cells))


def picture(at_s: float, flow: Flow | None, embedding: Sequence[float] = ()) -> Seen:
    return replace(seen(at_s, ()), flow=flow, embedding=tuple(embedding))


def walk(at_s: float, *, speed: float = 0.04, row: int = 24) -> Seen:
    """Somebody crosses the picture again and again, a little faster and slower."""
    pace = speed * (1.0 + 0.15 * math.sin(1.7 * at_s))
    return picture(at_s, moving(row, 8 + (ROWS * speed * at_s) % 68, speed=pace))


def taught(walks_s: float = 120.0, speed: float = 0.04) -> Knowledge:
    """What is learned from a recording of walks."""
    normality = Normality(from_recordings=True)
    for index in range(round(walks_s * 10)):
        normality.measuring = index > walks_s * 5
        list(normality.see(walk(index / 10, speed=speed), (), ns(index / 10), calm=True))
    normality.settle()
    normality.knowledge.given = True
    return normality.knowledge


def copied(knowledge: Knowledge) -> Knowledge:
    return Knowledge.of(knowledge.arrays())


TAUGHT = taught().arrays()


def scene_with(normality: Normality) -> Scene:
    return Scene(Policy(), lateness_ns=0, normality=lambda _: normality)


def watched(scene: Scene, observations: Sequence[Observation]) -> list[IncidentChange]:
    return [change for observation in observations for change in scene.step(observation)]


def test_an_ordinary_walk_opens_nothing() -> None:
    scene = scene_with(Normality(Knowledge.of(TAUGHT), learns=False))
    assert watched(scene, [walk(0.1 * index) for index in range(600)]) == []


def test_one_who_is_three_times_as_fast_opens_a_notice_within_two_seconds_that_names_the_speed() -> None:
    scene = scene_with(Normality(Knowledge.of(TAUGHT), learns=False))
    watched(scene, [walk(0.1 * index) for index in range(100)])
    changes = watched(scene, [walk(10 + 0.1 * index, speed=0.14) for index in range(20)])
    opened = next(change.incident for change in changes if isinstance(change, Opened))
    assert (opened.kind, opened.severity) == ("unusual", "notice")
    assert "fast" in opened.summary
    assert "times what is usual" in opened.summary
    assert opened.evidence[0].modality == "normality"
    assert opened.evidence[0].box is not None


def test_without_learned_normality_the_belief_is_nothing() -> None:
    scene = Scene(Policy(), lateness_ns=0)
    watched(scene, [walk(0.1 * index, speed=0.3) for index in range(50)])
    assert scene.beliefs("cam")["unusual"] == 0.0


def test_nothing_is_told_in_the_first_hours() -> None:
    normality = Normality()
    scene = scene_with(normality)
    changes = watched(scene, [walk(0.1 * index) for index in range(600)])
    changes += watched(scene, [walk(60 + 0.1 * index, speed=0.3) for index in range(100)])
    assert changes == []
    assert not normality.is_mature
    normality.knowledge.watched_s = MATURE_S
    assert normality.is_mature


def test_nothing_is_learned_while_an_incident_is_open_nor_from_just_before_it() -> None:
    normality = Normality(Knowledge.of(TAUGHT))
    before = normality.knowledge.field_of((ROWS, COLUMNS)).looks.sum()
    for index in range(round(WAIT_S * 10) - 2):
        list(normality.see(walk(0.1 * index, speed=0.2), (), ns(0.1 * index), calm=True))
    for index in range(600):
        list(normality.see(walk(10 + 0.1 * index, speed=0.2), (), ns(10 + 0.1 * index), calm=False))
    normality.settle()
    assert normality.knowledge.field_of((ROWS, COLUMNS)).looks.sum() == before


def test_an_open_incident_of_the_scene_stops_the_learning() -> None:
    normality = Normality(Knowledge.of(TAUGHT))
    scene = scene_with(normality)
    watched(scene, [walk(0.1 * index, speed=0.3) for index in range(100)])
    before = normality.knowledge.field_of((ROWS, COLUMNS)).looks.sum()
    watched(scene, [walk(10 + 0.1 * index, speed=0.3) for index in range(300)])
    assert normality.knowledge.field_of((ROWS, COLUMNS)).looks.sum() == before


def test_what_is_kept_reads_back_as_it_was_and_judges_the_same() -> None:
    first, second = Normality(Knowledge.of(TAUGHT)), Normality(copied(Knowledge.of(TAUGHT)))
    for index in range(300):
        at_s = 0.1 * index
        told = [list(n.see(walk(at_s, speed=0.09), (), ns(at_s), calm=True)) for n in (first, second)]
        assert told[0] == told[1]
    for name, array in first.knowledge.arrays().items():
        assert np.array_equal(array, second.knowledge.arrays()[name]), name


def test_what_faded_and_was_replaced_is_no_longer_usual() -> None:
    knowledge = Knowledge.of(TAUGHT)
    field = knowledge.field_of((ROWS, COLUMNS))
    before = field.usual_speed(26, 40)
    knowledge.fade_to(1.0)
    field.fade(1e-3)
    runner = taught(120.0, speed=0.1).field_of((ROWS, COLUMNS))
    field.looks += runner.looks
    field.sums += runner.sums
    field.squares += runner.squares
    assert field.usual_speed(26, 40) > 1.8 * before


def test_everything_at_its_fullest_stays_below_two_megabytes() -> None:
    rng = np.random.default_rng(1)
    normality = Normality(from_recordings=True)
    for index in range(700):
        embedding = rng.normal(size=128)
        list(normality.see(picture(0.6 * index, moving(index % 20, index % 40), embedding), (), 0, calm=True))
        sound = replace(heard(0.6 * index), embedding=tuple(rng.normal(size=128)))
        list(normality.hear(sound, calm=True))
    normality.knowledge.things.exemplars.means[:] = rng.normal(size=normality.knowledge.things.exemplars.means.shape)
    for array in (normality.knowledge.field_of((ROWS, COLUMNS)).sums, normality.knowledge.hours):
        array[:] = rng.random(array.shape)
    assert len(packed(normality.knowledge.arrays())) <= MOST_BYTES


def test_a_strange_sound_is_told_as_sound() -> None:
    rng = np.random.default_rng(2)
    hum, clang = rng.normal(size=64), rng.normal(size=64)
    normality = Normality(from_recordings=True)
    for index in range(300):
        normality.measuring = index >= 100
        window = replace(heard(0.5 * index), embedding=tuple(hum + 0.1 * rng.normal(size=64)))
        list(normality.hear(window, calm=True))
    normality.settle()
    normality.knowledge.given = True
    judge = Normality(copied(normality.knowledge), learns=False)
    told = [
        clue
        for index in range(6)
        for clue in judge.hear(replace(heard(200 + 0.5 * index), embedding=tuple(clang)), calm=True)
    ]
    assert told[-1].modality == "sound"
    assert told[-1].llr > 4.0


def walks_on_recordings() -> Knowledge:
    """What four recordings of one who walks through teach."""
    normality = Normality(from_recordings=True)
    for recording in range(4):
        normality.measuring = recording >= 2
        judged(normality, "person")
        normality.settle()
        normality.begin_again()
    normality.knowledge.given = True
    return normality.knowledge


def judged(normality: Normality, label: str) -> list[Clue]:
    """What is said of one who comes through; tracks and time begin anew."""
    following, told = Following(), []
    for index in range(200):
        looked = seen(0.1 * index, [replace(walking(0.1 * index, speed=0.04), label=label)])
        told += normality.see(looked, following.see(looked), looked.at_ns, calm=True)
    return told


def test_what_was_strange_in_one_recording_says_nothing_of_the_track_with_its_number_in_the_next() -> None:
    gauge = walks_on_recordings().gauges["things"]
    assert gauge.is_ready
    assert gauge.high_nats() < 10.0


def test_a_horse_where_people_walk_is_told_by_its_kind() -> None:
    known = walks_on_recordings().arrays()
    told = judged(Normality(Knowledge.of(known), learns=False), "horse")
    assert max(told, key=lambda clue: clue.llr).llr > 4.0
    assert {clue.words["variant"] for clue in told if clue.llr > 4.0} == {"thing_kind"}
    people = judged(Normality(Knowledge.of(known), learns=False), "person")
    assert max(clue.llr for clue in people) < 4.0


def test_what_was_kept_before_kinds_had_a_gauge_is_read_and_learns_it_from_then_on() -> None:
    known = dict(walks_on_recordings().arrays())
    known |= {"schema": np.array("vedette.normality/3"), "gauges": known["gauges"][:-1]}
    del known["walking"]
    gauges = Knowledge.of(known).gauges
    assert gauges["things"].is_ready
    assert not gauges["kind"].is_ready
    assert gauges["kind"].counts.sum() == 0.0


def test_what_was_kept_before_gait_was_read_is_read_and_learns_it_from_then_on() -> None:
    known = dict(TAUGHT) | {"schema": np.array("vedette.normality/4")}
    del known["walking"]
    read = Knowledge.of(known)
    assert read.gauges["motion"].is_ready
    assert not read.walking.products.any()


def test_a_strange_scene_at_the_end_of_one_recording_says_nothing_of_the_next() -> None:
    rng = np.random.default_rng(3)
    usual, strange = rng.normal(size=64), rng.normal(size=64)
    looks = Looks()
    point = looks.point(tuple(usual), ns(0))
    assert point is not None
    assert looks.exemplars is not None
    looks.exemplars.learn(point, np.zeros(1, np.intp))
    for index in range(1, 5):
        other = looks.point(tuple(strange), ns(index))
        assert other is not None
        assert looks.surprise(other, ns(index)) > 4.0
    looks.begin_again()
    first = looks.point(tuple(usual), ns(0))
    assert first is not None
    assert looks.surprise(first, ns(0)) < 0.1


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_arrival_within_the_lateness_changes_neither_what_is_told_nor_what_is_learned(
    random: Random,
) -> None:
    observed = [walk(0.1 * index, speed=0.04 if index < 60 else 0.14) for index in range(120)]
    jumbled = sorted(observed, key=lambda one: one.at_ns + random.randrange(LATENESS_NS // 2))
    told, known = [], []
    for stream in (observed, jumbled):
        normality = Normality(Knowledge.of(TAUGHT))
        scene = Scene(Policy(), normality=lambda _, own=normality: own)  # type: ignore[misc]
        changes = watched(scene, stream)
        told.append(changes + list(scene.finish(ns(13), "stopped")))
        known.append(normality.knowledge.arrays())
    assert told[0] == told[1]
    assert any(isinstance(change, Opened) for change in told[0])
    assert all(np.array_equal(known[0][name], known[1][name]) for name in known[0])


@given(st.lists(st.floats(0.0, 150.0), min_size=100, max_size=300))
@settings(max_examples=30, deadline=None)
def test_evidence_rises_with_surprise_and_stays_below_its_ceiling(counted: list[float]) -> None:
    gauge = Gauge()
    for nats in counted:
        gauge.learn(nats)
    said = [llr_of(nats, gauge.high_nats(), 4.0, 5.0) for nats in (0.0, 1.0, 10.0, 100.0, 150.0)]
    assert said == sorted(said)
    assert said[-1] < 9.0
    assert len(set(said)) == len(said)


@given(st.integers(0, 1000), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_exemplars_never_outgrow_their_places_and_know_what_they_learned(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    exemplars = Exemplars(groups=3, most=8, axes=4)
    everywhere = np.zeros((1, 1), np.intp)
    far = np.full((1, 4), 1e3, np.float32)
    assert exemplars.surprise(far, everywhere).nats[0] == pytest.approx(NOTHING_LIKE_IT)
    for _ in range(count):
        points = rng.normal(scale=5.0, size=(10, 4)).astype(np.float32)
        exemplars.learn(points, rng.integers(0, 3, 10).astype(np.intp))
    assert exemplars.means.shape == (3, 8, 4)
    again = np.tile(np.ones((1, 4), np.float32), (30, 1))
    for point in again:
        exemplars.learn(point[None], np.zeros(1, np.intp))
    assert exemplars.surprise(again[:1], everywhere).nats[0] < exemplars.surprise(far, everywhere).nats[0]


@pytest.mark.parametrize("broken", ["gauges", "schema", "sums", "walking"])
def test_arrays_that_cannot_be_are_refused(broken: str) -> None:
    arrays = dict(TAUGHT)
    arrays[broken] = np.full(3, np.nan)
    with pytest.raises(ValueError, match=r"\w"):
        Knowledge.of(arrays)
