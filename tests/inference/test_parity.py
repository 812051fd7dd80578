"""ONNX Runtime and OpenVINO agree on every shipped file, in what the agent would do with it.

Integer kernels round differently, so an int8 file's numbers differ a little from runtime to runtime; nothing
that matters may. The tolerances are stated here, and the figures behind them in docs/decisions.
"""

import importlib.util
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from agent.capture.source import SourceSpec, open_media
from agent.features.letterbox import letterbox, to_tensor
from agent.features.logmel import log_mel
from agent.features.windows import SoundWindows
from agent.inference.calibrated import scores_of
from agent.inference.card import Card, ModelFile, load_card, zoo_folder
from agent.inference.hearing import probe_sound, tensor_of
from agent.inference.onnx_runtime import OnnxRuntime
from agent.inference.vision import Raw, decode, places_of, probe_picture
from agent.types import Frame, SoundBlock

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("openvino"), reason="OpenVINO is not installed: nothing to compare with"
)

CLEAR_PROB, FOUND_PROB = 0.4, 0.25
SAME_IOU = 0.5
"""A thing that one runtime finds clearly (0.4 or more) the other one must find too (0.25 or more, IoU 0.5)."""
MOST_SCORE_MEDIAN = {"int8": 0.03, "fp16": 0.002}
MOST_SCORE_P95 = {"int8": 0.12, "fp16": 0.01}
MOST_SCENE_P95 = {"int8": 0.12, "fp16": 0.01}
MOST_SCENE_PROB = {"int8": 0.3, "fp16": 0.01}
"""Of fire and smoke: 95 in 100 pictures, and every picture. One picture opens nothing; three seconds of them do."""
LEAST_FOUND_FRAC = {"int8": 0.97, "fp16": 1.0}
MOST_SOUND_PROB_P99 = {"int8": 0.1, "fp16": 0.01}
"""Of all windows and labels, 99 in 100 probabilities differ by less than this."""
CLIPS = ("fall.mp4", "fire.mp4", "intrude.mp4", "walkby.mp4")


def shipped(name: str) -> list[object]:
    """Every file of a shipped card as a test parameter, or one that is skipped."""
    if not (zoo_folder() / f"{name}.json").exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"the zoo holds no {name}.json yet"))]
    return [pytest.param(model_file, id=model_file.file) for model_file in load_card(name).files]


def both(card: Card, model_file: ModelFile):
    from agent.inference.openvino_runtime import OpenVinoRuntime

    path = card.path_of(model_file)
    return OnnxRuntime(path), OpenVinoRuntime(path)


def items(*, pictures: bool) -> Iterator[Frame | SoundBlock]:
    for clip in CLIPS:
        url = str(Path(str(files("agent.service"))) / "clips" / clip)
        spec = SourceSpec(
            camera=clip, url=url, width_px=416, height_px=416, analysis_fps=1.0,
            want_picture=pictures, want_sound=not pictures,
        )  # fmt: skip
        with open_media(spec) as media:
            yield from media.read()


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [probe_picture(416, 416), *(item.picture for item in items(pictures=True) if isinstance(item, Frame))]


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    cut: list[np.ndarray] = [probe_sound(), np.zeros_like(probe_sound())]
    streams: dict[str, SoundWindows] = {}
    for item in items(pictures=False):
        if isinstance(item, SoundBlock):
            stream = streams.setdefault(item.camera, SoundWindows())
            cut += [window.samples for window in stream.push(item.samples, item.at_ns)]
    return cut


def best_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inner = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return inner / (areas - inner + 1e-9)


def missing_and_differences(clear: Raw, other: Raw) -> Iterator[float | None]:
    """For each clear find of one runtime the difference of scores in the other, None where it is not found."""
    for box, score, kind in zip(clear.boxes, clear.scores_prob, clear.classes, strict=True):
        same = other.classes == kind
        overlaps = np.where(same, best_iou(box, other.boxes), 0.0)
        fits = np.flatnonzero(overlaps >= SAME_IOU)
        yield float(np.abs(other.scores_prob[fits] - score).min()) if len(fits) else None


@pytest.mark.parametrize("model_file", shipped("vision"))
def test_both_runtimes_see_the_same_things(model_file, pictures):
    card = load_card("vision")
    runtimes = both(card, model_file)
    differences: list[float | None] = []
    scene_differences: list[float] = []
    # Half precision is computed in single on a CPU, slowly and alike: a few pictures tell.
    for picture in pictures if model_file.precision == "int8" else pictures[::4]:
        image = {"image": to_tensor(letterbox(picture, *model_file.size_px)[0])}
        a, b = (runtime.run(image) for runtime in runtimes)
        for one, other in ((a, b), (b, a)):
            clear = decode(*places_of(one, model_file.size_px), CLEAR_PROB)
            differences += missing_and_differences(clear, decode(*places_of(other, model_file.size_px), FOUND_PROB))
        scenes = [scores_of(card, card.scene_labels, output["scene"][0]) for output in (a, b)]
        scene_differences += [abs(one.prob - other.prob) for one, other in zip(*scenes, strict=True)]
    found = np.array([difference for difference in differences if difference is not None])
    sys.stdout.write(  # shown by `pytest -rP`
        f"{model_file.file}: of {len(differences)} clear finds {len(found)} in both; score differs by "
        f"{np.median(found):.4f} (median), {np.percentile(found, 95):.4f} (95 %), "
        f"fire and smoke by {np.percentile(scene_differences, 95):.4f} (95 %), {max(scene_differences):.4f} (all)\n"
    )
    assert len(found) >= 5, "too few things in the pictures to compare"
    assert len(found) / len(differences) >= LEAST_FOUND_FRAC[model_file.precision]
    assert np.median(found) <= MOST_SCORE_MEDIAN[model_file.precision]
    assert np.percentile(found, 95) <= MOST_SCORE_P95[model_file.precision]
    assert np.percentile(scene_differences, 95) <= MOST_SCENE_P95[model_file.precision]
    assert max(scene_differences) <= MOST_SCENE_PROB[model_file.precision]


@pytest.mark.parametrize("model_file", shipped("hearing"))
def test_both_runtimes_hear_the_same_things(model_file, windows):
    card = load_card("hearing")
    a, b = both(card, model_file)
    differences = []
    for samples in windows:
        tensor = {"logmel": tensor_of(log_mel(samples))}
        probs = [
            [score.prob for score in scores_of(card, card.labels, runtime.run(tensor)["logits"][0])]
            for runtime in (a, b)
        ]
        differences.append(np.abs(np.subtract(*probs)))
    p50, p99, most = np.percentile(differences, [50, 99, 100])
    sys.stdout.write(
        f"{model_file.file}: probabilities differ by {p50:.4f} (median), {p99:.4f} (99 %), {most:.4f} (all)\n"
    )
    assert p99 <= MOST_SOUND_PROB_P99[model_file.precision]
