"""Fits any picture onto a fixed canvas without distorting it, and maps boxes to and fro.

A model wants `width_px × height_px`; a camera gives something else. The picture is scaled until it
fits, centred, and the rest is filled with grey 114. `Letterbox` remembers how, so that a box found on
the canvas can be told as fractions of the original picture, which is what every later stage uses.

    canvas, fit = letterbox(picture, 320, 192)
    boxes_frac = fit.to_fractions(boxes_px)      # canvas pixels → 0..1 of the picture
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FEATURE_VERSION = "letterbox/1"
PAD_GREY = 114
"""The grey of the border. The graphs subtract it first, so that padding is exactly zero inside."""

STILL_STRETCH = 1.8
"""A `most_stretch` for single pictures on square canvases, chosen on the training pictures' dev part: there
it gains 3 points of person AP50 at 320 and 2 at 416. Live pictures stay undistorted, for posture and speed."""

_STRIP_PX = 30_000
"""OpenCV scales with 16-bit coordinates; sides beyond 32,767 px are thinned before."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture lies on its canvas. All sides in pixels; boxes are float [n, 4] x1 y1 x2 y2."""

    canvas_width_px: int
    canvas_height_px: int
    content_width_px: int
    content_height_px: int
    pad_left_px: int
    pad_top_px: int
    source_width_px: int
    source_height_px: int

    def to_fractions(self, boxes_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """Boxes in canvas pixels → fractions of the picture, clipped to 0..1."""
        moved = (np.asarray(boxes_px, np.float64).reshape(-1, 4) - self._offset_px()) / self._extent_px()
        return np.clip(moved, 0.0, 1.0).astype(np.float32)

    def to_canvas(self, boxes_frac: NDArray[np.floating]) -> NDArray[np.float32]:
        """Boxes in fractions of the picture → canvas pixels."""
        boxes = np.asarray(boxes_frac, np.float64).reshape(-1, 4) * self._extent_px() + self._offset_px()
        return boxes.astype(np.float32)

    def _offset_px(self) -> NDArray[np.float64]:
        return np.array([self.pad_left_px, self.pad_top_px] * 2, np.float64)

    def _extent_px(self) -> NDArray[np.float64]:
        return np.array([self.content_width_px, self.content_height_px] * 2, np.float64)


def letterbox(
    picture: NDArray[np.uint8], width_px: int, height_px: int, most_stretch: float = 1.0
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Scale `picture` (uint8 H×W×3, RGB) onto a grey canvas (uint8 height_px × width_px × 3).

    Shrinking averages areas (no aliasing: far people survive), enlarging is linear. A side never
    falls below one pixel, so that 1×5000 still leaves a line. `most_stretch` above 1 lets the shorter
    direction grow by up to that factor into the border: small people in stills gain pixels.

    Errors: ValueError when the picture is not H×W×3 uint8 with both sides ≥ 1.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise ValueError(f"a picture is uint8 H×W×3 with H, W ≥ 1, not {picture.dtype} {picture.shape}")
    fit = plan(picture.shape[1], picture.shape[0], width_px, height_px, most_stretch)
    canvas = np.full((height_px, width_px, 3), PAD_GREY, np.uint8)
    top, left = fit.pad_top_px, fit.pad_left_px
    canvas[top : top + fit.content_height_px, left : left + fit.content_width_px] = _scaled(picture, fit)
    return canvas, fit


def plan(
    source_width_px: int, source_height_px: int, width_px: int, height_px: int, most_stretch: float = 1.0
) -> Letterbox:
    """Where a picture of the given size comes to lie on the canvas."""
    if min(source_width_px, source_height_px, width_px, height_px) < 1:
        raise ValueError("both the picture and the canvas need at least one pixel on each side")
    scale = min(width_px / source_width_px, height_px / source_height_px)
    content_width = min(width_px, max(1, round(source_width_px * scale * most_stretch)))
    content_height = min(height_px, max(1, round(source_height_px * scale * most_stretch)))
    return Letterbox(
        canvas_width_px=width_px,
        canvas_height_px=height_px,
        content_width_px=content_width,
        content_height_px=content_height,
        pad_left_px=(width_px - content_width) // 2,
        pad_top_px=(height_px - content_height) // 2,
        source_width_px=source_width_px,
        source_height_px=source_height_px,
    )


def to_tensor(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 H×W×3 → float32 [1, 3, H, W], still 0..255: the graphs normalise inside."""
    planes = np.stack(cv2.split(canvas))  # twice as fast as numpy's own transposition
    return planes[None].astype(np.float32)


def _scaled(picture: NDArray[np.uint8], fit: Letterbox) -> NDArray[np.uint8]:
    size = (fit.content_width_px, fit.content_height_px)
    if (fit.source_width_px, fit.source_height_px) == size:
        return picture
    rows, columns = (-(-side // _STRIP_PX) for side in picture.shape[:2])
    thinned = np.ascontiguousarray(picture[::rows, ::columns])
    shrinks = size[0] < fit.source_width_px or size[1] < fit.source_height_px
    scaled = cv2.resize(thinned, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8).reshape(size[1], size[0], 3)
