"""What the verifier's lower blocks make of sounds, kept on the disk: the upper ones are trained from there in minutes.

The lower blocks (`CUT` of 17) stay as published, in int8 as they ship. Their maps are kept of

* every window of the sounds that may be learned, as `models.hearing.verifier` cuts them, and
* a damaged copy of each (another place in the window, another sound beside it, a room, clipping, a codec,
  noise: `damaged`).

Each file is made once, some five minutes on one core, and anew when the lower blocks change.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from agent.features.finemel import BANDS, fine_mel
from agent.features.logmel import FRAMES, SAMPLES
from models.hearing import data, degrade, mn04
from models.hearing.storing import in_int8
from models.hearing.teachers import FOLDER, cut, window_starts

CUT = 11
"""Blocks that stay as they are. After them a window is 32 channels × 8 bands × 13 columns."""
MAP = (32, 8, 13)
POOLED = 384
RENDERINGS = 1
FOLDED = data.BUILD / "verifier-maps"


class _Both(nn.Module):
    """[batch, 1, 128, 200] → the map after the lower blocks, and the published body's pooled features [batch, 384]."""

    def __init__(self, teacher: mn04.Mn04) -> None:
        super().__init__()
        self.lower, self.upper = teacher.features[:CUT], teacher.features[CUT:]

    def forward(self, finemel: Tensor) -> tuple[Tensor, Tensor]:
        here = self.lower(finemel)
        return here, self.upper(here).mean(dim=(2, 3))


class Lower:
    """The lower blocks as they ship, and what the published upper ones said after them."""

    def __init__(self) -> None:
        net = _Both(mn04.load(FOLDER / "mn04_as_mAP_432.pt")).eval()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lower.onnx"
            names = {"input_names": ["finemel"], "output_names": ["map", "pooled"]}
            example = (torch.zeros(1, 1, BANDS, FRAMES),)
            torch.onnx.export(net, example, str(path), opset_version=17, dynamo=False, **names)
            content = in_int8(onnx.load(path)).SerializeToString()
        self.sha = hashlib.sha256(content).hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, window: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One window, float32 [32240] → its map [32, 8, 13] and pooled features [384]."""
        said = self._session.run(["map", "pooled"], {"finemel": fine_mel(window)[None, None]})
        return said[0][0], said[1][0]


def kept(
    name: str, lower: Lower, count: int, windows: Iterable[NDArray[np.float32]]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Maps [count, 32, 8, 13] and pooled features [count, 384] of windows, from the disk where they lie there."""
    stem = FOLDED / f"{name}-{lower.sha[:12]}-{count}"
    files = stem.with_suffix(".map.npy"), stem.with_suffix(".pooled.npy")
    if not files[1].is_file():
        FOLDED.mkdir(parents=True, exist_ok=True)
        maps = open_memmap(files[0], "w+", np.float16, (count, *MAP))
        pooled = np.zeros((count, POOLED), np.float16)
        for row, window in enumerate(tqdm(windows, total=count, desc=name, mininterval=10)):
            maps[row], pooled[row] = lower(window)
        maps.flush()
        np.save(files[1], pooled)
    return np.load(files[0], mmap_mode="r"), np.load(files[1])


def learnable(pieces: list[data.Piece]) -> list[int]:
    """The pieces that are heard: recorded, with labels to be believed, none of validation."""
    return [i for i, p in enumerate(pieces) if p.split != "val" and p.known and p.kind != "synthetic"]


def windows_of(pieces: list[data.Piece]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Piece and first sample of every window of theirs, [n] each."""
    rows = [(i, start) for i in learnable(pieces) for start in window_starts(pieces[i].samples)]
    both = np.array(rows, np.int32)
    return both[:, 0], both[:, 1]


def clean(pieces: list[data.Piece], waves: NDArray[np.int16]) -> Iterator[NDArray[np.float32]]:
    """The windows as they are, float32 [32240] each."""
    for i, start in zip(*windows_of(pieces), strict=True):
        one = pieces[i]
        yield cut(waves[one.start : one.start + one.samples], int(start))


def rendered(
    pieces: list[data.Piece], waves: NDArray[np.int16], beside: NDArray[np.bool_], seed: int
) -> Iterator[NDArray[np.float32]]:
    """The windows damaged; `beside` [pieces] are those of which another sound may be mixed in."""
    rng = np.random.default_rng(seed)
    piece, starts = windows_of(pieces)
    others = np.flatnonzero(beside[piece])

    def at(row: int, shift: int) -> NDArray[np.float32]:
        one = pieces[piece[row]]
        return cut(waves[one.start : one.start + one.samples], int(starts[row]) + shift)

    for row in range(len(piece)):
        slack = max(abs(SAMPLES - pieces[piece[row]].samples) // 2, 4000)
        shift = int(rng.uniform(-1, 1) * min(slack, SAMPLES // 2))
        other = at(int(rng.choice(others)), 0) if rng.random() < OTHER_SHARE else None
        yield damaged(at(row, shift), other, rng)


OTHER_SHARE = 0.5
OTHER_UNDER_DB = (0.0, 25.0)
NOISE_SHARE = 0.4
NOISE_UNDER_DB = (5.0, 50.0)
DAMAGED_SHARE = 0.6


def damaged(
    window: NDArray[np.float32], other: NDArray[np.float32] | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One window, float32 [32240], as another microphone in another place would hear it; as loud as it likes."""
    sound = window
    if rng.random() < DAMAGED_SHARE:
        sound = degrade.render(sound, rng)
    if other is not None:
        sound = sound + other * _under(sound, other, rng.uniform(*OTHER_UNDER_DB))
    if rng.random() < NOISE_SHARE:
        noise = _noise(len(sound), rng)
        sound = sound + noise * _under(sound, noise, rng.uniform(*NOISE_UNDER_DB))
    return np.asarray(sound, np.float32)


def _under(sound: NDArray[np.float32], other: NDArray[np.float32], under_db: float) -> np.float32:
    """By what `other` is multiplied so that its loudest tenth of a second is so far under that of `sound`."""
    return np.float32(np.sqrt(_loudest(sound) / (_loudest(other) + 1e-9)) * 10.0 ** (-under_db / 20.0))


def _loudest(sound: NDArray[np.float32]) -> float:
    blocks = sound[: len(sound) // 1600 * 1600].reshape(-1, 1600)
    return float((blocks**2).mean(axis=1).max())


def _noise(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose level falls by 0 to 6 dB per octave."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum *= np.arange(1, len(spectrum) + 1) ** -rng.uniform(0.0, 1.0)
    return np.asarray(np.fft.irfft(spectrum, count), np.float32)
