from hypothesis import given
from hypothesis import strategies as st

from agent.capture.axis import Axis
from agent.types import NS_PER_S

MS = NS_PER_S // 1000
BOOT_NS = 5_000 * NS_PER_S


@given(st.lists(st.integers(0, 800 * MS), min_size=1, max_size=300))
def test_late_arrivals_never_make_time_wrong_by_more_than_the_least_delay(delays_ns: list[int]) -> None:
    axis = Axis()
    for n, delay_ns in enumerate(delays_ns):
        stamp_ns = n * 66 * MS
        assert not axis.see(stamp_ns, BOOT_NS + stamp_ns + delay_ns)
        error_ns = axis.at_ns(stamp_ns) - (BOOT_NS + stamp_ns)
        least_ns, risen_ns = min(delays_ns[: n + 1]), (n * 66 + 800) * MS // 5000  # 200 ppm
        assert least_ns <= error_ns <= least_ns + risen_ns


def test_nothing_is_ever_placed_after_its_arrival() -> None:
    axis = Axis()
    for n in range(1000):
        stamp_ns, arrived_ns = n * 40 * MS, BOOT_NS + int(n * 40 * MS * 0.9999)
        axis.see(stamp_ns, arrived_ns)
        assert axis.at_ns(stamp_ns) <= arrived_ns


def test_a_camera_whose_clock_runs_slow_is_followed() -> None:
    axis = Axis()
    for n in range(90_000):  # an hour
        stamp_ns, true_ns = n * 40 * MS, BOOT_NS + n * 40 * MS * 10_001 // 10_000
        axis.see(stamp_ns, true_ns)
        assert abs(axis.at_ns(stamp_ns) - true_ns) < 1 * MS


def test_a_clock_that_is_set_is_told_and_followed() -> None:
    for leap_ns in (-100 * NS_PER_S, 100 * NS_PER_S):
        axis = Axis()
        assert not axis.see(0, BOOT_NS)
        assert axis.see(leap_ns, BOOT_NS + NS_PER_S)
        assert axis.at_ns(leap_ns) == BOOT_NS + NS_PER_S
