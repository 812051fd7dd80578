"""What stands in a picture that did not, and what is gone: standing change without classes, from two backgrounds.

After Porikli, Ivanov and Haga ("Robust abandoned object detection using dual foregrounds", 2008): one model of what
stands now, which takes anything over once it has rested for a second, and one of what belongs to the place, which
takes over only what is small or light. Where the two differ, something came or went. Both are kept in 160 columns of
brightness and colour and looked at twice a second. Neither learns where people, animals or vehicles were found, so
who stands still is no thing and hides none.

Light is not standing change: the whole picture's gain is taken out first, a patch in which the texture of the place
shows on (or whose brightness alone changed, by one factor) is learned, one in which nothing moved before is not told
and fades, and when a quarter of the picture changed for
good, that is another look of the place; the last such look is remembered. Edges that moved by a pixel, and leaves
that never rest, do not count. Cost: 1 to 2 ms a look on one core, so 0.2 to 0.4 ms a picture at ten a second.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.features.patch import Patch, patches_in
from agent.types import Box, FloatArray, Standing, Uint8Array

FEATURE_VERSION = "standing/1"
COLUMNS, MOST_ROWS = 160, 640
LOOK_S = 0.5
RESTED_S = 1.0
"""What did not change for this long stands now."""
STANDS_S = 2.0
"""And from here on it is told."""
KNOWN_S = 3.0
"""What stood for this long where nothing is known belongs to the place."""
LEVELS, COLOUR_LEVELS = 14.0, 9.0
"""Beyond this difference, and three times the usual one, a point is another: sensor noise stays below."""
REST_LEVELS = 9.0
GAIN_STEP, MOST_GAIN = 0.02, 2.0
FOLLOW_S, FADE_S = 20.0, 60.0
"""How fast the place follows what stands now: where they agree, and where what differs is too small to be a thing."""
STIR_S, RESTLESS = 30.0, 0.25
"""A point that is never what it was for more than this share of the time tells nothing: leaves, water, a screen."""
ANOTHER_LOOK, SAME_LOOK = 0.25, 0.1
"""Share of the picture that changed for good: the light, not a thing; and below which a remembered look is this one."""
VISIT_MEMORY_S = 6.0
WIDER = 0.15
"""By so much of its size a box is widened: arms and shadows reach beyond."""

_Mask: TypeAlias = NDArray[np.bool_]
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


class StandingChange:
    """The standing change before one camera; `absorb_s` after it came a thing belongs to the place."""

    def __init__(self, *, absorb_s: float = 900.0) -> None:
        self._absorb_s = absorb_s
        self._at_ns: int | None = None
        self._busy: list[Box] = []
        self._looks: _Looks | None = None

    def see(self, picture: Uint8Array, at_ns: int, busy: Sequence[Box]) -> tuple[Standing, ...] | None:
        """What stands in an RGB picture, uint8 [height, width, 3]; None where it was not looked at.

        `busy` is where people, animals and vehicles are, or were when last looked for.
        """
        self._busy += [box for box in busy if box not in self._busy]
        since_ns = None if self._at_ns is None else at_ns - self._at_ns
        if since_ns is not None and 0 <= since_ns < LOOK_S * 1e9:
            return None
        shape = min(MOST_ROWS, max(1, round(COLUMNS * picture.shape[0] / picture.shape[1]))), COLUMNS
        now = _colours(picture, shape)
        taken, self._busy = _mask(self._busy, shape), list(busy)
        self._at_ns = at_ns
        if self._looks is None or self._looks.now.shape != now.shape:
            self._looks = _Looks(now)
            return ()
        elapsed_s = 0.0 if since_ns is None else min(1.0, max(0.0, since_ns / 1e9))
        patches = self._looks.see(now, taken, elapsed_s, absorb_s=self._absorb_s)
        return tuple(_told(patch, shape, ends=patch.stood_s >= self._absorb_s) for patch in patches)


class _Looks:
    """What stands now, and what belongs to the place: float32 [rows, columns, 3] of brightness and two colours."""

    def __init__(self, now: FloatArray) -> None:
        shape = now.shape[:2]
        self.now = now.copy()  # what stands now
        self.place = now.copy()
        self._other: FloatArray | None = None  # the look before another one
        self._before = now
        self._stood_s: FloatArray = np.zeros(shape, np.float32)  # for how long it was seen to stand
        self._known_s: FloatArray = np.full(shape, -1.0, np.float32)  # how long the place has been known; -1: not
        self._rested_s: FloatArray = np.zeros(shape, np.float32)
        self._usual: FloatArray = np.full(shape, 2.0, np.float32)  # the usual difference, levels
        self._stir: FloatArray = np.zeros(shape, np.float32)
        self._visited_s: FloatArray = np.zeros(shape, np.float32)  # for how long something moved there lately
        self._came_s: FloatArray = np.zeros(shape, np.float32)  # the same when what stands now came

    def see(self, now: FloatArray, taken: _Mask, elapsed_s: float, *, absorb_s: float) -> list[Patch]:
        self._follow_gain(now, taken)
        self._stand(now, taken, elapsed_s)
        free = ~taken
        known = self._known_s >= 0.0
        fresh = ~known & free & (self._stood_s >= KNOWN_S)
        if fresh.any():
            self.place[fresh] = self.now[fresh]
            self._known_s[fresh] = self._stood_s[fresh]
        other = _beyond(np.abs(self.now - self.place), LEVELS + 3.0 * self._usual, COLOUR_LEVELS) & known
        crept = other & (self._stood_s >= self._known_s)  # it came bit by bit: the light did
        other &= ~crept
        stands = other & (self._stood_s >= STANDS_S) & (self._stir < RESTLESS)
        if np.count_nonzero(stands) > ANOTHER_LOOK * stands.size:
            self._look_anew()
            return []
        found: list[Patch] = []
        if stands.any():
            times_s = self._stood_s, self._known_s, self._came_s
            seeds = stands & self._unlike(self.place)
            found = patches_in(_tidy(stands), seeds, self.now, self.place, known & ~other, times_s)
        self._learn(found, other, taken, elapsed_s, absorb_s)
        return [patch for patch in found if patch.was_visited and not patch.is_light]

    def _follow_gain(self, now: FloatArray, taken: _Mask) -> None:
        """The exposure, or a cloud, changed everything by one factor: so do both models."""
        rows = slice(None, None, 3)
        there = ~taken[rows, rows]
        if np.count_nonzero(there) < 50:
            return
        ratio = (now[rows, rows, 0][there] + 4.0) / (self.now[rows, rows, 0][there] + 4.0)
        gain = float(np.median(ratio))
        if abs(gain - 1.0) < GAIN_STEP or not 1.0 / MOST_GAIN < gain < MOST_GAIN:
            return
        for model in (self.now, self.place, self._before):
            model[..., 0] *= gain
            model[..., 1:] = 128.0 + (model[..., 1:] - 128.0) * gain

    def _stand(self, now: FloatArray, taken: _Mask, elapsed_s: float) -> None:
        """Bring up to date what stands now."""
        free = ~taken
        apart = np.abs(now - self.now)
        differs = _beyond(apart, REST_LEVELS + 2.5 * self._usual, COLOUR_LEVELS)
        moves = _beyond(np.abs(now - self._before), REST_LEVELS + self._usual, COLOUR_LEVELS)
        self._before = now.copy()
        self._rested_s = np.where(moves | taken, 0.0, self._rested_s + elapsed_s).astype(np.float32)
        visited = taken | (moves & differs)
        fading = math.exp(-elapsed_s / VISIT_MEMORY_S)
        self._visited_s = np.where(visited, self._visited_s + elapsed_s, fading * self._visited_s).astype(np.float32)
        agrees = free & ~differs
        self.now[agrees] += min(1.0, elapsed_s / 2.0) * (now[agrees] - self.now[agrees])
        self._usual[agrees] += min(1.0, elapsed_s / 10.0) * (apart[agrees, 0] - self._usual[agrees])
        self._stir[free] += elapsed_s / STIR_S * (differs[free] - self._stir[free])
        self._stood_s[agrees] += elapsed_s
        self._known_s[agrees & (self._known_s >= 0.0)] += elapsed_s
        taking = free & differs & (self._rested_s >= RESTED_S)
        if taking.any():
            self.now[taking] = now[taking]
            self._stood_s[taking] = self._rested_s[taking]
            self._came_s[taking] = self._visited_s[taking]

    def _unlike(self, look: FloatArray) -> _Mask:
        """Where what stands now is neither what `look` shows there nor what it shows a point beside."""
        above = self.now - cv2.dilate(look, _SQUARE)
        below = cv2.erode(look, _SQUARE) - self.now
        return _beyond(np.maximum(above, below), LEVELS + 3.0 * self._usual, COLOUR_LEVELS)

    def _look_anew(self) -> None:
        """The light is another one: compare with the look that was there before it, or begin a new one."""
        before, other = self.place, self._other
        if other is not None and np.count_nonzero(self._unlike(other)) < SAME_LOOK * other[..., 0].size:
            self.place = other
        else:
            self.place = self.now.copy()
            self._known_s[:] = 0.0
        self._other = before

    def _learn(self, found: Sequence[Patch], other: _Mask, taken: _Mask, elapsed_s: float, absorb_s: float) -> None:
        told: _Mask = np.zeros(other.shape, bool)
        for patch in found:
            if not patch.was_visited:
                continue  # it fades
            area = told[patch.rows, patch.columns]
            area |= patch.mask
        share = np.where(other, elapsed_s / FADE_S, elapsed_s / FOLLOW_S).astype(np.float32)
        share[told | taken] = 0.0
        self.place += share[..., None] * (self.now - self.place)
        for patch in found:
            if patch.is_light or patch.stood_s >= absorb_s:
                place = self.place[patch.rows, patch.columns]
                place[patch.mask] = self.now[patch.rows, patch.columns][patch.mask]
                self._known_s[patch.rows, patch.columns][patch.mask] = 0.0


def _colours(picture: Uint8Array, shape: tuple[int, int]) -> FloatArray:
    small = cv2.resize(picture, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32)


def _beyond(apart: FloatArray, levels: FloatArray, colour_levels: float) -> _Mask:
    bright = apart[..., 0] > levels
    colours = np.maximum(apart[..., 1], 0.0) + np.maximum(apart[..., 2], 0.0) > colour_levels + levels / 2.0
    return np.asarray(bright | colours, np.bool_)


def _mask(boxes: Sequence[Box], shape: tuple[int, int]) -> _Mask:
    mask: _Mask = np.zeros(shape, bool)
    rows, columns = shape
    for box in boxes:
        across, down = WIDER * box.width_frac, WIDER * box.height_frac / 2.0
        left, right = (box.left_frac - across) * columns, (box.right_frac + across) * columns
        top, bottom = (box.top_frac - down) * rows, (box.bottom_frac + down) * rows
        mask[max(0, int(top)) : max(0, int(bottom) + 1), max(0, int(left)) : max(0, int(right) + 1)] = True
    return mask


def _tidy(stands: _Mask) -> Uint8Array:
    mask = cv2.morphologyEx(stands.astype(np.uint8), cv2.MORPH_OPEN, _CROSS)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _WIDE), np.uint8)


def _told(patch: Patch, shape: tuple[int, int], *, ends: bool) -> Standing:
    rows, columns = shape
    box = Box(
        left_frac=patch.left / columns,
        top_frac=patch.top / rows,
        right_frac=patch.right / columns,
        bottom_frac=patch.bottom / rows,
    )
    return Standing(
        box=box,
        stood_s=round(patch.stood_s, 2),
        area_frac=round(patch.area / (rows * columns), 5),
        new_frac=round(patch.new_frac, 3),
        unlike_frac=round(patch.unlike_frac, 3),
        known_s=round(patch.known_s, 1),
        ends=ends,
    )
