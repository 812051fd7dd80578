"""What happens to cameras: by hands, and by weather and light. Each alters the pictures of a calm clip from time 0 on.

A `View` is one moment of a clip as a camera sees it: a window of four fifths of the picture, which a push moves. All
colours are floats in [0, 255], RGB; all randomness is seeded, so that a suite is the same suite on every machine.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
WINDOW_FRAC = 0.8
SIZE_PX = (320, 180)


@dataclass(frozen=True, slots=True)
class View:
    """One moment: `picture` is uint8 [height, width, 3], `seed` differs from clip to clip."""

    picture: NDArray[np.uint8]
    seed: int

    def window(self, across: float = 0.0, down: float = 0.0) -> Picture:
        """Return what the camera sees when it is turned by fractions of its own picture, at analysis size."""
        height, width = self.picture.shape[:2]
        wide, high = int(width * WINDOW_FRAC), int(height * WINDOW_FRAC)
        left = min(width - wide, max(0, round((width - wide) / 2 + across * wide)))
        top = min(height - high, max(0, round((height - high) / 2 + down * high)))
        cut = self.picture[top : top + high, left : left + wide]
        return np.asarray(cv2.resize(cut, SIZE_PX, interpolation=cv2.INTER_AREA), np.float32)


Alteration = Callable[[float, View], Picture]


def _random(view: View, more: int = 0) -> np.random.Generator:
    return np.random.default_rng((view.seed, 1_000_000 + more))


def _blotches(view: View, size: int, more: int = 0) -> Picture:
    """Return soft random spots in [0, 1], [height, width]; `size` is how many there are across."""
    return _spots(view.seed, size, more)


@lru_cache(maxsize=16)
def _spots(seed: int, size: int, more: int) -> Picture:
    chance = np.random.default_rng((seed, 1_000_000 + more))
    small = chance.random((max(2, size * 9 // 16), size)).astype(np.float32)
    return np.asarray(cv2.resize(small, SIZE_PX, interpolation=cv2.INTER_CUBIC).clip(0.0, 1.0), np.float32)


@lru_cache(maxsize=2)
def _grains(seed: int) -> Picture:
    """Return noise of one level, larger than a picture: each picture shows another part of it."""
    shape = SIZE_PX[1] + 128, SIZE_PX[0] + 128, 1
    return np.asarray(np.random.default_rng((seed, 7)).normal(0.0, 1.0, shape), np.float32)


def _noise(view: View, at_s: float, levels: float) -> Picture:
    down, across = _random(view, round(at_s * 1000) + 7).integers(0, 128, 2)
    return _grains(view.seed)[down : down + SIZE_PX[1], across : across + SIZE_PX[0]] * np.float32(levels)


def _share(at_s: float, takes_s: float) -> float:
    return min(1.0, max(0.0, at_s / takes_s))


@lru_cache(maxsize=1)
def _grid() -> tuple[Picture, Picture]:
    x, y = np.meshgrid(np.linspace(0, 1, SIZE_PX[0]), np.linspace(0, 1, SIZE_PX[1]))
    return x.astype(np.float32), y.astype(np.float32)


def nothing(at_s: float, view: View) -> Picture:
    """The clip as it is."""
    return view.window()


# ---- by hands


def hand(at_s: float, view: View) -> Picture:
    """A hand comes from below within 0.5 s and stays: skin, far out of focus, a little light at an edge, trembling."""
    x, y = _grid()
    tremble = 0.01 * math.sin(9.0 * at_s)
    reach = 1.2 * _share(at_s, 0.5)
    cover = np.clip((y - (1.0 - reach) + 0.15 * (0.5 - np.abs(x - 0.5)) + tremble) * 6.0, 0.0, 1.0)[..., None]
    skin = np.array([150, 95, 75], np.float32) * (0.35 + 0.35 * _blotches(view, 3)[..., None])
    return view.window() * (1.0 - cover) + (skin + _noise(view, at_s, 1.5)) * cover


def cap(at_s: float, view: View) -> Picture:
    """The cap is put on, or a bag over it: black but for noise."""
    share = _share(at_s, 0.3)
    return view.window() * (1.0 - share) + share * (6.0 + np.abs(_noise(view, at_s, 2.0)))


def spray(at_s: float, view: View) -> Picture:
    """Paint within 1.5 s: drops that grow together, its colour nearly even, a tenth of the picture left."""
    drops = _blotches(view, 14, 1) * 0.5 + _blotches(view, 40, 2) * 0.5
    edge = np.quantile(drops, 1.0 - 0.9 * _share(at_s, 1.5))
    cover = np.clip((drops - edge) * 20.0, 0.0, 1.0)[..., None]
    colour = _random(view, 3).uniform(20, 210, 3).astype(np.float32)
    paint = colour * (0.9 + 0.1 * _blotches(view, 5, 4)[..., None])
    return view.window() * (1.0 - cover) + (paint + _noise(view, at_s, 1.5)) * cover


def defocus(at_s: float, view: View) -> Picture:
    """The lens is turned within 1 s: a blur of 1.6 % of the width."""
    sigma = 0.016 * SIZE_PX[0] * _share(at_s, 1.0)
    picture = view.window()
    if sigma > 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    return picture + _noise(view, at_s, 1.0)


def push(at_s: float, view: View) -> Picture:
    """The camera is turned within 0.6 s by 10 to 12.5 % of its picture's width and height."""
    chance = _random(view, 5)
    across, down = chance.choice([-1, 1], 2) * chance.uniform(0.10, 0.125, 2)
    share = _share(at_s, 0.6)
    return view.window(across * share, down * share)


