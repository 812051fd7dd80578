"""Decoded pictures → RGB arrays: scaled in one step, turned upright, masks blackened."""

import math
import threading
from collections.abc import Sequence

import cv2
import numpy as np
from av import error as av_error
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from agent.types import Corners, Uint8Array

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

    def shrunk(self, picture: Uint8Array) -> Uint8Array:
        """Return the same of a picture that was converted before, uint8 [height, width, 3] RGB, upright."""
        size = fitted_size(picture.shape[1], picture.shape[0], *self._limit_px)
        return self._masked(np.array(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))

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


class NativePicture:
    """A decoded picture in its own size, out of which parts are cut; the rest of it is never converted.

    It goes by the decoded picture alone, so that the same part is the same array whoever asked for what before.
    """

    def __init__(self, frame: VideoFrame, masks: Polygons) -> None:
        self._frame = frame
        self._masks = masks

    def cut(self, corners_frac: Corners, most_width_px: int, most_height_px: int) -> tuple[Uint8Array, Corners]:
        """Return a part as uint8 [height, width, 3] RGB, upright, scaled down to fit, masks blackened; and its corners.

        `corners_frac` (x1 y1 x2 y2 in fractions of the upright picture) are moved outwards to whole pairs of pixels:
        what comes back lies exactly at the corners that come with it. Raises av.error.FFmpegError, ValueError where
        nobody can convert the pixel format.
        """
        turns = quarter_turns(self._frame)
        left, top, right, bottom = _turned_corners(corners_frac, turns)
        stored = self._frame.width, self._frame.height
        (x1, x2), (y1, y2) = _pairs(left, right, stored[0]), _pairs(top, bottom, stored[1])
        piece = _piece(self._frame, x1, y1, x2, y2)
        size = fitted_size(x2 - x1, y2 - y1, *((most_width_px, most_height_px)[:: -1 if turns % 2 else 1]))
        small = VideoReformatter().reformat(piece, *size, "rgb24", interpolation=Interpolation.AREA, threads=1)
        picture = _turned(small, turns)
        exact = (x1 / stored[0], y1 / stored[1], x2 / stored[0], y2 / stored[1])
        corners = _turned_corners(exact, -turns)
        if self._masks:
            seen = [_within(polygon, corners) for polygon in self._masks]
            picture[_covered(picture.shape[1], picture.shape[0], seen).astype(bool)] = 0
        return picture, corners


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

    def through(self, scaler: Scaler) -> Uint8Array | None:
        """Return uint8 [height, width, 3] RGB at the size that `scaler` makes, masks blackened.

        Far cheaper than the full size where that is large, and it leaves nothing of that size behind. None where
        nobody can convert the pixel format.
        """
        with self._lock:
            try:
                small = scaler.scaled(self._frame) if self._frame is not None else scaler.shrunk(self._whole())
            except (av_error.FFmpegError, ValueError):
                return None
        if self._masks:
            small[_covered(small.shape[1], small.shape[0], self._masks).astype(bool)] = 0
        return small

    def _whole(self) -> Uint8Array:
        assert self._picture is not None  # there is always one of the two
        return self._picture


_PLANAR = {
    "yuv420p": (2, 2), "yuvj420p": (2, 2), "yuv422p": (2, 1), "yuvj422p": (2, 1), "yuv444p": (1, 1), "yuvj444p": (1, 1)
}  # fmt: skip
"""Pixel formats of cameras and films, with the pixels across and down that share a colour."""


def _piece(frame: VideoFrame, x1: int, y1: int, x2: int, y2: int) -> VideoFrame:
    """Return the part of a stored picture between even pixels, unscaled, its colours meaning the same."""
    form, planes = _planes(frame)
    if form is None:
        whole = VideoReformatter().reformat(frame, format="rgb24", threads=1).to_ndarray()
        return VideoFrame.from_ndarray(np.array(whole[y1:y2, x1:x2], np.uint8), "rgb24")
    piece, shared = VideoFrame(x2 - x1, y2 - y1, form), _PLANAR[form]
    for (wide, high), of, target in zip(((1, 1), shared, shared), planes, piece.planes, strict=True):
        to = _rows_of(target)
        part = of[y1 // high : -(-y2 // high), x1 // wide : -(-x2 // wide)]
        to[: part.shape[0], : part.shape[1]] = part
    piece.colorspace, piece.color_range = frame.colorspace, frame.color_range
    return piece


def _planes(frame: VideoFrame) -> tuple[str | None, list[Uint8Array]]:
    """Return the planes of a picture as rows, and their format; none where they cannot be cut."""
    name = frame.format.name
    if name == "nv12":  # of devices that decode: both colours in one plane, a byte of each in turn
        grey, colours = (_rows_of(plane) for plane in frame.planes)
        return "yuv420p", [grey, colours[:, 0::2], colours[:, 1::2]]
    if name not in _PLANAR:
        return None, []
    return name, [_rows_of(plane) for plane in frame.planes]


def _rows_of(plane: VideoPlane) -> Uint8Array:
    """Return the bytes of a plane as rows, padding included: uint8 [height, line]."""
    flat: Uint8Array = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload] # a buffer, which stubs do not say
    return flat.reshape(-1, abs(plane.line_size))[: plane.height]


def _pairs(low_frac: float, high_frac: float, length_px: int) -> tuple[int, int]:
    """Return the even pixels around a span of a side; the last may be odd where the side is."""
    low = min(max(0, 2 * math.floor(low_frac * length_px / 2 + 1e-6)), max(0, length_px - 2) // 2 * 2)
    return low, min(length_px, max(low + 2, 2 * math.ceil(high_frac * length_px / 2 - 1e-6)))


def _turned_corners(corners: Corners, turns: int) -> Corners:
    """Return where corners of an upright picture lie in one that was stored so many quarters before."""
    for _ in range(turns % 4):
        left, top, right, bottom = corners
        corners = 1.0 - bottom, left, 1.0 - top, right
    return corners


def _within(polygon: Sequence[tuple[float, float]], corners: Corners) -> list[tuple[float, float]]:
    """Return a polygon in fractions of the part between `corners`."""
    left, top, right, bottom = corners
    return [((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in polygon]


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
