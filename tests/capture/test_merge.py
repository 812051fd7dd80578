import av
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.container import Picture
from agent.capture.merge import HOLD_NS, in_order
from agent.capture.sound import Sound
from agent.types import NS_PER_S

MS = NS_PER_S // 1000
FRAME = av.VideoFrame(2, 2, "rgb24")


def picture(at_ms: int) -> Picture:
    return Picture(at_ms * MS, FRAME, 0)


def sound(at_ms: int) -> Sound:
    return Sound(at_ms * MS, np.zeros(1600, np.float32), False)


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 400))
def test_streams_apart_by_less_than_the_hold_come_out_in_order(which: list[bool], apart_ms: int) -> None:
    pictures = iter(range(0, 10**6, 66))
    sounds = iter(range(0, 10**6, 100))
    items: list[Picture | Sound] = []
    newest = {True: 0, False: 0}
    for is_picture in which:
        if newest[is_picture] - newest[not is_picture] > min(apart_ms, 300):
            is_picture = not is_picture  # noqa: PLW2901  # the other stream is too far behind
        item = picture(next(pictures)) if is_picture else sound(next(sounds))
        newest[is_picture] = item.at_ns // MS
        items.append(item)
    ordered = list(in_order(iter(items)))
    assert len(ordered) == len(items)
    assert [item.at_ns for item in ordered] == sorted(item.at_ns for item in items)


def test_a_stream_that_never_comes_holds_nothing_up_for_long() -> None:
    given_back = []
    for item in in_order(sound(n * 100) for n in range(20)):
        given_back.append(item.at_ns)
        if item.at_ns >= NS_PER_S:
            break
    assert given_back == [n * 100 * MS for n in range(11)]


def test_what_waits_is_bounded() -> None:
    read = 0

    def items():  # type: ignore[no-untyped-def]
        nonlocal read
        for n in range(1000):
            read += 1
            yield picture(n)  # a thousand pictures a second

    merged = in_order(items())
    next(merged)
    assert read <= 40
    assert HOLD_NS >= 40 * MS
