"""Flames of our own over pictures in which nothing burns, for the head that tells fire and smoke.

The fluid is the scene generator's (`models.scenes.fluid`), from seeds that no scene has. The picture below and what
stands in it stay as they are, so that nothing but the flames makes the difference; lamps that glow in the colours of
a fire, without its turbulence, are laid over others and are no fire. Of the smoke over the flames nothing is said: it
is drawn too plainly to teach what smoke looks like (told as smoke it made the head worse on the real smoke of dev).
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.film import toned
from models.scenes.fluid import BASE_PX, Plume, lay
from models.vision.records import Record

PLUMES = 24
FIRST_SEED = 10_000
"""The catalogue's scenes have seeds below 1,000."""
STEPS = 170
KEPT = range(40, STEPS, 10)
"""Steps of each plume that are laid over pictures: from catching fire to burning as fully as this one does."""
IN_BINS = 0.4
"""How many of the fires burn in a bin; the picture without flames shows it, too."""
NIGHT_GAIN = 6.0
"""By night a fire lights what stands around it so many times as much as by day, beside what light there is."""
EXPOSURES = 0.45, 1.6
"""A fire is as bright as it is; the cameras and rooms are not."""
ACROSS = 0.016, 0.2
"""How wide a fire is at its foot, in shares of the picture's width."""
SMALLER = 1.6
"""Small fires are shown more often than large ones: half of them are less than 4 % across."""
FLAME = 0.16
"""Heat from which a cell counts as flame."""
LEAST_GAP, LEAST_SHARE = 48, 0.25
"""Flames count as seen where this share of their box differs by so many of 255 steps from what stood there before."""
GREY_GAP, GREY_SHARE = 12, 0.98
"""A picture without colour: in so much of it the three channels are no further apart than compression leaves them."""
Picture = NDArray[np.uint8]
Linear = NDArray[np.float32]
_LIGHT = np.geomspace(1e-4, 40.0, 2048).astype(np.float32)
_TONES = toned(_LIGHT, 1.0, infrared=False)


def plumes(first: int = 0, count: int = PLUMES) -> list[Plume]:
    """Plumes `first` to `first + count` at many moments, small fires and large ones; always the same."""
    kept = []
    for number in range(first, first + count):
        plume = Plume(FIRST_SEED + number)
        most = float(np.random.default_rng(FIRST_SEED + number).uniform(0.5, 1.0))
        for step in range(STEPS):
            plume.step(min(most, 0.25 + step / 100))
            if step in KEPT:
                moment = copy.copy(plume)
                moment.heat, moment.smoke = plume.heat.copy(), plume.smoke.copy()
                kept.append(moment)
    return kept


def burning(
    picture: Picture, record: Record, moments: Sequence[Plume], random: np.random.Generator, *, infrared: bool = False
) -> tuple[Picture, Picture, Record]:
    """`picture` [H, W, 3] RGB with one of `moments` in it, the same picture without, and the first one's record.

    With `infrared` both are as a night camera sees them: the flames have no colour, only light. Where flames are
    hardly to be seen nothing is said of them.
    """
    height, width = picture.shape[:2]
    plume = moments[int(random.integers(len(moments)))]
    least, most = np.log(ACROSS)
    scale = math.exp(least + (most - least) * random.random() ** SMALLER) * width / (2 * BASE_PX)
    foot = (random.uniform(0.08, 0.92) * width, random.uniform(0.35, 0.97) * height)
    exposure = random.uniform(*EXPOSURES)
    linear = _light(picture, exposure)
    if random.random() < IN_BINS:
        _stand_bin(linear, foot, BASE_PX * scale, random)
    if infrared and not colourless(picture):
        linear = _by_night(linear, random)
    without = _shown(linear, exposure, infrared)
    reach_px, gain = random.uniform(15, 40) * scale, random.uniform(0.2, 2.0) * (NIGHT_GAIN if infrared else 1.0)
    linear = linear * (1 + _firelight(linear.shape[:2], foot, reach_px, gain))
    lay(linear, plume, foot, scale, float(np.median(linear)) + 0.02)
    fire = _box(plume.heat > FLAME, (width, height), foot, scale)
    picture = _shown(linear, exposure, infrared)
    if fire is not None and not _stands_out(picture, without, fire):
        fire = None
    boxes = [] if fire is None else [[0.0, *fire]]
    return picture, without, replace(record, fire=None if fire is None else 1, smoke=None, scene_boxes=boxes)


