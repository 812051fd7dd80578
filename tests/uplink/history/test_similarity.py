from datetime import UTC
from typing import Any

import pytest

from agent.uplink.history.similarity import rank
from tests.uplink.made import incident_at


def test_the_same_thing_at_the_same_hour_is_one_and_the_order_is_by_likeness() -> None:
    wanted = incident_at("a", "2026-11-20T23:50:00.000Z")
    again = incident_at("b", "2026-11-14T23:50:00.000Z")
    elsewhere = incident_at("c", "2026-11-14T23:50:00.000Z", cameras=["yard"])
    other_kind = incident_at("d", "2026-11-14T23:50:00.000Z", kind="fire")
    unlike = incident_at("e", "2026-11-14T11:50:00.000Z", kind="scream", cameras=["yard"], signal="scream")
    found = rank(wanted, [unlike, other_kind, elsewhere, again, wanted], UTC)
    assert [message["id"] for _, message in found] == ["b", "c", "d", "e"]
    assert found[0][0] == pytest.approx(1.0)
    assert [likeness for likeness, _ in found[1:3]] == pytest.approx([0.8, 0.65])
    assert found[3][0] == pytest.approx(0.0, abs=1e-6)


def test_shortly_after_midnight_is_near_shortly_before() -> None:
    wanted = incident_at("a", "2026-11-20T23:50:00.000Z")
    near = incident_at("b", "2026-11-20T00:10:00.000Z")
    far = incident_at("c", "2026-11-20T12:10:00.000Z")
    (first, _), (second, _) = rank(wanted, [far, near], UTC)
    assert first == pytest.approx(1.0, abs=0.01)
    assert second == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("others", [[], ["a"]])
def test_where_there_is_no_other_there_is_nothing(others: list[str]) -> None:
    wanted = incident_at("a", "2026-11-20T23:50:00.000Z")
    assert rank(wanted, [wanted for _ in others], UTC) == []


def test_incidents_without_evidence_are_alike_in_that() -> None:
    nothing: dict[str, Any] = {"evidence": []}
    first, second = (incident_at(name, "2026-11-20T12:00:00.000Z") | nothing for name in "ab")
    assert rank(first, [second], UTC)[0][0] == pytest.approx(1.0)
