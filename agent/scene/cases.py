"""What is known of one kind of incident on one camera, and of the incident that it may have opened.

Data, and what follows from it alone; `agent.scene.incidents` moves it along.
"""

from dataclasses import dataclass, field

from agent.scene.evidence import Key, Ledger, Level, Reason, belief
from agent.scene.lifecycle import State
from agent.scene.policy import SAME_BANG_S, KindRule
from agent.types import NS_PER_S, Severity


@dataclass(slots=True)
class Draft:
    """An incident while it is open; several cases share one when the same bang was heard by several cameras."""

    ordinal: int
    kind: str
    started_ns: int
    cameras: list[str]  # the one that opened it first
    drill: bool
    told_ns: int = 0  # when the last message was made
    told: object = None  # what it said, as `news` puts it
    told_severity: Severity | None = None
    sure: bool = False  # critical, where its kind can be
    peak_llr: float = 0.0  # the most evidence so far, above the threshold
    without_sound: bool = False  # would have opened without it
    without_picture: bool = False
    reasons: dict[tuple[str, Key], Reason] = field(default_factory=dict)  # the strongest by (camera, key)
    words: dict[str, str | float] = field(default_factory=dict)  # what the sentence is filled in with
    zones: set[str] = field(default_factory=set)
    agreeing: list[str] = field(default_factory=list)  # signals of another sense that the sentence names
    absorbs: list[int] = field(default_factory=list)  # ordinals of incidents that became part of this one


@dataclass(slots=True)
class Case:
    """One kind on one camera."""

    camera: str
    kind: str
    rule: KindRule
    ledger: Ledger
    state: State = "quiet"
    draft: Draft | None = None  # while an incident is open
    opened_ns: int = 0
    strong_ns: int = 0  # when the evidence was last above the threshold
    faded_ns: int = 0  # when it last fell below what keeps an incident open
    spent: bool = False  # closed by timeout: opens again only after it was weak
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The evidence for a case at this moment, with what supports it on the same camera."""

    level: Level
    supports: tuple[Reason, ...]
    threshold_llr: float

    @property
    def margin(self) -> float:
        """By how much the evidence is above the threshold; negative below it. Log-likelihood ratio."""
        return self.level.total - self.threshold_llr


def confidence(draft: Draft) -> float:
    """Return in [0, 1] how sure the incident was at its surest."""
    return belief(draft.peak_llr + 20.0, 20.0)


def news(draft: Draft) -> object:
    """Return what is worth an update when it changes."""
    return (
        tuple(draft.cameras),
        frozenset(draft.reasons),
        draft.without_sound,
        draft.without_picture,
        tuple(draft.absorbs),
        round(confidence(draft) * 5),
    )


def reaches(other: Case, began_ns: int) -> bool:
    """Return whether the open incident of `other` may account for what began at `began_ns`."""
    if other.draft is None:
        return False
    reach_ns = round(other.rule.reach_s * NS_PER_S)
    return not reach_ns or other.draft.started_ns - reach_ns <= began_ns <= other.strong_ns + reach_ns


def is_same_moment(draft: Draft | None, began_ns: int) -> bool:
    """Return whether an incident began when another camera may have heard the same bang."""
    return draft is not None and abs(draft.started_ns - began_ns) <= SAME_BANG_S * NS_PER_S
