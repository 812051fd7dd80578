"""Incidents and outboxes for the tests of the uplink."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.types import NS_PER_S, Box, Closed, Evidence, Incident, IncidentChange, Opened, Updated
from agent.uplink.outbox.batch import Batch, Limits, Moment
from agent.uplink.outbox.outbox import Outbox

STARTED_NS = 100 * NS_PER_S
WALL_OFFSET_NS = 1_790_000_000 * NS_PER_S


def incident(ordinal: int = 1, **changes: Any) -> Incident:
    """Return a fall in the hall, as it stands two seconds after it began."""
    values: dict[str, Any] = {
        "ordinal": ordinal,
        "camera": "hall",
        "cameras": ("hall",),
        "kind": "fall",
        "severity": "critical",
        "started_ns": STARTED_NS,
        "at_ns": STARTED_NS + 2 * NS_PER_S,
        "ended_ns": None,
        "confidence": 0.93,
        "summary": "A person fell and stays on the floor.",
        "without_sound": True,
        "without_picture": False,
        "evidence": (
            Evidence(
                signal="lying",
                modality="vision",
                score=0.91,
                llr=3.5,
                at_ns=STARTED_NS + NS_PER_S,
                track=4,
                box=Box(left_frac=0.1, top_frac=0.5, right_frac=0.4, bottom_frac=0.7),
                zone="stairs",
            ),
            Evidence(signal="thud", modality="sound", score=0.4, llr=1.1, at_ns=STARTED_NS),
        ),
        "tracks": (4,),
        "zones": ("stairs",),
    }
    return Incident(**values | changes)


def life(ordinal: int, *, updates: int = 1, **changes: Any) -> list[IncidentChange]:
    """Return the changes of one incident, from open to close."""
    first = incident(ordinal, **changes)
    last = incident(ordinal, **changes | {"ended_ns": STARTED_NS + 9 * NS_PER_S, "close_reason": "quiet"})
    return [Opened(incident=first), *[Updated(incident=first)] * updates, Closed(incident=last)]


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.monotonic_ns = 1_000 * NS_PER_S
        self.wall_ns = WALL_OFFSET_NS
        self.synchronised = True

    def now(self) -> Moment:
        return Moment(wall_ns=self.wall_ns, synchronised=self.synchronised, monotonic_ns=self.monotonic_ns)

    def advance(self, seconds: float) -> None:
        self.monotonic_ns += int(seconds * NS_PER_S)
        self.wall_ns += int(seconds * NS_PER_S)


def outbox(folder: Path, clock: Clock, *, run: str = "run", **limits: int) -> Outbox:
    """Return the outbox in `folder`, unbounded unless told."""
    values = {"max_bytes": 10**9, "max_age_ns": 10**18} | limits
    return Outbox(
        folder / "state.db", node="box", gap_topic="vedette/box/gap", limits=Limits(**values), run=run, now=clock.now
    )


def put(
    box: Outbox,
    clock: Clock,
    chain: str,
    *,
    severity: Any = "warning",
    phase: str = "open",
    size: int = 100,
    **more: Any,
) -> int:
    """Put one incident message and return its seq."""

    def body(batch: Batch) -> int:
        seq = batch.take_seq()
        batch.put(
            seq=seq,
            chain=chain,
            role="incident",
            phase=phase,
            severity=severity,
            topic=more.get("topic", "vedette/box/hall/incident"),
            payload=f"{seq}".encode().ljust(size),
            moment=more.get("moment", clock.now()),
        )
        return seq

    return box.write(body)


def put_snapshot(box: Outbox, clock: Clock, chain: str, *, severity: Any = "warning", size: int = 100) -> None:
    """Put one picture."""
    box.write(
        lambda batch: batch.put(
            seq=None,
            chain=chain,
            role="snapshot",
            phase="open",
            severity=severity,
            topic=f"vedette/box/hall/snapshot/{chain}",
            payload=b"j" * size,
            moment=clock.now(),
        )
    )


def take(box: Outbox, limit: int = 1_000, limit_bytes: int = 10**9) -> list[Any]:
    """Lease what is ready."""
    return box.take(limit, limit_bytes, 60 * NS_PER_S)


def take_everything(box: Outbox) -> list[Any]:
    """Take and acknowledge until nothing is left; return all messages in the order they came."""
    messages: list[Any] = []
    while batch := take(box):
        messages += batch
        box.delivered([queued.id for queued in batch])
    return messages


def seqs(messages: Sequence[Any]) -> list[int]:
    """Return the numbers of messages that have one."""
    return [queued.seq for queued in messages if queued.seq is not None]


def incident_at(incident_id: str, started_at: str, *, signal: str = "fell", **changes: Any) -> dict[str, Any]:
    """Return what the history tells of an incident in the hall, as far as likeness needs it."""
    evidence = [{"signal": signal, "modality": "vision", "score": 0.9, "llr": 5.0, "at": started_at}]
    message = {"id": incident_id, "kind": "fall", "cameras": ["hall"], "started_at": started_at, "evidence": evidence}
    return message | changes
