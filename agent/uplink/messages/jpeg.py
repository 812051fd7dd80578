"""A picture as JPEG, no wider than asked. Masks were burned in before anything saw the picture."""

import cv2
import numpy as np

from agent.types import Uint8Array


def encode_jpeg(picture: Uint8Array, *, quality: int, max_width_px: int) -> bytes:
    """Return the JPEG of a uint8 [height, width, 3] RGB picture; a wider one is scaled down, its aspect kept."""
    height_px, width_px = picture.shape[:2]
    if width_px > max_width_px:
        size = (max_width_px, max(1, round(height_px * max_width_px / width_px)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be written as JPEG")
    return encoded.tobytes()
