"""A scene: who does what where, and what happens besides; `render` makes its clip and its exact labels."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes.body import JOINTS, Body, Looks, dress
from models.scenes.camera import HEIGHT_PX, WIDTH_PX, Camera, bend, bending_maps
from models.scenes.draw import Picture, Stage, Thing, draw, stage_of
from models.scenes.film import FPS, Frame, Sensor, contact_sheet, replace_sound, write_clip
from models.scenes.fluid import BASE_PX, STEP_S, Plume, lay
from models.scenes.motion import RATE_HZ, Event, Motion
from models.scenes.rooms import CAMERAS, ROOMS
from models.scenes.skeleton import Array
from models.scenes.solids import Triple
from models.scenes.sound import onsets, track

EVERY = RATE_HZ // FPS
STILL_M = 0.004
SAME_PX = 2.0
SMOKE_WIDTH = 360
"""Of the fluid of something that smoulders, in cells."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A body and its motion, whose first frame is at `from_s` of the clip."""

    motion: Motion
    looks: Looks
    from_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fire:
    """Something burns (or only smokes) at `at`, `radius_m` wide, from `from_s` on, in full after `grows_s`."""

    at: Triple
    radius_m: float
    from_s: float
    grows_s: float = 8.0
    flames: bool = True
    watt: float = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What is filmed. `props` gives the moving things at a second of the clip, `daylight` how bright the room is then.

    `expects` are the kinds of incident that the clip ought to open.
    """

    room: str
    lighting: str
    camera: str
    seconds: float
    actors: tuple[Actor, ...] = ()
    props: Callable[[float], list[Thing]] | None = None
    daylight: Callable[[float], float] | None = None
    fire: Fire | None = None
    events: tuple[Event, ...] = ()
    expects: frozenset[str] = frozenset()
    title: str = "CAM 01"
    clock_s: int = 50_831
    quality: int = 27
    seed: int = 1

    def all_events(self) -> list[Event]:
        """Return every event in seconds of the clip, in order."""
        own = [replace(e, at_s=e.at_s + actor.from_s) for actor in self.actors for e in actor.motion.events]
        return sorted((e for e in [*own, *self.events] if e.at_s < self.seconds), key=lambda e: e.at_s)


def render(name: str, scene: Scene, build: Path, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Render a scene to build/NAME.mp4, .json and .jpg (a contact sheet); return its labels."""
    stage = stage_of(scene.room, scene.lighting, scene.camera, build)
    lighting = ROOMS[scene.room].lightings[scene.lighting]
    sensor = Sensor(infrared=lighting.infrared, seed=scene.seed, title=scene.title, clock_s=scene.clock_s,
                    exposure=lighting.exposure)  # fmt: skip
    sound = _sound(scene)
    rows: list[list[dict[str, Any]]] = [[] for _ in scene.actors]
    sheet: list[Frame] = []
    count = round(scene.seconds * FPS)

    def frames() -> Iterator[Frame]:
        for index, (picture, people) in enumerate(_pictures(scene, stage)):
            for row, found in zip(rows, people, strict=True):
                if found is not None:
                    row.append({"frame": index} | found)
            frame = sensor.frame(picture, index / FPS)
            if index % max(1, count // 16) == count // 32 and len(sheet) < 16:
                sheet.append(frame)
            yield frame

    part = build / f".{name}.mp4"
    write_clip(part, frames(), sound, scene.quality)
    labels = _labels(name, scene, rows)
    (build / f"{name}.json").write_text(json.dumps(labels, separators=(",", ":")) + "\n")
    cv2.imwrite(str(build / f"{name}.jpg"), contact_sheet(sheet)[:, :, ::-1])
    part.rename(build / f"{name}.mp4")
    say(f"{name}: {(build / f'{name}.mp4').stat().st_size / 1000:.0f} kB")
    return labels


def resound(name: str, scene: Scene, build: Path) -> None:
    """Give a rendered clip the sound that `render` would give it now, and label it; its pictures stay as they are.

    ValueError where the scene has another length now.
    """
    clip, file = build / f"{name}.mp4", build / f"{name}.json"
    labels = json.loads(file.read_text())
    if labels["seconds"] != scene.seconds:
        raise ValueError(f"{name} lasts {labels['seconds']} s as rendered and {scene.seconds} s now: render it anew")
    part = build / f".{name}.mp4"
    replace_sound(part, clip, _sound(scene))
    file.write_text(json.dumps(labels | _told(scene), separators=(",", ":")) + "\n")
    part.rename(clip)


def label(name: str, scene: Scene, build: Path) -> None:
    """Write the joints of a rendered clip into its labels anew, and `whole` so that it holds them; all else stays.

    ValueError where somebody is elsewhere now than in the clip: it was rendered from another motion.
    """
    file = build / f"{name}.json"
    labels = json.loads(file.read_text())
    camera = CAMERAS[scene.room][scene.camera]
    for actor, who in zip(scene.actors, labels["people"], strict=True):
        body = dress(actor.looks)
        for row in who["frames"]:
            frame = row["frame"] * EVERY - round(actor.from_s * RATE_HZ)
            found = _joints(camera, body.posed(actor.motion, [frame])[1][0])
            apart = np.abs(np.subtract(found["joints"][0], row["joints"][0])).max()
            if apart > SAME_PX or row["posture"] != actor.motion.postures[frame]:
                raise ValueError(f"{name} was rendered from another motion: its joints are not known")
            low = np.min([*found["joints"], row["whole"][:2]], axis=0)
            high = np.max([*found["joints"], row["whole"][2:]], axis=0)
            row.update(found, whole=[float(v) for v in (*low, *high)])
    labels["joints"] = list(JOINTS)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(labels, separators=(",", ":")) + "\n")
    part.rename(file)


