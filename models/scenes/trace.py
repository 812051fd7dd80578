"""What of an empty room each pixel shows: depth, place and normal, by casting rays at its boxes and drums."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scenes.camera import Camera
from models.scenes.skeleton import Array
from models.scenes.solids import Box, Drum, Room

FAR_M = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Depth along the camera's axis in metres [H, W], normal [H, W, 3], number of the solid or -1 [H, W]."""

    depth: NDArray[np.float32]
    normal: NDArray[np.float32]
    solid: NDArray[np.int16]


def trace(room: Room, camera: Camera, scale: float) -> Seen:
    """Cast a ray through the middle of each pixel of a picture `scale` times the standard size."""
    rays = camera.rays(scale)
    eye = np.array(camera.eye)
    with np.errstate(divide="ignore"):
        inverse = 1.0 / np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    depth = np.full(rays.shape[:2], FAR_M)
    axis = np.zeros(rays.shape[:2], np.int8)
    solid = np.full(rays.shape[:2], -1, np.int16)
    for index, thing in enumerate(room.solids):
        low, high = _bounds(thing)
        first, last = (low - eye) * inverse, (high - eye) * inverse
        near, far = np.minimum(first, last), np.maximum(first, last)
        enters = near.max(axis=-1)
        hit = (enters < far.min(axis=-1)) & (enters > 0.05) & (enters < depth)
        depth[hit], solid[hit], axis[hit] = enters[hit], index, near.argmax(axis=-1)[hit]
    normal = np.zeros((*rays.shape[:2], 3), np.float32)
    rows, columns = np.indices(axis.shape)
    normal[rows, columns, axis] = -np.sign(rays[rows, columns, axis])
    return Seen(depth.astype(np.float32), normal, solid)


def places(camera: Camera, seen: Seen, scale: float) -> Array:
    """Return the point of the world at each pixel, [H, W, 3]."""
    return np.asarray(camera.rays(scale) * seen.depth[..., None] + np.array(camera.eye))


def _bounds(thing: Box | Drum) -> tuple[Array, Array]:
    if isinstance(thing, Box):
        return np.array(thing.low), np.array(thing.high)
    side = 0.9 * thing.radius  # a drum is nearly the box of its width
    x, y, z = thing.at
    return np.array((x - side, y - side, z)), np.array((x + side, y + side, z + thing.height))
