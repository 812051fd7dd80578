"""Fine-tuning moves weights in proportion, and a batch depends on its number alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training extra not installed")

from models.vision import train
from models.vision.detect import Detections
from models.vision.network import Vision
from models.vision.quantised import convs


@pytest.fixture
def net() -> Vision:
    torch.manual_seed(0)
    net = Vision().eval()
    for conv in convs(net):
        conv.quant_out.set_range(-1.0, 1.0)
    return net


def test_a_channel_of_tiny_weights_moves_as_much_for_its_size_as_one_of_large_weights(net: Vision) -> None:
    conv = net.body.stages[0][1].body[0].conv
    with torch.no_grad():
        conv.weight[0] *= 0.01
    before = conv.weight.detach().clone()
    optimiser = train.RelativeAdam(net, 1e-2)
    conv.weight.grad = torch.ones_like(conv.weight)
    optimiser.step(1e-2)
    moved = (before - conv.weight.detach()).flatten(1).mean(1) / before.square().flatten(1).mean(1).sqrt()
    assert moved[0].item() == pytest.approx(1e-2, rel=0.01)
    assert moved[1].item() == pytest.approx(1e-2, rel=0.01)
    assert conv.weight.grad is None


def test_an_interrupted_run_goes_on_with_the_same_steps(net: Vision) -> None:
    def advance(optimiser: train.RelativeAdam, model: Vision, steps: int) -> None:
        for step in range(steps):
            conv = model.body.stem.conv
            conv.weight.grad = torch.full_like(conv.weight, 1.0 + step)
            optimiser.step(1e-2)

    optimiser = train.RelativeAdam(net, 1e-2)
    advance(optimiser, net, 2)
    weights, state = {k: v.clone() for k, v in net.state_dict().items()}, optimiser.state_dict()
    other = Vision().eval()
    other.load_state_dict(weights)
    resumed = train.RelativeAdam(other, 1e-2)
    resumed.load_state_dict(state)
    advance(optimiser, net, 2)
    advance(resumed, other, 2)
    torch.testing.assert_close(other.body.stem.conv.weight, net.body.stem.conv.weight)


def test_the_rate_warms_up_then_falls_and_never_stops() -> None:
    rates = [train.rate_at(step, 200) for step in range(200)]
    assert rates[0] < rates[29]
    assert rates[40] > rates[120] > rates[199] > 0
    assert max(rates) <= 1.0


def test_the_average_follows_quickly_at_first_and_slowly_later(net: Vision) -> None:
    average = Vision().eval()
    average.load_state_dict(net.state_dict())
    with torch.no_grad():
        net.body.stem.conv.bias.add_(1.0)
    start = average.body.stem.conv.bias.detach().clone()
    train.blend(average, net, step=0)
    early = (average.body.stem.conv.bias.detach() - start).mean().item()
    train.blend(average, net, step=100_000)
    late = (average.body.stem.conv.bias.detach() - start).mean().item() - early
    assert early > 0.5
    assert 0 < late < 0.02


def test_teachers_fill_in_what_nobody_drew_and_doubt_forbids_to_learn_absence() -> None:
    drawn = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32), np.array([0])
    said = Detections(
        np.array([[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9], [0.2, 0.2, 0.3, 0.3]], np.float32),
        np.array([0.9, 0.7, 0.2], np.float32),
        np.array([0, 2, 7]),
    )
    boxes, classes, sure, complete = train.believed(*drawn, [0], said)
    assert classes.tolist() == [0, 2]  # the person is the one who was drawn, not the teachers' again
    assert boxes[1].tolist() == pytest.approx([0.6, 0.6, 0.9, 0.9])
    assert sure.tolist() == pytest.approx([1.0, 0.7])
    assert 7 not in complete  # a doubtful truck: nothing is learned from its absence
    assert {0, 2, 5} <= set(complete)


def test_without_teachers_a_picture_keeps_its_own_labels() -> None:
    drawn = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32), np.array([3])
    boxes, classes, sure, complete = train.believed(*drawn, [0], None)
    assert (boxes.shape, classes.tolist(), sure.tolist(), complete) == ((1, 4), [3], [1.0], [0])
