"""Puts moving things into the picture of an empty room: lit by the room's lamps, shadows and all, in linear light."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.scenes import rooms
from models.scenes.body import Faces, normals_of
from models.scenes.camera import HEIGHT_PX, WIDTH_PX, Camera
from models.scenes.light import Lights, Shadows, cast, lights_of
from models.scenes.raster import show
from models.scenes.rooms import CAMERAS, ROOMS
from models.scenes.skeleton import Array
from models.scenes.solids import MATERIALS, Room
from models.scenes.trace import Seen, places, trace

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2

COARSE = 3  # shadows are worked out for every third pixel
FINE = 2  # bodies are drawn this many times finer and averaged
ROOMS_FILE = Path(rooms.__file__)
SHADOW_M = 1.6  # beyond this from a thing its shadow is too weak to be seen
Picture = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Thing:
    """A mesh at one moment: vertices [V, 3] in metres, triangles, linear colour of each vertex, how clear it is.

    `who` tells things apart in the labels; `clear` 0 is solid, 1 is air (a pane of glass).
    """

    vertices: Array
    faces: Faces
    colour: Array
    who: int = -1
    clear: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty room as one camera sees it under one lighting."""

    camera: Camera
    empty: Picture  # [360, 640, 3] RGB, linear
    seen: Seen
    fine: Seen
    spots: Array  # place in the world of each pixel
    lights: Lights
    gain: float
    glows: NDArray[np.bool_]


def stage_of(room: str, lighting: str, camera: str, build: Path) -> Stage:
    """Load an empty room from `build`, or render it first."""
    file = build / "rooms" / f"{room}-{lighting}-{camera}.exr"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}")
        command = [sys.executable, "-m", "models.scenes.blender", room, lighting, camera, str(part)]
        subprocess.run(command, check=True, capture_output=True)
        part.rename(file)
    empty = read_exr(file)
    where, place = CAMERAS[room][camera], ROOMS[room]
    seen, fine = (_traced(place, where, scale, file.with_suffix(f".{scale}.npz")) for scale in (1, FINE))
    spots = places(where, seen, 1.0)
    lights = lights_of(place, place.lightings[lighting])
    names = np.array([solid.material for solid in place.solids] + [""])[seen.solid]
    glowing = [name for name, material in MATERIALS.items() if material.glow]
    floor = names == place.floor
    return Stage(
        where, empty, seen, fine, spots, lights,
        _gain(empty[floor], spots[floor], MATERIALS[place.floor].rgb, lights), np.isin(names, [*glowing, ""]),
    )  # fmt: skip


def _traced(room: Room, camera: Camera, scale: int, kept: Path) -> Seen:
    """Trace a room, or take what an earlier run kept."""
    if kept.is_file() and kept.stat().st_mtime > ROOMS_FILE.stat().st_mtime:
        with np.load(kept) as arrays:
            return Seen(arrays["depth"], arrays["normal"].astype(np.float32), arrays["solid"])
    seen = trace(room, camera, scale)
    np.savez(kept, depth=seen.depth, normal=seen.normal.astype(np.int8), solid=seen.solid)
    return seen


def read_exr(file: Path) -> Picture:
    """Return a linear picture, [H, W, 3] RGB."""
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    return np.ascontiguousarray(picture[:, :, 2::-1]).astype(np.float32)


