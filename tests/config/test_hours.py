"""Hours of the week as people write them."""

from datetime import datetime

import pytest

from agent.config.hours import holds, parsed


@pytest.mark.parametrize(
    ("text", "moment", "within"),
    [
        ("mon-fri 22:00-06:00", "2026-11-23T22:00", True),
        ("mon-fri 22:00-06:00", "2026-11-23T21:59", False),
        ("mon-fri 22:00-06:00", "2026-11-28T05:59", True),  # Saturday morning belongs to Friday night
        ("mon-fri 22:00-06:00", "2026-11-28T06:00", False),
        ("mon-fri 22:00-06:00", "2026-11-23T05:00", False),  # Sunday night does not count
        ("sat,sun", "2026-11-21T00:00", True),
        ("sat,sun", "2026-11-23T00:00", False),
        ("fri-mon 08:00-12:00", "2026-11-22T09:00", True),
        ("08:00-12:30", "2026-11-24T12:29", True),
        ("08:00-12:30", "2026-11-24T12:30", False),
        ("00:00-24:00", "2026-11-24T23:59", True),
    ],
)
def test_hours_hold_from_their_first_minute_to_their_last(text: str, moment: str, within: bool) -> None:
    assert holds([parsed(text)], datetime.fromisoformat(moment)) is within


def test_without_hours_it_is_always() -> None:
    assert holds([], datetime.fromisoformat("2026-11-24T12:30"))


@pytest.mark.parametrize("text", ["", "mon-", "mon 8-12", "08:00-12:60", "25:00-26:00", "mon tue", "08:00-12:00 mon"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parsed(text)
    assert "For example" in caught.value.args[1]
