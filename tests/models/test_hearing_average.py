"""The mean of trainings: each tensor's, of one network only, with what each run was made of."""

import json

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from models.hearing import average, data


def run(value: float, shape: tuple[int, ...] = (2,)) -> average.Weights:
    return {"layer.weight": torch.full(shape, value), "norm.num_batches_tracked": torch.tensor(int(value))}


def test_each_tensor_becomes_the_mean_and_counters_stay_the_first_ones():
    found = average.averaged([run(1.0), run(3.0)])
    assert found["layer.weight"].tolist() == [2.0, 2.0]
    assert int(found["norm.num_batches_tracked"]) == 1


@pytest.mark.parametrize("runs", [[], [run(1.0), run(1.0, (3,))], [run(1.0), {"other": torch.ones(2)}]])
def test_nothing_and_different_networks_have_no_mean(runs):
    with pytest.raises(ValueError, match=r"nothing to average|different networks"):
        average.averaged(runs)


def test_the_recipe_of_an_average_names_every_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "BUILD", tmp_path)
    for name, value in (("first", 1.0), ("second", 3.0)):
        (tmp_path / name).mkdir()
        torch.save(run(value), tmp_path / name / "best.pt")
        torch.save({"step": 2000, "best": value / 10}, tmp_path / name / "last.pt")
        (tmp_path / name / "options.json").write_text(json.dumps({"seed": int(value)}))
    monkeypatch.setattr("sys.argv", ["average", "first", "second", "--out", "both"])
    average.main()
    assert average.best(tmp_path / "both")["layer.weight"].tolist() == [2.0, 2.0]
    assert average.recipe(tmp_path / "both") == {
        "averaged": [
            {"seed": 1, "ended_at_step": 2000, "dev_mean_ap": 0.1},
            {"seed": 3, "ended_at_step": 2000, "dev_mean_ap": 0.3},
        ]
    }
    assert "first, second" in capsys.readouterr().out


def test_a_missing_training_is_named_with_its_cure(tmp_path):
    with pytest.raises(SystemExit, match=r"python -m models\.hearing\.train --name gone"):
        average.best(tmp_path / "gone")
