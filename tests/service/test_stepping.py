"""What the scene's windows make of themselves through the fusion graph, live and from a recording."""

from pathlib import Path

from agent.scene import Policy, Scene
from agent.service.recordings import journal
from agent.service.stepping import step_with_fusion
from agent.types import Fused, FusionWindow, IncidentChange, Observation, Score
from tests.scene.observe import blind, closed, kinds, ns
from tests.scene.test_rolling_window import pictures


def violent(window: FusionWindow) -> Fused:
    return Fused(camera=window.camera, at_ns=window.at_ns, scores=(Score(label="fight", prob=0.99, llr=5.0),))


def test_without_a_graph_the_windows_are_left_and_nothing_opens() -> None:
    scene = Scene(Policy())
    changes = [change for picture in pictures(4.0) for change in step_with_fusion(scene, picture, None)]
    assert changes == []
    assert scene.windows() == ()


def test_a_recording_with_its_judgements_replays_to_the_same_incidents_without_the_graph(tmp_path: Path) -> None:
    live: list[IncidentChange] = []
    with journal.Journal(tmp_path / "rec", "[node]\n") as written:
        scene = Scene(Policy())
        for picture in pictures(4.0):
            written.write(picture)
            live += step_with_fusion(scene, picture, violent, written.write)
        live += scene.finish(4_000_000_000, "stopped")
    again: list[IncidentChange] = []
    scene = Scene(Policy())
    for observation in read(tmp_path / "rec"):
        again += step_with_fusion(scene, observation, None)
    again += scene.finish(4_000_000_000, "stopped")
    assert kinds(live) == ["fight"]
    assert again == live


def judged_until(end_s: float) -> list[int]:
    """When the windows end that are judged in a recording that ends so."""
    scene, asked = Scene(Policy(), lateness_ns=0), list[int]()

    def note(window: FusionWindow) -> Fused:
        asked.append(window.at_ns)
        return violent(window)

    for observation in (*pictures(end_s), blind(end_s, "ended")):
        step_with_fusion(scene, observation, note)
    return asked


def test_what_a_recording_shows_last_is_judged_before_it_is_closed() -> None:
    assert judged_until(1.4) == [ns(0.5), ns(1.0), ns(1.4)]
    assert judged_until(1.2) == [ns(0.5), ns(1.0)]  # a fifth of a second tells too little


def test_a_fight_may_open_with_the_last_of_a_recording() -> None:
    scene, changes = Scene(Policy(), lateness_ns=0), list[IncidentChange]()
    for observation in (*pictures(1.0), blind(1.0, "ended")):
        changes += step_with_fusion(scene, observation, violent)
    assert kinds(changes) == ["fight"]
    (end,) = closed(changes)
    assert end.close_reason == "source_ended"


def read(folder: Path) -> list[Observation]:
    return list(journal.read(folder))
