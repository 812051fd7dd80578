"""The other side: receives what nodes publish. Used by the demo, `vedette watch` and drills."""

import logging
import threading
import time
from collections.abc import Callable, Generator
from queue import Empty
from types import TracebackType

from agent.config.schema import Broker
from agent.errors import UplinkError
from agent.uplink.mqtt.connection import (
    FAILURE,
    Connection,
    Endpoint,
    Event,
    Lost,
    Received,
    Subscribed,
    endpoint,
    speaks_mqtt5,
)
from agent.uplink.mqtt.faults import BrokerError

_LOG = logging.getLogger(__name__)

RETRY_S = 1.0
_POLL_S = 0.1

OnMessage = Callable[[str, bytes], None]


class Subscriber:
    """Topics of one broker, received until closed; reconnects by itself.

    Either iterate over `messages`, or give `on_message` and use it as a context manager: then a thread calls
    it with topic and payload. With `client_id` and `session_expiry_s` the broker keeps what comes meanwhile.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        topics: tuple[str, ...],
        password: str | None = None,
        client_id: str = "",
        session_expiry_s: int = 0,
        on_message: OnMessage | None = None,
    ) -> None:
        self._place: Endpoint = endpoint(broker, password, client_id, session_expiry_s=session_expiry_s)
        self._topics = topics
        self._on_message = on_message
        self._mqtt5: bool | None = None  # not known yet
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._failure: UplinkError | None = None
        self._thread = threading.Thread(target=self._deliver, name="subscriber", daemon=True)

    def __enter__(self) -> "Subscriber":
        if self._on_message is not None:
            self._thread.start()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    def wait_ready(self, timeout_s: float) -> None:
        """Return once the broker has confirmed the subscription. Raises UplinkError if it does not in time."""
        if not self._ready.wait(timeout_s):
            raise self._failure or UplinkError(
                f"the broker {self._place.address} does not confirm the subscription", cure="Check that it runs."
            )

    def close(self) -> None:
        """End the connection and the thread."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def messages(
        self, *, until_s: float | None = None, first_failure_is_final: bool = True
    ) -> Generator[Received | None, None, None]:
        """Yield messages as they come, and None at least every 0.1 s; ends at monotonic `until_s` or on close.

        Raises UplinkError if the first connection fails, unless told otherwise; later losses are retried.
        """
        connected_once = not first_failure_is_final
        while not self._is_over(until_s):
            try:
                connection = self._connect()
            except BrokerError as error:
                if not connected_once:
                    raise
                self._log_failure(error)
                self._stop.wait(RETRY_S)
                yield None
                continue
            connected_once = True
            try:
                yield from self._messages_of(connection, until_s)
            finally:
                connection.close()

    def _is_over(self, until_s: float | None) -> bool:
        return self._stop.is_set() or (until_s is not None and time.monotonic() >= until_s)

    def _connect(self) -> Connection:
        if self._mqtt5 is None:
            self._mqtt5 = speaks_mqtt5(self._place, self._stop)
        connection = Connection(self._place, mqtt5=self._mqtt5)
        try:
            connection.open(stop=self._stop)
        except BrokerError:
            self._mqtt5 = None
            raise
        connection.subscribe(self._topics)
        return connection

    def _log_failure(self, error: BrokerError) -> None:
        if not isinstance(self._failure, BrokerError) or self._failure.fault != error.fault:
            _LOG.warning("%s", error.line())
        self._failure = error

    def _messages_of(self, connection: Connection, until_s: float | None) -> Generator[Received | None, None, None]:
        while not self._is_over(until_s):
            event = _next(connection)
            if isinstance(event, Lost):
                self._log_failure(event.error)
                return
            if isinstance(event, Subscribed):
                self._on_subscribed(event)
            yield event if isinstance(event, Received) else None

    def _on_subscribed(self, event: Subscribed) -> None:
        if any(code >= FAILURE for code in event.codes):
            raise BrokerError(
                f"the broker {self._place.address} refuses the subscription",
                fault="not_allowed",
                why=", ".join(topic for topic, code in zip(self._topics, event.codes, strict=True) if code >= FAILURE),
                cure="Give its user the right to read these topics (ACL).",
            )
        self._failure = None
        self._ready.set()

    def _deliver(self) -> None:
        assert self._on_message is not None
        try:
            for message in self.messages(first_failure_is_final=False):
                if message is not None:
                    self._on_message(message.topic, message.payload)
        except UplinkError as error:  # a refused subscription
            self._failure = error
            _LOG.error("%s", error.line())


def _next(connection: Connection) -> Event | None:
    try:
        return connection.events.get(timeout=_POLL_S)
    except Empty:
        return None
