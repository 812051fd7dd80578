"""Training pictures of people who lie, fall, crouch and stand: `python -m models.scenes.stills [--pictures 1800]`.

Writes build/stills/NNNNN.jpg and a line of index.jsonl each (boxes of what is visible, postures, joints in metres
around the body's own place on the floor), and goes on where it stopped. Rooms, cameras and lamps are those of
`still_rooms`; bodies, clothes, poses and falls are drawn by chance. Nothing of it, no room, camera, person, motion or
seed, is in the scenes of `catalogue`.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scenes import still_rooms
from models.scenes.body import JOINTS, Body, Looks, dress
from models.scenes.camera import HEIGHT_PX, WIDTH_PX, bend, bending_maps
from models.scenes.draw import Stage, Thing, draw, stage_of
from models.scenes.film import Sensor
from models.scenes.motion import Motion, Performer, turn_of
from models.scenes.people import BLACK, BLOND, BROWN, DARK, GREY_HAIR, PALE, TAN
from models.scenes.poses import POSES
from models.scenes.ragdoll import fall
from models.scenes.rooms import ROOMS
from models.scenes.skeleton import HIGH, LOW, Array, pose_parts, vector
from models.scenes.solids import Box, Drum

BUILD = Path("build/stills")
ROOM_COUNT = 36
DEV_ROOMS = (1, 2, 7, 13, 19, 26, 32)
"""Pictures of these are for choosing, not for learning."""
LOOKS, FALLS, POSED_EACH = 18, 90, 26
SHARES = {"lying": 0.5, "falling": 0.15, "crouched": 0.2, "upright": 0.15}
EVEN_SHARES = {"lying": 0.3, "falling": 0.02, "crouched": 0.34, "upright": 0.34}
"""In the rooms from still_rooms.FIRST_HALL on: what those before were made for is finding who lies."""
CROUCHES = ("squat", "kneel", "hands_and_knees", "sit_floor", "bend", "put_down", "buckle", "sit_down", "recline")
STANDS = ("stand", "reach", "wave", "carry", "guard")
LEAST_PIXELS = 60
KINDS = ("faint", "trip", "slip", "side", "backward")


@dataclass(frozen=True, slots=True)
class Attitude:
    """A pose of the body: pelvis [3], turn [3, 3], angles [A]; which of SHARES it is."""

    root: Array
    turn: Array
    angles: Array
    posture: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A dressed body in one attitude: vertices [V, 3] and JOINTS [J, 3] around the origin, on the floor."""

    body: Body
    vertices: NDArray[np.float32]
    joints: Array
    posture: str


