"""Points, polygons and boxes in fractions of the picture."""

import math
from collections.abc import Sequence
from itertools import pairwise

from agent.types import Box

Point = tuple[float, float]

BORDER_FRAC, BORDER_HEIGHTS = 0.015, 0.05
"""Clearly beyond a border: this far, in fractions of the picture (about half a foot's length at 20 m), and in heights
of the box, which jitters by a few hundredths of its size."""


def ground_point(box: Box) -> Point:
    """Where a thing touches the ground; one that reaches below the picture stands on its border."""
    x, y = box.foot
    return min(1.0, max(0.0, x)), min(1.0, max(0.0, y))


def margin_frac(box: Box) -> float:
    """How far from a border the foot of `box` must be to be clearly beyond it."""
    return max(BORDER_FRAC, BORDER_HEIGHTS * box.height_frac)


def is_inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether `point` lies in `polygon` (even-odd rule, any winding)."""
    x, y = point
    inside = False
    x0, y0 = polygon[-1]
    for x1, y1 in polygon:
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
        x0, y0 = x1, y1
    return inside


def distance_to(point: Point, polygon: Sequence[Point]) -> float:
    """Distance in fractions from `point` to the border of `polygon`."""
    return min(_to_segment(point, a, b) for a, b in zip(polygon, (*polygon[1:], polygon[0]), strict=True))


def distance_to_path(point: Point, path: Sequence[Point]) -> float:
    """Distance in fractions from `point` to an open line of at least two points."""
    return min(_to_segment(point, a, b) for a, b in pairwise(path))


def meeting(start: Point, end: Point, path: Sequence[Point]) -> float | None:
    """Where the straight way from `start` to `end` first meets `path`, as a share of the way; None where it does not.

    A way that ends on the path has not met it: it meets it when it goes on.
    """
    shares = []
    dx, dy = end[0] - start[0], end[1] - start[1]
    for a, b in pairwise(path):
        ex, ey = b[0] - a[0], b[1] - a[1]
        cross = dx * ey - dy * ex
        if cross == 0.0:
            continue
        along = ((a[0] - start[0]) * ey - (a[1] - start[1]) * ex) / cross
        across = ((a[0] - start[0]) * dy - (a[1] - start[1]) * dx) / cross
        if 0.0 <= along < 1.0 and 0.0 <= across <= 1.0:
            shares.append(along)
    return min(shares, default=None)


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


def heights_between(first: Box, second: Box, aspect_ratio: float) -> float:
    """Distance in picture heights between two boxes; 0 where they touch or overlap."""
    across = max(first.left_frac - second.right_frac, second.left_frac - first.right_frac, 0.0)
    down = max(first.top_frac - second.bottom_frac, second.top_frac - first.bottom_frac, 0.0)
    return math.hypot(across * aspect_ratio, down)


def overlap(first: Box, second: Box) -> bool:
    """Whether two boxes share any area. Most do not, and it is asked for every two people of every picture."""
    return (
        first.left_frac < second.right_frac
        and second.left_frac < first.right_frac
        and first.top_frac < second.bottom_frac
        and second.top_frac < first.bottom_frac
    )


def inside_frac(inner: Box, outer: Box) -> float:
    """Share of the area of `inner` that lies in `outer`."""
    if not overlap(inner, outer):
        return 0.0
    wide = min(inner.right_frac, outer.right_frac) - max(inner.left_frac, outer.left_frac)
    high = min(inner.bottom_frac, outer.bottom_frac) - max(inner.top_frac, outer.top_frac)
    area = inner.width_frac * inner.height_frac
    return wide * high / area if area > 0.0 else 0.0  # of a box too small for its area to be told


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    if not overlap(first, second):
        return 0.0
    both = inside_frac(first, second) * first.width_frac * first.height_frac
    if both <= 0.0:
        return 0.0
    either = first.width_frac * first.height_frac + second.width_frac * second.height_frac - both
    return both / either
