"""Whether the eyes keep up. Where they do not, fewer pictures are looked at, then smaller ones; sound goes before.

Fewer comes by itself: a newer picture replaces the one that nobody took (`NewestFrames`). Where that alone loses more
than half of them, pictures go to the smallest export of the graph until the eyes are idle half of the time. Large
pictures that do not go well are tried more and more rarely.
"""

from typing import Literal

Level = Literal["none", "fewer", "smaller"]

WINDOW_S = 5.0
FEWER_BELOW_FRAC = 0.9  # of the pictures offered; a single hiccup of a second is no overload
SMALLER_BELOW_FRAC = 0.5
SMALLER_AFTER = 2  # windows in a row
GOOD_FRAC = 0.97
GOOD_AFTER = 6  # so that a box at its limit does not say so again and again
IDLE_ENOUGH_FRAC = 0.5
LARGE_AGAIN_S = 30.0
LARGE_AGAIN_MOST_S = 900.0
SOUND_BEHIND_BLOCKS = 20  # 2 s of one microphone
YIELD_S = 0.2


class OverloadControl:
    """Counts on the thread of the eyes; `level` may be read from any thread. Times are monotonic seconds."""

    def __init__(self, now_s: float, *, can_shrink: bool) -> None:
        """`can_shrink`: there is a smaller export than the one that pictures of this size go to."""
        self.level: Level = "none"
        self._can_shrink = can_shrink
        self._began_s = now_s
        self._pictures = 0
        self._busy_s = 0.0
        self._replaced = 0
        self._bad = self._good = 0
        self._shrunk_s = 0.0
        self._large_again_s = LARGE_AGAIN_S

    def note(self, now_s: float, *, pictures: int, busy_s: float, replaced: int) -> bool:
        """Count what was looked at since the last call and how long it took; return whether `level` changed.

        `replaced` counts all pictures ever that nobody took.
        """
        self._pictures += pictures
        self._busy_s += busy_s
        elapsed_s = now_s - self._began_s
        if elapsed_s < WINDOW_S:
            return False
        lost = replaced - self._replaced
        kept_frac = self._pictures / (self._pictures + lost) if self._pictures + lost else 1.0
        before = self.level
        self.level = self._judged(now_s, kept_frac, self._busy_s / elapsed_s)
        self._began_s, self._pictures, self._busy_s, self._replaced = now_s, 0, 0.0, replaced
        return self.level != before

    @property
    def smaller(self) -> bool:
        """Whether to look at the smallest pictures."""
        return self.level == "smaller"

    def reasons(self) -> list[str]:
        """Return what the state says of it."""
        said = {"none": [], "fewer": ["fewer pictures are looked at"], "smaller": ["fewer and smaller pictures"]}
        return [f"overload: {one}" for one in said[self.level]]

    def _judged(self, now_s: float, kept_frac: float, busy_frac: float) -> Level:
        self._bad = self._bad + 1 if kept_frac < SMALLER_BELOW_FRAC else 0
        self._good = self._good + 1 if kept_frac >= GOOD_FRAC else 0
        if self.level == "smaller":
            return self._perhaps_large(now_s, busy_frac)
        if self._can_shrink and self._bad >= SMALLER_AFTER:
            self._shrunk_s = now_s
            return "smaller"
        if kept_frac < FEWER_BELOW_FRAC:
            return "fewer"
        return "none" if self._good >= GOOD_AFTER else self.level

    def _perhaps_large(self, now_s: float, busy_frac: float) -> Level:
        easy = self._good >= GOOD_AFTER and busy_frac <= IDLE_ENOUGH_FRAC
        if not easy or now_s - self._shrunk_s < self._large_again_s:
            return "smaller"
        self._large_again_s = min(LARGE_AGAIN_MOST_S, 2.0 * self._large_again_s)
        return "none"
