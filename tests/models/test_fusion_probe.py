"""The linear probe of frozen features."""

import numpy as np
import pytest

pytest.importorskip("torch")

from models.fusion.probe import judged, probe

FEATURES = 24


def test_the_probe_tells_apart_what_can_be_told_apart() -> None:
    chance = np.random.default_rng(3)
    truth = np.arange(80) % 4 == 0
    rows = chance.normal(size=(80, FEATURES)).astype(np.float32)
    rows[truth, 7] += 6.0
    told = judged(probe(rows, truth, 10.0), rows)
    assert told[truth].min() > told[~truth].max()


def test_a_stronger_pull_says_less() -> None:
    truth = np.arange(80) % 2 == 0
    rows = np.random.default_rng(3).normal(size=(80, FEATURES)).astype(np.float32)
    rows[truth, 7] += 2.0
    weak, strong = (judged(probe(rows, truth, pull), rows) for pull in (1.0, 1000.0))
    assert np.ptp(strong) < np.ptp(weak)
