"""The rooms and yards, and the cameras in them."""

from models.scenes.camera import Camera
from models.scenes.solids import Box, Drum, Lamp, Lighting, Room, Solid, bed, chair, shelf, sofa, table, tree

DOOR_M = (-0.5, 6.0, 2.1)
"""Of the lobby's glazed door: x of the hinge, y of the wall, height. It is 1 m wide; what moves is drawn in `props`."""
FENCE_Y, FENCE_M = 4.2, 1.15


def _strip(x0: float, x1: float, y0: float, y1: float, height: float = 2.75, material: str = "wall") -> list[Solid]:
    """A wall with a painted lower half and a skirting."""
    edge = 0.012
    return [
        Box((x0, y0, 0), (x1, y1, height), material),
        Box((x0 - edge, y0 - edge, 0), (x1 + edge, y1 + edge, 1.05), "dado"),
        Box((x0 - 2 * edge, y0 - 2 * edge, 0), (x1 + 2 * edge, y1 + 2 * edge, 0.1), "dark"),
    ]


def _panels(places: list[tuple[float, float]], watt: float, height: float = 2.70) -> tuple[Lamp, ...]:
    return tuple(Lamp("panel", (x, y, height), watt, size=(0.5, 1.15)) for x, y in places)


def _tubes(places: list[tuple[float, float]], height: float = 2.75) -> list[Solid]:
    return [Box((x - 0.3, y - 0.6, height - 0.03), (x + 0.3, y + 0.6, height), "tube") for x, y in places]


def _lobby() -> Room:
    lights = [(0.0, -1.2), (0.0, 1.6), (0.0, 4.4)]
    solids: list[Solid] = [
        Box((-2.1, -3.1, -0.1), (4.2, 6.1, 0), "tiles"),
        Box((-2.1, -3.1, 2.75), (4.2, 6.1, 2.85), "ceiling"),
        *_strip(-2.1, -2.0, -3.0, 6.0),
        *_strip(2.0, 2.12, -3.0, 3.55),
        *_strip(2.0, 2.12, 4.65, 6.0),
        Box((2.0, 3.55, 2.1), (2.12, 4.65, 2.75), "wall"),
        Box((4.1, 2.0, 0), (4.2, 6.0, 2.75), "wall"),
        Box((2.1, 4.9, 0), (4.1, 5.0, 2.75), "wall"),
        Box((2.1, 3.2, 0), (4.1, 3.3, 2.75), "wall"),
        *_strip(-2.0, -0.58, 6.0, 6.1),
        *_strip(0.58, 2.0, 6.0, 6.1),
        Box((-0.58, 6.0, 2.16), (0.58, 6.1, 2.75), "wall"),
        Box((-2.0, -3.1, 0), (4.0, -3.0, 2.75), "wall"),
        Box((-0.58, 5.95, 0), (-0.5, 6.06, 2.16), "wood", 0.01),
        Box((0.5, 5.95, 0), (0.58, 6.06, 2.16), "wood", 0.01),
        Box((-0.58, 5.95, 2.1), (0.58, 6.06, 2.18), "wood", 0.01),
        Box((1.96, 3.47, 0), (2.14, 3.55, 2.18), "wood", 0.01),
        Box((1.96, 4.65, 0), (2.14, 4.73, 2.18), "wood", 0.01),
        Box((1.96, 3.47, 2.1), (2.14, 4.73, 2.18), "wood", 0.01),
        Box((-3.0, 9.0, -0.1), (3.0, 9.1, 3.5), "dark"),
        Box((-3.0, 6.1, -0.12), (3.0, 9.0, -0.02), "asphalt"),
        Box((-1.98, 1.6, 0.42), (-1.55, 3.1, 0.47), "wood", 0.01),
        Box((-1.93, 1.7, 0), (-1.6, 1.75, 0.42), "dark"),
        Box((-1.93, 2.95, 0), (-1.6, 3.0, 0.42), "dark"),
        Box((-1.99, 3.7, 1.25), (-1.96, 4.9, 2.0), "cork"),
        Box((1.90, 2.6, 0.75), (2.0, 2.75, 1.25), "red", 0.04),
        Box((1.985, 2.45, 1.5), (1.995, 2.85, 1.8), "red"),
        Box((1.75, 5.2, 0), (1.95, 5.8, 0.9), "steel", 0.01),
        Box((1.2, 5.45, 0), (1.7, 5.9, 0.38), "cardboard", 0.005),
        Box((1.28, 5.5, 0.38), (1.62, 5.85, 0.66), "cardboard", 0.005),
        Drum((1.62, 1.55, 0), 0.17, 0.50, "steel"),
        Drum((1.62, 1.55, 0.485), 0.15, 0.02, "dark"),
        Box((-1.95, -0.6, 0), (-1.45, 0.5, 0.72), "green", 0.01),
        *_tubes(lights),
    ]
    for index, (y, z) in enumerate(((3.85, 1.4), (4.2, 1.5), (4.5, 1.35), (4.15, 1.8))):
        solids.append(Box((-1.962, y, z), (-1.955, y + 0.22, z + 0.28 - 0.05 * (index % 2)), "white"))
    side = Lamp("panel", (3.1, 4.1, 2.7), 40, (0.9, 0.95, 1.0), size=(0.5, 0.8))
    spot = Lamp("spot", (-1.7, -2.45, 2.56), 420, (1, 1, 1), (2.1, 4.9, -1.6))
    return Room(
        tuple(solids), (-2.0, -3.0, 0.0), (2.0, 6.0, 2.75),
        {
            "lit": Lighting((*_panels(lights, 52), side)),
            "dim": Lighting((*_panels(lights[2:], 30), side), exposure=1.6),
            "night": Lighting((spot,), (0.012, 0.012, 0.012), infrared=True, exposure=2.3, glow=0.0),
        },
        "tiles", named={"bench": (-1.72, 2.3, 0.47), "bin": (1.62, 1.55, 0.5)},
    )  # fmt: skip


