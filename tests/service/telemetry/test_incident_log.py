"""What a box's journal says of incidents."""

import logging

import pytest

from agent.service.telemetry.incident_log import IncidentLog
from agent.service.telemetry.loglimit import MOST_LINES, WINDOW_S
from agent.types import IncidentChange
from tests.scene.observe import falling, play, watching


def fell() -> list[IncidentChange]:
    """Somebody falls and lies there, until the scene stops."""
    return play(watching(12, lambda t: [falling(t)]))


def test_a_line_where_it_opens_and_one_where_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    log = IncidentLog()
    with caplog.at_level(logging.INFO):
        for change in fell():
            log.note(change, "0190-1", "the yard", 0.0)
    opens, ends = [record.getMessage() for record in caplog.records]
    assert opens.startswith("critical fall: Person fell at cam")
    assert ends.startswith("critical fall at the yard is over after ")
    assert all("(0190-1)" in line for line in (opens, ends))


def test_a_storm_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    log, (opened, *_) = IncidentLog(), fell()
    with caplog.at_level(logging.INFO):
        for _ in range(MOST_LINES + 5):
            log.note(opened, "0190-1", "the yard", 0.0)
        log.tend(WINDOW_S)
    assert len(caplog.records) == MOST_LINES + 1
    assert caplog.records[-1].getMessage().startswith("5 more incidents")
