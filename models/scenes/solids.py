"""What rooms are made of: boxes and cylinders with a material, lamps, and furniture built from them. Metres, z up."""

from dataclasses import dataclass, field

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Material:
    """Linear colour 0..1, how rough, and a noise of `grain` per metre that varies colour and surface."""

    rgb: Triple
    rough: float = 0.8
    grain: float = 0.0
    vary: float = 0.25
    bump: float = 0.2
    tile: float = 0.0  # bricks or tiles per metre
    glow: float = 0.0


MATERIALS = {
    "wall": Material((0.56, 0.55, 0.50), 0.85, 2.2, 0.10, 0.15),
    "warm_wall": Material((0.60, 0.50, 0.38), 0.88, 1.8, 0.08, 0.12),
    "blue_wall": Material((0.36, 0.43, 0.47), 0.88, 2.0, 0.08, 0.12),
    "dado": Material((0.20, 0.29, 0.30), 0.55, 3.0, 0.18, 0.1),
    "tiles": Material((0.30, 0.29, 0.27), 0.32, 7.0, 0.28, 0.05, tile=1.7),
    "parquet": Material((0.30, 0.18, 0.10), 0.38, 9.0, 0.35, 0.05, tile=2.6),
    "carpet": Material((0.16, 0.17, 0.21), 0.97, 60.0, 0.35, 0.5),
    "rug": Material((0.35, 0.09, 0.07), 0.97, 25.0, 0.5, 0.5),
    "concrete": Material((0.27, 0.27, 0.26), 0.7, 3.0, 0.25, 0.15),
    "asphalt": Material((0.10, 0.10, 0.10), 0.92, 30.0, 0.45, 0.4),
    "grass": Material((0.06, 0.12, 0.03), 0.95, 22.0, 0.6, 0.8),
    "brick": Material((0.34, 0.13, 0.08), 0.9, 6.0, 0.3, 0.4, tile=4.5),
    "ceiling": Material((0.72, 0.72, 0.70), 0.9, 5.0, 0.06, 0.1),
    "wood": Material((0.27, 0.15, 0.08), 0.45, 9.0, 0.35, 0.1),
    "pale_wood": Material((0.48, 0.34, 0.20), 0.5, 9.0, 0.25, 0.1),
    "steel": Material((0.35, 0.36, 0.37), 0.35, 20.0, 0.1),
    "dark": Material((0.03, 0.03, 0.035), 0.5),
    "black": Material((0.012, 0.012, 0.014), 0.9),
    "red": Material((0.5, 0.02, 0.02), 0.35),
    "white": Material((0.75, 0.75, 0.72), 0.6),
    "linen": Material((0.70, 0.69, 0.66), 0.95, 12.0, 0.08, 0.6),
    "blanket": Material((0.20, 0.27, 0.36), 0.97, 18.0, 0.3, 0.6),
    "sofa": Material((0.17, 0.19, 0.16), 0.95, 35.0, 0.3, 0.5),
    "cork": Material((0.36, 0.24, 0.13), 0.95, 40.0, 0.3),
    "cardboard": Material((0.42, 0.30, 0.17), 0.9, 6.0, 0.15),
    "green": Material((0.05, 0.10, 0.08), 0.4, 8.0, 0.2),
    "blue": Material((0.05, 0.10, 0.28), 0.5, 8.0, 0.2),
    "yellow": Material((0.60, 0.42, 0.05), 0.5, 8.0, 0.2),
    "tube": Material((1.0, 0.97, 0.90), 0.5, glow=2.2),
    "window": Material((0.75, 0.88, 1.0), 0.3, glow=1.8),
    "pane": Material((0.10, 0.13, 0.14), 0.05),
    "leaf": Material((0.05, 0.14, 0.03), 0.8, 14.0, 0.6, 0.9),
}


@dataclass(frozen=True, slots=True)
class Box:
    """From corner `low` to corner `high`; `bevel` in metres."""

    low: Triple
    high: Triple
    material: str
    bevel: float = 0.0


@dataclass(frozen=True, slots=True)
class Drum:
    """A standing cylinder: the middle of its bottom, radius, height."""

    at: Triple
    radius: float
    height: float
    material: str


Solid = Box | Drum


@dataclass(frozen=True, slots=True)
class Lamp:
    """A panel of `size` facing `aim` (a direction), a point, or the sun; `watt` as Blender counts it."""

    kind: str  # panel, point, spot, sun
    at: Triple
    watt: float
    rgb: Triple = (1.0, 0.95, 0.86)
    aim: Triple = (0.0, 0.0, -1.0)
    size: tuple[float, float] = (0.1, 0.1)


@dataclass(frozen=True, slots=True)
class Lighting:
    """Lamps, the glow of the surroundings (linear), and what the camera makes of it."""

    lamps: tuple[Lamp, ...]
    sky: Triple = (0.02, 0.022, 0.025)
    infrared: bool = False
    exposure: float = 1.0
    glow: float = 1.0  # how bright windows and tubes are themselves


