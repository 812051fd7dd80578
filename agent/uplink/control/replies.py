"""The answer to a command that came over MQTT, and the topic it goes to."""

from collections.abc import Collection
from typing import Any

from agent.uplink.control.commands import Command, label_of
from agent.uplink.control.parsing import printable
from agent.uplink.messages.payload import Message, encoded, rfc3339
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.connection import Received

RESPONSE_SCHEMA = "vedette.response/1"
MAX_TOPIC = 256  # characters


def response(
    received: Received,
    *,
    node: str,
    at_wall_ns: int,
    command: Command | None,
    reason: str = "",
    result: Any = None,
) -> Message:
    """Return the answer to a message; it went well if there is no `reason`. `command` is None if it was refused."""
    return {
        "schema": RESPONSE_SCHEMA,
        "node": node,
        "at": rfc3339(at_wall_ns),
        "topic": printable(received.topic)[1:-1] if len(received.topic) <= MAX_TOPIC else "",
        "about": label_of(command) if command else None,
        "id": (command.request_id or None) if command else None,
        "ok": not reason,
        "reason": reason or None,
        "result": result,
    }


def reply_to(received: Received, message: Message, topics: Topics, closed_prefixes: Collection[str]) -> Answer:
    """Return `message` as an answer to who sent `received`: to the response topic of MQTT 5, else to `…/response`.

    A response topic is chosen by whoever asks, and must not make the box say something in its own name: nothing
    below its own topics or one of `closed_prefixes`.
    """
    topic = received.response_topic
    own = topics.of_node("response")
    if not topic or not _may_answer(topic, (topics.of_node(""), *closed_prefixes), own):
        return Answer(topic=own, payload=encoded(message))
    return Answer(topic=topic, payload=encoded(message), correlation=received.correlation)


def _may_answer(topic: str, closed: Collection[str], own: str) -> bool:
    if topic == own or topic.startswith(own + "/"):
        return True
    plain = len(topic.encode()) <= MAX_TOPIC and topic.isprintable() and not set(topic) & {"#", "+"}
    return plain and not topic.startswith(("$", *closed))