def turn(at_s: float, view: View) -> Picture:
    """The camera is turned away within 0.6 s: it shows something else, here the mirror image of its place."""
    share = _share(at_s, 0.6)
    if share >= 1.0:
        return view.window()[::-1, ::-1]
    return np.asarray(cv2.GaussianBlur(view.window(0.1 * share), (0, 0), 0.1 + 8.0 * share), np.float32)


def dazzle(at_s: float, view: View) -> Picture:
    """A lamp is pointed at the lens and stays."""
    x, y = _grid()
    light = 900.0 * _share(at_s, 0.3) * np.exp(-((x - 0.45) ** 2 + (y - 0.5) ** 2) / 0.16)[..., None]
    return view.window() * (1.0 - 0.6 * _share(at_s, 0.3)) + light + _noise(view, at_s, 1.0)


# ---- by light and weather


def _dimmed(picture: Picture, gain: float, colour: float) -> Picture:
    """Return a darker picture whose colours fade to grey with `colour`."""
    grey = picture.mean(axis=2, keepdims=True)
    return (colour * picture + (1.0 - colour) * grey) * gain


def lights_off(at_s: float, view: View) -> Picture:
    """The lamps go out; a window at one side still gives some light."""
    if at_s < 0.0:
        return view.window()
    x, _ = _grid()
    side = (0.14 + 0.28 * (x if view.seed % 2 else 1.0 - x))[..., None]
    return _dimmed(view.window(), 1.0, 0.5) * side + 4.0 + _noise(view, at_s, 3.0)


def lights_on(at_s: float, view: View) -> Picture:
    """The same the other way."""
    return lights_off(1.0, view) if at_s < 0.0 else view.window() + _noise(view, at_s, 1.0)


def infrared(at_s: float, view: View) -> Picture:
    """The filter switches: dark for 0.4 s, too bright for 0.4 s, then grey, lit from the camera, with noise."""
    picture = view.window()
    if at_s < 0.0:
        return picture
    if at_s < 0.4:
        return picture * 0.08 + 3.0
    x, y = _grid()
    spot = (0.3 + 1.1 * np.exp(-((x - 0.5) ** 2 + (y - 0.55) ** 2) / 0.12))[..., None]
    grey = (picture @ np.array([0.75, 0.05, 0.2], np.float32))[..., None]
    lit = np.repeat(grey * 0.75 + 35.0, 3, axis=2) * spot * (2.2 if at_s < 0.8 else 1.0)
    return np.asarray(lit + _noise(view, at_s, 4.0), np.float32)


def daylight(at_s: float, view: View) -> Picture:
    """The same the other way: from the infrared dark for 0.4 s, too bright for 0.4 s, then colours again."""
    if at_s < 0.0:
        return infrared(1.0, view)
    picture = view.window()
    return picture * 0.08 + 3.0 if at_s < 0.4 else picture * (2.2 if at_s < 0.8 else 1.0)


def rain(at_s: float, view: View) -> Picture:
    """Heavy rain from one moment to the next: grey veil, streaks, drops on the glass."""
    picture = view.window()
    if at_s < 0.0:
        return picture
    share = _share(at_s, 2.0)
    picture = picture * (1.0 - 0.3 * share) + 38.0 * share
    chance = _random(view, round(at_s * 1000))
    streaks = np.zeros((SIZE_PX[1], SIZE_PX[0]), np.float32)
    for _ in range(int(90 * share)):
        x, y, length = chance.integers(0, SIZE_PX[0]), chance.integers(0, SIZE_PX[1]), chance.integers(6, 26)
        cv2.line(streaks, (int(x), int(y)), (int(x + length // 6), int(y + length)), float(chance.uniform(15, 55)), 1)
    drops = np.clip((_blotches(view, 24, 6) - 0.86) * 10.0, 0.0, 1.0)[..., None] * share
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), 5.0), np.float32)
    return picture * (1.0 - drops) + soft * drops + streaks[..., None]


