from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.sound import BLOCK_SAMPLES, Sound, SoundCutter
from agent.types import NS_PER_S, SOUND_RATE_HZ, FloatArray
from tests.capture.media import tone


def frame_of(samples: FloatArray, rate_hz: int) -> av.AudioFrame:
    layout = "stereo" if len(samples) == 2 else "mono"
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    return frame


def cut(pieces: list[tuple[int, FloatArray]], rate_hz: int) -> list[Sound]:
    cutter = SoundCutter()
    blocks = [block for at_ns, samples in pieces for block in cutter.push(frame_of(samples, rate_hz), at_ns)]
    return blocks + list(cutter.flush())


def in_pieces(samples: FloatArray, rate_hz: int, size: int) -> list[tuple[int, FloatArray]]:
    return [(n * NS_PER_S // rate_hz, samples[:, n : n + size]) for n in range(0, samples.shape[1], size)]


@given(
    st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    st.integers(80, 4000),
    st.integers(1, 2),
    st.floats(0.02, 1.3),
)
@settings(max_examples=40, deadline=None)
def test_no_sample_is_lost_whatever_the_rate(rate_hz: int, size: int, channels: int, seconds: float) -> None:
    samples = tone(seconds, rate_hz, channels=channels)
    blocks = cut(in_pieces(samples, rate_hz, size), rate_hz)
    expected = samples.shape[1] * SOUND_RATE_HZ / rate_hz
    assert abs(sum(len(block.samples) for block in blocks) - expected) <= 2
    assert all(len(block.samples) == BLOCK_SAMPLES for block in blocks[:-1])
    assert not any(block.gap_before for block in blocks)
    for n, block in enumerate(blocks):
        assert block.at_ns == pytest.approx(n * NS_PER_S / 10, abs=100_000)


def test_a_click_stays_where_it_was() -> None:
    samples = np.zeros((1, 48_000), np.float32)
    samples[0, 24_000] = 1.0
    blocks = cut(in_pieces(samples, 48_000, 960), 48_000)
    heard = np.concatenate([block.samples for block in blocks])
    assert abs(int(np.abs(heard).argmax()) - 8000) <= 1


def test_a_gap_ends_a_block_and_marks_the_next() -> None:
    pieces = in_pieces(tone(0.25, 16_000), 16_000, 320)
    later = [(at_ns + NS_PER_S, samples) for at_ns, samples in in_pieces(tone(0.25, 16_000), 16_000, 320)]
    blocks = cut([*pieces, *later], 16_000)
    assert [(block.at_ns, len(block.samples), block.gap_before) for block in blocks] == [
        (0, 1600, False),
        (NS_PER_S // 10, 1600, False),
        (NS_PER_S // 5, 800, False),
        (NS_PER_S, 1600, True),
        (NS_PER_S * 11 // 10, 1600, False),
        (NS_PER_S * 12 // 10, 800, False),
    ]


def test_a_change_of_format_loses_nothing_and_is_no_gap() -> None:
    mono = in_pieces(tone(0.2, 8000), 8000, 160)
    cutter = SoundCutter()
    blocks = [block for at_ns, samples in mono for block in cutter.push(frame_of(samples, 8000), at_ns)]
    for at_ns, samples in in_pieces(tone(0.2, 48_000, channels=2), 48_000, 960):
        blocks += cutter.push(frame_of(samples, 48_000), at_ns + NS_PER_S // 5)
    blocks += cutter.flush()
    assert sum(len(block.samples) for block in blocks) == 6400
    assert not any(block.gap_before for block in blocks)


def test_what_is_known_to_be_broken_is_marked() -> None:
    cutter = SoundCutter()
    list(cutter.push(frame_of(tone(0.1, 16_000), 16_000), 0))
    after = list(cutter.push(frame_of(tone(0.1, 16_000), 16_000), NS_PER_S // 10, broken=True))
    assert after[-1].gap_before


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e30])
def test_what_a_damaged_stream_decodes_to_is_bounded(odd: float) -> None:
    samples = np.full((1, 3200), 0.25, np.float32)
    samples[0, 100] = odd
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
    frame.sample_rate = SOUND_RATE_HZ
    cutter = SoundCutter()
    heard = np.concatenate([block.samples for block in (*cutter.push(frame, 0), *cutter.flush())])
    assert np.isfinite(np.square(heard)).all()
    assert (heard == 0.25).sum() == 3199
