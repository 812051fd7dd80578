"""Rooms and yards for training pictures, drawn by chance: `python -m models.scenes.still_rooms NUMBER OUT.exr`.

None of them is a room of `rooms`: size, walls, floor, furniture, lamps and camera come from the number alone, so what
learns from them has seen nothing of the scenes that it is measured by.
"""

import sys
from pathlib import Path

import numpy as np

from models.scenes.camera import Camera
from models.scenes.rooms import CAMERAS, ROOMS
from models.scenes.solids import Box, Drum, Lamp, Lighting, Room, Solid, bed, chair, shelf, sofa, table, tree

SEED = 71
SAMPLES = 8
"""Of Cycles: a third of what clips get; the denoiser does the rest."""
FLOORS = ("tiles", "parquet", "carpet", "concrete", "pale_wood", "cork", "asphalt")
WALLS = ("wall", "warm_wall", "blue_wall", "white", "brick", "linen")
GOODS = ("red", "white", "blue", "cardboard", "green", "yellow")
LIGHT = "main"
FIRST_HALL = 12
"""From this number on every fourth room is a hall, where people are far away."""


def name_of(number: int) -> str:
    """The name under which a room is known to the renderers."""
    return f"still-{number:02}"


def register(number: int) -> str:
    """Make a room known to the renderers, with one camera and one lighting; return its name."""
    chance = np.random.default_rng((SEED, number))
    infrared = number % 3 == 2
    if number % 4 == 3:
        room, camera = _yard(chance, infrared)
    else:
        room, camera = _indoors(chance, infrared, wide=2.0 if number >= FIRST_HALL and number % 4 == 1 else 1.0)
    name = name_of(number)
    ROOMS[name], CAMERAS[name] = room, {LIGHT: camera}
    return name


def _indoors(chance: np.random.Generator, infrared: bool, wide: float) -> tuple[Room, Camera]:
    """A room, so many times as wide and deep as a living room."""
    half_x, far_y, high = chance.uniform(1.9, 3.4), chance.uniform(3.0, 6.5), chance.uniform(2.35, 3.2)
    half_x, far_y, high = half_x * wide, far_y * wide, high + wide - 1.0
    near_y = -2.6
    floor, wall = str(chance.choice(FLOORS)), str(chance.choice(WALLS))
    solids: list[Solid] = [
        Box((-half_x, near_y, -0.1), (half_x, far_y, 0), floor),
        Box((-half_x, near_y, high), (half_x, far_y, high + 0.1), "ceiling"),
        Box((-half_x - 0.1, near_y, 0), (-half_x, far_y, high), wall),
        Box((half_x, near_y, 0), (half_x + 0.1, far_y, high), wall),
        Box((-half_x, far_y, 0), (half_x, far_y + 0.1, high), str(chance.choice(WALLS))),
        Box((-half_x, near_y - 0.1, 0), (half_x, near_y, high), wall),
        Box((-half_x, far_y - 0.02, 0), (half_x, far_y, 0.1), str(chance.choice(("dark", "white", "wood")))),
    ]
    if chance.random() < 0.4:
        x, y = chance.uniform(-0.8, 0.2), chance.uniform(-0.6, 0.8)
        cloth = str(chance.choice(("rug", "blanket", "sofa", "carpet")))
        solids.append(Box((x, y, 0), (x + 1.6, y + 2.0, 0.012), cloth))
    x = chance.uniform(-half_x + 0.2, half_x - 1.3)
    solids.append(Box((x, far_y - 0.04, 0.9), (x + 1.1, far_y - 0.01, 2.0), "window" if not infrared else "dark"))
    solids += _furniture(chance, half_x, far_y)
    left = chance.random() < 0.5
    eye = ((-1 if left else 1) * (half_x - 0.2), near_y + 0.2, float(chance.uniform(1.9, high - 0.1)))
    target = (float(chance.uniform(-0.6, 0.6)), wide * float(chance.uniform(0.5, 1.8)), float(chance.uniform(0.2, 0.7)))
    light = _lamps(chance, half_x, near_y, far_y, high, eye, infrared)
    room = Room(tuple(solids), (-half_x, near_y, 0.0), (half_x, far_y, high), {LIGHT: light}, floor)
    return room, Camera(eye, target, float(chance.uniform(15.5, 24.0)))


def _furniture(chance: np.random.Generator, half_x: float, far_y: float) -> list[Solid]:
    """A few pieces along the walls; the middle stays free."""
    pieces: list[Solid] = []
    slots = [float(y) for y in np.arange(0.2, far_y - 2.1, 2.2)] or [0.2]
    for y in slots:
        for side in (-1, 1):
            kind = int(chance.integers(6))
            x = -half_x + 0.03 if side < 0 else half_x - 1.0
            if kind == 0:
                pieces += bed(x, y)
            elif kind == 1 and side < 0:
                pieces += sofa(x, y, str(chance.choice(("sofa", "red", "blue", "cardboard"))))
            elif kind == 2:
                pieces += table(x, y, 0.75, 1.1, 0.74, str(chance.choice(("wood", "pale_wood", "white"))))
                pieces += chair(-half_x + 1.15 if side < 0 else half_x - 1.35, y + 0.5, "+x" if side < 0 else "-x")
            elif kind == 3:
                pieces += shelf(x if side < 0 else half_x - 0.42, y, 1.2, GOODS)
            elif kind == 4:
                pieces.append(Box((x, y, 0), (x + 0.5, y + 0.9, float(chance.uniform(0.5, 1.9))),
                                  str(chance.choice(("wood", "steel", "white", "green"))), 0.01))  # fmt: skip
                pieces.append(Drum((x + 0.7, y + 1.3, 0), 0.2, 0.5, str(chance.choice(GOODS))))
    return pieces


