"""How alike two incidents are: a weighted mean of four cosines, each in [0, 1].

Kind (the same or not), evidence (which signals spoke, how strongly and how sure), camera (the same or not) and
the hour of the day (on a circle, so that 23:50 is near 00:10). No learning and no picture: it answers "when was
there something like this before?", and a person can see why.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

import numpy as np

from agent.types import FloatArray
from agent.uplink.messages.payload import Message

SHARES: Mapping[str, float] = {"kind": 0.35, "evidence": 0.3, "camera": 0.2, "hour": 0.15}
MOST_LLR = 12.0  # stronger evidence is not more alike

Aspect = dict[str, float]


def rank(wanted: Message, others: Sequence[Message], zone: tzinfo | None = None) -> list[tuple[float, Message]]:
    """Return (likeness in [0, 1], message) of `others` without `wanted` itself, the most alike first.

    `zone` is where the hour of the day is read; None: this machine's.
    """
    rest = [message for message in others if message["id"] != wanted["id"]]
    if not rest:
        return []
    likeness = sum(
        (share * _cosines(aspect, wanted, rest, zone) for aspect, share in SHARES.items()),
        np.zeros(len(rest), np.float32),
    )
    order = sorted(range(len(rest)), key=lambda index: (-likeness[index], _newest_first(rest[index])))
    return [(float(likeness[index]), rest[index]) for index in order]


def _cosines(aspect: str, wanted: Message, rest: Sequence[Message], zone: tzinfo | None) -> FloatArray:
    """Return the cosine between one incident and each of the rest, float32 [n]."""
    sparse = [_aspect(aspect, message, zone) for message in (wanted, *rest)]
    names = {name: column for column, name in enumerate(sorted({name for vector in sparse for name in vector}))}
    matrix = np.zeros((len(sparse), max(1, len(names))), np.float32)
    for row, vector in enumerate(sparse):
        for name, value in vector.items():
            matrix[row, names[name]] = value
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit = matrix / np.maximum(length, 1e-9)
    return np.asarray(unit[1:] @ unit[0], dtype=np.float32)


def _aspect(aspect: str, message: Message, zone: tzinfo | None) -> Aspect:
    if aspect == "kind":
        return {message["kind"]: 1.0}
    if aspect == "camera":
        return dict.fromkeys(message["cameras"], 1.0)
    if aspect == "hour":
        return _hour(message, zone)
    return _evidence(message)


def _hour(message: Message, zone: tzinfo | None) -> Aspect:
    """Return a point on a circle beside a constant: two of them have the cosine (1 + cos of their angle) / 2."""
    at = datetime.fromisoformat(message["started_at"]).astimezone(zone)
    angle = 2 * math.pi * (at.hour + at.minute / 60) / 24
    return {"cos": math.cos(angle), "sin": math.sin(angle), "one": 1.0}


def _evidence(message: Message) -> Aspect:
    """Return for each signal its best likelihood ratio (capped) and its best score."""
    found: Aspect = {}
    for entry in message["evidence"]:
        signal = entry["signal"]
        strength = min(MOST_LLR, max(0.0, entry["llr"])) / MOST_LLR
        for name, value in ((f"{signal} llr", strength), (f"{signal} score", min(1.0, max(0.0, entry["score"])))):
            found[name] = max(found.get(name, 0.0), value)
    return found or {"none": 1.0}


def _newest_first(message: Message) -> float:
    return -datetime.fromisoformat(message["started_at"]).timestamp()
