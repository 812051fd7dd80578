"""Another box of our name: known by its states, forgotten when it is silent, never mistaken for ourselves."""

import json
import logging

import pytest

from agent.uplink.mqtt.rivals import FORGOTTEN_S, Rivals


def rivals() -> Rivals:
    return Rivals("box", "vedette/box/state", "0123456789abcdef")


def state(run: str) -> bytes:
    return json.dumps({"node": "box", "run": run}).encode()


def test_our_own_state_and_what_was_said_before_us_are_nobody_else() -> None:
    known = rivals()
    known.hear(state("0123456789abcdef"), retained=False, now_s=1.0)
    known.hear(state("feed"), retained=True, now_s=1.0)
    assert known.remark(1.0) == ""


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_state_is_nobody(payload: bytes) -> None:
    known = rivals()
    known.hear(payload, retained=False, now_s=1.0)
    assert known.remark(1.0) == ""


def test_another_box_is_told_once_and_forgotten_when_it_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    known = rivals()
    with caplog.at_level(logging.ERROR):
        for now_s in (1.0, 31.0, 61.0):
            known.hear(state("feed"), retained=False, now_s=now_s)
    assert len(caplog.records) == 1
    assert known.remark(61.0 + FORGOTTEN_S) == "another box uses the node name box: give each box its own node.name"
    assert known.remark(62.0 + FORGOTTEN_S) == ""


def test_whoever_is_thrown_out_takes_a_client_id_of_its_own_unless_the_broker_minds() -> None:
    known = rivals()
    assert known.suffix == ""
    known.dodge()
    assert known.suffix == "-012345"
    known.stand()
    assert known.suffix == ""
