"""Another policy while the scene goes on: what stays, what closes, and why."""

from dataclasses import replace

from agent.config.schema import Zone
from agent.scene import Policy, Scene
from agent.scene.policy import RULES
from agent.types import IncidentChange, Observation
from tests.scene.observe import bang, closed, in_order, kinds, listening, ns, opened, person, watching

EVERYWHERE = Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
GUARDED = Policy(zones={"cam": {"door": EVERYWHERE}})


def standing(end_s: float, start_s: float = 0.0) -> list[Observation]:
    return in_order(watching(end_s, lambda _: [person(0.5, 0.8)], start_s=start_s))


def steps(scene: Scene, observations: list[Observation]) -> list[IncidentChange]:
    return [change for observation in observations for change in scene.step(observation)]


def with_an_intruder() -> Scene:
    scene = Scene(GUARDED)
    assert kinds(steps(scene, standing(5.0))) == ["intrusion"]
    return scene


def test_open_incidents_and_tracks_survive_a_policy_that_allows_them() -> None:
    scene = with_an_intruder()
    before = scene.tracks("cam")
    assert scene.adopt(replace(GUARDED, sensitivity="high")) == ()
    assert scene.tracks("cam") == before
    changes = steps(scene, standing(10.0, start_s=5.0))
    assert not opened(changes)
    assert not closed(changes)
    assert scene.tracks("cam")[0].track_id == before[0].track_id


def test_disarming_closes_what_is_open_as_disarmed_and_nothing_opens_after() -> None:
    scene = with_an_intruder()
    (incident,) = closed(scene.adopt(replace(GUARDED, armed=False)))
    assert (incident.kind, incident.close_reason) == ("intrusion", "disarmed")
    assert steps(scene, standing(10.0, start_s=5.0)) == []


def test_arming_again_opens_what_still_goes_on_as_a_new_incident() -> None:
    scene = with_an_intruder()
    scene.adopt(replace(GUARDED, armed=False))
    steps(scene, standing(8.0, start_s=5.0))
    assert scene.adopt(GUARDED) == ()
    (incident,) = opened(steps(scene, standing(10.0, start_s=8.0)))
    assert (incident.kind, incident.ordinal) == ("intrusion", 2)


def test_disarming_one_camera_leaves_the_others_armed() -> None:
    scene = Scene(Policy(disarmed_cameras=frozenset({"hall"})))
    heard = [bang("gunshot", 3.0, 8.0, 8.0, camera="cam"), bang("scream", 5.0, 8.0, 8.0, camera="hall")]
    assert kinds(steps(scene, in_order(*heard))) == ["gunshot"]


def test_an_incident_shared_by_two_cameras_stays_open_on_the_one_that_is_still_armed() -> None:
    scene = Scene(Policy())
    heard = [bang("gunshot", 3.0, 8.0, 5.0, camera="cam"), bang("gunshot", 3.0, 8.0, 5.0, camera="hall", phase_s=0.1)]
    assert kinds(steps(scene, in_order(*heard))) == ["gunshot"]
    assert scene.adopt(Policy(disarmed_cameras=frozenset({"cam"}))) == ()
    (incident,) = closed(scene.adopt(Policy(disarmed_cameras=frozenset({"cam", "hall"}))))
    assert incident.close_reason == "disarmed"


def test_a_zone_that_is_switched_off_lets_its_incident_fade_and_raises_no_other() -> None:
    scene = with_an_intruder()
    assert scene.adopt(Policy()) == ()
    (incident,) = closed(steps(scene, standing(25.0, start_s=5.0)))
    assert incident.close_reason == "quiet"


def test_the_time_already_spent_in_a_zone_counts_on() -> None:
    door = EVERYWHERE.model_copy(update={"rules": ("loitering",), "loitering_dwell_s": 8.0})
    policy = Policy(zones={"cam": {"door": door}})
    scene = Scene(policy)
    assert steps(scene, standing(5.0)) == []
    scene.adopt(replace(policy, sensitivity="high"))
    (incident,) = opened(steps(scene, standing(10.0, start_s=5.0)))
    assert incident.at_ns < ns(9.0)


def test_the_level_to_pass_moves_with_the_sensitivity_also_for_what_was_heard_before() -> None:
    scene = Scene(Policy(sensitivity="low"))
    assert steps(scene, bang("gunshot", 3.0, 6.5, 4.0)) == []
    scene.adopt(Policy(sensitivity="high"))
    assert kinds(steps(scene, listening(5.0, start_s=3.5))) == ["gunshot"]


def test_a_kind_without_a_rule_is_closed_and_forgotten() -> None:
    scene = Scene(Policy())
    assert kinds(steps(scene, bang("gunshot", 3.0, 8.0, 5.0))) == ["gunshot"]
    rest = {kind: rule for kind, rule in RULES.items() if kind != "gunshot"}
    (incident,) = closed(scene.adopt(Policy(rules=rest)))
    assert incident.close_reason == "disarmed"
    assert scene.beliefs("cam")["gunshot"] == 0.0
    assert steps(scene, listening(8.0, start_s=5.0)) == []


def test_adopting_the_same_policy_changes_nothing() -> None:
    heard = in_order(standing(12.0), bang("scream", 4.0, 8.0, 12.0))
    plain, adopting = Scene(GUARDED), Scene(GUARDED)
    expected, got = steps(plain, heard), []
    for observation in heard:
        got += adopting.step(observation)
        got += adopting.adopt(GUARDED)
    assert got == expected
