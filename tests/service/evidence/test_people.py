from agent.service.evidence.people import KEEP_S, LEAST_PROB, People
from agent.types import NS_PER_S, Box, Detection, PictureStats, Seen, Track

STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)


def box(left: float) -> Box:
    return Box(left_frac=left, top_frac=0.2, right_frac=left + 0.1, bottom_frac=0.8)


def seen(
    at_s: float, *lefts: float, label: str = "person", still: bool = False, score_prob: float = LEAST_PROB
) -> Seen:
    found = tuple(Detection(label=label, score_prob=score_prob, box=box(left)) for left in lefts)
    return Seen(
        camera="c", at_ns=int(at_s * NS_PER_S), aspect_ratio=1.5, stats=STATS, detections=None if still else found
    )


def track(left: float, label: str = "person") -> Track:
    return Track(
        track_id=1,
        camera="c",
        label=label,
        box=box(left),
        at_ns=0,
        since_ns=0,
        score_prob=0.9,
        speed_heights_per_s=0.0,
        behaviour="walking",
    )


def test_found_and_followed_people_are_remembered_and_nothing_else() -> None:
    people = People()
    people.note(seen(1.0, 0.1), [track(0.5), track(0.7, "dog")])
    people.note(seen(1.1, 0.3, label="car"), [])
    assert people.since(0) == (box(0.1), box(0.5))
    assert people.until_ns == int(1.1 * NS_PER_S)


def test_a_faint_find_counts_only_if_somebody_is_followed_there() -> None:
    people = People()
    people.note(seen(1.0, 0.1, score_prob=LEAST_PROB - 0.01), [])
    assert people.since(0) == ()
    people.note(seen(1.1, 0.1, score_prob=LEAST_PROB - 0.01), [track(0.1)])
    assert people.since(0) == (box(0.1),)


def test_only_what_was_noted_since_is_told() -> None:
    people = People()
    people.note(seen(1.0, 0.1), [])
    people.note(seen(2.0, 0.2), [])
    assert people.since(2 * NS_PER_S) == (box(0.2),)
    assert people.since(2 * NS_PER_S + 1) == ()


def test_who_was_there_before_a_still_picture_still_is() -> None:
    people = People()
    people.note(seen(1.0, 0.1), [])
    people.note(seen(9.0, still=True), [])
    assert people.since(9 * NS_PER_S) == (box(0.1),)
    people.note(seen(9.5), [])
    people.note(seen(9.6, still=True), [])
    assert people.since(int(9.5 * NS_PER_S)) == ()


def test_memory_ends() -> None:
    people = People()
    assert people.until_ns is None
    people.note(seen(1.0, 0.1), [])
    people.note(seen(1.1 + KEEP_S), [])
    assert people.since(0) == ()
