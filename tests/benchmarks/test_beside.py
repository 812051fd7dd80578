"""The rule of recorders, on sounds and clips made up here."""

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="the teachers need the extra `train`")
pytest.importorskip("openvino")

from benchmarks.beside import VEDETTE, false_table, found_table, opened_by_rule, raised
from benchmarks.clips import Clip
from models.hearing.labels import AUDIOSET, LABELS, SECURITY
from models.hearing.teachers import PATCH_SAMPLES

NAMES = sorted({name for label in LABELS for name in AUDIOSET[label]})
GUNSHOT = SECURITY.index("gunshot")


class Deaf:
    """Stands in for YAMNet: hears a gunshot as loud as the loudest sample of a patch."""

    def __init__(self) -> None:
        self.columns = {label: [NAMES.index(name) for name in AUDIOSET[label]] for label in LABELS}
        self.heard = 0

    def __call__(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.heard += len(patches)
        scores = np.zeros((len(patches), len(NAMES)), np.float32)
        scores[:, NAMES.index("Gunshot, gunfire")] = np.abs(patches).max(axis=1)
        return patches[:, :4], scores


def test_pieces_follow_each_other_and_quiet_ones_are_not_heard() -> None:
    yamnet, samples = Deaf(), np.full(2 * PATCH_SAMPLES + 100, 0.7, np.float32)
    samples[PATCH_SAMPLES : 2 * PATCH_SAMPLES] = 0.01  # an RMS of 328 of 32768
    samples[-100:] = 0.9  # the last piece is silence but for these: an RMS of 2361
    assert raised(samples, yamnet)[GUNSHOT] == pytest.approx(0.9)
    assert yamnet.heard == 2
    assert not raised(np.zeros(0, np.float32), yamnet).any()


def cells(table: str, name: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_clip_is_found_above_the_threshold_and_a_calm_one_opens_wrongly() -> None:
    clips = [Clip("a", (label,), "g", 36.0) for label in (*SECURITY, "music")]
    scores: Sequence[np.ndarray] = [*np.eye(6, dtype=np.float32) * 0.7, np.eye(6, dtype=np.float32)[GUNSHOT] * 0.7]
    told = {VEDETTE: clips, "low": opened_by_rule(clips, scores, 0.5), "high": opened_by_rule(clips, scores, 0.8)}
    table = found_table(told)
    assert cells(table, "low") == ["1.00"] * 6 + ["1"]
    assert cells(table, "high") == cells(table, VEDETTE) == ["0.00"] * 6 + ["0"]
    assert "calm clips that open, of 0.01 h" in table


def test_a_recording_counts_once_however_many_kinds_open_in_it() -> None:
    table = false_table({"a": [frozenset({"gunshot", "crash"}), frozenset()], "b": [frozenset(), frozenset()]}, 0.5)
    assert cells(table, "a") == ["1", "0", "0", "0", "0", "1", "1"]
    assert cells(table, "b") == ["0"] * 7
    assert table.startswith("| 2 hard sounds, held, 0.50 h")