@dataclass(frozen=True, slots=True)
class Room:
    """Solids within `low` … `high`, and the ways they can be lit; outdoors has no ceiling."""

    solids: tuple[Solid, ...]
    low: Triple
    high: Triple
    lightings: dict[str, Lighting]
    floor: str
    outdoors: bool = False
    echo_s: float = 0.13  # how fast sound dies away
    named: dict[str, Triple] = field(default_factory=dict)  # places that actions refer to


def table(x: float, y: float, width: float, depth: float, height: float, material: str = "wood") -> list[Solid]:
    """A table whose corner stands at x, y."""
    legs = [(x + 0.04, y + 0.04), (x + width - 0.09, y + 0.04), (x + 0.04, y + depth - 0.09)]
    legs.append((x + width - 0.09, y + depth - 0.09))
    top: list[Solid] = [Box((x, y, height - 0.04), (x + width, y + depth, height), material, 0.01)]
    return top + [Box((a, b, 0), (a + 0.05, b + 0.05, height - 0.04), material) for a, b in legs]


def chair(x: float, y: float, back: str = "+y", material: str = "pale_wood") -> list[Solid]:
    """A chair around x, y, seat at 0.45 m, its back on the named side."""
    solids: list[Solid] = [Box((x - 0.22, y - 0.22, 0.41), (x + 0.22, y + 0.22, 0.45), material, 0.01)]
    solids += [
        Box((x + a - 0.02, y + b - 0.02, 0), (x + a + 0.02, y + b + 0.02, 0.41), material)
        for a in (-0.19, 0.19)
        for b in (-0.19, 0.19)
    ]
    sides = {
        "+y": ((-0.22, 0.19), (0.22, 0.22)),
        "-y": ((-0.22, -0.22), (0.22, -0.19)),
        "+x": ((0.19, -0.22), (0.22, 0.22)),
        "-x": ((-0.22, -0.22), (-0.19, 0.22)),
    }
    (a, b), (c, d) = sides[back]
    return [*solids, Box((x + a, y + b, 0.45), (x + c, y + d, 0.92), material, 0.01)]


def bed(x: float, y: float) -> list[Solid]:
    """A bed 0.95 m wide (x) and 2.05 m long (y) with its corner at x, y; the mattress ends at 0.50 m."""
    return [
        Box((x, y, 0.12), (x + 0.95, y + 2.05, 0.30), "pale_wood", 0.01),
        Box((x + 0.02, y + 0.03, 0.30), (x + 0.93, y + 2.02, 0.50), "linen", 0.05),
        Box((x - 0.02, y + 0.03, 0.34), (x + 0.95, y + 0.70, 0.515), "blanket", 0.03),
        Box((x + 0.15, y + 1.60, 0.50), (x + 0.80, y + 1.98, 0.60), "linen", 0.05),
        Box((x, y + 2.02, 0.12), (x + 0.95, y + 2.07, 0.85), "pale_wood", 0.01),
    ]


def sofa(x: float, y: float, material: str = "sofa") -> list[Solid]:
    """A sofa 0.9 m deep (x) and 2 m long (y), its back on the side of small x, seat at 0.43 m."""
    return [
        Box((x, y, 0.08), (x + 0.9, y + 2.0, 0.43), material, 0.05),
        Box((x, y, 0.08), (x + 0.22, y + 2.0, 0.85), material, 0.06),
        Box((x, y, 0.08), (x + 0.88, y + 0.18, 0.62), material, 0.06),
        Box((x, y + 1.82, 0.08), (x + 0.88, y + 2.0, 0.62), material, 0.06),
    ]


def shelf(x: float, y: float, length: float, goods: tuple[str, ...], along: str = "y") -> list[Solid]:
    """Shelves 0.4 m deep and 1.6 m high with boxes of the named materials on them."""
    solids: list[Solid] = []
    wide, deep = (0.4, length) if along == "y" else (length, 0.4)
    for level in range(4):
        z = 0.1 + 0.45 * level
        solids.append(Box((x, y, z), (x + wide, y + deep, z + 0.03), "steel"))
        for index in range(int(length / 0.24)):
            tall = 0.16 + 0.05 * ((index * 7 + level * 3) % 4)
            step = 0.02 + 0.24 * index
            low = (x + 0.06, y + step, z + 0.03) if along == "y" else (x + step, y + 0.06, z + 0.03)
            size = (0.3, 0.19) if along == "y" else (0.19, 0.3)
            high = (low[0] + size[0], low[1] + size[1], z + 0.03 + tall)
            solids.append(Box(low, high, goods[(index * 5 + level * 2) % len(goods)], 0.005))
    return solids


def tree(x: float, y: float, size: float) -> list[Solid]:
    """A bush or small tree made of drums."""
    solids: list[Solid] = [Drum((x, y, 0), 0.07 * size, 1.2 * size, "wood")]
    crown = ((0.0, 0.0, 1.0, 0.6), (0.25, 0.1, 1.3, 0.45), (-0.2, 0.2, 1.45, 0.45), (0.05, -0.2, 1.7, 0.4))
    return solids + [
        Drum((x + a * size, y + b * size, z * size), r * size, 0.45 * size, "leaf") for a, b, z, r in crown
    ]
