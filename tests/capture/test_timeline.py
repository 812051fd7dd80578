from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.capture.timeline import SoundClock, Ticks, Timeline, to_ns
from agent.types import NS_PER_S

MS = NS_PER_S // 1000
PACKET_NS = 20 * MS


def test_stamps_become_nanoseconds_without_rounding_up() -> None:
    assert to_ns(90_000, Fraction(1, 90_000)) == NS_PER_S
    assert to_ns(1, Fraction(1, 3)) == 333_333_333
    assert to_ns(2**60, Fraction(1, 1_000_000)) == 2**60 * 1000


@given(st.integers(0, 2**40), st.lists(st.integers(0, NS_PER_S), min_size=1))
def test_a_steady_clock_is_only_shifted_to_zero(start_ns: int, steps: list[int]) -> None:
    timeline = Timeline(start_ns)
    stamp_ns = start_ns
    for step in steps:
        assert timeline.at_ns("picture", stamp_ns) == stamp_ns - start_ns
        stamp_ns += step


@given(
    st.lists(st.tuples(st.sampled_from(["picture", "sound"]), st.integers(-(10**13), 10**13)), min_size=1, max_size=50)
)
def test_however_the_clock_is_set_time_steps_by_no_more_than_a_leap(stamps: list[tuple[str, int]]) -> None:
    timeline = Timeline(longest_leap_ns=5 * NS_PER_S)
    last: dict[str, int] = {}
    for stream, stamp_ns in stamps:
        at_ns = timeline.at_ns(stream, stamp_ns)  # type: ignore[arg-type]
        if stream in last:
            assert -NS_PER_S <= at_ns - last[stream] <= 5 * NS_PER_S
        last[stream] = at_ns


def test_both_streams_follow_a_clock_that_is_set_back_by_the_same_amount() -> None:
    timeline = Timeline(0)
    for second in range(10):
        timeline.at_ns("picture", second * NS_PER_S)
        timeline.at_ns("sound", second * NS_PER_S + 30 * MS)
    picture_ns = timeline.at_ns("picture", 0)
    sound_ns = timeline.at_ns("sound", 30 * MS)
    assert picture_ns == 9 * NS_PER_S
    assert sound_ns - picture_ns == 30 * MS


def test_an_hour_long_pause_is_kept() -> None:
    timeline = Timeline(0)
    timeline.at_ns("picture", 0)
    assert timeline.at_ns("picture", 3599 * NS_PER_S) == 3599 * NS_PER_S


def test_sound_without_a_gap_is_counted_through() -> None:
    clock = SoundClock()
    steps = [clock.step(n * PACKET_NS, PACKET_NS) for n in range(100)]
    assert [step.at_ns for step in steps] == [n * PACKET_NS for n in range(100)]
    assert not any(step.gap_before for step in steps)


@given(st.lists(st.integers(-90 * MS, 90 * MS), max_size=100))
def test_stamps_that_jitter_but_return_are_no_gap(jitters: list[int]) -> None:
    clock = SoundClock()
    for n, jitter in enumerate(jitters):
        stamp_ns = n * PACKET_NS + (jitter if n % 2 else 0)
        assert not clock.step(stamp_ns, PACKET_NS).gap_before


def test_a_long_hole_is_a_gap_at_its_place() -> None:
    clock = SoundClock()
    stamps = [n * PACKET_NS for n in range(10)] + [n * PACKET_NS for n in range(20, 30)]
    steps = [clock.step(stamp, PACKET_NS) for stamp in stamps]
    assert [n for n, step in enumerate(steps) if step.gap_before] == [10]
    assert steps[10].at_ns == 20 * PACKET_NS


def test_one_lost_packet_is_noticed_soon() -> None:
    clock = SoundClock()
    stamps = [n * PACKET_NS for n in range(20)] + [n * PACKET_NS for n in range(21, 60)]
    gaps = [n for n, stamp in enumerate(stamps) if clock.step(stamp, PACKET_NS).gap_before]
    assert len(gaps) == 1
    assert 20 <= gaps[0] <= 28


def test_a_sound_card_that_is_a_little_fast_is_followed_without_gaps() -> None:
    clock = SoundClock()
    worst_ns = 0
    for n in range(20_000):
        stamp_ns = int(n * PACKET_NS * 1.0003)
        step = clock.step(stamp_ns, PACKET_NS)
        assert not step.gap_before
        worst_ns = max(worst_ns, abs(step.at_ns - stamp_ns))
    assert worst_ns < 2 * MS


def test_sound_that_is_stamped_back_goes_on_and_marks_one_gap() -> None:
    clock = SoundClock()
    stamps = [n * PACKET_NS for n in range(50)] + [n * PACKET_NS for n in range(30, 80)]
    steps = [clock.step(stamp, PACKET_NS) for stamp in stamps]
    assert [n for n, step in enumerate(steps) if step.gap_before] == [50]
    assert all(b.at_ns >= a.at_ns for a, b in pairwise(steps))


def picked(stamps_ns: list[int], rate_hz: float | None, *, patient: bool) -> list[int]:
    ticks: Ticks[int] = Ticks(rate_hz, patient=patient)
    chosen = [stamp for at_ns in stamps_ns for stamp in ticks.push(at_ns, at_ns)]
    return chosen + list(ticks.flush())


def test_without_a_rate_every_picture_stays() -> None:
    assert picked([0, 1, 2, 900], None, patient=True) == [0, 1, 2, 900]


increasing = st.lists(st.integers(1 * MS, 700 * MS), min_size=1, max_size=60).map(
    lambda steps: [sum(steps[:n]) for n in range(len(steps))]
)


@given(increasing, st.sampled_from([1.0, 5.0, 10.0, 25.0]))
def test_patient_ticks_take_exactly_the_nearest_pictures(stamps_ns: list[int], rate_hz: float) -> None:
    chosen = picked(stamps_ns, rate_hz, patient=True)
    assert chosen == sorted(set(chosen))
    tick_ns = NS_PER_S / rate_hz
    for n in range(int(stamps_ns[-1] / tick_ns) + 1):
        nearest_ns = min(abs(stamp - n * tick_ns) for stamp in stamps_ns)
        assert min(abs(stamp - n * tick_ns) for stamp in chosen) <= nearest_ns + 2


@given(increasing, st.booleans())
def test_a_source_slower_than_the_ticks_loses_nothing(stamps_ns: list[int], patient: bool) -> None:
    slow_ns = [stamp * 100 for stamp in stamps_ns]  # at least 100 ms apart
    assert picked(slow_ns, 10.0, patient=patient) == slow_ns
    assert picked(slow_ns, 60.0, patient=patient) == slow_ns


def test_a_live_source_of_thirty_gives_ten_at_once() -> None:
    stamps_ns = [n * NS_PER_S // 30 for n in range(300)]
    chosen = picked(stamps_ns, 10.0, patient=False)
    assert 98 <= len(chosen) <= 101
    steps = {round((b - a) / MS) for a, b in pairwise(chosen)}
    assert steps == {100}