def _gain(floor: Array, spots: Array, albedo: tuple[float, float, float], lights: Lights) -> float:
    """Return what makes the floor as bright by `lights` as Cycles made it."""
    few = slice(None, None, max(1, len(floor) // 400))
    up = np.tile([0.0, 0.0, 1.0], (len(spots[few]), 1))
    ours = (lights.falling(spots[few], up).T @ lights.power) * albedo / np.pi
    return float(np.median(floor[few].mean(axis=1)) / max(1e-9, np.median(ours.mean(axis=1))))


def draw(stage: Stage, things: list[Thing]) -> tuple[Picture, NDArray[np.int8]]:
    """Return the picture [360, 640, 3] and for each pixel who is seen there (-1: nobody)."""
    picture, who = stage.empty.copy(), np.full((HEIGHT_PX, WIDTH_PX), -1, np.int8)
    if not things:
        return picture, who
    faces = np.concatenate([
        thing.faces + offset
        for thing, offset in zip(things, np.r_[0, np.cumsum([len(t.vertices) for t in things])], strict=False)
    ])  # fmt: skip
    vertices = np.concatenate([thing.vertices for thing in things]).astype(np.float64)
    solid = np.concatenate([thing.vertices for thing in things if thing.clear < 0.5] or [vertices])
    shadows = cast(stage.lights, solid[::3].astype(np.float64))
    _darken(picture, stage, shadows, solid)
    height, width = HEIGHT_PX * FINE, WIDTH_PX * FINE
    shown = show(stage.camera.project(vertices, FINE), faces, (height, width))
    free = shown.depth < stage.fine.depth[shown.rows, shown.columns] + 0.02
    if not free.any():
        return picture, who
    shown = type(shown)(*(getattr(shown, name)[free] for name in ("rows", "columns", "depth", "face", "weights")))
    radiance = shown.between(_lit(stage, shadows, things, vertices, np.unique(faces[shown.face])), faces)
    owner = np.repeat([thing.who for thing in things], [len(t.faces) for t in things])[shown.face]
    opaque = 1.0 - np.repeat([thing.clear for thing in things], [len(t.faces) for t in things])[shown.face]
    _lay(picture, who, shown.rows // FINE, shown.columns // FINE, radiance, opaque, owner)
    return picture, who


def _lit(stage: Stage, shadows: Shadows, things: list[Thing], vertices: Array, used: NDArray[np.int32]) -> Array:
    """Return what the `used` vertices send to the camera, [V, 3]; the others stay black."""
    spots = vertices[used]
    normals = np.concatenate([normals_of(thing.vertices, thing.faces) for thing in things])[used]
    light = stage.lights.falling(spots, normals)
    for index in range(len(light)):
        lit = light[index] > 0
        light[index, lit] *= shadows.passing(index, (spots + 0.02 * normals)[lit])
    colour = np.concatenate([thing.colour for thing in things])[used]
    radiance = np.zeros_like(vertices)
    radiance[used] = stage.gain * colour * (light.T @ stage.lights.power) / np.pi
    return radiance


def _lay(
    picture: Picture, who: NDArray[np.int8], rows: NDArray[np.intp], columns: NDArray[np.intp], radiance: Array,
    opaque: Array, owner: NDArray[np.intp],
) -> None:  # fmt: skip
    """Average the fine points of each pixel over what stood there before."""
    flat = rows * WIDTH_PX + columns
    cover = np.bincount(flat, opaque, HEIGHT_PX * WIDTH_PX) / FINE**2
    for channel in range(3):
        total = np.bincount(flat, radiance[:, channel] * opaque, HEIGHT_PX * WIDTH_PX) / FINE**2
        old = picture[:, :, channel]
        picture[:, :, channel] = old * (1 - cover).reshape(old.shape) + total.reshape(old.shape)
    who.ravel()[flat] = owner


def _darken(picture: Picture, stage: Stage, shadows: Shadows, solid: Array) -> None:
    """Take from the room the light that the things keep from it; at a third of the size, which blurs it a little."""
    coarse = stage.spots[1::COARSE, 1::COARSE]
    low, high = solid.min(axis=0) - SHADOW_M, solid.max(axis=0) + SHADOW_M
    near = ((coarse > low) & (coarse < high)).all(axis=-1) & ~stage.glows[1::COARSE, 1::COARSE]
    if not near.any():
        return
    places_near, normals = coarse[near], stage.seen.normal[1::COARSE, 1::COARSE][near].astype(np.float64)
    falling = stage.lights.falling(places_near, normals)
    strength = stage.lights.power.mean(axis=1)
    whole = strength @ falling + 1e-12
    for index in range(len(falling)):
        lit = falling[index] > 0
        falling[index, lit] *= shadows.passing(index, places_near[lit])
    share = np.ones(near.shape, np.float32)
    share[near] = (strength @ falling) / whole
    share = cv2.GaussianBlur(share, (0, 0), 0.8)
    picture *= cv2.resize(share, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_LINEAR)[..., None]
