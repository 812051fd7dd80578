"""Which topics the broker keeps for this box, remembered so that those of a removed camera are taken back.

A retained message outlives its camera: Home Assistant would show it for ever. What a former run left and this
one does not say is replaced by an empty message, and forgotten only when the broker has acknowledged that.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from agent.config.files import write_atomically
from agent.errors import ConfigError
from agent.uplink.mqtt.latest import Latest

FILE = "retained.json"

_LOG = logging.getLogger(__name__)


class Board(Protocol):
    """The part of the uplink that is needed here."""

    def say(self, latest: Latest) -> None:
        """Replace the content of a topic."""

    def is_said(self, topic: str) -> bool:
        """Return whether the broker has the newest content of `topic`."""


class Retained:
    """What is kept by the broker: `begin` once, then `tend` now and then. For one thread."""

    def __init__(self, folder: Path, board: Board) -> None:
        self._place = folder / FILE
        self._board = board
        self._kept: tuple[str, ...] = ()
        self._leaving: set[str] = set()

    def begin(self, said: Mapping[str, Latest], others: Iterable[str] = ()) -> None:
        """Say `said`, remember its topics and `others`, and take back what else a former run said."""
        self._kept = (*said, *others)
        self._leaving = self._remembered() - set(self._kept)
        self._remember()
        for topic in sorted(self._leaving):
            self._board.say(Latest(topic, b"", retain=True))
        for latest in said.values():
            self._board.say(latest)

    def tend(self) -> None:
        """Forget what the broker has forgotten."""
        gone = {topic for topic in self._leaving if self._board.is_said(topic)}
        if gone:
            self._leaving -= gone
            self._remember()

    def _remembered(self) -> set[str]:
        try:
            topics = json.loads(self._place.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):  # not there yet, or not readable: nothing to take back
            return set()
        return {topic for topic in topics if isinstance(topic, str)} if isinstance(topics, list) else set()

    def _remember(self) -> None:
        try:
            write_atomically(
                self._place, json.dumps(sorted({*self._kept, *self._leaving})), mode=0o600, folder_mode=0o750
            )
        except ConfigError as error:
            _LOG.warning("the list of retained topics is not kept: %s", error.why)
