"""Topics of which only the newest content matters: state, active, the newest picture of a camera.

They live in memory: after a restart the agent says them anew. A new connection gets the retained ones again,
because the broker may have forgotten them.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass

from agent.uplink.messages.payload import CONTENT_TYPE


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest content of a topic; an empty retained one makes the broker forget the topic."""

    topic: str
    payload: bytes
    retain: bool
    content_type: str = CONTENT_TYPE


class LatestBoard:
    """The newest contents, and which of them the broker has yet to acknowledge. Safe to use from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._newest: dict[str, Latest] = {}
        self._unsent: dict[str, None] = {}  # topics, in order
        self._not_before_s: dict[str, float] = {}

    def put(self, latest: Latest) -> None:
        """Replace the content of a topic."""
        with self._mutex:
            self._newest[latest.topic] = latest
            self._unsent.pop(latest.topic, None)
            self._unsent[latest.topic] = None

    def connected(self) -> None:
        """A broker may know nothing yet: everything retained is to be sent again."""
        with self._mutex:
            self._unsent = {
                topic: None for topic, latest in self._newest.items() if latest.retain or topic in self._unsent
            }

    def due(self, on_the_way: Collection[str], now_s: float) -> list[Latest]:
        """Return what is to be sent, save topics that are on their way or that have to wait."""
        with self._mutex:
            return [
                self._newest[topic]
                for topic in self._unsent
                if topic not in on_the_way and self._not_before_s.get(topic, 0.0) <= now_s
            ]

    def acknowledged(self, latest: Latest) -> None:
        """The broker has this content, which may be older than the newest by now."""
        with self._mutex:
            self._not_before_s.pop(latest.topic, None)
            if self._newest.get(latest.topic) is latest:
                self._unsent.pop(latest.topic, None)
                if not latest.payload:  # said once and for all
                    del self._newest[latest.topic]

    def is_said(self, topic: str) -> bool:
        """Return whether the broker has acknowledged the newest content of `topic`, or there is none."""
        with self._mutex:
            return topic not in self._unsent

    def postpone(self, topic: str, until_s: float) -> None:
        """The broker refuses the topic: try again later."""
        with self._mutex:
            self._not_before_s[topic] = until_s

    def forget(self, latest: Latest) -> None:
        """Never send this content again; a newer one is another matter."""
        with self._mutex:
            if self._newest.get(latest.topic) is latest:
                del self._newest[latest.topic]
                self._unsent.pop(latest.topic, None)