def _ward() -> Room:
    """A room of a care home: bed, armchair, table and chair, rug, window."""
    solids: list[Solid] = [
        Box((-2.4, -2.6, -0.1), (2.4, 3.0, 0), "parquet"),
        Box((-2.4, -2.6, 2.6), (2.4, 3.0, 2.7), "ceiling"),
        Box((-2.5, -2.6, 0), (-2.4, 3.0, 2.6), "warm_wall"),
        Box((2.4, -2.6, 0), (2.5, 3.0, 2.6), "warm_wall"),
        Box((-2.4, 3.0, 0), (2.4, 3.1, 2.6), "warm_wall"),
        Box((-2.4, -2.7, 0), (2.4, -2.6, 2.6), "warm_wall"),
        Box((-2.4, 2.97, 0), (2.4, 3.0, 0.09), "white"),
        Box((-2.4, -2.6, 0), (-2.37, 3.0, 0.09), "white"),
        Box((-0.3, 2.96, 0.95), (1.1, 3.0, 2.1), "white"),
        Box((-0.24, 2.94, 1.0), (1.04, 2.97, 2.05), "window"),
        Box((0.37, 2.93, 1.0), (0.43, 2.96, 2.05), "white"),
        Box((-0.55, 2.90, 0.85), (-0.25, 2.95, 2.25), "linen", 0.02),
        Box((1.05, 2.90, 0.85), (1.35, 2.95, 2.25), "linen", 0.02),
        *bed(1.4, 0.7),
        Box((1.0, 2.45, 0), (1.36, 2.9, 0.55), "pale_wood", 0.01),
        Drum((1.18, 2.67, 0.55), 0.09, 0.3, "linen"),
        *table(-2.3, 1.6, 0.75, 1.1, 0.74, "pale_wood"),
        *chair(-1.25, 2.1, "+x"),
        Box((-1.3, -1.3, 0), (0.9, 1.1, 0.012), "rug"),
        Box((-2.38, -0.6, 1.2), (-2.36, 0.4, 1.9), "wood"),
        Box((-2.36, -0.54, 1.26), (-2.355, 0.34, 1.84), "blue"),
        Box((-2.35, -1.2, 0), (-1.95, 0.2, 0.8), "wood", 0.01),
        Box((2.36, -1.4, 0), (2.4, -0.4, 2.05), "pale_wood", 0.01),
    ]
    day = Lamp("panel", (0.4, 2.85, 1.5), 95, (0.85, 0.93, 1.0), (0.0, -1.0, -0.25), (1.3, 1.1))
    top = Lamp("panel", (0.0, 0.2, 2.55), 60, (1.0, 0.86, 0.68), size=(0.5, 0.5))
    small = Lamp("point", (1.18, 2.6, 0.95), 22, (1.0, 0.72, 0.42), size=(0.1, 0.1))
    spot = Lamp("spot", (-2.2, -2.4, 2.45), 330, (1, 1, 1), (2.4, 3.2, -2.0))
    return Room(
        tuple(solids), (-2.4, -2.6, 0.0), (2.4, 3.0, 2.6),
        {
            "day": Lighting((day, top)),
            "evening": Lighting((small, Lamp("panel", (0.0, 0.2, 2.55), 24, (1.0, 0.80, 0.58), size=(0.5, 0.5))),
                                exposure=1.7, glow=0.02),
            "night": Lighting((spot,), (0.012, 0.012, 0.012), infrared=True, exposure=2.0, glow=0.0),
        },
        "parquet", echo_s=0.09, named={"chair": (-1.25, 2.1, 0.45), "bed": (1.4, 1.7, 0.50)},
    )  # fmt: skip


