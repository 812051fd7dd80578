"""Can the broker be used? Name, TCP, TLS, login, publish: one after the other, each with its time and its cure."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty

from agent.config.schema import Broker
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.connection import FAILURE, Acked, Connection, Endpoint, Lost, endpoint, speaks_mqtt5, tls_context
from agent.uplink.mqtt.faults import BrokerError, connect_error, timed_out

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """One stage: `detail` says what was found or what went wrong, `cure` what to do."""

    stage: str  # dns, tcp, tls, login, publish
    ok: bool
    detail: str
    cure: str = ""
    took_ms: float = 0.0


def check(broker: Broker, password: str | None, *, node: str = "vedette") -> list[StageResult]:
    """Return the stages up to the first that fails. Publishes `ok` to the topic `…/<node>/check`, not retained.

    Raises ConfigError for an unusable broker.url.
    """
    place = endpoint(broker, password, client_id="")
    stages: list[tuple[str, Callable[[], str]]] = [("dns", lambda: _resolve(place)), ("tcp", lambda: _reach(place))]
    if place.tls:
        stages.append(("tls", lambda: _handshake(place)))
    stages.append(("login", lambda: _login(place)))
    topic = Topics(broker.base_topic, node).of_node("check")
    stages.append(("publish", lambda: _publish(place, topic)))
    results: list[StageResult] = []
    for stage, act in stages:
        results.append(_time_stage(stage, act, place))
        if not results[-1].ok:
            break
    return results


def _time_stage(stage: str, act: Callable[[], str], place: Endpoint) -> StageResult:
    began_s = time.perf_counter()
    try:
        detail, cure, ok = act(), "", True
    except BrokerError as error:
        detail, cure, ok = f"{error.what}: {error.why}", error.cure, False
    except (OSError, UnicodeError) as error:  # UnicodeError: a host that can be no name
        told = connect_error(error, place.address)
        detail, cure, ok = f"{told.what}: {told.why}", told.cure, False
    return StageResult(stage=stage, ok=ok, detail=detail, cure=cure, took_ms=(time.perf_counter() - began_s) * 1000)


def _resolve(place: Endpoint) -> str:
    found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    return f"{place.host} is {', '.join(sorted({str(entry[4][0]) for entry in found}))}"


def _reach(place: Endpoint) -> str:
    with socket.create_connection((place.host, place.port), TIMEOUT_S):
        return f"{place.address} answers"


def _handshake(place: Endpoint) -> str:
    context = tls_context(place)
    with (
        socket.create_connection((place.host, place.port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=place.host) as secured,
    ):
        return f"{secured.version()}, the certificate is trusted"


def _login(place: Endpoint) -> str:
    version = "5" if speaks_mqtt5(place) else "3.1.1"
    if version != "5":
        connection = Connection(place, mqtt5=False)
        connection.open(TIMEOUT_S)
        connection.close()
    who = f"as {place.username}" if place.username else "without login"
    return f"MQTT {version} {who}"


def _publish(place: Endpoint, topic: str) -> str:
    connection = Connection(place, mqtt5=speaks_mqtt5(place))
    connection.open(TIMEOUT_S)
    try:
        mid = connection.publish(topic, b"ok")
        acked = _ack_of(connection, mid, place)
    finally:
        connection.close()
    if acked.code >= FAILURE:
        raise BrokerError(
            f"the broker refuses {topic}",
            fault="not_allowed",
            why=acked.reason.lower(),
            cure=f"Let this user publish to {topic.rsplit('/', 1)[0]}/# (ACL).",
        )
    return f"{topic} was acknowledged" + ("" if connection.mqtt5 else "; MQTT 3.1.1 would hide a refusal")


def _ack_of(connection: Connection, mid: int | None, place: Endpoint) -> Acked:
    deadline_s = time.monotonic() + TIMEOUT_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            event = connection.events.get(timeout=left_s)
        except Empty:
            break
        if isinstance(event, Lost):
            raise event.error
        if isinstance(event, Acked) and event.mid == mid:
            return event
    raise timed_out(place.address)
