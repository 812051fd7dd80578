"""What goes out over one connection after the other, and what the broker says to it.

What is on its way is known by its packet's number until the PUBACK; what is refused waits for its topic, and a
picture never holds up its incident.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from agent.types import NS_PER_S
from agent.uplink.messages.payload import CONTENT_TYPE, DELAYED_AFTER_S, cloud_event
from agent.uplink.mqtt.answers import Answer, Answers
from agent.uplink.mqtt.connection import FAILURE, Acked, Connection, Endpoint
from agent.uplink.mqtt.faults import BrokerError
from agent.uplink.mqtt.latest import Latest, LatestBoard
from agent.uplink.mqtt.refusals import Refusals
from agent.uplink.outbox.batch import Moment
from agent.uplink.outbox.outbox import Outbox
from agent.uplink.outbox.queue import QueuedMessage

WINDOW_BYTES = 256_000  # on its way at once: what a critical message may have to wait for
_PACKET_OVERHEAD_BYTES = 1024  # topic, properties and header, at most


@dataclass(frozen=True, slots=True)
class _Sent:
    content: QueuedMessage | Latest
    at_s: float
    size_bytes: int


_Flight: TypeAlias = dict[int, _Sent]


class Dispatch:
    """Sends from the outbox, the board of newest contents and the answers, as much as may be on its way at once."""

    def __init__(
        self, place: Endpoint, outbox: Outbox, refusals: Refusals, *, run_id: str, now: Callable[[], Moment]
    ) -> None:
        """`run_id` is that of the outbox."""
        self._place = place
        self._outbox = outbox
        self._refusals = refusals
        self._run_id = run_id
        self._now = now
        self.latest = LatestBoard()
        self.answers = Answers()
        self.refusing = False  # something was refused on this connection
        self._flight: _Flight = {}

    @property
    def is_waiting(self) -> bool:
        """Whether something is on its way."""
        return bool(self._flight)

    def connected(self) -> None:
        """A new connection: nothing is on its way, everything newest is to be said again."""
        self._outbox.release()
        self._flight = {}
        self.latest.connected()

    def began(self) -> None:
        """The connection is greeted; what was to be answered on the one before is not."""
        self.answers.clear()
        self.refusing = False

    def pump(self, connection: Connection) -> None:
        """Send as much as the window allows."""
        on_the_way = {sent.content.topic for sent in self._flight.values() if isinstance(sent.content, Latest)}
        for latest in self.latest.due(on_the_way, time.monotonic())[: max(0, connection.window - len(self._flight))]:
            self._send_latest(connection, latest)
        for answer in self.answers.take(max(0, connection.window - len(self._flight))):
            if self._is_too_large(answer, connection):
                self._refusals.note(answer.topic, "packet too large", "it is not sent")
                continue
            connection.publish(
                answer.topic,
                answer.payload,
                qos=answer.qos,
                content_type=answer.content_type,
                correlation=answer.correlation,
            )
        room = connection.window - len(self._flight)
        room_bytes = WINDOW_BYTES - sum(sent.size_bytes for sent in self._flight.values())
        if room <= 0 or (room_bytes <= 0 and self._flight):
            return
        # The lease outlives the wait for a PUBACK: what is on its way is never handed out twice.
        for queued in self._outbox.take(room, room_bytes, 2 * self._place.keepalive_s * NS_PER_S):
            self._send_queued(connection, queued)

    def _send_latest(self, connection: Connection, latest: Latest) -> None:
        if self._is_too_large(latest, connection):
            self._refuse(latest, "packet too large")
            return
        mid = connection.publish(latest.topic, latest.payload, retain=latest.retain, content_type=latest.content_type)
        self._note(mid, latest, len(latest.payload))

    def _send_queued(self, connection: Connection, queued: QueuedMessage) -> None:
        if self._is_too_large(queued, connection):
            self._refuse(queued, "packet too large")
            return
        payload = queued.payload
        if queued.role == "incident" and is_late(queued, self._now(), self._run_id):
            payload = payload.replace(b'"delayed":false', b'"delayed":true', 1)
        mid = connection.publish(
            queued.topic,
            payload,
            content_type="image/jpeg" if queued.role == "snapshot" else CONTENT_TYPE,
            attributes=_attributes(queued, payload) if connection.mqtt5 else None,
        )
        self._note(mid, queued, len(payload))

    def _is_too_large(self, content: QueuedMessage | Latest | Answer, connection: Connection) -> bool:
        """Return whether the broker said, or showed, that it takes nothing of this size."""
        size_bytes, most = len(content.payload), connection.max_packet_bytes
        if most is not None and size_bytes + _PACKET_OVERHEAD_BYTES > most:
            return True
        return _is_picture(content) and self._refusals.is_too_large(size_bytes, time.monotonic())

    def _note(self, mid: int | None, content: QueuedMessage | Latest, size_bytes: int) -> None:
        if mid is not None:  # else the connection is gone, and its Lost is on the way
            self._flight[mid] = _Sent(content, time.monotonic(), size_bytes)

    def silence(self) -> BrokerError | None:
        """Return the fault of a broker that acknowledges nothing any more."""
        if not self._flight:
            return None
        waited_s = time.monotonic() - next(iter(self._flight.values())).at_s
        if waited_s < self._place.keepalive_s:
            return None
        return BrokerError(
            f"the broker {self._place.address} acknowledges nothing",
            fault="timeout",
            why=f"no PUBACK for {waited_s:.0f} s",
            cure="Check the broker; messages wait until it is back.",
        )

    def acked(self, event: Acked) -> list[int]:
        """Return the ids that the broker took responsibility for."""
        sent = self._flight.pop(event.mid, None)
        if sent is None:
            return []
        content = sent.content
        if event.code >= FAILURE:
            self._refuse(content, event.reason.lower())
            return []
        for topic in {content.topic, _topic_to_log(content)}:
            self._refusals.accepted(topic)
        if isinstance(content, QueuedMessage):
            return [content.id]
        self.latest.acknowledged(content)
        return []

    def _refuse(self, content: QueuedMessage | Latest, reason: str) -> None:
        """Keep what the broker refuses and try again later; a picture must not hold up its incident."""
        self.refusing = True
        if _is_picture(content):
            self._refusals.note(_topic_to_log(content), reason, "pictures are given up")
            self._give_up_picture(content)
        elif isinstance(content, QueuedMessage):
            wait_s = self._refusals.note(content.topic, reason, "messages are kept")
            self._outbox.refused(content, int(wait_s * NS_PER_S))
        else:
            wait_s = self._refusals.note(content.topic, reason, "it waits")
            self.latest.postpone(content.topic, time.monotonic() + wait_s)

    def lost(self) -> None:
        """The broker ended the connection: it may have been for a picture that was on its way."""
        for content in [sent.content for sent in self._flight.values()]:
            if _is_picture(content) and self._refusals.lost_with_picture(
                content.topic, len(content.payload), time.monotonic()
            ):
                self._give_up_picture(content)

    def _give_up_picture(self, content: QueuedMessage | Latest) -> None:
        if isinstance(content, QueuedMessage):
            self._outbox.delivered([content.id])
        else:
            self.latest.forget(content)


def is_late(queued: QueuedMessage, moment: Moment, run_id: str) -> bool:
    """Return whether a message goes out more than 10 s after it was raised: `delayed`."""
    if queued.run == run_id:
        return moment.monotonic_ns - queued.monotonic_ns > DELAYED_AFTER_S * NS_PER_S
    # Of a former run: only wall time connects the two, and one that ran backwards says nothing.
    return not 0 <= moment.wall_ns - queued.wall_ns <= DELAYED_AFTER_S * NS_PER_S


def _attributes(queued: QueuedMessage, payload: bytes) -> dict[str, str] | None:
    """Return the CloudEvents attributes of a message; a picture has none."""
    if queued.role == "snapshot":
        return None
    message: dict[str, Any] = json.loads(payload)
    if queued.role == "gap":
        return cloud_event(message, "vedette.gap", "")
    return cloud_event(message, f"vedette.incident.{message['phase']}", message["camera"])


def _is_picture(content: QueuedMessage | Latest | Answer) -> bool:
    if isinstance(content, QueuedMessage):
        return content.role == "snapshot"
    return content.content_type.startswith("image/")


def _topic_to_log(content: QueuedMessage | Latest) -> str:
    """Return the topic to name in the log: of a picture, its camera's, since that of one incident never comes again."""
    is_queued = isinstance(content, QueuedMessage) and content.role == "snapshot"
    return content.topic.rsplit("/", 1)[0] if is_queued else content.topic
