"""What the broker does not take, and how long to wait before it is asked again: told once, never given up silently."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)

PICTURE_TRIES = 3  # lost connections with the same picture on its way
TOO_LARGE_FOR_S = 600.0  # how long the size of a picture that ended connections is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait before the next attempt: to connect, and to send what the broker refused."""

    connect_first_s: float = 1.0
    connect_most_s: float = 30.0
    refused_first_s: float = 5.0
    refused_most_s: float = 120.0  # Debian's Mosquitto 2.0.11 hangs up after each message it refuses


@dataclass(slots=True)
class Backoff:
    """Waits that double from `first_s` to `most_s`, each shortened by chance, to spread many boxes."""

    first_s: float
    most_s: float
    random: Callable[[], float]
    failures: int = 0

    def next_s(self) -> float:
        """Return the next wait: half of it is certain, half by chance."""
        wait_s = doubled(self.first_s, self.failures, self.most_s)
        self.failures += 1
        return wait_s * (0.5 + 0.5 * self.random())


def doubled(first_s: float, times: int, most_s: float) -> float:
    """Return `first_s` doubled so many times, at most `most_s`."""
    return min(most_s, first_s * 2.0 ** min(times, 30))


class Refusals:
    """The topics that a broker refuses, and the sizes on which it hangs up. Times are monotonic seconds."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._counts: dict[str, int] = {}
        self._lost_with: dict[str, int] = {}  # topic of a picture → connections that ended with it on its way
        self._too_large_bytes: int | None = None
        self._too_large_until_s = 0.0

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are refused now."""
        return tuple(self._counts)

    def note(self, topic: str, reason: str, then: str) -> float:
        """Log the first refusal of a topic; return how long to wait before the next attempt."""
        count = self._counts[topic] = self._counts.get(topic, 0) + 1
        if count == 1:
            _LOG.warning("the broker refuses %s: %s; %s. Check the rights of its user (ACL)", topic, reason, then)
        return doubled(self._patience.refused_first_s, count - 1, self._patience.refused_most_s)

    def accepted(self, topic: str) -> None:
        """The broker took a message of this topic."""
        self._lost_with.pop(topic, None)
        if self._counts.pop(topic, None) is not None:
            _LOG.info("the broker takes %s again", topic)

    def lost_with_picture(self, topic: str, size_bytes: int, now_s: float) -> bool:
        """A connection ended with this picture on its way; return whether to give it up.

        Some brokers hang up on what is too large for them, and one picture must not hold up its incident.
        """
        tries = self._lost_with[topic] = self._lost_with.get(topic, 0) + 1
        if tries < PICTURE_TRIES:
            return False
        del self._lost_with[topic]
        self._too_large_bytes, self._too_large_until_s = size_bytes, now_s + TOO_LARGE_FOR_S
        _LOG.warning("gave up a picture for %s: the broker hangs up when its %d bytes come", topic, size_bytes)
        return True

    def is_too_large(self, size_bytes: int, now_s: float) -> bool:
        """Return whether a picture of this size ended connections lately."""
        return (
            self._too_large_bytes is not None
            and now_s < self._too_large_until_s
            and size_bytes >= self._too_large_bytes
        )