def _lamps(chance: np.random.Generator, half_x: float, near_y: float, far_y: float, high: float,
           eye: tuple[float, float, float], infrared: bool) -> Lighting:  # fmt: skip
    if infrared:
        down = (-eye[0], far_y - near_y, -2.0)
        spot = Lamp("spot", (eye[0], eye[1] + 0.02, eye[2] + 0.06), float(chance.uniform(280, 480)), (1, 1, 1), down)
        return Lighting((spot,), (0.012, 0.012, 0.012), infrared=True, exposure=float(chance.uniform(1.7, 2.4)), glow=0)
    area = 2 * half_x * (far_y - near_y)
    warm = (1.0, float(chance.uniform(0.75, 0.97)), float(chance.uniform(0.5, 1.0)))
    count = int(chance.integers(1, 4))
    watt = area * float(chance.uniform(2.2, 6.0)) / count
    lamps = tuple(
        Lamp("panel", (float(chance.uniform(-0.6, 0.6) * half_x), float(y), high - 0.05), watt, warm, size=(0.5, 0.9))
        for y in np.linspace(near_y + 1.2, far_y - 1.2, count)
    )
    return Lighting(lamps, exposure=float(chance.uniform(0.9, 1.5)), glow=float(chance.uniform(0.1, 1.0)))


def _yard(chance: np.random.Generator, infrared: bool) -> tuple[Room, Camera]:
    floor = str(chance.choice(("asphalt", "concrete", "grass", "brick", "tiles")))
    solids: list[Solid] = [
        Box((-10, -6, -0.1), (10, 16, 0), floor),
        Box((-10, float(chance.uniform(5.0, 8.0)), -0.1), (10, 16, 0.012), str(chance.choice(("grass", "asphalt")))),
        Box((-10, 13.0, 0), (10, 13.3, 2.6), str(chance.choice(("brick", "wall", "wood")))),
        Box((5.6, -4, 0), (5.8, 9.0, 2.8), str(chance.choice(("brick", "warm_wall", "wood")))),
    ]
    for _ in range(4):
        x, y = float(chance.uniform(-5, 5)), float(chance.uniform(4.5, 10))
        solids += tree(x, y, float(chance.uniform(0.7, 1.8)))
    for _ in range(3):
        x, y = float(chance.choice((-1, 1)) * chance.uniform(2.4, 4.5)), float(chance.uniform(0, 5))
        wide, tall = float(chance.uniform(0.4, 1.2)), float(chance.uniform(0.4, 1.3))
        solids.append(Box((x, y, 0), (x + wide, y + wide, tall), str(chance.choice(GOODS)), 0.02))
    eye = (float(chance.uniform(-4.5, 3.5)), -4.6, float(chance.uniform(2.4, 4.2)))
    target = (float(chance.uniform(-0.8, 0.8)), float(chance.uniform(2.0, 4.0)), 0.5)
    if infrared:
        spot = Lamp("spot", (eye[0], eye[1] + 0.1, eye[2] + 0.1), 1500, (1, 1, 1), (target[0] - eye[0], 9.0, -2.5))
        light = Lighting((spot,), (0.008, 0.008, 0.008), infrared=True, exposure=float(chance.uniform(2.2, 2.9)))
    elif chance.random() < 0.5:
        light = Lighting((), (0.62, 0.66, 0.72), exposure=float(chance.uniform(0.7, 1.1)))
    else:
        aim = (float(chance.uniform(-0.6, 0.6)), float(chance.uniform(-0.5, 0.6)), -0.75)
        light = Lighting((Lamp("sun", (0, 0, 9), 2.6, (1.0, 0.93, 0.82), aim, (0.03, 0.03)),), (0.34, 0.42, 0.55),
                         exposure=float(chance.uniform(0.65, 1.0)))  # fmt: skip
    room = Room(tuple(solids), (-5.5, -3.5, 0.0), (5.5, 9.0, 6.0), {LIGHT: light}, floor, outdoors=True)
    return room, Camera(eye, target, float(chance.uniform(18.0, 28.0)))


def main() -> None:
    """Render one room."""
    from models.scenes import blender  # noqa: PLC0415 - bpy keeps much memory: only in this process

    blender.render(register(int(sys.argv[1])), LIGHT, LIGHT, Path(sys.argv[2]), SAMPLES)


if __name__ == "__main__":
    main()
