"""From scores and boxes of all places to a list of detections: threshold, then NMS per class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.inference.vision import places_of

NMS_IOU = 0.6


@dataclass(frozen=True)
class Detections:
    """`boxes` float32 [n,4] x1 y1 x2 y2, `scores` float32 [n], `classes` int [n] (of 80), best first."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]


Look = Callable[[NDArray[np.uint8]], Detections]
"""RGB picture → detections with boxes as fractions of it."""


def found_in(
    outputs: Mapping[str, NDArray[np.float32]], size_px: tuple[int, int], least_score: float, classes: int | None = None
) -> Detections:
    """What the graph's `outputs` hold on a canvas (width, height), in its pixels; of the first `classes` only."""
    scores, boxes_of = places_of(dict(outputs), size_px)
    return detections(scores[:classes].T, boxes_of(np.arange(scores.shape[1])), least_score)


def detections(
    scores: NDArray[np.float32], boxes: NDArray[np.float32], least_score: float, limit: int = 100
) -> Detections:
    """`scores` [N,80] and `boxes` [N,4] (any unit) → at most `limit` detections."""
    rows, classes = np.nonzero(scores >= least_score)
    values = scores[rows, classes]
    if len(rows) > 1000:
        best = np.argpartition(-values, 1000)[:1000]
        rows, classes, values = rows[best], classes[best], values[best]
    chosen = boxes[rows]
    sides = np.concatenate([chosen[:, :2], chosen[:, 2:] - chosen[:, :2]], 1)
    keep = cv2.dnn.NMSBoxesBatched(sides.tolist(), values.tolist(), classes.tolist(), least_score, NMS_IOU)
    order = np.array(keep, np.int64).reshape(-1)
    order = order[np.argsort(-values[order], kind="stable")][:limit]
    return Detections(chosen[order], values[order], classes[order])
