"""Keeps somebody who sends for ever from filling the log: so many lines a minute, then one that counts the rest."""

import logging

WINDOW_S = 60.0
MOST_LINES = 20


class LogLimit:
    """Lets through `MOST_LINES` lines per `WINDOW_S`, on one thread. Times are monotonic seconds."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._began_s = float("-inf")
        self._lines = 0
        self._left_out = 0

    def write(self, now_s: float, level: int, text: str, *values: object) -> None:
        """Log this if there is room for it."""
        self.tend(now_s)
        if self._lines >= MOST_LINES:
            self._left_out += 1
            return
        self._lines += 1
        self._log.log(level, text, *values)

    def tend(self, now_s: float) -> None:
        """Tell how many lines were left out, once their minute is over."""
        if now_s - self._began_s < WINDOW_S:
            return
        if self._left_out:
            self._log.warning("%d more %s in the last %.0f s", self._left_out, self._what, now_s - self._began_s)
        self._began_s, self._lines, self._left_out = now_s, 0, 0
