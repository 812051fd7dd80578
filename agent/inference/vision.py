"""The `vision` graph: a picture in; boxes with labels, and calibrated scores of fire and smoke, out.

    model = VisionModel.load(config.models)
    sight = model.look(picture)                                # any size; the export is chosen to fit
    sight = model.look(picture, size_px=(416, 416), min_score_prob=0.01)

The graph gives a probability per place and class, and for each place where the sides of its box are. Decoding
makes boxes of what reaches the least score, suppresses overlapping ones of one class, and tells them as fractions.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.config.schema import Models
from agent.errors import ModelError
from agent.features.letterbox import Letterbox, letterbox, to_tensor
from agent.inference.calibrated import scores_of
from agent.inference.card import Card, load_card
from agent.inference.device import Chosen, Inputs, Machine, this_machine
from agent.inference.graph import Graph
from agent.types import Box, Detection, FloatArray, Score, Uint8Array

LIVE_SCORE_PROB = 0.1
"""What the tracker may still use to carry a known person through a bad moment (ByteTrack's lower threshold)."""
OTHER_SCORE_PROB = 0.3
"""The same for what is in no group of the card: no incident is made of chairs, but a zone may ask for one."""
OVERLAP_IOU = 0.6
"""Boxes of one class that overlap more are one thing (NanoDet's own figure)."""
PERSON = "person"
MAP, JUDGED = "scene_map", "scene_judged"
"""Outputs of graphs from 0.5.0 on: logits of fire and smoke a cell [1, 2, h, w], and a second judge's [1, 2]."""
SECOND = " judged"
"""What the card adds to a scene label where it calibrates the second judge."""
MOST_BOXES = 100
"""As many as COCO's evaluation looks at."""
STRIDES_PX = (8, 16, 32, 64)
"""Of the grids whose cells are the graph's places."""
_MOST_CANDIDATES = 1000
_SHARP_ENOUGH_FRAC = 0.799
"""An export that keeps four fifths of the sharpness the best one keeps will do, if it is cheaper."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture shows: boxes by falling score, the scores of the whole scene, and its embedding.

    `judged` are a second judge's scores of the same labels, `hottest` is where most speaks for fire, x y in fractions
    of the picture; graphs of before 0.5.0 tell neither.
    """

    detections: tuple[Detection, ...]
    scene: tuple[Score, ...]
    embedding: tuple[float, ...] = ()
    judged: tuple[Score, ...] = ()
    hottest: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Boxes of one picture as arrays: float32 [n, 4] x1 y1 x2 y2, float32 [n], class index [n], place [n] of N."""

    boxes: NDArray[np.float32]
    scores_prob: NDArray[np.float32]
    classes: NDArray[np.intp]
    places: NDArray[np.intp]


BoxesAt = Callable[[NDArray[np.intp]], NDArray[np.float32]]
"""Places [n] → boxes [n, 4] x1 y1 x2 y2 in canvas pixels."""


class VisionModel:
    """The vision graph in all its exports, opened when first needed; for one thread at a time."""

    def __init__(self, card: Card, models: Models, machine: Machine) -> None:
        self._card, self._models, self._machine = card, models, machine
        self._sizes_px = tuple(f.size_px for f in card.files_of(models.precision))
        self._graphs: dict[tuple[int, int], Graph] = {}
        grouped = {member for members in card.groups.values() for member in members}
        least_probs = [LIVE_SCORE_PROB if label in grouped else OTHER_SCORE_PROB for label in card.labels]
        self._live_score_probs = np.array(least_probs, np.float32)

    @classmethod
    def load(cls, models: Models, *, cache_folder: Path | None = None) -> "VisionModel":
        """The model that `models` names; `cache_folder` keeps compiled graphs (None: nothing is written).

        Errors: ModelError when card, file or device are not as they should be.
        """
        card = load_card("vision", Path(models.folder) if models.folder else None)
        return cls(card, models, this_machine(models, clock_s=time.perf_counter, cache_folder=cache_folder))

    @property
    def card(self) -> Card:
        """The model's card."""
        return self._card

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """Where each export that was opened runs, and why."""
        return tuple(graph.chosen for graph in self._graphs.values())

    def export_for(self, width_px: int, height_px: int) -> tuple[int, int]:
        """The canvas (width, height) of the export that pictures of this size go to."""
        return export_for(self._sizes_px, width_px, height_px)

    @property
    def smallest_px(self) -> tuple[int, int]:
        """The canvas (width, height) of the cheapest export."""
        return min(self._sizes_px, key=lambda size: size[0] * size[1])

    def open(self, size_px: tuple[int, int]) -> None:
        """Open one export ahead of its first picture.

        Errors: ModelError.
        """
        self._graph(size_px)

    def look(
        self,
        picture: Uint8Array,
        *,
        size_px: tuple[int, int] | None = None,
        min_score_prob: float | None = None,
        most_stretch: float = 1.0,
    ) -> Sight:
        """Find what an RGB picture, uint8 [height, width, 3], shows; without `min_score_prob` what tracking needs.

        `most_stretch` above 1 distorts the picture into the canvas's border: for stills, see `STILL_STRETCH`.

        Errors: ModelError when the graph cannot be run anywhere.
        """
        width_px, height_px = size_px or self.export_for(picture.shape[1], picture.shape[0])
        canvas, fit = letterbox(picture, width_px, height_px, most_stretch=most_stretch)
        outputs = self.run(to_tensor(canvas))
        return self.sight(outputs, fit, min_score_prob)

    def run(self, image: FloatArray) -> Inputs:
        """The graph's bare outputs for a float32 [1, 3, H, W] canvas in one of the exports' sizes."""
        return self._graph((image.shape[3], image.shape[2])).run({"image": image})

    def sight(self, outputs: Inputs, fit: Letterbox, min_score_prob: float | None = None) -> Sight:
        """Bare outputs as boxes in fractions of the picture, and calibrated scene scores."""
        least_prob = self._live_score_probs if min_score_prob is None else min_score_prob
        found = decode(*places_of(outputs, (fit.canvas_width_px, fit.canvas_height_px)), least_prob)
        boxes = fit.to_fractions(found.boxes)
        # What lies on the border beside the picture has no extent in the picture.
        inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        labels = [self._card.labels[kind] for kind in found.classes[inside]]
        postures = _postures(outputs, found.places[inside])
        corners, scores_prob = boxes[inside].tolist(), found.scores_prob[inside].tolist()
        detections = tuple(
            Detection(
                label=label, score_prob=prob, box=box_of(*sides), posture_probs=probs if label == PERSON else None
            )
            for label, sides, prob, probs in zip(labels, corners, scores_prob, postures, strict=True)
        )
        judged = self._judged(outputs)
        hottest = _hottest(outputs, fit) if judged else None
        return Sight(detections, self._scene(outputs), _embedding(outputs), judged, hottest)

    def _scene(self, outputs: Inputs) -> tuple[Score, ...]:
        labels = self._card.scene_labels
        return scores_of(self._card, labels, outputs["scene"][0]) if labels else ()

    def _judged(self, outputs: Inputs) -> tuple[Score, ...]:
        if JUDGED not in outputs:
            return ()
        calibrated = tuple(f"{label}{SECOND}" for label in self._card.scene_labels)
        scores = scores_of(self._card, calibrated, outputs[JUDGED][0])
        return tuple(replace(score, label=score.label.removesuffix(SECOND)) for score in scores)

    def _graph(self, size_px: tuple[int, int]) -> Graph:
        if size_px not in self._graphs:
            if size_px not in self._sizes_px:
                sizes = ", ".join(f"{width}×{height}" for width, height in self._sizes_px)
                raise ModelError(f"The vision model has no export of {size_px[0]}×{size_px[1]}", why=f"it has {sizes}")
            probe = {"image": to_tensor(probe_picture(*size_px))}
            self._graphs[size_px] = Graph(self._models, self._card, probe, self._machine, size_px=size_px)
        return self._graphs[size_px]


def _postures(outputs: Inputs, places: NDArray[np.intp]) -> Sequence[tuple[float, float, float] | None]:
    """Probabilities by POSTURES at each place, to four digits; None where the graph has no such output."""
    found = outputs.get("posture")
    if found is None:
        return [None] * len(places)
    logits = (found[0][places] if "boxes" in outputs else found[0][:, places].T).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    upright, crouched, lying = np.round(odds / odds.sum(axis=1, keepdims=True), 4).T.tolist()
    return list(zip(upright, crouched, lying, strict=True))


def _embedding(outputs: Inputs) -> tuple[float, ...]:
    """The scene embedding, to four digits (what a recording keeps of it); empty where the graph has none."""
    found = outputs.get("scene_embedding")
    return () if found is None else tuple(np.round(found[0].astype(np.float64), 4).tolist())


def _hottest(outputs: Inputs, fit: Letterbox) -> tuple[float, float]:
    """Where the map of fire is highest: the middle of its cell, x y in fractions of the picture."""
    cells = outputs[MAP][0, 0]
    row, column = np.unravel_index(int(np.argmax(cells)), cells.shape)
    x_px = (column + 0.5) * fit.canvas_width_px / cells.shape[1]
    y_px = (row + 0.5) * fit.canvas_height_px / cells.shape[0]
    x_frac, y_frac = fit.to_fractions(np.array([[x_px, y_px, x_px, y_px]]))[0, :2].tolist()
    return x_frac, y_frac


def export_for(sizes_px: Sequence[tuple[int, int]], width_px: int, height_px: int) -> tuple[int, int]:
    """The cheapest canvas that shows a picture about as sharply as the best one would.

    A landscape picture at analysis size goes to 320×192; tall and square ones of 320 pixels to 320×320;
    larger ones to 416×416. Enlarging a picture counts for nothing.
    """
    sharpness = {size: min(1.0, size[0] / width_px, size[1] / height_px) for size in sizes_px}
    enough = _SHARP_ENOUGH_FRAC * max(sharpness.values())
    return min((size for size in sizes_px if sharpness[size] >= enough), key=lambda size: size[0] * size[1])


def places_of(outputs: Inputs, size_px: tuple[int, int]) -> tuple[FloatArray, BoxesAt]:
    """Scores [classes, N] of a graph's places, and what makes the boxes of some of them, in canvas pixels.

    Graphs of before 0.4.0 name boxes [N, 4] beside scores [N, classes].
    """
    if "boxes" in outputs:
        return outputs["scores"][0].T, outputs["boxes"][0].__getitem__
    return outputs["scores"][0], partial(boxes_at, outputs["sides"][0], size_px)


def boxes_at(sides: FloatArray, size_px: tuple[int, int], places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Boxes [n, 4] x1 y1 x2 y2 of `places` [n] on a canvas (width, height); `sides` [4 × bins, N] are the graph's.

    Each side is so many strides away from the place's corner of its cell: the mean of a distribution over 0, 1, 2, …
    given by logits. Places lie row by row, the finest grid first.
    """
    corners, strides = _cells(size_px)
    logits = sides[:, places].T.reshape(len(places), 4, len(sides) // 4)
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(odds.shape[2], dtype=np.float32)
    distances = (odds @ bins) / odds.sum(axis=2) * strides[places, None]
    return np.asarray(np.tile(corners[places], 2) + distances * (-1, -1, 1, 1), np.float32)


@cache
def _cells(size_px: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The corner [N, 2] x y of each place on a canvas (width, height), and its stride [N], pixels."""
    corners, strides = [], []
    for stride in STRIDES_PX:
        rows, columns = np.mgrid[0 : -(-size_px[1] // stride), 0 : -(-size_px[0] // stride)]
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1) * stride)
        strides.append(np.full(rows.size, stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def decode(scores_prob: FloatArray, boxes: BoxesAt, min_score_prob: float | FloatArray) -> Raw:
    """Scores [classes, N] and what makes boxes of places → the at most 100 boxes that stay, by falling score.

    `min_score_prob` is one least score, or one per class.
    """
    likely = scores_prob >= np.reshape(min_score_prob, (-1, 1))
    # Flat, because numpy looks through two dimensions at a fraction of the speed of one.
    classes, places = np.divmod(np.flatnonzero(likely), max(1, scores_prob.shape[1]))
    scores = scores_prob[classes, places]
    # Equal scores are kept in the order of place and class, so that the same picture gives the same boxes.
    order = np.lexsort((classes, places, -scores))[:_MOST_CANDIDATES]
    classes, places, scores = classes[order], places[order], scores[order]
    corners = boxes(places)
    kept = survivors(corners, classes)[:MOST_BOXES]
    return Raw(corners[kept], scores[kept], classes[kept], places[kept])


def probe_picture(width_px: int, height_px: int) -> Uint8Array:
    """A picture to try a graph on: a shaded ground with upright and lying blocks, the same every time."""
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    picture = np.stack([60 + 120 * rows / height_px, 80 + 90 * columns / width_px, 140 - 60 * rows / height_px], axis=2)
    for place in range(5):
        left, top = (place * 2 + 1) * width_px // 12, (place % 3 + 2) * height_px // 8
        shape_px = (height_px // 3, width_px // 16) if place % 2 else (height_px // 9, width_px // 6)
        picture[top : top + shape_px[0], left : left + shape_px[1]] = (230 - 45 * place, 30 + 40 * place, 90)
    return picture.astype(np.uint8)


def survivors(boxes: FloatArray, classes: NDArray[np.integer]) -> NDArray[np.intp]:
    """Indices of boxes (by falling score) that no better box of their class covers."""
    suppresses = (_overlaps_iou(boxes) > OVERLAP_IOU) & (classes[:, None] == classes[None, :])
    alive = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~suppresses[index, index + 1 :]
    return np.flatnonzero(alive)


def _overlaps_iou(boxes: FloatArray) -> FloatArray:
    """Intersection over union of each box with each: [n, 4] → [n, n]."""
    left, top, right, bottom = boxes.T
    inner = _shared(left, right) * _shared(top, bottom)
    areas = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    return np.asarray(inner / np.maximum(areas[:, None] + areas[None] - inner, 1e-9), np.float32)


def _shared(low: FloatArray, high: FloatArray) -> FloatArray:
    """How much of a line each of n spans shares with each: [n], [n] → [n, n]."""
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    return np.asarray(np.maximum(shared, 0.0), np.float32)


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """Corners in fractions as a Box."""
    return Box(left_frac=left, top_frac=top, right_frac=right, bottom_frac=bottom)


def corners_of(found: Sequence[Detection]) -> FloatArray:
    """Boxes as corners x1 y1 x2 y2 in fractions: float32 [n, 4]."""
    boxes = [(one.box.left_frac, one.box.top_frac, one.box.right_frac, one.box.bottom_frac) for one in found]
    return np.array(boxes, np.float32).reshape(-1, 4)
