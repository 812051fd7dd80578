"""Decoded pictures → RGB arrays: scaled in one step, turned upright, masks blackened."""

import threading
from collections.abc import Sequence

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from agent.types import Uint8Array

MIN_SIDE_PX = 16
"""A one-pixel picture is enlarged to this, so that no later stage meets an empty cell."""

Polygons = Sequence[Sequence[tuple[float, float]]]


def fitted_size(width_px: int, height_px: int, max_width_px: int, max_height_px: int) -> tuple[int, int]:
    """Return the even size that fits into the given one with the aspect kept; pictures are never enlarged."""
    scale = min(1.0, max_width_px / width_px, max_height_px / height_px)
    return _even(width_px * scale, max_width_px), _even(height_px * scale, max_height_px)


def _even(length_px: float, limit_px: int) -> int:
    return max(MIN_SIDE_PX, min(2 * round(length_px / 2), limit_px - limit_px % 2))


def quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarters counter-clockwise the picture must be turned to stand upright (0 to 3)."""
    return round(frame.rotation / 90) % 4


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Return width and height of the picture as a person sees it."""
    return (frame.height, frame.width) if quarter_turns(frame) % 2 else (frame.width, frame.height)


class Scaler:
    """Scales pictures of one source to the analysis size; `masks` are polygons in fractions of the picture."""

    def __init__(self, max_width_px: int, max_height_px: int, masks: Polygons = ()) -> None:
        self._limit_px = (max_width_px, max_height_px)
        self._masks = masks
        self._reformatter = VideoReformatter()
        self._black: Uint8Array | None = None

    def scaled(self, frame: VideoFrame) -> Uint8Array:
        """Return uint8 [height, width, 3] RGB, upright, at analysis size."""
        turns = quarter_turns(frame)
        width_px, height_px = fitted_size(*upright_size(frame), *self._limit_px)
        if turns % 2:
            width_px, height_px = height_px, width_px
        # AREA: averages what it drops; the faster filters only sample it, and small things flicker.
        small = self._reformatter.reformat(
            frame, width_px, height_px, "rgb24", interpolation=Interpolation.AREA, threads=1
        )
        return self._masked(_turned(small, turns))

    def _masked(self, picture: Uint8Array) -> Uint8Array:
        if not self._masks:
            return picture
        height_px, width_px = picture.shape[:2]
        if self._black is None or self._black.shape != (height_px, width_px):
            self._black = _covered(width_px, height_px, self._masks)
        picture[self._black.astype(bool)] = 0
        return picture


def full_picture(frame: VideoFrame, masks: Polygons = ()) -> Uint8Array:
    """Return the picture in its own size, uint8 [height, width, 3] RGB, upright, masks blackened."""
    picture = _turned(VideoReformatter().reformat(frame, format="rgb24", threads=1), quarter_turns(frame))
    if masks:
        height_px, width_px = picture.shape[:2]
        picture[_covered(width_px, height_px, masks).astype(bool)] = 0
    return picture


class LazyPicture:
    """A decoded picture that becomes an array only when somebody asks for it; from any thread."""

    def __init__(self, frame: VideoFrame, masks: Polygons) -> None:
        self._frame: VideoFrame | None = frame
        self._masks = masks
        self._lock = threading.Lock()
        self._picture: Uint8Array | None = None

    def array(self) -> Uint8Array:
        """Return uint8 [height, width, 3] RGB in full size, masks blackened."""
        with self._lock:
            if self._picture is None:
                assert self._frame is not None
                self._picture = full_picture(self._frame, self._masks)
                self._frame = None
            return self._picture


def _turned(frame: VideoFrame, turns: int) -> Uint8Array:
    # A new array: PyAV's view would keep the whole padded picture alive, and may be read-only.
    return np.array(np.rot90(frame.to_ndarray(), turns), dtype=np.uint8, order="C")


def _covered(width_px: int, height_px: int, masks: Polygons) -> Uint8Array:
    """Return 1 where a mask lies: its edge belongs to it, and one pixel more that scaling mixed with it."""
    black = np.zeros((height_px, width_px), np.uint8)
    for polygon in masks:
        corners = np.floor(np.asarray(polygon, np.float64) * (width_px, height_px)).astype(np.int32)
        cv2.fillPoly(black, [corners], 1)
        cv2.polylines(black, [corners], isClosed=True, color=1, thickness=3)
    return black
