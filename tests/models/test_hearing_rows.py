"""A row of the label head fitted anew, written into published files and nothing else; what the later sources say."""

import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="training needs the extra `train`")
pytest.importorskip("onnxruntime", reason="needs a runtime")
pytest.importorskip("soundfile", reason="training needs the extra `train`")

import onnx
import onnxruntime

from models.hearing import catalogue, found, rows
from models.hearing.export import to_onnx
from models.hearing.labels import INDEX, LABELS
from models.hearing.net_mn import HearingMn
from models.hearing.train import ClipScores
from models.packing import halve

SCREAM, SHOT, BLAST, BABY = (INDEX[label] for label in ("scream", "gunshot", "explosion", "baby_cry"))


def linear(seed: int) -> torch.nn.Linear:
    torch.manual_seed(seed)
    return torch.nn.Linear(512, len(LABELS))


def heard(truth: np.ndarray, clip: list[int], group: list[int]) -> rows.Sounds:
    scores = SimpleNamespace(truth=truth, clip=np.array(clip), group=np.array(group))
    scores.clips = lambda logits: np.array([logits[scores.clip == one].max(axis=0) for one in range(len(truth))])
    return rows.Sounds(cast(ClipScores, scores), np.ones((len(clip), 512), np.float32))


def test_only_the_rows_that_are_fitted_move() -> None:
    head, rng = linear(0), np.random.default_rng(0)
    hidden = rng.normal(size=(60, 512)).astype(np.float32)
    truth = np.zeros((60, len(LABELS)), np.float32)
    truth[:30, [SCREAM, SHOT]] = 1.0
    hidden[:30, 7] += 3.0
    asked = rows.Asked(hidden, truth, np.full_like(truth, 1 / 60))
    fitted = rows.refitted(head, [asked], ("scream",))
    others = [row for row in range(len(LABELS)) if row != SCREAM]
    assert torch.equal(fitted.weight[others], head.weight[others])
    assert torch.equal(fitted.bias[others], head.bias[others])
    said = fitted(torch.as_tensor(hidden))[:, SCREAM].detach().numpy()
    assert said[:30].min() > said[30:].max()


def test_a_file_gets_the_row_and_keeps_the_rest_to_the_bit(tmp_path) -> None:
    torch.manual_seed(1)
    to_onnx(HearingMn().eval(), tmp_path / "whole.onnx")
    halve(tmp_path / "whole.onnx", tmp_path / "half.onnx")
    picture = {"logmel": np.random.default_rng(2).uniform(-2, 2, (1, 1, 200, 64)).astype(np.float32)}

    def says() -> list[np.ndarray]:
        return onnxruntime.InferenceSession(str(tmp_path / "half.onnx")).run(None, picture)

    before = says()
    rows.put(tmp_path / "half.onnx", linear(3), ("scream",))
    after = says()
    others = [row for row in range(len(LABELS)) if row != SCREAM]
    assert np.array_equal(before[0][:, others], after[0][:, others])
    assert before[0][0, SCREAM] != after[0][0, SCREAM]
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(before[1:], after[1:], strict=True))


def test_a_graph_trained_beside_the_files_knows_them_by_their_new_hashes(tmp_path) -> None:
    path = tmp_path / "fusion.json"
    path.write_text(json.dumps({"needs": {"vision": ["v"], "hearing": ["a", "b", "older"]}}))
    rows.still_fit(path, ["a", "b"], ["c", "d"])
    assert json.loads(path.read_text())["needs"] == {"vision": ["v"], "hearing": ["c", "d", "older"]}


def test_files_that_have_the_row_are_not_moved_again(tmp_path, monkeypatch) -> None:
    (tmp_path / "hearing.json").write_text(json.dumps({"training": {"rows": {}}}))
    monkeypatch.setattr("sys.argv", ["rows", "--leave", "a", "--zoo", str(tmp_path)])
    with pytest.raises(SystemExit, match="already"):
        rows.main()


def test_a_file_without_a_head_is_refused(tmp_path) -> None:
    graph = onnx.helper.make_graph([], "none", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(ValueError, match=r"head\.weight"):
        rows.put(tmp_path / "other.onnx", linear(0))


def test_a_label_is_asked_for_where_its_event_is() -> None:
    """A scream of three windows, loud in one; a shot; a doubted scream; a crying baby."""
    truth = np.zeros((4, len(LABELS)), bool)
    truth[[0, 2], SCREAM] = True
    truth[1, SHOT] = truth[3, BABY] = True
    sounds = heard(truth, [0, 0, 0, 1, 2, 3], [0, 1, 2, 3])
    logits = np.full((6, len(LABELS)), -5.0, np.float32)
    logits[1, SCREAM] = 4.0
    surely_not = np.zeros_like(truth)
    surely_not[2, SCREAM] = True
    asked = rows.asked_of(sounds, logits, np.ones(4, bool), surely_not)
    assert asked.weight[:, SCREAM].tolist() == pytest.approx([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    assert asked.weight[:, BLAST].sum() == pytest.approx(rows.LATER_SHARE)
    assert np.flatnonzero(asked.weight[:, BABY]).tolist() == [5]  # nobody notes every baby


def test_what_may_be_taken_for_a_label_is_not_asked_about() -> None:
    truth = np.zeros((2, len(LABELS)), bool)
    truth[0, BLAST] = truth[1, SHOT] = True
    logits = np.zeros((2, len(LABELS)), np.float32)
    asked = rows.asked_of(heard(truth, [0, 1], [0, 1]), logits, np.ones(2, bool), np.zeros_like(truth))
    assert asked.weight[:, SHOT].tolist() == pytest.approx([0.0, rows.LATER_SHARE])


@pytest.mark.parametrize(
    ("repo", "path", "labels"),
    [
        ("fegennari/3DWorld", "sounds/smokealarm.wav", ("alarm", "smoke_alarm")),
        ("fegennari/3DWorld", "sounds/reload.wav", None),
        ("cxong/cdogs-sdl", "sounds/footsteps/boots/0.ogg", ("footsteps",)),
        ("assaultcube/AC", "packages/audio/weapon/sniper_reload.ogg", None),
        ("jintachi/gwj87", "assets/sounds/gunshot_deep.mp3", ("gunshot",)),
        ("bahad/soundapp", "assets/sounds/goat_scream.mp3", None),
        ("iWuna/FE13-master", "sound/f13weapons/hunting_rifle.ogg", ("gunshot",)),
    ],
)
def test_later_sources_say_what_a_file_is(repo: str, path: str, labels: tuple[str, ...] | None) -> None:
    listed = catalogue.listing(repo, path)
    assert (listed.labels if listed else None) == labels


def test_what_nobody_learns_is_later_and_halves_share_nothing() -> None:
    assert catalogue.KEPT <= catalogue.LATER
    assert {catalogue.half(repo) for repo in catalogue.LATER} == set(catalogue.HALVES)
    assert catalogue.half("SS13/green_old") == catalogue.half("NordCello/Escape-From-Nevado")
    assert catalogue.half("karolpiczak/ESC-10") is None
    assert set(found.REPOSITORIES) <= catalogue.LATER
