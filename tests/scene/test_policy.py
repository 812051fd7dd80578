"""The tables name kinds that exist."""

import pytest

from agent.kinds import KINDS
from agent.scene.policy import RULES, SUPPORTS, Policy


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
