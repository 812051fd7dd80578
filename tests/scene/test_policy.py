"""The tables name kinds that exist."""

import dataclasses
import json

import pytest

from agent.config.schema import Camera, Config, Line, Zone
from agent.kinds import KINDS
from agent.scene.policy import RULES, SUPPORTS, Policy
from agent.service.recordings.journal import decode, encode_policy


def test_the_tables_name_kinds_that_exist() -> None:
    signals = {"thud"}
    for kind, rule in RULES.items():
        assert kind in KINDS
        assert set(rule.silences) | set(rule.absorbs) <= RULES.keys()
        assert rule.threshold_llr > 0
        assert rule.decay_s > 0
    for support in SUPPORTS:
        assert support.kind in RULES
        assert support.signal in RULES.keys() | signals
        assert support.most_llr < RULES[support.kind].threshold_llr


def test_a_policy_refuses_kinds_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown kind 'fal'"):
        Policy(disabled_kinds=frozenset({"fal"}))


def test_a_policy_knows_what_people_call_cameras_zones_and_lines() -> None:
    shape = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    door = Camera(
        url="x",
        name="Eingang Süd",
        zones={"gate": Zone(polygon=shape, name="Garage door"), "yard": Zone(polygon=shape)},
        lines={"sill": Line(line=shape, name="Türschwelle")},
    )
    policy = Policy.of(Config(cameras={"door": door, "back": Camera(url="y")}))
    assert [policy.called(camera) for camera in ("door", "back", "gone")] == ["Eingang Süd", "back", "gone"]
    places = [policy.place_called(["back", "door"], place) for place in ("gate", "yard", "sill", "gone")]
    assert places == ["Garage door", "yard", "Türschwelle", "gone"]
    assert decode(encode_policy(policy)) == policy
    older = json.loads(encode_policy(policy))
    del older["policy"]["names"]  # recorded before there were names
    assert decode(json.dumps(older)) == dataclasses.replace(policy, names={})
