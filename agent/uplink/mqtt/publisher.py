"""The uplink's loop: connect, publish from the outbox, delete what the broker acknowledged, back off, again.

MQTT 5 first; MQTT 3.1.1 where the broker refuses it or hangs up on it. A connection on which no PUBACK comes
within the keep-alive counts as lost: a hung broker accepts bytes for a long time.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty

from paho.mqtt.client import topic_matches_sub

from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.connection import (
    FAILURE,
    Acked,
    Connection,
    Endpoint,
    Event,
    Lost,
    Received,
    Subscribed,
    Will,
    Woken,
    speaks_mqtt5,
)
from agent.uplink.mqtt.dispatch import Dispatch
from agent.uplink.mqtt.faults import BrokerError
from agent.uplink.mqtt.latest import Latest
from agent.uplink.mqtt.refusals import Backoff, Patience, Refusals
from agent.uplink.mqtt.rivals import Rivals
from agent.uplink.outbox.batch import Moment
from agent.uplink.outbox.outbox import Outbox

_LOG = logging.getLogger(__name__)

POLL_S = 0.2  # how long a stop may go unnoticed
FLUSH_S = 0.6  # at a stop, for what waits
GOODBYE_S = 0.3  # at a stop, for the status
RETURN_S = 1.0  # at a stop without a connection, for coming back to say it
STEADY_S = 10.0  # a connection that lived so long starts the back-off anew
DROPPED_OFTEN = 3  # short connections in a row that the broker ended without a reason
TIDY_EVERY_S = 60.0

ONLINE, STOPPED, OFFLINE = b"online", b"stopped", b"offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the uplink is, for the state topic and the watchdog."""

    connected: bool
    protocol: str  # "5", "3.1.1" or ""
    fault: str
    why: str
    refused_topics: tuple[str, ...]
    remark: str = ""  # what else a person should know


