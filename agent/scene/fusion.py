"""What the fusion graph says becomes evidence.

Windows of 8 s that follow each other by half a second say nearly the same, so their evidence counts per second.
Only a fight rests on the graph alone; other kinds have signals of their own.
"""

import math
from collections.abc import Iterable, Iterator

from agent.scene.evidence import Clue
from agent.types import NS_PER_S, Fused

FUSED_KINDS = ("fight",)
FUSED_GAIN_PER_S, FUSED_LLR_PER_S = 4.0, 4.0
"""A window counts four times its llr a second, at most 4. Against the threshold of 3 (agent.scene.policy) whatever is
surer than the card's operating point by 1 opens with the first or second window and is critical (6.5) with the third
or fourth: what a window says must last to be sure."""
LIKELY_LLR = 1.0
"""What the newest window alone is worth at most: it opens nothing by itself, but orders what lies below the operating
point, so that beliefs rank scenes that are unlike and less unlike a fight."""
SOMEBODY_S = 2.0
"""Who was not seen for so long does not fight. The graph reads optical flow besides people, and takes two dogs that
romp for a fight; with this, of 483 training fights as `models.fusion.running` shows them 3 fewer open."""
CROWD, CROWD_S = 8, 0.5
"""Among more people than these, seen in the last half second, some two look like fighting by chance so much the more
often (Bonferroni): the logarithm of how many times as many they are is taken off the llr. Calm training clips hardly
ever show more. Of the same 483 fights 2 fewer open; a crowd that crosses a street, in development film, does not."""
LONGEST_STEP_S = 0.5
"""One window speaks for at most this long, however long ago the one before it was."""


class FusionEvidence:
    """The words of the fusion graph on one camera."""

    def __init__(self) -> None:
        self._at_ns: int | None = None

    def take(self, fused: Fused, people_seen_ns: Iterable[int]) -> Iterator[Clue]:
        """Yield what one window says; `people_seen_ns` is when each person who is followed was last seen."""
        ages_s = [(fused.at_ns - seen_ns) / NS_PER_S for seen_ns in people_seen_ns]
        somebody = any(age_s <= SOMEBODY_S for age_s in ages_s)
        crowd_llr = math.log(max(1.0, sum(age_s <= CROWD_S for age_s in ages_s) / CROWD))
        elapsed_s = LONGEST_STEP_S
        if self._at_ns is not None:
            elapsed_s = min(LONGEST_STEP_S, max(0.0, (fused.at_ns - self._at_ns) / NS_PER_S))
        self._at_ns = fused.at_ns
        for score in fused.scores:
            if score.label in FUSED_KINDS:
                llr = score.llr - crowd_llr
                most_llr_per_s = FUSED_LLR_PER_S if somebody else 0.0
                rate = min(most_llr_per_s, max(-FUSED_LLR_PER_S, FUSED_GAIN_PER_S * llr))
                yield Clue(
                    kind=score.label,
                    signal=f"{score.label}_fused",
                    modality="fusion",
                    adding="rate",
                    llr=rate * elapsed_s,
                    score=score.prob,
                    since_ns=fused.at_ns,
                )
                yield Clue(
                    kind=score.label,
                    signal=f"{score.label}_likely",
                    modality="fusion",
                    adding="state",
                    llr=LIKELY_LLR * math.exp(min(0.0, llr)) if somebody else 0.0,
                    score=score.prob,
                    since_ns=fused.at_ns,
                    begins=False,
                )