def _lounge() -> Room:
    """A living room with a sofa and a low table."""
    solids: list[Solid] = [
        Box((-2.7, -2.8, -0.1), (2.7, 3.2, 0), "carpet"),
        Box((-2.7, -2.8, 2.55), (2.7, 3.2, 2.65), "ceiling"),
        Box((-2.8, -2.8, 0), (-2.7, 3.2, 2.55), "blue_wall"),
        Box((2.7, -2.8, 0), (2.8, 3.2, 2.55), "blue_wall"),
        Box((-2.7, 3.2, 0), (2.7, 3.3, 2.55), "blue_wall"),
        Box((-2.7, -2.9, 0), (2.7, -2.8, 2.55), "blue_wall"),
        *sofa(-2.65, 0.2),
        *table(-1.35, 0.7, 0.6, 1.0, 0.42, "wood"),
        Box((-0.6, 2.75, 0), (1.4, 3.15, 0.5), "dark", 0.01),
        Box((-0.2, 3.0, 0.6), (1.0, 3.05, 1.3), "black", 0.01),
        *shelf(2.25, 0.6, 1.7, ("red", "blue", "green", "cardboard", "white", "wood")),
        Box((-2.69, -1.6, 1.0), (-2.66, -0.4, 2.0), "window"),
        *chair(1.55, -0.9, "+x", "wood"),
        Drum((2.2, 2.8, 0), 0.16, 0.35, "brick"),
        *tree(2.2, 2.8, 0.75),
    ]
    day = Lamp("panel", (-2.6, -1.0, 1.5), 120, (0.9, 0.95, 1.0), (1.0, 0.1, -0.2), (1.1, 1.0))
    top = Lamp("panel", (0.0, 0.6, 2.5), 60, (1.0, 0.88, 0.70), size=(0.5, 0.5))
    return Room(
        tuple(solids), (-2.7, -2.8, 0.0), (2.7, 3.2, 2.55),
        {
            "day": Lighting((day, top)),
            "evening": Lighting((Lamp("panel", (0.0, 0.6, 2.5), 36, (1.0, 0.80, 0.55), size=(0.5, 0.5)),),
                                (0.006, 0.008, 0.012), exposure=1.6, glow=0.02),
        },
        "carpet", echo_s=0.07, named={"sofa": (-2.0, 1.2, 0.43), "chair": (1.55, -0.9, 0.45)},
    )  # fmt: skip


def _shop() -> Room:
    lights = [(-1.0, 0.5), (1.6, 0.5), (0.2, 4.0)]
    goods = ("red", "yellow", "white", "blue", "cardboard", "green")
    solids: list[Solid] = [
        Box((-3.2, -3.0, -0.1), (3.2, 6.0, 0), "concrete"),
        Box((-3.2, -3.0, 2.95), (3.2, 6.0, 3.05), "ceiling"),
        Box((-3.3, -3.0, 0), (-3.2, 6.0, 2.95), "wall"),
        Box((3.2, -3.0, 0), (3.3, 6.0, 2.95), "wall"),
        Box((-3.2, 6.0, 0), (3.2, 6.1, 2.95), "wall"),
        Box((-3.2, -3.1, 0), (3.2, -3.0, 2.95), "wall"),
        *shelf(-3.15, 0.0, 5.0, goods),
        *shelf(2.78, 0.5, 4.6, goods),
        *shelf(-0.9, 5.55, 3.2, goods, "x"),
        Box((1.2, -1.9, 0), (2.9, -1.3, 0.95), "blue", 0.01),
        Box((1.15, -1.95, 0.95), (2.95, -1.25, 0.99), "pale_wood", 0.01),
        Box((2.1, -1.8, 0.99), (2.4, -1.5, 1.25), "dark", 0.02),
        *_tubes(lights, 2.95),
    ]
    return Room(
        tuple(solids), (-3.2, -3.0, 0.0), (3.2, 6.0, 2.95),
        {"lit": Lighting(_panels(lights, 85, 2.9)), "half": Lighting(_panels(lights[2:], 60, 2.9), exposure=1.5)},
        "concrete", echo_s=0.16,
    )  # fmt: skip


