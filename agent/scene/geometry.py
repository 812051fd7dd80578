"""Points, polygons and boxes in fractions of the picture."""

import math
from collections.abc import Sequence

from agent.types import Box

Point = tuple[float, float]


def is_inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether `point` lies in `polygon` (even-odd rule, any winding)."""
    x, y = point
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def distance_to(point: Point, polygon: Sequence[Point]) -> float:
    """Distance in fractions from `point` to the border of `polygon`."""
    return min(_to_segment(point, a, b) for a, b in zip(polygon, (*polygon[1:], polygon[0]), strict=True))


def _to_segment(point: Point, a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length2 = dx * dx + dy * dy
    t = 0.0 if length2 == 0.0 else ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / length2
    t = min(1.0, max(0.0, t))
    return math.hypot(point[0] - a[0] - t * dx, point[1] - a[1] - t * dy)


def gap_between(first: Box, second: Box) -> float:
    """Distance in fractions between two boxes; 0 where they touch or overlap."""
    across = max(first.left_frac - second.right_frac, second.left_frac - first.right_frac, 0.0)
    down = max(first.top_frac - second.bottom_frac, second.top_frac - first.bottom_frac, 0.0)
    return math.hypot(across, down)
