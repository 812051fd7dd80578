"""Laws that hold for every stream of observations, whatever the cameras show."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.schema import Line, Zone
from agent.scene import LATENESS_NS, Policy, Scene
from agent.service.recordings import journal
from agent.service.stepping import Fuse, step_with_fusion
from agent.types import (
    KINDS,
    Blind,
    Box,
    Burning,
    Closed,
    Detection,
    Fused,
    FusionWindow,
    Heard,
    IncidentChange,
    Observation,
    Opened,
    PictureStats,
    Score,
    Seen,
    Tick,
    Updated,
)
from tests.scene.observe import LABELS, bang, ns

ZONE = Zone(
    polygon=((0.3, 0.3), (1.0, 0.3), (1.0, 1.0), (0.3, 1.0)),
    rules=("intrusion", "loitering", "crowding", "running", "abandoned_object", "removed_object"),
    crowding_count=2,
    object_labels=("car",),
    abandoned_dwell_s=2.0,
    hours=("mon-sun 00:00-24:00",),
)
LINE = Line(line=((0.5, 0.0), (0.4, 0.5), (0.6, 1.0)))
POLICY = Policy(zones={"a": {"door": ZONE}, "b": {"yard": ZONE}}, lines={"a": {"gate": LINE}}, sensitivity="high")

fractions = st.floats(0.0, 1.0)
cameras = st.sampled_from(["a", "b"])
# Long enough for incidents to open, close and open again; steps of 10 ms so that moments coincide.
moments = st.integers(0, 6000).map(lambda step: ns(step / 100))


@st.composite
def detections(draw: st.DrawFn) -> Detection:
    left, top = draw(st.floats(-0.1, 0.9)), draw(st.floats(-0.1, 0.9))
    width, height = draw(st.floats(0.0, 0.6)), draw(st.floats(0.0, 0.9))
    box = Box(left_frac=left, top_frac=top, right_frac=left + width, bottom_frac=top + height)
    return Detection(label=draw(st.sampled_from(["person", "car", "dog"])), score_prob=draw(fractions), box=box)


@st.composite
def statistics(draw: st.DrawFn) -> PictureStats:
    grid = draw(st.sampled_from([(), (0.5,) * 48, tuple(k / 48 for k in range(48))]))
    values = [draw(fractions) for _ in range(4)]
    return PictureStats(
        brightness_frac=values[0],
        contrast_frac=values[1],
        sharpness_frac=values[2],
        moving_frac=values[3],
        grid=grid,
        differing_frac=draw(st.none() | st.sampled_from([0.0, 0.4])),
        noise_frac=draw(st.none() | st.sampled_from([0.0, 0.4])),
        detail_frac=draw(fractions),
        glare_frac=draw(st.sampled_from([0.0, 0.9])),
        colour_frac=draw(st.sampled_from([0.0, 0.2])),
        edges=draw(st.sampled_from([(), (0,) * 288, tuple(k % 19 - 9 for k in range(288)), (9, -9) * 144])),
    )


def scores(labels: tuple[str, ...]) -> st.SearchStrategy[tuple[Score, ...]]:
    return st.lists(
        st.builds(Score, label=st.sampled_from(labels), prob=fractions, llr=st.floats(-20.0, 20.0)),
        max_size=4,
        unique_by=lambda score: score.label,
    ).map(tuple)


seen = st.builds(
    Seen,
    camera=cameras,
    at_ns=moments,
    aspect_ratio=st.sampled_from([0.5, 4 / 3, 16 / 9]),
    stats=statistics(),
    detections=st.none() | st.lists(detections(), max_size=4).map(tuple),
    scene=scores(("fire", "smoke")),
    burning=st.none()
    | st.builds(
        Burning,
        whole=scores(("fire", "smoke")),
        region=st.none() | detections().map(lambda one: one.box),
        part=scores(("fire", "smoke")),
    ),
)


@st.composite
def heard(draw: st.DrawFn) -> Heard:
    at_ns = draw(moments)
    level = draw(st.floats(-120.0, 0.0))
    return Heard(
        camera=draw(cameras),
        start_ns=at_ns - ns(2),
        at_ns=at_ns,
        level_dbfs=level,
        peak_dbfs=min(0.0, level + 10.0),
        scores=draw(scores(LABELS)),
        tone_bands=tuple(draw(st.lists(st.integers(-1, 63), max_size=25))),
        onset_ns=draw(st.none() | st.just(at_ns - ns(0.2))),
        gap_before=draw(st.booleans()),
    )


blind = st.builds(
    Blind,
    camera=cameras,
    at_ns=moments,
    modality=st.sampled_from(["vision", "sound"]),
    reason=st.sampled_from(["not_found", "login", "timeout", "ended", "silent"]),
)
fused = st.builds(Fused, camera=cameras, at_ns=moments, scores=scores(("fight",)))
observed = st.one_of(seen, seen, heard(), heard(), blind, st.builds(Tick, at_ns=moments))
observations = st.lists(st.one_of(observed, observed, fused), max_size=40)


def run(stream: list[Observation], policy: Policy = POLICY, fuse: Fuse | None = None) -> list[IncidentChange]:
    scene = Scene(policy)
    changes = [change for observation in stream for change in step_with_fusion(scene, observation, fuse)]
    return changes + list(scene.finish(ns(61), "stopped"))


def guess(window: FusionWindow) -> Fused:
    """Stand in for the fusion graph: a fight in two seconds of three."""
    llr = 4.0 if window.at_ns // ns(1) % 3 else -2.0
    return Fused(camera=window.camera, at_ns=window.at_ns, scores=(Score(label="fight", prob=0.5, llr=llr),))


@settings(max_examples=150, deadline=None)
@given(observations)
def test_no_observation_makes_the_scene_raise_and_beliefs_stay_probabilities(stream: list[Observation]) -> None:
    scene = Scene(POLICY)
    for observation in sorted(stream, key=lambda one: one.at_ns):
        scene.step(observation)
        for camera in ("a", "b", "unknown"):
            beliefs = scene.beliefs(camera)
            assert tuple(beliefs) == KINDS
            assert all(0.0 <= belief <= 1.0 for belief in beliefs.values())
            scene.tracks(camera)


@settings(max_examples=150, deadline=None)
@given(observations)
def test_every_incident_opens_once_and_closes_once_and_nothing_comes_after(stream: list[Observation]) -> None:
    changes = run(sorted(stream, key=lambda one: one.at_ns))
    lives: dict[int, list[type]] = {}
    for change in changes:
        lives.setdefault(change.incident.ordinal, []).append(type(change))
    assert sorted(lives) == list(range(1, len(lives) + 1))
    for life in lives.values():
        assert life[0] is Opened
        assert life[-1] is Closed
        assert Counter(life[1:-1]) in (Counter(), Counter({Updated: len(life) - 2}))


@settings(max_examples=150, deadline=None)
@given(observations)
def test_times_of_an_incident_are_in_order(stream: list[Observation]) -> None:
    for change in run(sorted(stream, key=lambda one: one.at_ns)):
        incident = change.incident
        assert incident.started_ns <= incident.at_ns
        assert (incident.ended_ns is not None) == (incident.close_reason is not None) == isinstance(change, Closed)
        assert incident.evidence
        assert incident.camera == incident.cameras[0]
        assert len(set(incident.cameras)) == len(incident.cameras)
        assert incident.summary.endswith(".")
        assert 0.0 <= incident.confidence <= 1.0


@settings(max_examples=100, deadline=None)
@given(st.lists(observed, max_size=40), st.lists(st.integers(0, LATENESS_NS - 1), min_size=40, max_size=40))
def test_the_order_of_arrival_within_the_lateness_leaves_no_trace(stream: list[Observation], late: list[int]) -> None:
    # A judgement has no arrival of its own: it follows from what the scene has taken, and is taken at once.
    in_time = sorted(stream, key=lambda one: one.at_ns)
    arrival = sorted(zip(stream, late, strict=False), key=lambda pair: pair[0].at_ns + pair[1])
    assert run([observation for observation, _ in arrival], fuse=guess) == run(in_time, fuse=guess)


@settings(max_examples=50, deadline=None)
@given(observations)
def test_the_same_observations_make_the_same_changes(stream: list[Observation]) -> None:
    assert run(stream) == run(stream)


@settings(max_examples=50, deadline=None)
@given(observations)
def test_observations_read_back_from_a_recording_make_the_same_changes(stream: list[Observation]) -> None:
    in_time = sorted(stream, key=lambda one: one.at_ns)
    assert run([journal.decode(journal.encode(observation)) for observation in in_time]) == run(in_time)


@settings(max_examples=100, deadline=None)
@given(observations, st.integers(0, 39), st.sampled_from([-3600.0, -30.0, 30.0, 86_400.0]))
def test_a_jump_of_time_opens_and_closes_nothing_twice(stream: list[Observation], at: int, jump_s: float) -> None:
    in_time = sorted(stream, key=lambda one: one.at_ns)
    jumped = in_time[:at] + [_moved(one, ns(jump_s)) for one in in_time[at:]]
    scene = Scene(POLICY)
    changes = [change for one in jumped for change in scene.step(one)]
    changes += scene.finish(max((one.at_ns for one in jumped), default=0), "stopped")
    counts = Counter((change.incident.ordinal, type(change)) for change in changes if not isinstance(change, Updated))
    ordinals = {change.incident.ordinal for change in changes}
    assert counts == Counter({(ordinal, kind): 1 for ordinal in ordinals for kind in (Opened, Closed)})
    assert all(change.incident.started_ns <= change.incident.at_ns for change in changes)


def _moved(observation: Observation, by_ns: int) -> Observation:
    moved = replace(observation, at_ns=observation.at_ns + by_ns)
    if not isinstance(moved, Heard):
        return moved
    onset_ns = None if moved.onset_ns is None else moved.onset_ns + by_ns
    return replace(moved, start_ns=moved.start_ns + by_ns, onset_ns=onset_ns)


@settings(max_examples=40, deadline=None)
@given(st.permutations(["a", "b", "c"]), st.lists(st.floats(0.0, 0.2), min_size=3, max_size=3), st.floats(5.2, 9.0))
def test_one_bang_on_three_cameras_is_one_incident_whoever_tells_first(
    order: list[str], late_s: list[float], llr: float
) -> None:
    streams = [bang("gunshot", 12.3 + s, llr, 30, camera=c) for c, s in zip("abc", late_s, strict=True)]
    rank = {camera: place for place, camera in enumerate(order)}
    told = sorted((one for stream in streams for one in stream), key=lambda one: (one.at_ns, rank[one.camera]))
    changes = run(told, Policy())
    assert {change.incident.ordinal for change in changes} == {1}
    assert set(changes[-1].incident.cameras) == {"a", "b", "c"}


@settings(max_examples=100, deadline=None)
@given(st.lists(blind, max_size=20), st.lists(st.builds(Tick, at_ns=moments), max_size=20))
def test_lost_sources_open_nothing_but_themselves(lost: list[Blind], ticks: list[Tick]) -> None:
    changes = run(sorted([*lost, *ticks], key=lambda one: one.at_ns))
    assert {change.incident.kind for change in changes} <= {"source_lost", "mic_silent"}


@settings(max_examples=50, deadline=None)
@given(observations)
def test_a_disarmed_scene_is_silent(stream: list[Observation]) -> None:
    assert run(stream, Policy(zones=POLICY.zones, armed=False)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(seen, max_size=40))
def test_an_identity_belongs_to_one_object_at_a_time(stream: list[Seen]) -> None:
    scene = Scene(POLICY, lateness_ns=0)
    label_of: dict[tuple[str, int], str] = {}
    for observation in sorted(stream, key=lambda one: one.at_ns):
        scene.step(observation)
        for camera in ("a", "b"):
            tracks = scene.tracks(camera)
            assert len({track.track_id for track in tracks}) == len(tracks)
            for track in tracks:
                assert track.track_id >= 1
                assert label_of.setdefault((camera, track.track_id), track.label) == track.label
