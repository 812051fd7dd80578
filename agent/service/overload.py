"""Whether the eyes keep up. Where they do not, the extras rest, then fewer pictures are looked at, then smaller ones;
sound goes before.

First of all closer looks and what only learned normality reads rest: together half of what a busy camera costs. Fewer
comes by itself: a newer picture replaces the one that nobody took (`NewestFrames`). Where that alone loses more than
half of them, pictures go to the smallest export of the graph. What was given up comes back when the eyes are idle half
of the time; where that does not go well, it is tried more and more rarely.
"""

from collections.abc import Callable
from typing import Literal

Level = Literal["none", "leaner", "fewer", "smaller"]

WINDOW_S = 5.0
STARTING_S = 10.0  # from the first picture on: many sources open at once, and that is soon over
FEWER_BELOW_FRAC = 0.9  # of the pictures offered; a single hiccup of a second is no overload
SMALLER_BELOW_FRAC = 0.5
SMALLER_AFTER = 2  # windows in a row
GOOD_FRAC = 0.97
GOOD_AFTER = 6  # so that a box at its limit does not say so again and again
IDLE_ENOUGH_FRAC = 0.5
AGAIN_S = 30.0
AGAIN_MOST_S = 900.0
YIELDS = ((20, 0.05), (40, 0.2))
"""Where so many blocks of one microphone wait, 2 and 4 s, the eyes wait for so long before they look again. Little at
first: what sound lacks then is mostly taken by decoding, and eyes that sleep do not help it."""

SAID = {
    "leaner": "closer looks and learned normality rest",
    "fewer": "fewer pictures are looked at",
    "smaller": "fewer and smaller pictures",
}


class OverloadControl:
    """Counts on the thread of the eyes; `level` may be read from any thread. Times are monotonic seconds."""

    def __init__(self, now_s: float, *, can_shrink: bool, cure: Callable[[float], str] = lambda _: "") -> None:
        """`can_shrink`: there is a smaller export than the one that pictures of this size go to.

        `cure` tells what somebody could do about it; it is asked when the level changes, and given how many pictures
        a second were looked at.
        """
        self.level: Level = "none"
        self._can_shrink = can_shrink
        self._cure = cure
        self._cured_by = ""
        self._began_s = now_s
        self._counts_from_s: float | None = None
        self._pictures = 0
        self._busy_s = 0.0
        self._replaced = 0
        self._bad = self._good = 0
        self._leaner_s = self._shrunk_s = 0.0
        self._full_again_s = self._large_again_s = AGAIN_S

    def note(self, now_s: float, *, pictures: int, busy_s: float, replaced: int) -> bool:
        """Count what was looked at since the last call and how long it took; return whether `level` changed.

        `replaced` counts all pictures ever that nobody took.
        """
        self._pictures += pictures
        self._busy_s += busy_s
        if self._counts_from_s is None and pictures:
            self._counts_from_s = now_s + STARTING_S
        elapsed_s = now_s - self._began_s
        if elapsed_s < WINDOW_S:
            return False
        starting = self._counts_from_s is None or now_s <= self._counts_from_s
        lost = 0 if starting else replaced - self._replaced
        kept_frac = self._pictures / (self._pictures + lost) if self._pictures + lost else 1.0
        before = self.level
        level = self._judged(now_s, kept_frac, self._busy_s / elapsed_s)
        if level not in ("none", before):
            self._cured_by = self._cure(self._pictures / elapsed_s)
        self.level = level
        self._began_s, self._pictures, self._busy_s, self._replaced = now_s, 0, 0.0, replaced
        return self.level != before

    @property
    def leaner(self) -> bool:
        """Whether to leave out what not every place needs: closer looks, learned normality's own measures."""
        return self.level != "none"

    @property
    def smaller(self) -> bool:
        """Whether to look at the smallest pictures."""
        return self.level == "smaller"

    def reasons(self) -> list[str]:
        """Return what the state says of it, with the cure."""
        if self.level == "none":
            return []
        return [f"overload: {SAID[self.level]}" + (f". {self._cured_by}" if self._cured_by else "")]

    def _judged(self, now_s: float, kept_frac: float, busy_frac: float) -> Level:
        self._bad = self._bad + 1 if kept_frac < SMALLER_BELOW_FRAC else 0
        self._good = self._good + 1 if kept_frac >= GOOD_FRAC else 0
        easy = self._good >= GOOD_AFTER and busy_frac <= IDLE_ENOUGH_FRAC
        if self.level == "smaller":
            return self._perhaps_large(now_s) if easy else "smaller"
        if self.level == "none":
            return self._leaner(now_s) if kept_frac < FEWER_BELOW_FRAC else "none"
        if self._can_shrink and self._bad >= SMALLER_AFTER:
            self._shrunk_s = now_s
            return "smaller"
        if kept_frac < FEWER_BELOW_FRAC:
            return "fewer"
        if self.level == "fewer":
            return "leaner" if self._good >= GOOD_AFTER else "fewer"
        return "none" if easy and now_s - self._leaner_s >= self._full_again_s else "leaner"

    def _leaner(self, now_s: float) -> Level:
        """Begin anew to leave out: that all came back too early is known by how soon it has to go again."""
        soon = self._leaner_s > 0.0 and now_s - self._leaner_s < 2.0 * self._full_again_s
        self._full_again_s = min(AGAIN_MOST_S, 2.0 * self._full_again_s) if soon else AGAIN_S
        self._leaner_s = now_s
        self._bad = 0  # what was lost with the extras says nothing of what is lost without them
        return "leaner"

    def _perhaps_large(self, now_s: float) -> Level:
        if now_s - self._shrunk_s < self._large_again_s:
            return "smaller"
        self._large_again_s = min(AGAIN_MOST_S, 2.0 * self._large_again_s)
        return "leaner"
