"""What a subscriber of all nodes has to tell: incidents, gaps, nodes that come and go, numbers that are missing."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agent.uplink.messages.payload import name_in
from agent.uplink.mqtt.connection import Received
from agent.uplink.subscriber.sequence import Ranges, SequenceCheck

MISSING_AFTER_S = 30.0  # a hole is told after this long: critical messages overtake a backlog


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentNews:
    """An incident message that was not received before."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapNews:
    """A node had to give something up."""

    node: str
    message: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNews:
    """A node came or went: online, stopped, offline."""

    node: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNews:
    """Numbers of a node that neither came nor were given up, for a while now."""

    node: str
    ranges: Ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class OddNews:
    """A message that is not of the contract."""

    topic: str
    why: str


News: TypeAlias = IncidentNews | GapNews | StatusNews | MissingNews | OddNews


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which incidents to tell; empty means all. Sequences are checked over all of them.

    Cameras go by identifier or by what people call them.
    """

    nodes: Collection[str] = ()
    kinds: Collection[str] = ()
    cameras: Collection[str] = ()
    severities: Collection[str] = ()

    def fits(self, message: dict[str, Any]) -> bool:
        """Return whether an incident message is wanted."""
        return all(
            not wanted or not set(wanted).isdisjoint(values)
            for wanted, values in (
                (self.nodes, [message["node"]]),
                (self.kinds, [message["kind"]]),
                (self.cameras, [*message["cameras"], name_in(message)]),
                (self.severities, [message["severity"]]),
            )
        )


@dataclass(slots=True)
class Feed:
    """Turns received messages into news. Times are monotonic seconds."""

    base_topic: str
    wanted: Wanted
    sequences: dict[str, SequenceCheck] = field(default_factory=dict)
    _status: dict[str, str] = field(default_factory=dict)

    def topics(self) -> tuple[str, ...]:
        """Return what to subscribe to."""
        return tuple(f"{self.base_topic}/+/{tail}" for tail in ("+/incident", "gap", "status"))

    def take(self, received: Received, now_s: float) -> Iterator[News]:
        """Yield what a message says that is new and wanted."""
        levels = received.topic[len(self.base_topic) + 1 :].split("/")
        node, kind = levels[0], levels[-1]
        if kind == "status":
            yield from self._on_status(node, received.payload)
            return
        try:
            message = json.loads(received.payload)
            yield from (
                self._on_incident(node, message, now_s) if kind == "incident" else self._on_gap(node, message, now_s)
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield OddNews(topic=received.topic, why=f"{type(error).__name__}, {error}"[:200])

    def overdue(self, now_s: float) -> Iterator[News]:
        """Yield the numbers that have been missing for too long, once."""
        for node, sequence in self.sequences.items():
            if ranges := sequence.newly_missing(now_s, MISSING_AFTER_S):
                yield MissingNews(node=node, ranges=ranges)

    def _on_status(self, node: str, payload: bytes) -> Iterator[News]:
        status = payload.decode("utf-8", "replace")[:20]
        if self._status.get(node) != status and (not self.wanted.nodes or node in self.wanted.nodes):
            yield StatusNews(node=node, status=status)
        self._status[node] = status

    def _on_incident(self, node: str, message: dict[str, Any], now_s: float) -> Iterator[News]:
        fits = self.wanted.fits(message)
        said = f"{message['id']} {message['phase']} {message['at']}"
        if self._sequence(node).take(int(message["seq"]), now_s, said) and fits:
            yield IncidentNews(message=message)

    def _on_gap(self, node: str, message: dict[str, Any], now_s: float) -> Iterator[News]:
        ranges = [(int(first), int(last)) for first, last in message["ranges"]]
        sequence = self._sequence(node)
        if sequence.take(int(message["seq"]), now_s, f"gap {message['at']}"):
            sequence.give_up(ranges, now_s)
            yield GapNews(node=node, message=message)

    def _sequence(self, node: str) -> SequenceCheck:
        return self.sequences.setdefault(node, SequenceCheck())
