"""One MQTT connection: from its opening to its loss, with what goes wrong told in words and never a password.

paho's own reconnecting and queueing are not used: the outbox is the only queue, so nothing is sent twice by
two parties, and each attempt may speak another version of the protocol.
"""

import contextlib
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.config.schema import Broker
from agent.errors import ConfigError
from agent.uplink.mqtt.faults import BrokerError, connect_error, loss, refusal, timed_out

CONNECT_TIMEOUT_S = 10.0
_DEFAULT_WINDOW = 20  # as paho and most brokers; a broker may ask for less
FAILURE = 0x80  # reason codes from here on are refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the broker is and who we are."""

    host: str
    port: int
    tls: bool
    username: str
    password: str | None = field(repr=False)
    ca_file: str
    client_cert_file: str
    client_key_file: str
    keepalive_s: int
    client_id: str
    session_expiry_s: int = 0  # 0: the broker forgets us when we go

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says when we vanish."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Acked:
    """A PUBACK; `code` is 0 in MQTT 3.1.1, which knows no refusal."""

    mid: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone."""

    error: BrokerError


@dataclass(frozen=True, slots=True)
class Received:
    """A message; `properties` are the user properties of MQTT 5, the last two where it wants its answer."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    content_type: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    response_topic: str = ""
    correlation: bytes = b""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A SUBACK: one code per topic."""

    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Woken:
    """Somebody put something in; look again."""


Event: TypeAlias = Acked | Lost | Received | Subscribed | Woken


def endpoint(broker: Broker, password: str | None, client_id: str, *, session_expiry_s: int = 0) -> Endpoint:
    """Return where `broker` is. Raises ConfigError for a URL without host or with a bad port."""
    url = urlsplit(broker.url)
    tls = url.scheme == "mqtts"
    try:
        port = url.port if url.port is not None else 8883 if tls else 1883
    except ValueError:
        port = 0
    if not url.hostname or not port or url.path.strip("/") or url.query:
        raise ConfigError(
            f"broker.url is {broker.url}",
            why="it is not an address",
            cure="Write mqtt://host:1883 or mqtts://host:8883.",
        )
    return Endpoint(
        host=url.hostname,
        port=port,
        tls=tls,
        username=broker.username,
        password=password,
        ca_file=broker.ca_file,
        client_cert_file=broker.client_cert_file,
        client_key_file=broker.client_key_file,
        keepalive_s=broker.keepalive_s,
        client_id=client_id,
        session_expiry_s=session_expiry_s,
    )


def tls_context(place: Endpoint) -> ssl.SSLContext:
    """Return a context that verifies the broker's certificate and name. Raises BrokerError."""
    try:
        context = ssl.create_default_context(cafile=place.ca_file or None)
        if place.client_cert_file:
            context.load_cert_chain(place.client_cert_file, place.client_key_file or None, password="")
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(file for file in (place.ca_file, place.client_cert_file, place.client_key_file) if file)
        raise BrokerError(
            f"the certificates for {place.address} cannot be used",
            fault="tls",
            why=f"{named}: {getattr(error, 'strerror', None) or getattr(error, 'reason', None) or 'unreadable'}",
            cure="broker.ca_file, client_cert_file and client_key_file must name readable PEM files that fit together.",
        ) from error
    return context


def speaks_mqtt5(place: Endpoint, stop: threading.Event | None = None) -> bool:
    """Return whether the broker speaks MQTT 5, by a short connection without a will.

    Asked apart because amqtt, for one, stumbles over the will in a CONNECT of MQTT 5 instead of refusing it.
    Raises BrokerError for everything else that goes wrong.
    """
    asking = Connection(replace(place, client_id="", session_expiry_s=0), mqtt5=True)
    try:
        asking.open(stop=stop)
    except BrokerError as error:
        if error.fault == "protocol":  # it says so, or hangs up
            return False
        raise
    asking.close()
    return True


