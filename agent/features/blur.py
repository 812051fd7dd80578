"""People made unrecognisable in a picture, for good: what the coarse cells average away cannot be computed back."""

from collections.abc import Iterable

import cv2
import numpy as np

from agent.types import Box, Uint8Array

GROW_FRAC = 0.15
"""So much of its own size a box is made larger on each side: hair, hands, and what a detector cuts off."""
CELLS = 5
"""Cells across the shorter side of a box: a head is two or three of them."""


def blurred(picture: Uint8Array, boxes: Iterable[Box]) -> Uint8Array:
    """Return uint8 [height, width, 3] with everything in `boxes` blurred; the rest is as it was."""
    result = picture.copy()
    for box in boxes:
        left, top, right, bottom = _pixels(box, picture.shape[1], picture.shape[0])
        if right > left and bottom > top:
            result[top:bottom, left:right] = _coarse(result[top:bottom, left:right])
    return result


def _pixels(box: Box, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the grown box, rounded outwards, within the picture."""
    across, down = GROW_FRAC * box.width_frac, GROW_FRAC * box.height_frac
    return (
        max(0, int(np.floor((box.left_frac - across) * width_px))),
        max(0, int(np.floor((box.top_frac - down) * height_px))),
        min(width_px, int(np.ceil((box.right_frac + across) * width_px))),
        min(height_px, int(np.ceil((box.bottom_frac + down) * height_px))),
    )


def _coarse(part: Uint8Array) -> Uint8Array:
    height_px, width_px = part.shape[:2]
    cell_px = max(1.0, min(height_px, width_px) / CELLS)
    cells = (max(1, round(width_px / cell_px)), max(1, round(height_px / cell_px)))
    small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.uint8)
