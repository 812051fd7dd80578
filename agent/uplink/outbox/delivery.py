"""How far the broker has an incident, asked of the database beside the agent that writes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.uplink.outbox import queue
from agent.uplink.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How many of an incident's messages wait for the broker, and how many were given up and told as a gap.

    All others were acknowledged. What waits in memory while the disk refuses is not seen from here.
    """

    waiting: int = 0
    given_up: int = 0

    def words(self) -> str:
        """Return it as a person reads it."""
        parts = []
        if self.waiting:
            parts.append(f"{self.waiting} message{'s wait' if self.waiting > 1 else ' waits'} for the broker")
        if self.given_up:
            parts.append(f"{self.given_up} message{'s' if self.given_up > 1 else ''} given up, told as a gap")
        return ", ".join(parts) or "acknowledged by the broker"


def deliveries(store: Store, incident_ids: Sequence[str]) -> dict[str, Delivery]:
    """Return the delivery of each of these incidents by id."""
    with store.reading() as db:
        waiting, lost = queue.waiting(db, incident_ids), queue.given_up(db, incident_ids)
    return {one: Delivery(waiting=waiting.get(one, 0), given_up=lost.get(one, 0)) for one in incident_ids}


def depth(store: Store) -> int:
    """Return how much waits for the broker in all, pictures included."""
    with store.reading() as db:
        return queue.depth(db)
