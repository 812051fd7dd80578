"""A fixed camera: where points of the world fall in its picture, its bent lens included.

The world is in metres, z up. Pixels are those of the finished picture, y down. The renderers know a pinhole; the
lens bends the finished picture, so labels are bent by `bend` in the same way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 640, 360
SENSOR_MM = 36.0
BARREL, ZOOM = 0.045, 0.955
"""A source point lies `ZOOM * (1 + BARREL * r²)` times as far from the middle as its place in the finished picture."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Stands at `eye`, looks at `target`, both in metres; `lens_mm` for a sensor 36 mm wide."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    lens_mm: float = 20.5

    def axes(self) -> Array:
        """Return rows right, down, forward, [3, 3]."""
        forward = np.subtract(self.target, self.eye)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    def project(self, points: Array, scale: float = 1.0) -> Array:
        """Return x, y in pixels of a picture `scale` times 640×360 and the depth in metres, [N, 3]."""
        seen = (np.asarray(points) - self.eye) @ self.axes().T
        depth = np.maximum(seen[:, 2], 1e-6)
        focal = self.lens_mm / SENSOR_MM * WIDTH_PX * scale
        x = WIDTH_PX * scale / 2 + focal * seen[:, 0] / depth
        y = HEIGHT_PX * scale / 2 + focal * seen[:, 1] / depth
        return np.stack([x, y, seen[:, 2]], axis=1)

    def rays(self, scale: float = 1.0) -> Array:
        """Return for each pixel the step in the world for one metre of depth, [H, W, 3]."""
        height, width = round(HEIGHT_PX * scale), round(WIDTH_PX * scale)
        y, x = np.mgrid[:height, :width] + 0.5
        focal = self.lens_mm / SENSOR_MM * width
        flat = np.stack([(x - width / 2) / focal, (y - height / 2) / focal, np.ones_like(x)], axis=-1)
        return np.asarray(flat @ self.axes())


def bend(points_px: Array) -> Array:
    """Return where the lens puts points of the pinhole picture, [N, 2] in pixels."""
    source = (np.asarray(points_px) - (WIDTH_PX / 2, HEIGHT_PX / 2)) / (WIDTH_PX / 2)
    out = source.copy()
    for _ in range(12):  # r² changes little: the fixed point is reached to a hundredth of a pixel
        out = source / (ZOOM * (1 + BARREL * (out**2).sum(axis=1, keepdims=True)))
    return np.asarray(out * (WIDTH_PX / 2) + (WIDTH_PX / 2, HEIGHT_PX / 2))


def bending_maps() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the maps for cv2.remap that bend a pinhole picture."""
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float64)
    x, y = (x - WIDTH_PX / 2) / (WIDTH_PX / 2), (y - HEIGHT_PX / 2) / (WIDTH_PX / 2)
    grow = ZOOM * (1 + BARREL * (x * x + y * y)) * WIDTH_PX / 2
    return (x * grow + WIDTH_PX / 2).astype(np.float32), (y * grow + HEIGHT_PX / 2).astype(np.float32)