def attitudes(chance: np.random.Generator, falls: int) -> list[Attitude]:
    """Moments of `falls` simulated falls, and of what else people do near the floor."""
    found: list[Attitude] = []
    for number in range(falls):
        who = Performer((0.0, 0.0), 0.0, 9000 + number)
        kind = str(chance.choice(KINDS))
        who.walk([(1.2, 0.0)], float(chance.uniform(0.6, 1.6)), stop=kind in ("faint", "side", "backward"))
        begun = len(who.motion().root)
        fall(who, kind, turned_deg=float(chance.uniform(-60, 60)), strength=float(chance.uniform(0.7, 1.4)))
        motion = who.motion()
        last = len(motion.root) - 1
        moments = (last, begun + 45 + int(chance.integers(20)), begun + 15 + int(chance.integers(25)))
        for at in (*moments, int(chance.integers(begun))):
            posture = {"lying": "lying", "falling": "falling"}.get(motion.postures[at], "upright")
            found.append(Attitude(motion.root[at], motion.turn[at], motion.angles[at], posture))
    for number in range(2 * falls):
        lies = number % 4 == 0
        pose = ("lie_back", "lie_side", "limp")[number // 4 % 3] if lies else str(chance.choice((*CROUCHES, *STANDS)))
        found.append(_held(chance, pose, lies))
    return found


def _held(chance: np.random.Generator, pose: str, lies: bool) -> Attitude:
    """A key pose with some play in every joint, standing or lying on the floor."""
    angles = np.clip(vector(POSES[pose]) + chance.normal(0, 9, len(LOW)), LOW, HIGH)
    if lies:
        roll = float(chance.choice((-90, 90))) if pose == "lie_side" else float(chance.normal(0, 15))
        pitch = float(chance.choice((-88, 88))) if pose != "lie_side" else 0.0
    else:
        roll, pitch = float(chance.normal(0, 3)), float(chance.normal(-40 if pose == "recline" else 6, 6))
    turn = turn_of(0.0, pitch, roll)
    low = float(pose_parts(np.zeros((1, 3)), turn[None], angles[None]).lowest()[0])
    posture = "lying" if lies else "upright" if pose in STANDS else "crouched"
    return Attitude(np.array([0.0, 0.0, -low]), turn, angles, posture)


def looks(chance: np.random.Generator) -> Looks:
    """Somebody whom no clip shows."""

    def colour() -> tuple[float, float, float]:
        red, green, blue = chance.uniform(0.02, 0.6, 3) ** 1.5
        return float(red), float(green), float(blue)

    skin = (PALE, TAN, BROWN, DARK)[int(chance.integers(4))]
    hair = (GREY_HAIR, BLOND, BLACK, (0.06, 0.035, 0.02))[int(chance.integers(4))]
    return Looks(
        gender=float(chance.uniform()), age=float(chance.uniform(0.5, 1.0)), stature_m=float(chance.uniform(1.5, 1.9)),
        weight=float(chance.uniform(0.35, 0.8)), skin=skin, hair=hair, long_hair=bool(chance.random() < 0.4),
        top=colour(), top_kind=str(chance.choice(("jacket", "shirt", "coat"))), trousers=colour(), shoes=colour(),
        hat=colour() if chance.random() < 0.15 else None,
    )  # fmt: skip


def figures(chance: np.random.Generator, pool: list[Attitude], shares: dict[str, float]) -> list[Figure]:
    """Dressed bodies in attitudes of the pool, as often as `shares` says."""
    by_posture = {posture: [one for one in pool if one.posture == posture] for posture in shares}
    made = []
    for _ in range(LOOKS):
        body = dress(looks(chance))
        picks = chance.choice(list(shares), POSED_EACH, p=list(shares.values()))
        for posture in picks:
            one = by_posture[str(posture)][int(chance.integers(len(by_posture[str(posture)])))]
            motion = Motion(
                one.root[None], one.turn[None], one.angles[None], np.array([True]), (one.posture,), ()
            )  # fmt: skip
            vertices, joints = (found[0] for found in body.posed(motion, [0]))
            origin = np.array([*vertices[:, :2].mean(axis=0), vertices[:, 2].min()])
            made.append(Figure(body, vertices - origin.astype(np.float32), joints - origin, one.posture))
    return made


def placed(chance: np.random.Generator, figure: Figure, stage: Stage, room: str) -> NDArray[np.float32] | None:
    """The vertices turned and put where nothing stands and the camera looks; None where no such place was found."""
    low, high = np.array(ROOMS[room].low), np.array(ROOMS[room].high)
    solids = [_bounds(solid) for solid in ROOMS[room].solids]
    for _ in range(20):
        turn = float(chance.uniform(0, 2 * np.pi))
        spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        at = np.array([*chance.uniform(low[:2] + 0.3, high[:2] - 0.3), 0.004])
        middle = bend(stage.camera.project(at[None] + (0, 0, 0.2))[:, :2])[0]
        if not (15 < middle[0] < WIDTH_PX - 15 and 15 < middle[1] < HEIGHT_PX - 10):
            continue
        vertices = figure.vertices @ spin.T + at
        near, far = vertices.min(axis=0), vertices.max(axis=0)
        if (near[:2] < low[:2]).any() or (far[:2] > high[:2]).any():
            continue
        if (stage.camera.project(vertices[::50])[:, 2] < 0.6).any():
            continue
        if all((near > b - 0.01).any() or (far < a + 0.01).any() for a, b in solids if b[2] > 0.03 and a[2] < 2.2):
            return np.asarray(vertices, np.float32)
    return None


def _bounds(solid: Box | Drum) -> tuple[Array, Array]:
    if isinstance(solid, Box):
        return np.array(solid.low), np.array(solid.high)
    side = np.array([solid.radius, solid.radius, 0.0])
    return np.array(solid.at) - side, np.array(solid.at) + side + (0, 0, solid.height)


def still(chance: np.random.Generator, stage: Stage, room: str, pool: list[Figure]) -> tuple[Any, list[dict[str, Any]]]:
    """One picture [360, 640, 3] RGB of one to three people, and what is to be seen of each."""
    things, cast = [], []
    boxes: list[tuple[Array, Array]] = []
    for _ in range(int(chance.choice((1, 2, 3), p=(0.35, 0.4, 0.25)))):
        figure = pool[int(chance.integers(len(pool)))]
        vertices = placed(chance, figure, stage, room)
        if vertices is None:
            continue
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        if any((low < b).all() and (high > a).all() for a, b in boxes):
            continue  # nobody lies in another one
        boxes.append((low, high))
        things.append(Thing(vertices, figure.body.faces, figure.body.colour, len(cast)))
        cast.append((vertices, figure))
    picture, who = draw(stage, things)
    light = ROOMS[room].lightings[still_rooms.LIGHT]
    exposure = light.exposure * float(np.exp(chance.normal(0, 0.3)))
    sensor = Sensor(infrared=light.infrared, seed=int(chance.integers(1 << 30)), exposure=exposure,
                    title=f"CAM {chance.integers(1, 30):02}", clock_s=int(chance.integers(86_000)))  # fmt: skip
    bent = cv2.remap(who.astype(np.int16), *bending_maps(), cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT,
                     borderValue=-1)  # fmt: skip
    rows = [_row(stage, vertices, figure, bent == number) for number, (vertices, figure) in enumerate(cast)]
    return sensor.frame(picture, 0.0), [row for row in rows if row is not None]


def _row(stage: Stage, vertices: NDArray[np.float32], figure: Figure, seen: NDArray[np.bool_]) -> dict[str, Any] | None:
    if not seen.any():
        return None
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    flat = bend(stage.camera.project(vertices[::7].astype(np.float64))[:, :2])
    whole = float(np.prod(np.ptp(flat, axis=0)))
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    area = (box[2] - box[0]) * (box[3] - box[1])
    return {
        "posture": figure.posture, "box": box, "pixels": int(seen.sum()), "visible": round(area / max(whole, 1.0), 3),
        "joints_m": dict(zip(JOINTS, np.round(figure.joints, 3).tolist(), strict=True)),
    }  # fmt: skip


def rooms(build: Path, numbers: list[int]) -> Iterator[tuple[int, str, Stage]]:
    """The rooms that are rendered or can be, each with what its camera sees of it empty."""
    for number in numbers:
        name = still_rooms.register(number)
        file = build / "rooms" / f"{name}-{still_rooms.LIGHT}-{still_rooms.LIGHT}.exr"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f".{file.name}")
            command = [sys.executable, "-m", "models.scenes.still_rooms", str(number), str(part)]
            subprocess.run(command, check=True, capture_output=True)
            part.rename(file)
        yield number, name, stage_of(name, still_rooms.LIGHT, still_rooms.LIGHT, build)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m models.scenes.stills", description=__doc__)
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--pictures", type=int, default=1800, help="in all rooms together")
    parser.add_argument("--rooms", type=int, nargs="*", default=list(range(ROOM_COUNT)))
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    began = time.monotonic()
    index = chosen.build / "index.jsonl"
    done = {json.loads(line)["file"] for line in index.read_text().splitlines()} if index.exists() else set()
    each = -(-chosen.pictures // ROOM_COUNT)
    pools: dict[bool, list[Figure]] = {}
    for number, room, stage in rooms(chosen.build, chosen.rooms):
        later = number >= still_rooms.FIRST_HALL
        if later not in pools:
            chance = np.random.default_rng((still_rooms.SEED, 1000 + later))
            pools[later] = figures(chance, attitudes(chance, FALLS), EVEN_SHARES if later else SHARES)
        for count in range(each):
            name = f"{number:02}{count:03}.jpg"
            if name in done:
                continue
            picture, people = still(np.random.default_rng((still_rooms.SEED, number, count)), stage, room, pools[later])
            cv2.imwrite(str(chosen.build / name), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            row = {"file": name, "room": number, "dev": number in DEV_ROOMS, "people": people}
            with index.open("a") as out:
                out.write(json.dumps(row) + "\n")
        print(f"{room}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
