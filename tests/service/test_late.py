"""What the scene drops because it came too late is told while it lasts."""

from agent.config.schema import Config
from agent.scene import Policy, Scene
from agent.service.late import MANY, PERIOD_NS, SAID, Late
from agent.types import NS_PER_S, Blind, Tick


def test_many_in_a_minute_are_told_and_few_are_not() -> None:
    late = Late()
    assert late.remarks(1000, 0) == []
    assert late.remarks(1000 + MANY - 1, PERIOD_NS) == []
    assert late.remarks(1000 + 2 * MANY, 2 * PERIOD_NS) == [SAID]
    assert late.remarks(1000 + 2 * MANY, 3 * PERIOD_NS - 1) == [SAID]
    assert late.remarks(1000 + 2 * MANY, 3 * PERIOD_NS) == []


def test_the_scene_counts_what_it_drops() -> None:
    scene = Scene(Policy.of(Config()))
    for at_s in (10, 11, 12, 1, 2):
        scene.step(Blind(camera="hall", at_ns=at_s * NS_PER_S, modality="vision", reason="timeout"))
        scene.step(Tick(at_ns=at_s * NS_PER_S))
    assert scene.dropped == 2, "a tick that is late is no loss"
