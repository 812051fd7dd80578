"""What closer looks at one person who went down say, one after the other (decision 038)."""

import math
from dataclasses import dataclass

from agent.types import NS_PER_S, POSTURES, Box, Sunken

LYING_PROB, SURE_PROB = 0.5, 0.2
"""A look shows somebody lying from this probability on, and if score times probability reach the second."""
REST_FRAC = 0.25
"""Who lies moves no further between two looks than this share of the longer side: who walks out below does."""
TOGETHER_S = 1.0
"""Looks further apart than this tell nothing of the time between them."""


@dataclass(slots=True)
class LyingLooks:
    """The newest looks: how surely somebody lies there, and since when all of them said so."""

    at_ns: int | None = None
    lies_prob: float = 0.0  # score times probability of lying, smoothed over two looks
    since_ns: int | None = None  # the first of the looks in a row that showed somebody lying
    box: Box | None = None  # and where the last of them did

    def see(self, at_ns: int, sunken: Sunken, aspect_ratio: float) -> None:
        """Note what one closer look shows: whether the person in it lies, and how surely."""
        person = sunken.person
        lying_prob = 0.0
        if person is not None and person.posture_probs is not None:
            lying_prob = person.posture_probs[POSTURES.index("lying")]
        lies_prob = lying_prob * person.score_prob if person is not None else 0.0
        together = self.is_fresh(at_ns)
        self.lies_prob = (self.lies_prob + lies_prob) / 2 if together else lies_prob
        if person is None or lying_prob < LYING_PROB or lies_prob < SURE_PROB:
            self.since_ns = self.box = None
        else:
            rests = self.box is not None and _rests(self.box, person.box, aspect_ratio)
            self.since_ns = self.since_ns if together and rests and self.since_ns is not None else at_ns
            self.box = person.box
        self.at_ns = at_ns

    def is_fresh(self, at_ns: int) -> bool:
        """Whether the newest look still speaks."""
        return self.at_ns is not None and 0 <= at_ns - self.at_ns <= TOGETHER_S * NS_PER_S

    def lying_s(self, at_ns: int) -> float | None:
        """For how long all looks have shown somebody lying; None where the newest does not, or is long ago."""
        if self.since_ns is None or self.at_ns is None or not self.is_fresh(at_ns):
            return None
        return (self.at_ns - self.since_ns) / NS_PER_S


def _rests(before: Box, now: Box, aspect_ratio: float) -> bool:
    """Whether somebody is where they were."""
    across = before.left_frac + before.right_frac - now.left_frac - now.right_frac
    down = before.top_frac + before.bottom_frac - now.top_frac - now.bottom_frac
    length = max(before.width_frac * aspect_ratio, before.height_frac, now.width_frac * aspect_ratio, now.height_frac)
    return math.hypot(across * aspect_ratio, down) / 2 <= REST_FRAC * length
