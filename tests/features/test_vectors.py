"""The quick ways to read a field of vectors give what numpy's own give, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.features.vectors import lengths, mean_of, median_of, summed, thinned
from agent.types import FloatArray

SIDES = st.integers(1, 40)


def field(high: int, wide: int, seed: int) -> FloatArray:
    """Vectors of all magnitudes, many of them alike."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.0, 1.0, (high, wide, 2)) * 10.0 ** rng.integers(-12, 12, (high, wide, 1))
    vectors[rng.random((high, wide)) < 0.3] = 0.5
    return np.asarray(vectors, np.float32)


@given(high=SIDES, wide=SIDES, seed=st.integers(0, 2**32))
def test_lengths_sums_medians_and_means_are_those_of_numpy(high: int, wide: int, seed: int) -> None:
    vectors = field(high, wide, seed)
    assert np.array_equal(lengths(vectors), np.hypot(vectors[..., 0], vectors[..., 1]))
    assert np.array_equal(summed(vectors), vectors.sum(axis=2))
    assert np.array_equal(median_of(vectors), np.median(vectors, axis=(0, 1)))
    assert mean_of(vectors) == float(vectors.mean())


@given(high=SIDES, wide=SIDES, seed=st.integers(0, 2**32))
def test_parts_of_a_field_are_read_like_whole_ones(high: int, wide: int, seed: int) -> None:
    part = field(high + 3, wide + 5, seed)[2 : 2 + high, 1 : 1 + wide]
    assert np.array_equal(median_of(part), np.median(part, axis=(0, 1)))
    assert mean_of(part[..., 0]) == float(part[..., 0].mean())


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_thinning_takes_every_so_many_rows_and_columns(stride: int) -> None:
    vectors = field(11, 16, 3)
    assert np.array_equal(thinned(vectors, stride), vectors[::stride, ::stride])