def _yard() -> Room:
    """A yard with a house wall, a low fence that can be climbed, a path and bushes."""
    solids: list[Solid] = [
        Box((-9, -6, -0.1), (9, 16, 0), "asphalt"),
        Box((-9, FENCE_Y + 0.1, -0.1), (9, 16, 0.012), "grass"),
        Box((-5.2, -6, 0), (-5.0, 3.0, 3.2), "brick"),
        Box((-5.0, 0.2, 1.0), (-4.97, 1.4, 2.0), "dark"),
        Box((-9, 13.0, 0), (9, 13.3, 2.6), "brick"),
        Drum((3.4, 2.4, 0), 0.28, 0.9, "green"),
        Drum((3.4, 2.4, 0.9), 0.30, 0.06, "dark"),
        Box((4.2, 1.6, 0), (5.0, 2.4, 0.5), "cardboard", 0.01),
        *tree(-3.6, 7.5, 1.6),
        *tree(3.8, 8.6, 2.0),
        *tree(5.4, 6.6, 1.2),
        *tree(-4.4, 5.2, 0.8),
    ]
    for x in range(-9, 10):
        solids.append(Box((x - 0.05, FENCE_Y - 0.03, 0), (x + 0.05, FENCE_Y + 0.07, FENCE_M + 0.05), "wood", 0.01))
    solids += [Box((-9, FENCE_Y, z), (9, FENCE_Y + 0.04, z + 0.16), "wood") for z in (0.16, 0.52, FENCE_M - 0.16)]
    sun = Lamp("sun", (4.0, -6.0, 9.0), 2.6, (1.0, 0.93, 0.82), (-0.42, 0.55, -0.72), (0.03, 0.03))
    spot = Lamp("spot", (-3.3, -4.45, 3.3), 1500, (1, 1, 1), (3.3, 7.6, -2.5))
    return Room(
        tuple(solids), (-5.0, -6.0, 0.0), (6.0, 13.0, 6.0),
        {
            "sun": Lighting((sun,), (0.34, 0.42, 0.55), exposure=0.8),
            "cloudy": Lighting((), (0.62, 0.66, 0.72), exposure=0.9),
            "night": Lighting((spot,), (0.008, 0.008, 0.008), infrared=True, exposure=2.6),
        },
        "asphalt", outdoors=True, echo_s=0.02,
    )  # fmt: skip


ROOMS = {"lobby": _lobby(), "ward": _ward(), "lounge": _lounge(), "shop": _shop(), "yard": _yard()}

CAMERAS: dict[str, dict[str, Camera]] = {
    "lobby": {
        "corner": Camera((-1.8, -2.5, 2.5), (0.35, 1.9, 0.62)),
        "side": Camera((1.75, -2.7, 2.3), (-0.35, 1.6, 0.6), 19.0),
    },
    "ward": {
        "corner": Camera((-2.2, -2.4, 2.4), (0.25, 0.8, 0.45), 17.5),
        "door": Camera((2.2, -2.4, 2.3), (-0.5, 0.9, 0.4), 17.5),
    },
    "lounge": {"corner": Camera((2.45, -2.55, 2.35), (-0.5, 0.9, 0.4), 17.5)},
    "shop": {"corner": Camera((-3.0, -2.8, 2.75), (0.5, 1.8, 0.5), 18.0)},
    "yard": {"eaves": Camera((-3.4, -4.6, 3.2), (0.3, 3.4, 0.6), 23.0)},
}