def insects(at_s: float, view: View) -> Picture:
    """Moths before the lens: bright, out of focus, up to a quarter of the picture, never long in one place."""
    picture = view.window()
    if at_s < 0.0:
        return picture
    x, y = _grid()
    for moth in range(3):
        chance = _random(view, 20 + moth)
        speed, phase, size = chance.uniform(0.6, 1.8), chance.uniform(0, 6.3), chance.uniform(0.06, 0.2)
        cx = 0.5 + 0.6 * math.sin(speed * at_s + phase)
        cy = 0.5 + 0.6 * math.sin(1.37 * speed * at_s + 2.0 * phase)
        flap = 0.6 + 0.4 * math.sin(40.0 * at_s)
        blob = flap * np.exp(-(((x - cx) / size) ** 2 + ((y - cy) / (1.5 * size)) ** 2))[..., None]
        picture = picture * (1.0 - 0.9 * blob) + 230.0 * blob
    return picture


def spider(at_s: float, view: View) -> Picture:
    """A thread sways before the lens at night: a bright soft band that stays."""
    picture = view.window()
    if at_s < 0.0:
        return picture
    x, y = _grid()
    band = np.exp(-(((x - 0.5 - 0.05 * math.sin(1.3 * at_s) - 0.3 * (y - 0.5)) / 0.03) ** 2))[..., None]
    return picture * (1.0 - 0.7 * band) + 190.0 * band


def headlights(at_s: float, view: View) -> Picture:
    """A car turns in: within 4 s its light comes from one side, fills nearly all of the picture, and leaves."""
    x, y = _grid()
    strength = max(0.0, math.sin(math.pi * at_s / 4.0)) if 0.0 <= at_s <= 4.0 else 0.0
    centre = -0.3 + 0.4 * at_s
    glow = 520.0 * strength**2 * np.exp(-((x - centre) ** 2 + (y - 0.6) ** 2) / 0.1)[..., None]
    return view.window() * (1.0 + 0.5 * strength) + glow


def dusk(at_s: float, view: View) -> Picture:
    """Night falls within 10 s, a hundred times too fast: to a fifth of the light, colours gone, noise."""
    share = _share(at_s, 10.0)
    return _dimmed(view.window(), 1.0 - 0.8 * share, 1.0 - 0.7 * share) + 3.0 * share + _noise(view, at_s, 4.0 * share)


def cloud(at_s: float, view: View) -> Picture:
    """The edge of a cloud's shadow crosses the picture within 3 s."""
    x, _ = _grid()
    shade = 1.0 - 0.45 / (1.0 + np.exp((x - at_s / 3.0) * 12.0))[..., None]
    return view.window() * (shade if at_s >= 0.0 else 1.0)


def wind(at_s: float, view: View) -> Picture:
    """The pole sways: by 1 % of the picture at 1 Hz."""
    swing = 0.01 if at_s >= 0.0 else 0.0
    return view.window(swing * math.sin(6.3 * at_s), 0.5 * swing * math.sin(4.1 * at_s))


def passer(at_s: float, view: View) -> Picture:
    """Somebody passes right before the lens: a dark shape fills two thirds of the picture for 2 s."""
    x, y = _grid()
    centre = -0.5 + at_s
    shape = np.clip((0.34 - np.abs(x - centre)) * 14.0, 0.0, 1.0)[..., None]
    cloth = np.array([50, 55, 70], np.float32) * (0.7 + 0.6 * _blotches(view, 6, 8)[..., None])
    return view.window() * (1.0 - shape) + (cloth + 12.0 * (y[..., None] - 0.5)) * shape


TAMPERING: Mapping[str, tuple[Alteration, frozenset[str]]] = {
    "hand": (hand, frozenset({"camera_covered", "camera_dark"})),
    "cap": (cap, frozenset({"camera_covered", "camera_dark"})),
    "spray": (spray, frozenset({"camera_covered", "camera_blurred"})),
    "defocus": (defocus, frozenset({"camera_blurred"})),
    "push": (push, frozenset({"camera_moved"})),
    "turn": (turn, frozenset({"camera_moved"})),
    "dazzle": (dazzle, frozenset({"camera_covered"})),
}
"""What a camera must tell, and as what. Freezing is no alteration of a picture: the suite repeats one."""
NATURAL: Mapping[str, Alteration] = {
    "nothing": nothing,
    "lights off": lights_off,
    "lights on": lights_on,
    "infrared": infrared,
    "daylight": daylight,
    "rain": rain,
    "insects": insects,
    "spider": spider,
    "headlights": headlights,
    "dusk": dusk,
    "cloud": cloud,
    "wind": wind,
    "passer": passer,
}
