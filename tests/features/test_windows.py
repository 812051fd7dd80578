"""The cutter of sound: nothing unheard, nothing across a gap, times to the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.features.logmel import SAMPLES
from agent.features.windows import NS_PER_SAMPLE, STEP_SAMPLES, SoundWindow, SoundWindows


def _cut(samples: np.ndarray, block_samples: int, at_ns: int = 0) -> list[SoundWindow]:
    windows, found = SoundWindows(), []
    for start in range(0, samples.size, block_samples):
        block = samples[start : start + block_samples]
        found += windows.push(block, at_ns + start * NS_PER_SAMPLE)
    return found + list(windows.flush())


def _ramp(count: int) -> np.ndarray:
    return np.arange(1, count + 1, dtype=np.float32)


def test_a_window_comes_every_half_second_and_the_first_reaches_back_over_zeros() -> None:
    first, second, *_ = _cut(_ramp(48_000), 320)
    assert first.pad_before_samples == SAMPLES - STEP_SAMPLES
    assert not first.samples[: first.pad_before_samples].any()
    assert first.samples[-1] == STEP_SAMPLES
    assert second.at_ns - first.at_ns == 500_000_000


def test_times_tell_where_the_first_and_the_newest_sample_lie() -> None:
    window = _cut(_ramp(64_000), 1_000, at_ns=7_000_000_000)[-1]
    assert window.at_ns == 11_000_000_000
    assert window.start_ns == 11_000_000_000 - SAMPLES * NS_PER_SAMPLE


@pytest.mark.parametrize("count", [1, STEP_SAMPLES - 1, STEP_SAMPLES, STEP_SAMPLES + 1])
def test_every_file_gives_a_window_that_hears_its_last_sample(count: int) -> None:
    windows = _cut(_ramp(count), 160)
    assert len(windows) == -(-count // STEP_SAMPLES)
    last = windows[-1]
    assert last.samples[SAMPLES - 1 - last.pad_after_samples] == count
    assert last.at_ns == count * NS_PER_SAMPLE


@given(count=st.integers(0, 80_000), block=st.integers(1, 50_000))
def test_windows_do_not_depend_on_how_the_sound_was_cut_into_blocks(count: int, block: int) -> None:
    block = max(block, count // 50)
    whole, pieces = _cut(_ramp(count), 100_000), _cut(_ramp(count), block)
    assert [w.at_ns for w in whole] == [w.at_ns for w in pieces]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(whole, pieces, strict=True))


def test_a_gap_keeps_before_and_after_apart_and_hears_what_it_cut_off() -> None:
    windows = SoundWindows()
    before = list(windows.push(np.full(12_000, 1.0, np.float32), 0))
    cut_off, after = windows.push(np.full(8_000, 2.0, np.float32), 5_000_000_000, gap_before=True)
    assert len(before) == 1
    assert (cut_off.at_ns, cut_off.gap_before) == (750_000_000, False)
    assert set(np.unique(after.samples)) == {0.0, 2.0}
    assert (after.at_ns, after.gap_before) == (5_500_000_000, True)


def test_a_gap_before_the_first_sound_is_no_gap() -> None:
    (window,) = SoundWindows().push(np.ones(STEP_SAMPLES, np.float32), 0, gap_before=True)
    assert not window.gap_before


def test_a_block_of_two_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        list(SoundWindows().push(np.zeros((10, 2), np.float32), 0))


def test_what_would_follow_the_newest_sample_is_a_window_that_changes_nothing() -> None:
    windows = SoundWindows()
    list(windows.push(_ramp(20_000), 0))
    later = windows.followed_by(12_800)
    assert (later.pad_before_samples, later.pad_after_samples) == (0, 12_800)
    assert later.samples[:19_440].tolist() == _ramp(20_000)[-19_440:].tolist()
    assert not later.samples[19_440:].any()
    assert later.at_ns == 20_000 * NS_PER_SAMPLE
    assert windows.followed_by(6_400).pad_before_samples == SAMPLES - 6_400 - 20_000
    assert [one.pad_after_samples for one in windows.flush()] == [4_000]
