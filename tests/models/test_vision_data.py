"""Nothing of validation or of the outside tests enters training."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training extra not installed")
pytest.importorskip("av")

from models.vision import exclude, records, sources
from models.vision.data import BUILD, INDEX, validation_groups, validation_prints, validation_stills

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VEDETTE_SHARED", str(ROOT.parent / "shared")))
needs_shared = pytest.mark.skipif(not (SHARED / "data/vision").exists(), reason="the shared data are not here")
needs_index = pytest.mark.skipif(not INDEX.exists(), reason="run python -m models.vision.data first")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_item_is_forbidden_by_its_path_by_its_name_and_behind_an_offset() -> None:
    never = frozenset({digest("a/b:dir/x.mp4"), digest("name:y.jpg")})
    assert exclude.is_forbidden(never, "a/b", "dir/x.mp4")
    assert exclude.is_forbidden(never, "a/b", "dir/x.mp4 [from 62s]")
    assert exclude.is_forbidden(never, "a/b", "dir/x.mp4@1.50")
    assert exclude.is_forbidden(never, "c/d", "elsewhere/y.jpg")
    assert not exclude.is_forbidden(never, "c/d", "dir/x.mp4")


def picture(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.kron(small, np.ones((40, 40, 1), np.uint8))


def test_a_rescaled_darkened_or_mirrored_copy_of_a_forbidden_scene_is_dropped_and_another_kept() -> None:
    forbidden = [exclude.fingerprint(picture(1))]
    copies = [picture(1)[::2, ::2], (picture(1) * 0.6).astype(np.uint8), picture(1)[:, ::-1].copy(), picture(2)]
    prints = np.array([exclude.fingerprint(copy) for copy in copies])
    assert exclude.drop_lookalikes(prints, forbidden).tolist() == [False, False, False, True]


def test_the_content_hash_tells_shape_and_pixels_apart() -> None:
    zeros = np.zeros((2, 3, 3), np.uint8)
    assert exclude.content_hash(zeros) != exclude.content_hash(np.zeros((3, 2, 3), np.uint8))
    assert exclude.content_hash(zeros) == exclude.content_hash(zeros.copy())


def test_a_group_lies_wholly_on_one_side() -> None:
    rows = [records.Record("", "s", f"i{n}", "", f"group{n % 7}") for n in range(70)]
    assert all(len({row.split for row in rows if row.group == group}) == 1 for group in {row.group for row in rows})
    assert {records.Record("", "", "", "", f"g{n}").split for n in range(200)} == {"train", "dev"}


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [(1.0, (0, None)), (7.5, (None, None)), (9.0, (1, None)), (70.0, (0, None))],
)
def test_the_moments_of_a_fire_are_labelled_and_its_edges_left_open(
    at_s: float, expected: tuple[object, object]
) -> None:
    assert sources.scene_at("fire", "8-60.0:fire (small)", at_s) == expected


def test_both_labels_come_from_fire_smoke_and_other_clips_have_neither() -> None:
    assert sources.scene_at("fire", "0-14:fire_smoke", 3.0) == (1, 1)
    assert sources.scene_at("normal", "", 3.0) == (0, 0)
    assert sources.scene_at("normal", "0-7.9:hardneg_cigarette_smoke", 3.0) == (0, None)


@needs_shared
@needs_index
def test_no_collected_picture_is_forbidden_or_of_a_validation_group() -> None:
    never = exclude.load_never_train(SHARED / "data/never_train.txt")
    groups = validation_groups(SHARED)
    rows = list(records.read(INDEX))
    assert len(rows) > 1000
    assert [row.item for row in rows if exclude.is_forbidden(never, row.source, row.item)] == []
    assert [row.item for row in rows if row.group in groups] == []


@needs_shared
@needs_index
def test_no_collected_picture_is_a_validation_item_by_path_or_clip() -> None:
    root = SHARED / "data"
    fire = json.loads((root / "vision/fire_smoke/manifest.json").read_text())
    held = {(row["source_repo"], row["original"]) for row in fire if row["split"] == "val"}
    originals = {Path(original).name for original, _ in validation_stills(SHARED)}
    rows = list(records.read(INDEX))
    assert [row.item for row in rows if (row.source, row.item) in held] == []
    assert [row.item for row in rows if Path(row.item.split("@")[0]).name in originals] == []


@needs_shared
@needs_index
def test_no_collected_picture_looks_like_a_validation_picture() -> None:
    held = exclude.SeenScenes(validation_prints(SHARED))
    rows = list(records.read(INDEX))[::5]
    prints = np.array([exclude.fingerprint(sources.read_picture(BUILD / "pictures" / row.file)) for row in rows])
    # Stored pictures were rescaled and compressed once, which moves the likeness by a hair.
    likeness = held.likeness(prints)
    limit = exclude.SAME_SCENE + 0.005
    assert [row.item for row, like in zip(rows, likeness, strict=True) if like >= limit] == []