class MqttUplink:
    """Carries an outbox, and the newest content of some topics, to one broker."""

    def __init__(
        self,
        place: Endpoint,
        outbox: Outbox,
        *,
        status_topic: str,
        run_id: str,
        rivals: Rivals,
        now: Callable[[], Moment],
        random: Callable[[], float],
        patience: Patience,
    ) -> None:
        """`random` gives numbers in [0, 1) for the jitter; `run_id` is that of the outbox."""
        self._place = place
        self._outbox = outbox
        self._status_topic = status_topic
        self._rivals = rivals
        self._backoff = Backoff(patience.connect_first_s, patience.connect_most_s, random)
        self._short_connections = 0  # short connections in a row that ended without a reason
        self._logged_fault = ""  # the fault that was logged last and is not over
        self._mqtt5: bool | None = None  # not known yet
        self._listening: tuple[tuple[str, ...], Callable[[Received], None]] | None = None
        self._subscriptions: list[tuple[str, ...]] = []  # subscriptions that the broker has yet to answer, in order
        self._refusals = Refusals(patience)
        self._dispatch = Dispatch(place, outbox, self._refusals, run_id=run_id, now=now)
        self._connection: Connection | None = None
        self._fault: BrokerError | None = None
        self._tidy_at_s = 0.0
        outbox.on_put(self._wake)

    def publish_latest(self, latest: Latest) -> None:
        """Replace the content of a topic; it goes out when there is a connection."""
        self._dispatch.latest.put(latest)
        self._wake()

    def answer(self, answer: Answer) -> None:
        """Send this once, if there is a connection."""
        if self._connection is not None:
            self._dispatch.answers.put(answer)
            self._wake()

    def listen(self, topics: tuple[str, ...], take: Callable[[Received], None]) -> None:
        """Subscribe to `topics` on every connection from now on; `take` is called on the uplink's thread, briefly."""
        self._listening = topics, take

    def is_said(self, topic: str) -> bool:
        """Return whether the broker has the newest content of `topic`."""
        return self._dispatch.latest.is_said(topic)

    def health(self) -> Health:
        """Return how the uplink is now."""
        connection, fault = self._connection, self._fault
        return Health(
            connected=connection is not None,
            protocol="" if connection is None else "5" if connection.mqtt5 else "3.1.1",
            fault=fault.fault if fault else "",
            why=fault.line() if fault else "",
            refused_topics=self._refusals.topics,
            remark=self._rivals.remark(time.monotonic()),
        )

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; then say `stopped`, coming back for it where need be, and return."""
        while not stop.is_set():
            try:
                connection = self._connect(stop)
            except BrokerError as error:
                if not stop.is_set():
                    self._log_fault(error)
                    stop.wait(self._backoff.next_s())
                continue
            began_s = time.monotonic()
            lost = self._deliver(connection, stop)
            self._connection = None
            if lost is None:
                return
            self._log_fault(self._explain_loss(lost, time.monotonic() - began_s))
            stop.wait(self._backoff.next_s())
        self._return_to_say_stopped()

    # -- connecting ---------------------------------------------------------------------------------------

    def _connect(self, stop: threading.Event) -> Connection:
        if self._mqtt5 is None:
            self._mqtt5 = speaks_mqtt5(self._place, stop)
            if not self._mqtt5:
                _LOG.info("the broker %s speaks MQTT 3.1.1 only: refused messages stay unseen", self._place.address)
        connection = self._new_connection(mqtt5=self._mqtt5)
        try:
            connection.open(stop=stop)
        except BrokerError:
            self._mqtt5 = None  # by the next attempt it may be another broker
            self._rivals.stand()
            raise
        return connection

    def _new_connection(self, *, mqtt5: bool) -> Connection:
        place = replace(self._place, client_id=self._place.client_id + self._rivals.suffix)
        return Connection(place, mqtt5=mqtt5, will=Will(self._status_topic, OFFLINE))

    def _explain_loss(self, lost: BrokerError, lived_s: float) -> BrokerError:
        """Return why a connection was lost, judged by those before it; and start the back-off anew where it is fair."""
        steady = lived_s >= STEADY_S
        if steady or self._dispatch.refusing:  # a refused message waits by itself, the others shall not
            self._backoff.failures = 0
        counts = lost.fault == "lost" and not steady and not self._dispatch.refusing
        self._short_connections = self._short_connections + 1 if counts else 0
        if lost.fault == "taken_over":
            self._rivals.dodge()
        if self._short_connections < DROPPED_OFTEN:
            return lost
        self._rivals.dodge()
        # What a broker says when somebody else logs in with our name; Mosquitto 2.0.11 says nothing.
        return BrokerError(
            f"the broker {self._place.address} drops us again and again",
            fault="taken_over",
            why=f"perhaps another box uses the same node name ({self._place.client_id})",
            cure="Give each box its own node.name, or see the broker's log.",
        )

    def _log_fault(self, error: BrokerError) -> None:
        """Log a fault when it is another than before; one that comes and goes is one."""
        if self._logged_fault != error.fault:
            _LOG.warning("%s", error.line())
        self._logged_fault = error.fault
        self._fault = error

    def _clear_old_fault(self, began_s: float) -> None:
        """A connection that lasts ends the fault before it."""
        if self._logged_fault and time.monotonic() - began_s >= STEADY_S:
            self._logged_fault = ""
            self._short_connections = 0

    def _wake(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.events.put(Woken())

    # -- while connected ----------------------------------------------------------------------------------

    def _deliver(self, connection: Connection, stop: threading.Event) -> BrokerError | None:
        """Deliver until stopped (None) or until the connection is lost (why)."""
        self._on_connected(connection)
        began_s = time.monotonic()
        lost: BrokerError | None = None
        while lost is None and not stop.is_set():
            self._dispatch.pump(connection)
            lost = self._handle(_events(connection, POLL_S)) or self._dispatch.silence()
            self._clear_old_fault(began_s)
            self._tidy()
        if lost is None:
            lost = self._say_goodbye(connection)
        self._finish(connection, lost)
        return lost

    def _on_connected(self, connection: Connection) -> None:
        self._dispatch.connected()
        self._connection = connection
        connection.publish(self._status_topic, ONLINE, retain=True)
        self._dispatch.began()
        self._subscriptions = [
            topics for topics in (self._listening[0] if self._listening else (), (self._rivals.state_topic,)) if topics
        ]
        for topics in self._subscriptions:
            connection.subscribe(topics)
        if self._logged_fault not in ("lost", "taken_over"):  # those come and go
            version = "5" if connection.mqtt5 else "3.1.1"
            _LOG.info("connected to the broker %s with MQTT %s", self._place.address, version)
        self._fault = None

    def _say_goodbye(self, connection: Connection) -> BrokerError | None:
        """At a stop: deliver what waits, then say `stopped`, each for a moment only."""
        lost: BrokerError | None = None
        deadline_s = time.monotonic() + FLUSH_S
        while lost is None and time.monotonic() < deadline_s:
            self._dispatch.pump(connection)
            if not self._dispatch.is_waiting:
                break
            lost = self._handle(_events(connection, 0.05))
        goodbye = connection.publish(self._status_topic, STOPPED, retain=True)
        deadline_s = time.monotonic() + GOODBYE_S
        said = False
        while lost is None and not said and time.monotonic() < deadline_s:
            events = _events(connection, 0.05)
            lost = self._handle(events)
            said = any(isinstance(event, Acked) and event.mid == goodbye for event in events)
        if lost is None and not said:
            # At QoS 1 it may still stand behind messages that a slow broker has not acknowledged, and would be
            # dropped there: the box would seem to be online for ever. At QoS 0 nothing holds it back.
            connection.publish(self._status_topic, STOPPED, qos=0, retain=True)
        return lost

    def _return_to_say_stopped(self) -> None:
        """A stop between two connections: the broker said our will, and who reads it would take us for lost."""
        with contextlib.suppress(BrokerError):
            connection = self._new_connection(mqtt5=self._mqtt5 is not False)
            connection.open(RETURN_S)
            self._dispatch.connected()
            self._finish(connection, self._say_goodbye(connection))

    def _finish(self, connection: Connection, lost: BrokerError | None) -> None:
        if lost is None:
            connection.close()
        else:
            connection.abandon()
            self._dispatch.lost()
        self._handle(_events(connection, 0.0))  # what was acknowledged before the end is delivered
        self._outbox.release()

    def _tidy(self) -> None:
        if time.monotonic() >= self._tidy_at_s:
            self._tidy_at_s = time.monotonic() + TIDY_EVERY_S
            self._outbox.evict_old()

    # -- hearing back -------------------------------------------------------------------------------------

    def _handle(self, events: list[Event]) -> BrokerError | None:
        """Act on what the connection reported; return why it is lost, if it is."""
        delivered: list[int] = []
        lost: BrokerError | None = None
        for event in events:
            if isinstance(event, Acked):
                delivered += self._dispatch.acked(event)
            elif isinstance(event, Lost):
                lost = event.error
            elif isinstance(event, Received) and event.topic == self._rivals.state_topic:
                self._rivals.hear(event.payload, retained=event.retain, now_s=time.monotonic())
            elif isinstance(event, Received):
                self._hand_on(event)
            elif isinstance(event, Subscribed):
                self._on_subscribed(event.codes)
        if delivered:
            self._outbox.delivered(delivered)
        return lost

    def _hand_on(self, received: Received) -> None:
        """Give a message to who listens, if it is one that they asked for.

        A session may hold more: amqtt hands a client that comes back what it published itself.
        """
        topics, take = self._listening or ((), None)
        if take is not None and any(topic_matches_sub(wanted, received.topic) for wanted in topics):
            take(received)

    def _on_subscribed(self, codes: tuple[int, ...]) -> None:
        asked = self._subscriptions.pop(0) if self._subscriptions else ()
        if any(code >= FAILURE for code in codes) and asked != (self._rivals.state_topic,):
            _LOG.warning("the broker forbids us to listen: nothing can be set or asked over MQTT")


def _events(connection: Connection, timeout_s: float) -> list[Event]:
    """Return everything that the connection reported, after waiting at most so long for the first."""
    events: list[Event] = []
    try:
        events.append(connection.events.get(timeout=timeout_s) if timeout_s else connection.events.get_nowait())
        while True:
            events.append(connection.events.get_nowait())
    except Empty:
        return events
