"""Postures from joints, patches of features, and a head that says the same on a patch as on the whole map."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("tqdm")

from models.vision import people, posture
from models.vision.looker import CHANNELS, patch_at
from models.vision.network import PersonHead, Vision
from models.vision.posture_figures import balanced, interval
from models.vision.postures import CROUCHED, LYING, UPRIGHT, posture_in_room, posture_of, turned


def joints(**places: tuple[float, float]) -> np.ndarray:
    """COCO's 17 joints; both sides of a pair lie in the same place."""
    numbers = {"shoulder": (5, 6), "hip": (11, 12), "knee": (13, 14), "ankle": (15, 16)}
    found = np.zeros((17, 3))
    for name, place in places.items():
        for number in numbers[name]:
            found[number] = (*place, 2)
    return found


STANDING = joints(shoulder=(50, 30), hip=(50, 80), knee=(50, 120), ankle=(50, 160))
SITTING = joints(shoulder=(50, 30), hip=(50, 80), knee=(90, 85), ankle=(90, 125))
KNEELING = joints(shoulder=(50, 30), hip=(52, 80), knee=(55, 118), ankle=(20, 116))
BENDING = joints(shoulder=(100, 78), hip=(50, 80), knee=(50, 120), ankle=(50, 160))
ON_THE_FLOOR = joints(shoulder=(20, 150), hip=(70, 155), knee=(110, 150), ankle=(150, 158))
BOX = np.array([0.0, 0.0, 160.0, 170.0])


@pytest.mark.parametrize(
    ("body", "expected"),
    [(STANDING, UPRIGHT), (SITTING, CROUCHED), (KNEELING, CROUCHED), (BENDING, CROUCHED), (ON_THE_FLOOR, LYING)],
)
def test_joints_say_whether_somebody_stands_crouches_or_lies(body: np.ndarray, expected: int) -> None:
    assert posture_of(body, BOX) == expected


def test_mirrored_joints_say_the_same() -> None:
    for body in (STANDING, SITTING, KNEELING, BENDING, ON_THE_FLOOR):
        mirrored = body * (-1, 1, 1) + (160, 0, 0) * (body[:, 2:] > 0)
        assert posture_of(mirrored, BOX) == posture_of(body, BOX)


Place = tuple[float, float]


def in_room(shoulder: Place, hip: float, knee: Place, ankle: Place) -> dict[str, tuple[float, float, float]]:
    """Joints of a body seen from its side: (forwards, height) of each in metres, the hips at 0 and `hip` high."""
    places = {"shoulder": shoulder, "hip": (0.0, hip), "knee": knee, "ankle": ankle}
    sides = (("l", 0.1), ("r", -0.1))
    return {f"{name}_{side}": (x, y, z) for name, (x, z) in places.items() for side, y in sides}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (in_room((0.0, 1.4), 0.9, (0.0, 0.5), (0.0, 0.1)), UPRIGHT),
        (in_room((0.0, 1.0), 0.5, (0.4, 0.5), (0.4, 0.1)), CROUCHED),  # sits on a chair
        (in_room((0.45, 0.85), 0.9, (0.0, 0.5), (0.0, 0.1)), CROUCHED),  # bends over
        (in_room((-0.5, 0.15), 0.1, (0.4, 0.1), (0.8, 0.1)), LYING),
        (in_room((0.35, 1.25), 0.9, (0.0, 0.5), (0.0, 0.1)), None),  # stoops: between
    ],
)
def test_joints_in_the_room_say_it_for_every_camera(
    body: dict[str, tuple[float, float, float]], expected: int | None
) -> None:
    assert posture_in_room(body) == expected
    for turn in (0.7, 2.0):
        spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        assert posture_in_room({name: spin @ place for name, place in body.items()}) == expected


def test_what_is_between_or_not_labelled_is_left_out() -> None:
    without_legs = joints(shoulder=(50, 30), hip=(50, 80))
    towards_the_camera = joints(shoulder=(50, 80), hip=(50, 85), knee=(50, 88), ankle=(50, 92))
    leaning = joints(shoulder=(90, 40), hip=(50, 80), knee=(50, 120), ankle=(50, 160))
    for body in (without_legs, towards_the_camera, leaning, np.zeros((17, 3))):
        assert posture_of(body, BOX) is None


def test_whoever_is_turned_far_lies_and_a_tilted_camera_changes_nothing() -> None:
    assert [turned(one, 10.0) for one in (UPRIGHT, CROUCHED, LYING)] == [UPRIGHT, CROUCHED, LYING]
    assert [turned(one, -90.0) for one in (UPRIGHT, CROUCHED, LYING)] == [LYING, LYING, None]
    assert [turned(one, 40.0) for one in (UPRIGHT, CROUCHED, LYING)] == [None, None, None]


def test_the_head_says_the_same_of_a_patch_as_of_the_whole_map() -> None:
    torch.manual_seed(0)
    head = PersonHead().eval()
    sizes = ((6, 10), (3, 5))
    levels = [np.random.default_rng(1).normal(size=(CHANNELS, *size)).astype(np.float16) for size in sizes]
    with torch.no_grad():
        maps = (torch.from_numpy(level).float()[None] for level in levels)
        whole = torch.cat([head(*each.split(CHANNELS // 2, 1)).flatten(2) for each in maps], 2)[0].T
    cells = [0, 9, 23, 59, 60, 67, 74]
    patches, inside = zip(
        *(patch_at([level.astype(np.float32) for level in levels], cell) for cell in cells), strict=True
    )
    rows = posture.Rows(
        np.array(patches), np.array(inside), np.zeros(7, np.int64), np.zeros(7, bool),
        np.array(["coco"] * 7), np.array(["g"] * 7), np.zeros(7, np.float32),
    )  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(posture.posture_logits(head, rows), whole[cells], atol=1e-5, rtol=1e-4)


def test_the_person_head_changes_nothing_of_what_the_network_said_before() -> None:
    torch.manual_seed(0)
    net = Vision().eval()
    image = torch.rand(1, 3, 64, 96) * 255
    with torch.no_grad():
        before = net(image)
        net.person = PersonHead().eval()
        after = net(image)
    assert (len(before), len(after)) == (4, 5)
    for old, new in zip(before, after, strict=False):
        assert torch.equal(old, new)
    assert after[4].shape == (1, 3, before[0].shape[2])


def test_no_scene_is_both_learned_from_and_held_back(tmp_path: Path) -> None:
    for name in ("fall", "bed"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"people": []}))
    assert "fall" in people.TAUGHT_SCENES
    assert "bed" not in people.TAUGHT_SCENES
    assert list(people.rendered_people(tmp_path, held=True)) == []  # no clip beside them: left out, not a fault


def test_balanced_accuracy_counts_each_posture_the_same() -> None:
    truth = np.array([0] * 90 + [1] * 8 + [2] * 2)
    assert balanced(truth, np.zeros(100, int)) == pytest.approx(1 / 3)
    assert balanced(truth, truth) == 1.0
    low, high = interval([(f"g{index}", int(one), int(one)) for index, one in enumerate(truth)])
    assert (low, high) == (1.0, 1.0)