def lamp(picture: Picture, random: np.random.Generator, *, infrared: bool = False) -> Picture:
    """`picture` with a steady glow in it as of a lamp, a sign or a reflection: the colours of a fire, smooth."""
    height, width = picture.shape[:2]
    exposure = random.uniform(*EXPOSURES)
    linear = _light(picture, exposure)
    if infrared and not colourless(picture):
        linear = _by_night(linear, random)
    mask = np.zeros((height, width), np.float32)
    at = (int(random.uniform(0.1, 0.9) * width), int(random.uniform(0.1, 0.9) * height))
    half = np.maximum(2, np.array([random.uniform(0.01, 0.05), random.uniform(0.01, 0.08)]) * width).astype(int)
    if random.random() < 0.5:
        cv2.ellipse(mask, at, (int(half[0]), int(half[1])), float(random.uniform(0, 180)), 0, 360, 1.0, -1)
    else:
        cv2.rectangle(
            mask, (at[0] - int(half[0]), at[1] - int(half[1])), (at[0] + int(half[0]), at[1] + int(half[1])), 1.0, -1
        )
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, 0.2 * float(half.min())))
    halo = cv2.GaussianBlur(mask, (0, 0), 2.5 * float(half.max()))
    colour = np.array([1.0, random.uniform(0.3, 0.8), random.uniform(0.0, 0.4)], np.float32)
    glow = (3.0 * soft + random.uniform(0.1, 0.6) * halo)[..., None] * colour
    return _shown(linear + glow, exposure, infrared)


def _stands_out(picture: Picture, without: Picture, box: tuple[float, float, float, float]) -> bool:
    """Whether flames in `box` differ from what they burn before: white on white is none that could be learned."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (int(v * size) for v, size in zip(box, (width, height, width, height), strict=True))
    part = slice(y1, y2 + 1), slice(x1, x2 + 1)
    gap = np.abs(picture[part].astype(np.int16) - without[part]).max(2)
    return bool((gap > LEAST_GAP).mean() > LEAST_SHARE)


def colourless(picture: Picture) -> bool:
    """Whether a picture is a night camera's already: it is not made dark once more."""
    return bool((picture.max(2).astype(np.int16) - picture.min(2) <= GREY_GAP).mean() > GREY_SHARE)


def _stand_bin(linear: Linear, foot: tuple[float, float], half_px: float, random: np.random.Generator) -> None:
    """Draws the bin that burns, `half_px` and a little wide to each side of the foot: round, lit from one side."""
    (x, y), half = foot, half_px * random.uniform(1.0, 1.4)
    left, right, top = round(x - half), round(x + half), round(y - 0.3 * half)
    bottom = round(y + half * random.uniform(1.6, 3.2))
    height, width = linear.shape[:2]
    rows, columns = slice(max(0, top), max(0, min(height, bottom))), slice(max(0, left), max(0, min(width, right)))
    across = (np.arange(columns.start, columns.stop) - x) / max(half, 1.0)
    shade = np.clip(np.cos(across - random.uniform(-0.8, 0.8)), 0.1, 1).astype(np.float32)
    colour = random.uniform(0.02, 0.5) * random.uniform(0.7, 1.0, 3).astype(np.float32)
    linear[rows, columns] = shade[None, :, None] * colour


def _by_night(linear: Linear, random: np.random.Generator) -> Linear:
    """The light of a place that only the camera's own infrared lamps reach: less of it, and least at the edges."""
    height, width = linear.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    far = ((x / width - random.uniform(0.35, 0.65)) ** 2 + (y / height - random.uniform(0.4, 0.7)) ** 2) / 0.25
    lit = random.uniform(0.15, 0.8) * np.exp(-random.uniform(0.3, 1.6) * far) + random.uniform(0.01, 0.08)
    return np.asarray(np.repeat(linear.mean(2, keepdims=True), 3, 2) * lit[..., None], np.float32)


def _firelight(size: tuple[int, int], foot: tuple[float, float], reach_px: float, gain: float) -> NDArray[np.float32]:
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    near = gain / (1 + ((x - foot[0]) ** 2 + (y - foot[1]) ** 2) / reach_px**2)
    return np.asarray(near[..., None] * np.array([1.0, 0.6, 0.25], np.float32), np.float32)


def _box(
    mask: NDArray[np.bool_], size: tuple[int, int], foot: tuple[float, float], scale: float
) -> tuple[float, float, float, float] | None:
    """Where the cells of `mask` lie in the picture, in fractions of it; None where too few of them do."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if mask.sum() < 12:
        return None
    left, top = foot[0] - mask.shape[1] * scale / 2, foot[1] - mask.shape[0] * scale + 6 * scale
    x = np.clip((left + np.array([columns[0], columns[-1] + 1]) * scale) / size[0], 0, 1)
    y = np.clip((top + np.array([rows[0], rows[-1] + 1]) * scale) / size[1], 0, 1)
    if x[1] - x[0] < 0.01 or y[1] - y[0] < 0.01:
        return None
    return float(x[0]), float(y[0]), float(x[1]), float(y[1])


def _light(picture: Picture, exposure: float) -> NDArray[np.float32]:
    """The linear light that the generator's film would show as `picture`."""
    return np.asarray(np.interp(picture / 255, _TONES, _LIGHT) / exposure, np.float32)


def _shown(linear: Linear, exposure: float, infrared: bool) -> Picture:
    return np.asarray(toned(linear, exposure, infrared=infrared) * 255, np.uint8)
