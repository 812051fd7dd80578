"""A line in the log where an incident opens and where it is over, so that a box's journal tells what happened, too."""

import logging

from agent.service.telemetry.loglimit import LogLimit
from agent.types import NS_PER_S, Closed, IncidentChange, Opened

_LOG = logging.getLogger(__name__)


class IncidentLog:
    """Writes for the thread that judges; a storm of incidents is counted, not written out."""

    def __init__(self) -> None:
        self._limit = LogLimit(_LOG, "incidents, not logged one by one,")

    def note(self, change: IncidentChange, incident_id: str, called: str, now_s: float) -> None:
        """Take one change; what is merely news of an open incident is not told.

        `called`: what people call the camera; `now_s` is monotonic.
        """
        incident = change.incident
        told = f"{'drill, ' if incident.drill else ''}{incident.severity} {incident.kind}"
        if isinstance(change, Opened) or incident.escalated:
            self._limit.write(now_s, logging.INFO, "%s: %s (%s)", told, incident.summary, incident_id)
        elif isinstance(change, Closed):
            lasted_s = ((incident.ended_ns or incident.at_ns) - incident.started_ns) / NS_PER_S
            words = told, called, lasted_s, incident.close_reason, incident_id
            self._limit.write(now_s, logging.INFO, "%s at %s is over after %.1f s: %s (%s)", *words)

    def tend(self, now_s: float) -> None:
        """Tell how many were left out, once their minute is over."""
        self._limit.tend(now_s)