def _joints(camera: Camera, joints: Array) -> dict[str, Any]:
    """Where JOINTS [J, 3] are: in pixels of the finished picture, and in metres of the room."""
    flat = bend(camera.project(joints)[:, :2])
    return {
        "joints": [[round(float(x), 1), round(float(y), 1)] for x, y in flat],
        "joints_m": [[round(float(v), 3) for v in joint] for joint in joints],
    }


def _sound(scene: Scene) -> NDArray[np.float32]:
    return track(scene.all_events(), scene.seconds, ROOMS[scene.room].echo_s, scene.seed)


def _pictures(scene: Scene, stage: Stage) -> Iterator[tuple[Picture, list[dict[str, Any] | None]]]:
    """Yield each linear picture and for each actor what is to be seen of it, or None."""
    bodies = [dress(actor.looks) for actor in scene.actors]
    maps = bending_maps()
    plume = None if scene.fire is None else _plume(scene, scene.fire)
    chance = np.random.default_rng(scene.seed)
    drawn: tuple[Picture, NDArray[np.int8]] | None = None
    drawn_joints: list[Array | None] = []
    for index in range(round(scene.seconds * FPS)):
        at_s = index / FPS
        things, marks = _cast(scene, bodies, index)
        joints = [None if mark is None else mark[1] for mark in marks]
        if drawn is None or scene.props is not None or not _same(joints, drawn_joints):
            drawn = draw(stage, things + (scene.props(at_s) if scene.props is not None else []))
            drawn_joints = joints
        picture, who = drawn[0].copy(), drawn[1]
        bent = cv2.remap(who.astype(np.int16), *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=-1)
        people = [None if mark is None else _seen(stage, mark, bent == number) for number, mark in enumerate(marks)]
        if scene.fire is not None and plume is not None:
            _burn(picture, stage, scene.fire, plume, at_s, chance)
        if scene.daylight is not None:
            picture = picture * scene.daylight(at_s)
        yield picture, people


def _plume(scene: Scene, fire: Fire) -> Plume:
    """Return the fluid of a fire; the smoke of what only smoulders gathers under the ceiling."""
    if fire.flames:
        return Plume(scene.seed)
    up_m = ROOMS[scene.room].high[2] - fire.at[2]
    return Plume(scene.seed, glows=False, width=SMOKE_WIDTH, ceiling=round(up_m / fire.radius_m * BASE_PX))


def _same(joints: list[Array | None], before: list[Array | None]) -> bool:
    """Whether nobody moved enough since the last drawing to be drawn again."""
    if any((now is None) != (then is None) for now, then in zip(joints, before, strict=True)):
        return False
    pairs = [(a, b) for a, b in zip(joints, before, strict=True) if a is not None and b is not None]
    return all(float(np.abs(a - b).max()) < STILL_M for a, b in pairs)


def _cast(
    scene: Scene, bodies: list[Body], index: int
) -> tuple[list[Thing], list[tuple[NDArray[np.float32], Array, str] | None]]:
    """Return the actors' meshes at a frame, and for each vertices, joints and posture, or None while it is away."""
    things: list[Thing] = []
    marks: list[tuple[NDArray[np.float32], Array, str] | None] = []
    for number, (actor, body) in enumerate(zip(scene.actors, bodies, strict=True)):
        frame = index * EVERY - round(actor.from_s * RATE_HZ)
        if not 0 <= frame < len(actor.motion.root):
            marks.append(None)
            continue
        vertices, joints = body.posed(actor.motion, [frame])
        things.append(Thing(vertices[0], body.faces, body.colour, number))
        marks.append((vertices[0], joints[0], actor.motion.postures[frame]))
    return things, marks


