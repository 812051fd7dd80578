"""Still pictures in a folder, and what was found in them in COCO's form.

Pictures are taken as they are stored: an EXIF orientation turns nothing, because boxes are told in stored pixels.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.errors import SourceError, VedetteError
from agent.features.letterbox import STILL_STRETCH
from agent.inference.card import Card
from agent.inference.parts import joined, parts_of
from agent.inference.vision import VisionModel, box_of, corners_of
from agent.types import POSTURES, Detection, Uint8Array

STILL_SIZE_PX = (416, 416)
STILL_SCORE_PROB = 0.01
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"})

_READ = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


@dataclass(frozen=True, slots=True)
class Still:
    """A picture to look at and the id that its results carry."""

    image_id: int | str
    path: Path


def stills_in(folder: Path) -> tuple[Still, ...]:
    """The pictures of a folder by name, each with its file name as id.

    Errors: SourceError when the folder cannot be read or holds no picture.
    """
    if folder.is_file():
        raise SourceError(
            f"{folder} is a file, not a folder of pictures",
            fault="not_found",
            cure=f"Put pictures into a folder; for a recording: vedette replay {folder}",
        )
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise _unreadable(f"The folder {folder}", error.strerror or str(error)) from error
    if not paths:
        raise SourceError(
            f"The folder {folder} holds no picture", fault="not_found", cure=f"Known are {', '.join(sorted(SUFFIXES))}."
        )
    return tuple(Still(path.name, path) for path in paths)


def stills_listed(folder: Path, annotations: Path) -> tuple[Still, ...]:
    """The pictures that a COCO annotation file lists, with its ids, in its order.

    Errors: VedetteError when the file is not one.
    """
    try:
        images = json.loads(annotations.read_text("utf-8"))["images"]
        return tuple(Still(_image_id(image["id"]), folder / str(image["file_name"])) for image in images)
    except OSError as error:
        why = error.strerror or str(error)
        raise VedetteError(
            f"The annotations {annotations} cannot be read", why=why, cure="Name another file."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        cure = 'COCO annotations hold {"images": [{"id": 1, "file_name": "a.jpg"}, …]}.'
        raise VedetteError(f"{annotations} is not a COCO annotation file", why=why, cure=cure) from error


def read_still(path: Path) -> Uint8Array:
    """A picture as stored, uint8 [height, width, 3] RGB.

    Errors: SourceError when it is missing, empty or no picture.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise _unreadable(f"The picture {path}", error.strerror or str(error)) from error
    try:
        picture = cv2.imdecode(content, _READ) if content.size else None
    except cv2.error as error:
        raise _no_picture(path, error.err) from error
    if picture is None:
        raise _no_picture(path, "it is empty" if not content.size else "it is damaged or of an unknown format")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def coco_results(model: VisionModel, still: Still) -> list[dict[str, Any]]:
    """Look at one picture, whole and in parts, in the largest export: COCO results, boxes x y w h in stored pixels.

    Errors: SourceError for the picture, ModelError for the model.
    """
    picture = read_still(still.path)
    found = look_closely(model, picture)
    return list(_results(found, still.image_id, model.card, (picture.shape[1], picture.shape[0])))


def look_closely(model: VisionModel, picture: Uint8Array) -> list[Detection]:
    """What a picture shows when it is looked at as a whole and in parts, by falling score.

    Errors: ModelError.
    """
    found: list[Detection] = []
    for part in parts_of(picture):
        sight = model.look(
            part.picture, size_px=STILL_SIZE_PX, min_score_prob=STILL_SCORE_PROB, most_stretch=STILL_STRETCH
        )
        boxes = corners_of(sight.detections)
        seen = zip(sight.detections, part.to_whole(boxes).tolist(), part.holds(boxes), strict=True)
        found += [replace(one, box=box_of(*corners)) for one, corners, held in seen if held]
    scores = np.array([one.score_prob for one in found], np.float32)
    labels = np.array([model.card.labels.index(one.label) for one in found], np.intp)
    return [found[index] for index in joined(corners_of(found), scores, labels)]


def _results(
    found: Sequence[Detection], image_id: int | str, card: Card, size_px: tuple[int, int]
) -> Iterable[dict[str, Any]]:
    category_of = dict(zip(card.labels, card.coco_ids, strict=True))
    width_px, height_px = size_px
    for one in found:
        box = one.box
        corners = (box.left_frac * width_px, box.top_frac * height_px)
        sides = (box.width_frac * width_px, box.height_frac * height_px)
        result: dict[str, Any] = {
            "image_id": image_id,
            "category_id": category_of[one.label],
            "bbox": [_digits(value) for value in (*corners, *sides)],
            "score": _digits(one.score_prob),
        }
        if one.posture_probs is not None:
            result["posture"] = dict(zip(POSTURES, one.posture_probs, strict=True))
        yield result


def _digits(value: float) -> float:
    """As many digits as a float32 holds: more would only make the file larger."""
    return float(f"{value:.8g}")


def _image_id(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"an image id is a number or a text, not {value!r}")
    return value


def _unreadable(what: str, why: str) -> SourceError:
    return SourceError(f"{what} cannot be read", fault="not_found", why=why, cure="Check the path and its permissions.")


def _no_picture(path: Path, why: str) -> SourceError:
    return SourceError(f"{path} is no picture", fault="codec", why=why, cure="Try to open it with another program.")
