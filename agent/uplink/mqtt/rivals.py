"""Another box that uses our node name: noticed by what it says on our own topics, and told instead of fought.

A broker keeps one connection per client id, so two boxes of one name would throw each other out for ever. Whoever is
thrown out takes a client id of its own; from then on both deliver, and each sees the other's state and says so.
"""

import json
import logging

_LOG = logging.getLogger(__name__)

FORGOTTEN_S = 100.0  # each box tells its state every half minute
_SUFFIX_CHARACTERS = 6


class Rivals:
    """What is known of other boxes of our name. Times are monotonic seconds."""

    def __init__(self, node: str, state_topic: str, run_id: str) -> None:
        """`run_id` is different for every run of every box; it stands in the states that we publish."""
        self.state_topic = state_topic
        self.suffix = ""  # of the client id
        self._node = node
        self._run_id = run_id
        self._heard_s: float | None = None

    def dodge(self) -> None:
        """The broker threw us out for somebody else: be somebody else."""
        self.suffix = f"-{self._run_id[:_SUFFIX_CHARACTERS]}"

    def stand(self) -> None:
        """Go by the plain client id again: the broker does not like another one."""
        self.suffix = ""

    def hear(self, payload: bytes, *, retained: bool, now_s: float) -> None:
        """Look at what came on our own state topic."""
        if retained:  # what was said last, perhaps by a former run of ours
            return
        try:
            run_id = json.loads(payload)["run"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if run_id == self._run_id:
            return
        if not self.remark(now_s):
            _LOG.error("%s", self._sentence())
        self._heard_s = now_s

    def remark(self, now_s: float) -> str:
        """Return what is to be said of it, empty while there is nobody."""
        gone = self._heard_s is None or now_s - self._heard_s > FORGOTTEN_S
        return "" if gone else self._sentence()

    def _sentence(self) -> str:
        return f"another box uses the node name {self._node}: give each box its own node.name"
