"""Evidence of fire and smoke on one camera: what two judges of the whole picture and one of its hottest part say.

The graph's own scores are quick to find a fire and take a sunset, red light or golden foil for one. A second judge has
learned from such mistakes, and sees the part where most speaks for fire twice as large (`agent.inference.burning`,
decision 048): far and small fires it knows there, and most of what only glows it does not believe. All three count.
"""

import math
from collections.abc import Iterator

from agent.features.flicker import GREY_COLOUR_FRAC
from agent.scene.evidence import Clue
from agent.types import NS_PER_S, Box, Score, Seen

MOST_PER_S, MOST_AGAINST_PER_S = 4.0, 2.5
FLOORS = {"fire": 0.75, "smoke": 1.5}
"""Without a second judge a score counts (llr − floor) a second, at most 4 for and 2.5 against: pictures a tenth of a
second apart say the same. A sure fire opens after 1.3 s (the contract: 3 s). What is below the floor may last for
hours: frosted glass, asphalt and hazy slopes look a little like smoke in every picture."""
SHARES = {"fire": 0.75, "smoke": 0.5}
JUDGED_FLOORS = {"fire": 1.75, "smoke": 1.5}
"""With one, so much of the llr of the graph's own score, of the judge's of the whole and of its of the part, less the
floor. Where no closer look is fresh, its word about the whole stands for that about the part."""
PART_FLOORS = {"fire": 1.5, "smoke": 2.25}
"""What the closer look alone says, less this, if that is more: a small fire is nothing in the whole look. All chosen on
training clips, the looked-at half of `benchmarks.fires` and development film (decision 048)."""
PART_S, IDLE_PART_S = 0.8, 2.2
"""A closer look speaks until the next one is due, sooner where it spoke for either: one alone opens nothing."""
FLICKER_LLR, FLICKER_PX, MOST_FLICKER_LLR = 2.0, 5.0, 2.5
"""Without colour a flame looks like a lamp, but it flickers (`agent.features.flicker`): so many times the logarithm of
the flicker over so many pixels counts for a fire, at most so much (decision 025). The judge has seen no such pictures
and is not asked."""
LONGEST_STEP_S = 0.5
"""One analysed picture speaks for at most this long, however long ago the one before it was."""


class FireWatch:
    """What is known of fire and smoke on one camera: the newest closer look."""

    def __init__(self) -> None:
        self._seen_ns: int | None = None
        self._part: dict[str, float] = {}
        self._region: Box | None = None
        self._part_ns = 0
        self._part_s = 0.0

    def start_over(self) -> None:
        """Forget: the camera was lost or shows another place."""
        self._seen_ns, self._part, self._region = None, {}, None

    def see(self, seen: Seen) -> Iterator[Clue]:
        """Yield what a picture says for and against fire and smoke."""
        if not seen.scene:
            return
        elapsed_s = 0.0 if self._seen_ns is None else min(LONGEST_STEP_S, (seen.at_ns - self._seen_ns) / NS_PER_S)
        self._seen_ns = seen.at_ns
        self._note(seen)
        for score in seen.scene:
            if score.label in FLOORS:
                part = self._part.get(score.label)
                yield Clue(
                    kind=score.label,
                    signal=f"{score.label}_seen",
                    modality="vision",
                    adding="rate",
                    llr=min(MOST_PER_S, max(-MOST_AGAINST_PER_S, self._llr_per_s(seen, score))) * elapsed_s,
                    score=score.prob,
                    since_ns=seen.at_ns,
                    box=self._region if part is not None and part > 0.0 else None,
                )

    def _note(self, seen: Seen) -> None:
        """Keep the newest closer look as long as it speaks."""
        if seen.burning is not None and seen.burning.part:
            self._part = {score.label: score.llr for score in seen.burning.part}
            self._region, self._part_ns = seen.burning.region, seen.at_ns
            self._part_s = PART_S if max(self._part.values()) > 0.0 else IDLE_PART_S
        elif not 0 <= seen.at_ns - self._part_ns <= self._part_s * NS_PER_S:
            self._part, self._region = {}, None

    def _llr_per_s(self, seen: Seen, score: Score) -> float:
        """How fast a score adds up, before its limits."""
        judged = {said.label: said.llr for said in seen.burning.whole} if seen.burning is not None else {}
        if score.label not in judged or seen.stats.colour_frac < GREY_COLOUR_FRAC:
            flickers = flicker_llr(seen.flicker) if score.label == "fire" else 0.0
            return score.llr + flickers - FLOORS[score.label]
        whole = judged[score.label]
        told = self._part.get(score.label)
        part = whole if told is None else told
        rate = SHARES[score.label] * (score.llr + whole + part) - JUDGED_FLOORS[score.label]
        return rate if told is None else max(rate, told - PART_FLOORS[score.label])


def flicker_llr(flicker_px: float | None) -> float:
    """How much the flicker of a picture without colour says for a fire; nothing speaks against one."""
    if not flicker_px:
        return 0.0
    return min(MOST_FLICKER_LLR, max(0.0, FLICKER_LLR * math.log(flicker_px / FLICKER_PX)))
