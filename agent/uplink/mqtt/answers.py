"""What the box says once, while there is a connection: answers to those who asked, and sound levels.

Nothing here is kept for a broker that is away: who asked is gone by then, and a level of a minute ago is no news.
"""

import threading
from collections import deque
from dataclasses import dataclass

from agent.uplink.messages.payload import CONTENT_TYPE

MOST_WAITING = 64  # beyond it the oldest is dropped
MOST_WAITING_BYTES = 128_000_000  # films are large; one of the largest is always let in


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A message for one moment; `correlation` is what MQTT 5 hands back to who asked."""

    topic: str
    payload: bytes
    qos: int = 1
    correlation: bytes = b""
    content_type: str = CONTENT_TYPE


class Answers:
    """Those that wait to be sent. Safe to use from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Answer] = deque(maxlen=MOST_WAITING)

    def put(self, answer: Answer) -> None:
        """Queue an answer; where too many bytes wait, the oldest is dropped."""
        with self._mutex:
            self._waiting.append(answer)
            while len(self._waiting) > 1 and sum(len(it.payload) for it in self._waiting) > MOST_WAITING_BYTES:
                self._waiting.popleft()

    def take(self, limit: int) -> list[Answer]:
        """Return at most `limit`, oldest first; they are not kept."""
        with self._mutex:
            return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def clear(self) -> None:
        """Forget what nobody waits for any more."""
        with self._mutex:
            self._waiting.clear()
