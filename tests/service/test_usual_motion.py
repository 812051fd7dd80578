"""What learned normality reads of pictures: the same as `Seer` adds by itself, and not under overload."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent.config.schema import Analysis, Models
from agent.inference.card import load_card
from agent.inference.see import Seer
from agent.inference.vision import VisionModel
from agent.service.channels import NewestFrames, SoundQueue
from agent.service.sensing import Sensing
from agent.service.telemetry.measures import Measures
from agent.service.usual_motion import UsualMotion
from agent.types import Frame, Seen
from tests.inference import tiny
from tests.inference.machines import machine


@pytest.fixture
def model(tmp_path: Path) -> VisionModel:
    tiny.save_vision_card(tmp_path)
    return VisionModel(load_card("vision", tmp_path), Models(), machine({}))


def frame(index: int) -> Frame:
    """A bar moves for two seconds, then stands."""
    picture = np.full((180, 320, 3), 40, np.uint8)
    left = 10 + 5 * min(index, 20)
    picture[60:120, left : left + 30] = 250
    return Frame(camera="yard", at_ns=index * 100_000_000, picture=picture, width_px=1920, height_px=1080)


def test_it_is_what_the_eye_adds_by_itself(model: VisionModel) -> None:
    whole, bare, usual = Seer(model, Analysis(), with_flow=True), Seer(model, Analysis()), UsualMotion()
    flows = 0
    for index in range(60):
        expected = whole.see(frame(index))
        assert usual.added(frame(index), bare.see(frame(index))) == expected
        flows += expected.flow is not None and bool(expected.flow.cells)
    assert flows > 10


@pytest.mark.parametrize("with_flow", [True, False])
@pytest.mark.parametrize("level", ["none", "leaner"])
def test_it_rests_under_overload_as_closer_looks_do(model: VisionModel, level: str, with_flow: bool) -> None:
    told: list[Seen] = []
    asked: list[bool] = []
    stop = threading.Event()

    class Eye(Seer):
        def see(self, frame: Frame, *, smaller: bool = False, closely: bool = True) -> Seen:
            asked.append(closely)
            return super().see(frame, smaller=smaller, closely=closely)

    def tell(seen: Seen) -> None:
        told.append(seen)
        if len(told) == 10:
            stop.set()
        else:
            frames.put(frame(len(told)))

    def nothing(*_: Any, **__: Any) -> None:
        """Where nobody is asked."""

    load = SimpleNamespace(level=level, leaner=level != "none", smaller=False, note=nothing, reasons=list)
    others = SimpleNamespace(seen=nothing)
    frames = NewestFrames()
    sensing = Sensing(
        with_flow=with_flow, frames=frames, sound=SoundQueue(), tell=tell,
        senses=SimpleNamespace(seer=lambda _: Eye(model, Analysis())), source_of=nothing, snapshots=others,
        clips=others, report=others, measures=Measures(), drift=others, drills=others, load=load, beat=nothing,
        clock_s=lambda: 0.0,
    )  # type: ignore[arg-type]  # only what is looked at  # fmt: skip
    frames.put(frame(0))
    sensing.see(stop)
    assert asked == [level == "none"] * 10
    assert any(seen.flow is not None for seen in told) == (with_flow and level == "none")
