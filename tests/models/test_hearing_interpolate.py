"""Weights between the student and its teacher, read from trainings and from published files, and the head refitted."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="training needs the extra `train`")
pytest.importorskip("soundfile", reason="training needs the extra `train`")

from models.hearing import data, interpolate, refit
from models.hearing.data import Piece
from models.hearing.export import to_onnx
from models.hearing.labels import INDEX, LABELS
from models.hearing.net_mn import HearingMn
from models.packing import halve


def net(seed: int) -> HearingMn:
    """Random weights; batch normalisation with statistics that folding has to take in."""
    torch.manual_seed(seed)
    made = HearingMn().eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(made.frames_last.bias)
    return made


def said(made: HearingMn) -> list[np.ndarray]:
    picture = torch.rand(2, 1, 200, 64, generator=torch.Generator().manual_seed(0)) * -4
    with torch.inference_mode():
        return [one.numpy() for one in made(picture)]


def test_folding_changes_nothing_that_the_network_says():
    made = net(1)
    before = said(made)
    for ours, theirs in zip(said(interpolate.folded(made)), before, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("shared_bias", [False, True])
def test_a_published_file_gives_the_network_that_was_exported(tmp_path, shared_bias):
    made = net(2)
    if shared_bias:  # the exporter stores equal tensors once
        made.frames_last.bias.data.copy_(made.frames_middle.bias.data)
    to_onnx(made, tmp_path / "whole.onnx")
    halve(tmp_path / "whole.onnx", tmp_path / "half.onnx")
    for ours, theirs in zip(said(interpolate.load(tmp_path / "half.onnx")), said(made), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_a_training_is_read_with_its_normalisation_folded_in(tmp_path):
    made = net(3)
    torch.save(made.state_dict(), tmp_path / "best.pt")
    read = interpolate.load(tmp_path / "best.pt")
    assert interpolate.is_folded(read.state_dict())
    np.testing.assert_allclose(said(read)[0], said(made)[0], atol=1e-4)


def test_the_share_moves_body_and_head_but_no_layer_that_the_teacher_lacks():
    student, start = interpolate.folded(net(4)), interpolate.folded(net(5))
    mixed = interpolate.between(student, start, 0.25)
    ours, theirs = student.state_dict(), start.state_dict()
    torch.testing.assert_close(mixed["head.weight"], 0.75 * ours["head.weight"] + 0.25 * theirs["head.weight"])
    assert torch.equal(mixed["embed.weight"], ours["embed.weight"])
    assert torch.equal(mixed["frames_last.bias"], ours["frames_last.bias"])


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_out_of_range_is_refused(share):
    one = interpolate.folded(net(6))
    with pytest.raises(ValueError, match="between 0 and 1"):
        interpolate.between(one, one, share)


def test_weights_with_normalisation_are_not_mixed():
    with pytest.raises(ValueError, match="folded"):
        interpolate.between(net(7), net(8), 0.3)


def drawn(rng: np.random.Generator, hidden: torch.Tensor) -> refit.Drawn:
    truth = np.zeros((len(hidden), len(LABELS)), np.float32)
    truth[:, INDEX["gunshot"]] = truth[:, INDEX["siren"]] = hidden[:, 0].numpy() > 0
    return refit.Drawn(np.zeros((len(hidden), 1, 200, 64), np.float16), truth, np.ones_like(truth))


def test_the_head_learns_shots_and_leaves_the_rows_of_alarms_alone():
    rng = np.random.default_rng(0)
    hidden = torch.as_tensor(rng.normal(0, 1, (400, 512)).astype(np.float32))
    head = torch.nn.Linear(512, len(LABELS))
    weight, bias = refit.refit_head(head, hidden, drawn(rng, hidden), pull=0.001)
    scores = hidden @ weight.T + bias
    assert ((scores[:, INDEX["gunshot"]] > 0) == (hidden[:, 0] > 0)).float().mean() > 0.9
    for label in refit.KEPT_ROWS:
        assert torch.equal(weight[INDEX[label]], head.weight[INDEX[label]])


def test_a_strong_pull_keeps_every_row():
    rng = np.random.default_rng(1)
    hidden = torch.as_tensor(rng.normal(0, 1, (100, 512)).astype(np.float32))
    head = torch.nn.Linear(512, len(LABELS))
    weight, _ = refit.refit_head(head, hidden, drawn(rng, hidden), pull=1e6)
    torch.testing.assert_close(weight, head.weight.detach(), atol=1e-4, rtol=0)


def test_the_embedding_is_brought_back_to_what_it_was():
    rng = np.random.default_rng(2)
    before = torch.as_tensor(rng.normal(0, 1, (600, 512)).astype(np.float32))
    moved = before @ (torch.eye(512) + 0.01 * torch.as_tensor(rng.normal(0, 1, (512, 512)).astype(np.float32)))
    embed = torch.nn.Linear(512, 128)
    wanted = (before @ embed.weight.T + embed.bias).detach()
    weight, bias = refit.refit_embedding(embed, moved, wanted, pull=0.1)
    rest = ((moved @ weight.T + bias - wanted) ** 2).mean()
    assert rest < 0.1 * ((moved @ embed.weight.T + embed.bias - wanted) ** 2).mean()


def test_windows_are_drawn_from_the_training_part_alone_and_by_the_seed():
    rng = np.random.default_rng(3)
    waves = np.asarray(rng.normal(0, 3000, 6 * 48_000), np.int16)

    def piece(index: int, labels: str, split: str) -> Piece:
        return Piece("o/n", f"{index}.wav", labels, f"g{index}", split, 1, "real", "", index * 48_000, 48_000)

    said = (("gunshot", "train"), ("", "train"), ("siren", "dev"), ("scream", "outside"))
    pieces = [piece(index, *one) for index, one in enumerate(said)]
    first, again = (refit.Drawer(pieces, waves, seed=4).draw(40) for _ in range(2))
    assert np.array_equal(first.x, again.x)
    assert first.truth[:, INDEX["gunshot"]].any()
    assert not first.truth[:, [INDEX["siren"], INDEX["scream"]]].any()
    faint = first.asked[:, INDEX["gunshot"]] == 0
    assert not first.truth[faint, INDEX["gunshot"]].any()


def test_the_command_notes_what_was_mixed(tmp_path, monkeypatch, capsys):
    if not (interpolate.FOLDER / "mn04_as_mAP_432.pt").exists():
        pytest.skip("../shared/data/audio/teachers is missing")
    monkeypatch.setattr(data, "BUILD", tmp_path)
    torch.save(net(9).state_dict(), tmp_path / "student.pt")
    monkeypatch.setattr(
        "sys.argv", ["interpolate", "--student", str(tmp_path / "student.pt"), "--share", "0.3", "--out", "between"]
    )
    interpolate.main()
    noted = json.loads((tmp_path / "between" / "options.json").read_text())
    assert noted["interpolated"] == 0.3
    assert len(noted["student_sha256"]) == 64
    assert interpolate.is_folded(torch.load(tmp_path / "between" / "best.pt", weights_only=True))
