"""How well postures are told, as the product tells them: found boxes, read out at their place.

Balanced accuracy: the mean over upright, crouched and lying of how many are told right, of the people who are found
(score 0.1 and more, after suppression, IoU 0.5). Truth: drawn joints of COCO's validation pictures, and, apart,
rendered scenes that nothing was learned from. 95 % by picture or scene.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.features.letterbox import STILL_STRETCH, letterbox, to_tensor
from agent.inference.vision import LIVE_SCORE_PROB, decode, places_of
from agent.types import POSTURES
from models.resampling import group_interval
from models.vision import people
from models.vision.data import ROOT, shared_folder
from models.vision.people import Shown

Outputs = dict[str, NDArray[np.float32]]
LEAST_IOU = 0.5
BOOTSTRAPS = 200
RENDERED_SHARE = 3
"""Every so-many-th of the pictures that `people` yields: one a second."""
REPOSITORIES = Path(os.environ.get("VEDETTE_REPOSITORIES", ROOT / "build/repositories"))


def iou(box: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of one box with each."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), 1)
    both = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    return np.asarray(shared / np.maximum(both - shared, 1e-6), np.float64)


def validation_sets() -> dict[str, list[Shown]]:
    """By name; a set whose data is not here is left out."""
    sets = {"rendered": list(people.rendered_people(ROOT / "build/scenes", held=True))[::RENDERED_SHARE]}
    if REPOSITORIES.exists():
        sets["people"] = list(people.validation_people(shared_folder(), REPOSITORIES))
    return {name: shown for name, shown in sets.items() if shown}


def told(
    predict: Callable[[NDArray[np.float32]], Outputs], shown: list[Shown], size: tuple[int, int], stretch: float = 1.0
) -> list[tuple[str, int, int]]:
    """(group, true posture, told posture) of each person; -1: not found."""
    rows = []
    for one in shown:
        height, width = one.picture.shape[:2]
        canvas, fit = letterbox(one.picture, *size, stretch)
        truths = fit.to_canvas(one.boxes / (width, height, width, height))
        out = predict(to_tensor(canvas))
        scores, boxes = places_of(out, size)
        found = decode(scores[:1], boxes, LIVE_SCORE_PROB)
        for truth, posture in zip(truths, one.postures, strict=True):
            fits = iou(truth, found.boxes) * (iou(truth, found.boxes) >= LEAST_IOU) if len(found.boxes) else np.zeros(0)
            there = len(fits) and fits.max() > 0
            place = found.places[int(np.argmax(found.scores_prob * (fits > 0)))] if there else -1
            rows.append((one.group, posture, int(np.argmax(out["posture"][0, :, place])) if there else -1))
    return rows


def balanced(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Mean over the postures of the share told right."""
    shares = [(said[truth == k] == k).mean() for k in range(len(POSTURES)) if (truth == k).any()]
    return float(np.mean(shares)) if shares else float("nan")


def interval(rows: list[tuple[str, int, int]], seed: int = 0) -> tuple[float, float]:
    """95 % of the balanced accuracy, groups drawn again."""
    groups, told = [group for group, _, _ in rows], np.array([(truth, said) for _, truth, said in rows])
    low, high = group_interval(
        groups,
        lambda drawn: balanced(told[drawn, 0], told[drawn, 1]),
        rounds=BOOTSTRAPS,
        seed=seed,
        order=dict.fromkeys(groups),
    )
    return round(low, 4), round(high, 4)


def rows_of(
    predict: Callable[[NDArray[np.float32]], Outputs], sets: dict[str, list[Shown]], size: tuple[int, int]
) -> Iterator[tuple[str, str, float, tuple[float, float] | None, int]]:
    """(metric, label, value, 95 %, n) of one file."""
    for name, shown in sets.items():
        still = size == (416, 416) and name == "people"
        for ending, stretch in (("", 1.0), ("_stretched", STILL_STRETCH))[: 2 if still else 1]:
            rows = told(predict, shown, size, stretch)
            found = [row for row in rows if row[2] >= 0]
            truth, said = np.array([row[1] for row in found]), np.array([row[2] for row in found])
            yield f"posture{ending}", name, balanced(truth, said), interval(found), len(found)
            if ending:
                continue
            for index, posture in enumerate(POSTURES):
                mine = truth == index
                if mine.any():
                    yield f"posture_{posture}", name, float((said[mine] == index).mean()), None, int(mine.sum())
            yield "posture_found", name, len(found) / len(rows), None, len(rows)
