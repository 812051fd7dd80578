"""`vedette detect` as a scoring script uses it: COCO in, COCO out, bad pictures named and skipped."""

import json

import cv2
import numpy as np
import pytest

from agent.inference.card import load_card, zoo_folder
from tests.cli.outside import empty_and_zoo, left_in_home, vedette
from tests.inference import tiny


@pytest.fixture
def work(tmp_path):
    """An empty folder to run in; pictures and models lie elsewhere."""
    empty, zoo = empty_and_zoo(tmp_path)
    tiny.save_vision_card(zoo)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index, (width, height) in enumerate([(640, 480), (100, 300), (1, 1)]):
        cv2.imwrite(str(pictures / f"p{index}.jpg"), np.full((height, width, 3), 200, np.uint8))
    return empty


def run(work, *arguments):
    return vedette("detect", work.parent / "pictures", "--models", work.parent / "zoo", *arguments, cwd=work)


def test_results_are_coco_boxes_of_every_picture_with_its_file_name_as_id(work):
    ended = run(work, "--out", "results.json")
    assert ended.code == 0, ended.err
    assert ended.out == ""
    results = json.loads((work / "results.json").read_text())
    assert {result["image_id"] for result in results} == {"p0.jpg", "p1.jpg", "p2.jpg"}
    for result in results:
        assert set(result) == {"image_id", "category_id", "bbox", "score"}
        assert result["score"] >= 0.01
        width, height = {"p0.jpg": (640, 480), "p1.jpg": (100, 300), "p2.jpg": (1, 1)}[result["image_id"]]
        x, y, w, h = result["bbox"]
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= width * 1.000001
        assert y + h <= height * 1.000001
    assert {result["category_id"] for result in results} <= {1, 3, *range(100, 178)}


def test_nothing_but_the_results_is_written(work):
    run(work, "--out", "results.json")
    assert sorted(path.name for path in work.iterdir()) == ["results.json"]
    assert left_in_home(work) == []


def test_a_picture_has_at_most_a_hundred_boxes_by_falling_score(work):
    results = json.loads(run(work, "--out", "-").out)
    for name in ("p0.jpg", "p1.jpg"):
        scores = [result["score"] for result in results if result["image_id"] == name]
        assert 0 < len(scores) <= 100
        assert scores == sorted(scores, reverse=True)


def test_stdout_carries_only_json_and_progress_goes_to_stderr(work):
    ended = run(work, "--out", "-")
    assert isinstance(json.loads(ended.out), list)
    assert "3 of 3" in ended.err


def test_with_annotations_only_the_listed_pictures_come_with_their_ids(work):
    images = [{"id": 77, "file_name": "p1.jpg"}, {"id": 5, "file_name": "p0.jpg"}]
    (work.parent / "coco.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    ended = run(work, "--annotations", work.parent / "coco.json", "--out", "-")
    assert ended.code == 0
    results = json.loads(ended.out)
    assert {result["image_id"] for result in results} == {77, 5}
    assert max(result["bbox"][0] + result["bbox"][2] for result in results if result["image_id"] == 77) <= 100.001


def test_bad_pictures_are_named_the_rest_runs_and_the_code_is_four(work):
    pictures = work.parent / "pictures"
    (pictures / "empty.jpg").write_bytes(b"")
    (pictures / "garbage.png").write_bytes(bytes(range(256)) * 20)
    (pictures / "notes.txt").write_text("not a picture, not looked at")
    ended = run(work, "--out", "-")
    assert ended.code == 4
    assert {result["image_id"] for result in json.loads(ended.out)} == {"p0.jpg", "p1.jpg", "p2.jpg"}
    assert "empty.jpg is no picture: it is empty" in ended.err
    assert "garbage.png is no picture" in ended.err
    assert "notes.txt" not in ended.err
    assert "Traceback" not in ended.err


def test_a_listed_picture_that_is_missing_is_named_and_the_code_is_four(work):
    images = [{"id": 1, "file_name": "gone.jpg"}, {"id": 2, "file_name": "p0.jpg"}]
    (work.parent / "coco.json").write_text(json.dumps({"images": images}))
    ended = run(work, "--annotations", work.parent / "coco.json", "--out", "-")
    assert ended.code == 4
    assert "gone.jpg" in ended.err
    assert {result["image_id"] for result in json.loads(ended.out)} == {2}


def test_an_orientation_in_exif_turns_nothing(work):
    plain = (work.parent / "pictures" / "p1.jpg").read_bytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6: turn by 90°
    body = b"Exif\0\0" + tiff
    turned = plain[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + plain[2:]
    (work.parent / "pictures" / "turned.jpg").write_bytes(turned)
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (100, 300)
    results = json.loads(run(work, "--out", "-").out)
    boxes = {name: [r["bbox"] for r in results if r["image_id"] == name] for name in ("p1.jpg", "turned.jpg")}
    assert boxes["turned.jpg"] == boxes["p1.jpg"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"images": [{"id": 1}]}', '{"images": [{"id": [], "file_name": 1}]}']
)
def test_what_is_no_annotation_file_is_told_in_one_line(work, content):
    (work.parent / "coco.json").write_text(content)
    ended = run(work, "--annotations", work.parent / "coco.json", "--out", "-")
    assert ended.code == 1
    assert "is not a COCO annotation file" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_that_is_missing_or_holds_no_picture_ends_with_four(work, folder):
    ended = vedette("detect", folder, "--models", work.parent / "zoo", "--out", "-", cwd=work)
    assert ended.code == 4
    assert ended.err.startswith("error")


def test_a_place_that_cannot_be_written_is_told_before_the_work(work):
    ended = run(work, "--out", "nowhere/results.json")
    assert ended.code == 1
    assert "cannot be written" in ended.err
    assert "of 3" not in ended.err


def test_a_model_with_other_bytes_is_refused_with_six(work):
    (work.parent / "zoo/vision-416x416.int8.onnx").write_bytes(b"tampered")
    ended = run(work, "--out", "-")
    assert ended.code == 6
    assert "sha256" in ended.err


@pytest.mark.skipif(not (zoo_folder() / "vision.json").exists(), reason="the zoo holds no vision model yet")
def test_the_shipped_model_numbers_its_categories_as_coco_does_and_repeats_itself(work):
    card = load_card("vision")
    category_of = dict(zip(card.labels, card.coco_ids, strict=True))
    assert (category_of["person"], category_of["car"], category_of["toothbrush"]) == (1, 3, 90)
    first, second = (
        vedette("detect", work.parent / "pictures", "--out", "-", cwd=work).out for _ in range(2)
    )  # fmt: skip
    assert first == second


def test_a_recording_in_place_of_a_folder_is_told_with_what_plays_it(work):
    recording = work.parent / "hall.mp4"
    recording.write_bytes(b"moving pictures")
    ended = vedette("detect", recording, "--models", work.parent / "zoo", "--out", "-", cwd=work)
    assert ended.code == 4
    assert "hall.mp4 is a file, not a folder of pictures" in ended.err
    assert "vedette replay" in ended.err


def test_a_model_without_words_of_coco_is_refused_with_a_cure(work):
    card = work.parent / "zoo" / "vision.json"
    content = json.loads(card.read_text())
    del content["coco_ids"]
    card.write_text(json.dumps(content))
    ended = run(work, "--out", "results.json")
    assert ended.code == 6
    assert "coco_ids" in ended.err
    assert "fault in Vedette" not in ended.err
    assert not (work / "results.json").exists()
