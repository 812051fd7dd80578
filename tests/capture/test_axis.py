import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.axis import Axis
from agent.capture.pump import Arrived
from agent.capture.timing import OnAxis, end_ns
from agent.types import NS_PER_S, Frame, SoundBlock

MS = NS_PER_S // 1000
BOOT_NS = 5_000 * NS_PER_S


@given(st.lists(st.integers(0, 800 * MS), min_size=1, max_size=300))
def test_late_arrivals_never_make_time_wrong_by_more_than_the_least_delay(delays_ns: list[int]) -> None:
    axis = Axis()
    for n, delay_ns in enumerate(delays_ns):
        stamp_ns = n * 66 * MS
        assert not axis.see(stamp_ns, BOOT_NS + stamp_ns + delay_ns)
        error_ns = stamp_ns + axis.offset_ns(0) - (BOOT_NS + stamp_ns)
        least_ns, risen_ns = min(delays_ns[: n + 1]), (n * 66 + 800) * MS // 5000  # 200 ppm
        assert least_ns <= error_ns <= least_ns + risen_ns


def test_nothing_is_ever_placed_after_its_arrival() -> None:
    axis = Axis()
    for n in range(1000):
        stamp_ns, arrived_ns = n * 40 * MS, BOOT_NS + int(n * 40 * MS * 0.9999)
        axis.see(stamp_ns, arrived_ns)
        assert stamp_ns + axis.offset_ns(arrived_ns) <= arrived_ns


def test_a_camera_whose_clock_runs_slow_is_followed() -> None:
    axis = Axis()
    for n in range(90_000):  # an hour
        stamp_ns, true_ns = n * 40 * MS, BOOT_NS + n * 40 * MS * 10_001 // 10_000
        axis.see(stamp_ns, true_ns)
        assert abs(stamp_ns + axis.offset_ns(true_ns) - true_ns) < 1 * MS


def test_a_clock_that_is_set_is_told_and_followed() -> None:
    for leap_ns in (-100 * NS_PER_S, 100 * NS_PER_S):
        axis = Axis()
        assert not axis.see(0, BOOT_NS)
        assert axis.see(leap_ns, BOOT_NS + NS_PER_S)
        assert leap_ns + axis.offset_ns(0) == BOOT_NS + NS_PER_S


def camera(ahead_s: float, seconds: int = 30) -> tuple[list[float], list[float], int]:
    """Play a camera whose pictures are stamped `ahead_s` ahead of its sound, both punctual.

    Return how late its pictures and its sound were placed in the end, in seconds, and how many gaps there were.
    """
    axis = OnAxis()
    late_s: dict[type, list[float]] = {Frame: [], SoundBlock: []}
    gaps = 0
    for n in range(1, 10 * seconds):
        now_ns = BOOT_NS + n * NS_PER_S // 10
        stamp_ns = 5000 * NS_PER_S + n * NS_PER_S // 10
        frame = Frame(
            camera="c",
            at_ns=stamp_ns + round(ahead_s * NS_PER_S),
            picture=np.zeros((16, 16, 3), np.uint8),
            width_px=16,
            height_px=16,
        )
        block = SoundBlock(camera="c", at_ns=stamp_ns - NS_PER_S // 10, samples=np.zeros(1600, np.float32))
        for item in (frame, block):
            for placed in axis.place(Arrived(item, now_ns, None), now_ns):
                late_s[type(placed.item)].append((now_ns - end_ns(placed.item)) / NS_PER_S)
                gaps += isinstance(placed.item, SoundBlock) and placed.item.gap_before
    return late_s[Frame][-50:], late_s[SoundBlock][-50:], gaps


@pytest.mark.parametrize("ahead_s", [-1.0, -0.2, 0.0, 0.4, 1.0])
def test_picture_and_sound_stay_together_as_far_as_a_calibration_reaches(ahead_s: float) -> None:
    pictures_s, sound_s, gaps = camera(ahead_s)
    assert max(abs(sound - picture - ahead_s) for picture, sound in zip(pictures_s, sound_s, strict=True)) < 0.01
    assert gaps == 0


@pytest.mark.parametrize("ahead_s", [-3600.0, -15.0, -3.0, 1.5, 9.0, 3600.0])
def test_stamps_of_two_clocks_make_a_camera_neither_blind_nor_deaf(ahead_s: float) -> None:
    pictures_s, sound_s, gaps = camera(ahead_s)
    assert max(pictures_s + sound_s) < 0.1, "later, and the scene drops it"
    assert gaps == 0, "a gap before each block, and nothing is heard"