class Connection:
    """An MQTT connection that reports what happens as events in `events`; `open` it once, `close` it once."""

    def __init__(self, place: Endpoint, *, mqtt5: bool, will: Will | None = None) -> None:
        self.mqtt5 = mqtt5
        self.window = _DEFAULT_WINDOW
        self.max_packet_bytes: int | None = None
        self.session_present = False
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._place = place
        self._connack: queue.SimpleQueue[BrokerError | None] = queue.SimpleQueue()
        self._closing = False
        self._accepted = False
        self._client = self._new_client(will)

    def _new_client(self, will: Will | None) -> paho.Client:
        persistent = self._place.session_expiry_s > 0
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._place.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self.mqtt5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if self.mqtt5 else not persistent,
            reconnect_on_failure=False,
        )
        if self._place.username or self._place.password:
            client.username_pw_set(self._place.username, self._place.password)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def open(self, timeout_s: float = CONNECT_TIMEOUT_S, *, stop: threading.Event | None = None) -> None:
        """Connect and log in, in at most `timeout_s` each; `stop` cuts the waiting short. Raises BrokerError."""
        place = self._place
        self._client.connect_timeout = timeout_s
        if place.tls:
            self._client.tls_set_context(tls_context(place))
        try:
            self._client.connect(place.host, place.port, place.keepalive_s, **self._session())
        except (OSError, ValueError) as error:
            raise connect_error(error, place.address) from error
        self._client.loop_start()
        error_or_none = self._await_connack(time.monotonic() + timeout_s, stop)
        if error_or_none is not None:
            self.abandon()
            try:
                raise error_or_none
            finally:
                del error_or_none  # an error that its own frame knows is garbage with all that the frame holds

    def _await_connack(self, deadline_s: float, stop: threading.Event | None) -> BrokerError | None:
        while time.monotonic() < deadline_s and not (stop and stop.is_set()):
            with contextlib.suppress(queue.Empty):
                return self._connack.get(timeout=0.1)
        return timed_out(self._place.address)

    def _session(self) -> dict[str, Any]:
        if not self.mqtt5:
            return {}
        properties = _properties(PacketTypes.CONNECT)
        if self._place.session_expiry_s:
            properties.SessionExpiryInterval = self._place.session_expiry_s
        return {"clean_start": self._place.session_expiry_s == 0, "properties": properties}

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str = "",
        attributes: dict[str, str] | None = None,
        correlation: bytes = b"",
    ) -> int | None:
        """Send a message; return its number, which an Acked will carry, or None if the connection is gone."""
        properties = None
        if self.mqtt5:
            properties = _properties(PacketTypes.PUBLISH)
            if content_type:
                properties.ContentType = content_type
            if attributes:
                properties.UserProperty = list(attributes.items())
            if correlation:
                properties.CorrelationData = correlation
        sent = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        return sent.mid if sent.rc in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_QUEUE_SIZE) else None

    def subscribe(self, topics: tuple[str, ...]) -> None:
        """Ask for topics at QoS 1; a Subscribed will tell."""
        if self.mqtt5:
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def close(self) -> None:
        """Say goodbye, so that the will stays unsaid, and end the thread."""
        self._closing = True
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        self._client.loop_stop()
        self._detach()

    def abandon(self) -> None:
        """Drop a connection that is lost or hangs, without goodbye: the broker shall say our will."""
        self._closing = True
        sock = cast("socket.socket | None", self._client.socket())
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()
        self._detach()

    def _detach(self) -> None:
        """Part from paho's client, whose sockets would stay open until the garbage of both is collected."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_subscribe = client.on_message = None

    # -- callbacks, on paho's thread ---------------------------------------------------------------------

    def _on_connect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.value >= FAILURE:
            self._connack.put(refusal(reason, self._place.address, self._place.username))
            return
        self.session_present = bool(flags.session_present)
        self.window = min(_DEFAULT_WINDOW, getattr(properties, "ReceiveMaximum", _DEFAULT_WINDOW))
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self._accepted = True
        self._connack.put(None)

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Properties | None) -> None:
        if self._closing:
            return
        if not self._accepted:
            self._connack.put(connect_error(ConnectionResetError(), self._place.address))
        self.events.put(Lost(loss(reason, self._place.address)))

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Properties | None) -> None:
        self.events.put(Acked(mid, reason.value, str(reason)))

    def _on_subscribe(self, _c: Any, _u: Any, _m: int, reasons: list[ReasonCode], _p: Properties | None) -> None:
        self.events.put(Subscribed(tuple(reason.value for reason in reasons)))

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        properties = message.properties
        self.events.put(
            Received(
                topic=message.topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=message.retain,
                content_type=getattr(properties, "ContentType", ""),
                properties=tuple(getattr(properties, "UserProperty", ())),
                response_topic=getattr(properties, "ResponseTopic", ""),
                correlation=bytes(getattr(properties, "CorrelationData", b"")),
            )
        )


def _properties(packet_type: int) -> Any:
    return Properties(packet_type)  # type: ignore[no-untyped-call]
