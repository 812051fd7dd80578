"""What an unusual moment is told as: where it was, how strong, and which attribute was unusual."""

from dataclasses import dataclass, field

from agent.scene.evidence import Clue
from agent.scene.normality.gauge import llr_of
from agent.types import Box, Modality

THRESHOLD_LLR, HEADROOM_LLR = 4.0, 5.0
"""As the policy's rule for `unusual` at normal sensitivity."""
SIGNALS = {"sight": "unusual_sight", "sound": "unusual_sound"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The surprise of one stream at one moment, with the surprise at which it reaches the threshold.

    Below `often_nats` it says nothing.
    """

    stream: str
    attribute: str
    nats: float
    high_nats: float
    often_nats: float = 0.0
    box: Box | None = None
    track: int | None = None
    words: dict[str, str | float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How strong it is: 0 at what is often reached, 1 at the threshold."""
        return max(0.0, self.nats - self.often_nats) / (self.high_nats - self.often_nats)


def clue_of(found: Found, sense: str, at_ns: int) -> Clue:
    """The clue for the ledger: a state, that of the strangest stream of one sense."""
    llr = llr_of(found.ratio, 1.0, THRESHOLD_LLR, HEADROOM_LLR)
    modality: Modality = "sound" if sense == "sound" else "normality"
    return Clue(
        kind="unusual",
        signal=SIGNALS[sense],
        modality=modality,
        adding="state",
        llr=llr,
        score=min(1.0, found.ratio / 2.0),
        since_ns=at_ns,
        box=found.box,
        words={"times": 1.0, "what": "Something", "variant": found.attribute, **found.words},
    )