def _seen(
    stage: Stage, mark: tuple[NDArray[np.float32], Array, str], visible: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """Return box (what is visible), whole (as if nothing hid it), posture and joints in pixels; None out of view."""
    vertices, joints, posture = mark
    points = stage.camera.project(np.concatenate([vertices, joints]))
    if (points[:, 2] < 0.1).any() or not visible.any():
        return None
    flat = bend(points[:, :2])
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    low, high = np.minimum(flat.min(axis=0), box[:2]), np.maximum(flat.max(axis=0), box[2:])
    return {
        "posture": posture,
        "box": box,
        "whole": [round(float(v), 1) for v in (*low, *high)],
        "pixels": int(visible.sum()),
    } | _joints(stage.camera, joints)


def _burn(picture: Picture, stage: Stage, fire: Fire, plume: Plume, at_s: float, chance: np.random.Generator) -> None:
    """Add flames, smoke, the light that they throw on the room, and haze below the ceiling."""
    level = float(np.clip((at_s - fire.from_s) / fire.grows_s, 0, 1)) ** 0.8 if at_s >= fire.from_s else 0.0
    for _ in range(round(1 / FPS / STEP_S)):
        plume.step(level)
    foot = stage.camera.project(np.array([fire.at, np.add(fire.at, (0, 0, 0.01))]))
    focal = stage.camera.lens_mm / 36.0 * WIDTH_PX
    scale = focal * fire.radius_m / foot[0, 2] / BASE_PX
    if fire.flames and level > 0:
        flicker = level * (0.75 + 0.25 * np.sin(9 * at_s) + 0.12 * float(chance.normal()))
        picture *= 1 + max(0.0, flicker) * _firelight(stage, fire)
    ambient = float(np.median(picture))
    haze = min(0.30, max(0.0, at_s - fire.from_s) * 0.016) * np.linspace(1, 0, 300)
    grey = np.zeros((HEIGHT_PX, 1, 1), np.float32)
    grey[:300, 0, 0] = haze
    picture[:] = picture * (1 - grey) + grey * 0.6 * ambient
    lay(picture, plume, (float(foot[0, 0]), float(foot[0, 1])), scale, ambient)


def _firelight(stage: Stage, fire: Fire) -> Picture:
    """Return how much brighter than by its lamps each pixel becomes in the light of the full fire, [H, W, 3]."""
    coarse = stage.spots[::4, ::4].reshape(-1, 3)
    normals = stage.seen.normal[::4, ::4].reshape(-1, 3).astype(np.float64)
    lamps = stage.lights.falling(coarse, normals).T @ stage.lights.power
    way = np.add(fire.at, (0, 0, 0.35)) - coarse
    far = np.linalg.norm(way, axis=1)
    facing = np.maximum(0, (way * normals).sum(axis=1) / far)
    lit = fire.watt / (4 * np.pi) * facing / np.maximum(far, 0.35) ** 2
    ratio = lit[:, None] * np.array([1.0, 0.42, 0.12]) / np.maximum(lamps, 0.15 * np.median(lamps))
    shape = stage.spots[::4, ::4].shape
    return np.asarray(cv2.resize(ratio.reshape(shape).astype(np.float32), (WIDTH_PX, HEIGHT_PX)))


def _told(scene: Scene) -> dict[str, Any]:
    """Return the labels of what happens when; steps are heard, but too many to be told."""
    events = scene.all_events()
    return {
        "events": [{"at_s": round(e.at_s, 3), "name": e.name} for e in events if e.name != "step"],
        "sounds": [{"at_s": at_s, "name": sound} for sound, at_s in onsets(events)],
    }


def _labels(name: str, scene: Scene, rows: list[list[dict[str, Any]]]) -> dict[str, Any]:
    labels: dict[str, Any] = {
        "clip": f"{name}.mp4", "fps": FPS, "seconds": scene.seconds, "size": [WIDTH_PX, HEIGHT_PX],
        "room": scene.room, "lighting": scene.lighting, "camera": scene.camera, "expects": sorted(scene.expects),
        **_told(scene),
        "joints": list(JOINTS),
        "people": [{"who": number, "frames": row} for number, row in enumerate(rows)],
    }  # fmt: skip
    if scene.fire is not None:
        labels["fire"] = {"from_s": scene.fire.from_s, "full_s": scene.fire.from_s + scene.fire.grows_s,
                          "flames": scene.fire.flames}  # fmt: skip
    return labels
