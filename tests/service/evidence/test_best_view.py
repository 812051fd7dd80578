"""The best view so far is sent again with an update, and only if it is clearly better than the one before."""

from typing import Any

from agent.service.evidence.snapshots import Snapshots
from agent.types import NS_PER_S, Box, Detection, Evidence, Seen, Track
from tests.service.evidence.test_snapshots import STATS, lazy, snapshots
from tests.uplink.made import incident

RED, GREEN, BLUE = (lazy(f"lavfi:color={colour}:size=64x36") for colour in ("red", "lime", "blue"))


def box(size: float) -> Box:
    return Box(left_frac=0.5 - size / 2, top_frac=0.5 - size / 2, right_frac=0.5 + size / 2, bottom_frac=0.5 + size / 2)


def tracks(size: float) -> Any:
    track = Track(
        track_id=4, camera="hall", label="person", box=box(size), at_ns=0, since_ns=0, score_prob=0.9,
        speed_heights_per_s=0.0, behaviour="standing",
    )  # fmt: skip
    return lambda _: [track]


def look(shots: Snapshots, second: float, picture: Any, size: float) -> None:
    at_ns = int(second * NS_PER_S)
    shots.looking("hall", at_ns, picture)
    found = (Detection(label="person", score_prob=0.9, box=box(size)),)
    shots.note(Seen(camera="hall", at_ns=at_ns, aspect_ratio=1.8, stats=STATS, detections=found), tracks(size))


def colour(picture: Any) -> str:
    assert picture is not None
    return ("red", "green", "blue")[int(picture[18, 32].argmax())]


def opened(size: float = 0.2, **more: Any) -> tuple[Snapshots, Any]:
    shots = snapshots()
    look(shots, 1.0, RED, size)
    happening = incident(1, tracks=(4,), **more)
    shots.follow(happening, tracks(size))
    assert colour(shots.picture("hall")) == "red"
    return shots, happening


def test_a_clearly_better_view_is_sent_once_with_the_next_update() -> None:
    shots, happening = opened()
    look(shots, 2.0, GREEN, 0.5)
    look(shots, 3.0, BLUE, 0.3)
    assert colour(shots.better_view(happening)) == "green"
    assert shots.better_view(happening) is None


def test_a_view_that_is_hardly_better_or_worse_is_not_sent() -> None:
    shots, happening = opened()
    look(shots, 2.0, GREEN, 0.205)
    look(shots, 3.0, BLUE, 0.1)
    assert shots.better_view(happening) is None


def test_what_is_sent_only_ever_gets_better() -> None:
    shots, happening = opened()
    look(shots, 2.0, GREEN, 0.5)
    assert colour(shots.better_view(happening)) == "green"
    look(shots, 3.0, BLUE, 0.4)
    assert shots.better_view(happening) is None
    look(shots, 4.0, BLUE, 0.7)
    assert colour(shots.better_view(happening)) == "blue"


def test_somebody_who_is_no_part_of_the_incident_makes_no_view_better() -> None:
    shots = snapshots()
    look(shots, 1.0, RED, 0.2)
    shots.follow(incident(1, tracks=(77,)), tracks(0.2))
    look(shots, 2.0, GREEN, 0.7)
    assert shots.better_view(incident(1, tracks=(77,))) is None


def fire(second: float, score: float, modality: Any = "vision") -> Any:
    at_ns = int(second * NS_PER_S)
    seen = Evidence(signal="fire", modality=modality, score=score, llr=2.0, at_ns=at_ns)
    return incident(1, kind="fire", tracks=(), evidence=(seen,))


def test_without_anybody_the_moment_at_which_it_was_seen_more_surely_is_the_better_view() -> None:
    shots = snapshots()
    look(shots, 1.0, RED, 0.2)
    shots.follow(fire(1.0, 0.6), tracks(0.2))
    look(shots, 5.0, GREEN, 0.2)
    assert shots.better_view(fire(5.0, 0.65)) is None
    assert shots.better_view(fire(2.0, 0.99)) is None, "that was another moment: this picture may not show it"
    assert shots.better_view(fire(5.0, 0.99, "sound")) is None
    assert colour(shots.better_view(fire(4.8, 0.9))) == "green"


def test_an_incident_that_closed_is_forgotten_and_where_snapshots_are_off_nothing_is_kept() -> None:
    shots, happening = opened()
    shots.forget(happening)
    look(shots, 2.0, GREEN, 0.7)
    assert shots.better_view(happening) is None
    off = snapshots(enabled=False)
    off.follow(happening, tracks(0.2))
    look(off, 2.0, GREEN, 0.7)
    assert off.better_view(happening) is None


def test_a_view_too_old_to_be_blurred_is_not_sent() -> None:
    shots = snapshots(blur=True)
    look(shots, 1.0, RED, 0.2)
    happening = incident(1, tracks=(4,))
    shots.follow(happening, tracks(0.2))
    look(shots, 2.0, GREEN, 0.7)
    for second in range(3, 14):
        look(shots, float(second), BLUE, 0.2)
    assert shots.better_view(happening) is None
