"""The ledger: what speaks for one kind of incident on one camera, added up over time, per sense.

Three ways of adding, because observations are not equally independent:

- `rate`: successive pictures say nearly the same, so their evidence counts per second (CUSUM: what is
  believed never falls below nothing, so an incident need not first make up for hours of quiet);
- `peak`: one bang lies in up to four successive windows, so the best of them counts. Others are not added, whether
  they overlap or not: a model that takes one footstep for half a shot takes the next one for the same (on `dev` adding
  a fraction of what overlaps found no more at the same number of false alarms);
- `state`: a rule or a posture knows its own evidence as a whole (how long somebody has been lying).

Every level decays, so what stops being said is forgotten. The same signal of several tracks counts once, with
the strongest; different signals add up. `Level` keeps sight and sound apart: whether an incident would have
opened without one of them is read off, not guessed.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, NamedTuple

from agent.types import NS_PER_S, Box, Evidence, Modality

Adding = Literal["rate", "peak", "state"]
Sense = Literal["sight", "sound", "neither"]
Key = tuple[str, int | None, str | None]

_HISTORY_S = 6.0  # longer than any window of sound, and than a fall takes to be told
_GONE_LLR = 0.02
_MOST_EVIDENCE = 8


@dataclass(slots=True, kw_only=True)
class Clue:
    """One observation's word on one kind of incident; dozens come with each picture, and frozen ones take thrice as
    long to make."""

    kind: str
    signal: str
    modality: Modality
    adding: Adding
    llr: float
    score: float
    since_ns: int  # when what it speaks of began: of a window its start
    begun_ns: int | None = None  # when the happening itself began, where that is known better
    begins: bool = True  # whether the happening began no later than this was first said
    track: int | None = None
    box: Box | None = None
    zone: str | None = None
    words: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Clues with the same key speak of the same thing."""
        return self.signal, self.track, self.zone

    @property
    def sense(self) -> Sense:
        """Which sense would have to fail for this not to be noticed."""
        if self.modality == "sound" or self.kind == "mic_silent":
            return "sound"
        return "neither" if self.kind == "source_lost" else "sight"


@dataclass(frozen=True, slots=True)
class Level:
    """Accumulated llr by sense; `other` needs neither (a source that is gone)."""

    sight: float = 0.0
    sound: float = 0.0
    other: float = 0.0

    @property
    def total(self) -> float:
        """The sum over all senses."""
        return self.sight + self.sound + self.other

    def plus(self, more: "Level") -> "Level":
        """Return the sum of both, sense by sense."""
        return Level(self.sight + more.sight, self.sound + more.sound, self.other + more.other)

    @property
    def without_sound(self) -> float:
        """What is left without the microphone."""
        return self.sight + self.other

    @property
    def without_sight(self) -> float:
        """What is left without the camera."""
        return self.sound + self.other


class Reason(NamedTuple):
    """The strongest word of one signal. What is told becomes `Evidence`; far more reasons are kept than told."""

    llr: float
    at_ns: int
    clue: Clue

    def evidence(self) -> Evidence:
        """Return it as the evidence that an incident's message lists."""
        clue = self.clue
        return Evidence(
            signal=clue.signal,
            modality=clue.modality,
            score=clue.score,
            llr=self.llr,
            at_ns=self.at_ns,
            track=clue.track,
            box=clue.box,
            zone=clue.zone,
        )


class _Entry:
    """The level of one signal, and the strongest thing it said."""

    __slots__ = ("adding", "at_ns", "began_ns", "begins", "best", "history", "level", "place", "words")

    def __init__(self, clue: Clue, now_ns: int) -> None:
        self.level = 0.0
        self.at_ns = now_ns
        self.began_ns = clue.begun_ns if clue.begun_ns is not None else now_ns
        self.best: Reason | None = None
        self.words: Mapping[str, str | float] = clue.words
        self.history: deque[tuple[int, float, int]] = deque()  # at_ns, llr and beginning of the newest peaks
        self.adding = clue.adding
        self.begins = clue.begins
        self.place = clue.signal, clue.sense

    def level_at(self, now_ns: int, decay_s: float) -> float:
        if now_ns <= self.at_ns:
            return self.level
        return self.level * math.exp(-max(0, now_ns - self.at_ns) / (decay_s * NS_PER_S))

    def level_about(self, now_ns: int, decay_s: float, from_ns: int, to_ns: int) -> float:
        """What is left of what began between two moments."""
        if self.adding != "peak":
            return self.level_at(now_ns, decay_s) if from_ns <= self.began_ns <= to_ns else 0.0
        told = [
            llr * math.exp(-max(0, now_ns - at_ns) / (decay_s * NS_PER_S))
            for at_ns, llr, began_ns in self.history
            if from_ns <= began_ns <= to_ns
        ]
        return max(0.0, *told) if told else 0.0

    def take(self, clue: Clue, now_ns: int, decay_s: float, most_llr: float) -> None:
        before = self.level_at(now_ns, decay_s)
        if clue.adding == "rate":
            level = max(0.0, before + clue.llr)
        elif clue.adding == "state":
            level = max(0.0, clue.llr)
        else:
            level = max(before, clue.llr)
        if before < _GONE_LLR and level >= _GONE_LLR:
            self.began_ns = clue.begun_ns if clue.begun_ns is not None else now_ns
        elif clue.adding == "peak" and level > before and self.best is not None and clue.since_ns > self.best.at_ns:
            self.began_ns = clue.begun_ns if clue.begun_ns is not None else now_ns  # a new and stronger sound
        self.level, self.at_ns = min(level, most_llr), now_ns
        if clue.adding == "peak":
            while self.history and now_ns - self.history[0][0] > _HISTORY_S * NS_PER_S:
                self.history.popleft()
            self.history.append((now_ns, clue.llr, clue.begun_ns if clue.begun_ns is not None else now_ns))
        self._keep_best(clue, now_ns, decay_s)

    def _keep_best(self, clue: Clue, now_ns: int, decay_s: float) -> None:
        # A running sum or a whole state is best told by its newest word; of windows the strongest one counts,
        # but another sound, long after, is told as soon as it weighs more than what is left of the first.
        shown = clue.llr if clue.adding == "peak" else self.level
        told = self.best.llr if self.best is not None else 0.0
        if clue.adding == "peak" and self.best is not None and clue.since_ns > self.best.at_ns:
            told *= math.exp(-(now_ns - self.best.at_ns) / (decay_s * NS_PER_S))
        if shown <= 0.0 or shown < told or (clue.adding == "peak" and shown == told):
            return
        self.words = clue.words
        self.best = Reason(round(shown, 6), now_ns, clue)


class Ledger:
    """All that speaks for one kind on one camera."""

    def __init__(self, *, decay_s: float, most_llr: float) -> None:
        self._decay_s = decay_s
        self._most_llr = most_llr
        self._entries: dict[Key, _Entry] = {}

    def note(self, clue: Clue, now_ns: int) -> None:
        """Add a clue to the evidence; one that speaks against something nobody spoke for is dropped."""
        key = clue.key
        entry = self._entries.get(key)
        if entry is None:
            if clue.llr <= 0.0:
                return
            entry = self._entries[key] = _Entry(clue, now_ns)
        entry.take(clue, now_ns, self._decay_s, self._most_llr)

    def limit(self, most_llr: float) -> None:
        """Let the level of what comes from now on rise to `most_llr`."""
        self._most_llr = most_llr

    def level(self, now_ns: int, *, began_ns: tuple[int, int] | None = None) -> Level:
        """What is believed at `now_ns`; with `began_ns`, only of what began between those two moments."""
        best: dict[tuple[str, Sense], float] = {}
        for entry in self._entries.values():
            if began_ns is None:
                level = entry.level_at(now_ns, self._decay_s)
            else:
                level = entry.level_about(now_ns, self._decay_s, *began_ns)
            if level > best.setdefault(entry.place, 0.0):
                best[entry.place] = level
        sums = dict.fromkeys(("sight", "sound", "neither"), 0.0)
        for (_, sense), llr in best.items():
            sums[sense] += llr
        return Level(sums["sight"], sums["sound"], sums["neither"])

    def forget(self, now_ns: int) -> None:
        """Forget what has faded: it is no reason for what opens later, and a busy place has a track a minute."""
        for key in [key for key, entry in self._entries.items() if entry.level_at(now_ns, self._decay_s) < _GONE_LLR]:
            del self._entries[key]

    def reset(self, now_ns: int) -> None:
        """Forget the reasons (an incident is over); what still has a level may be a reason for the next."""
        self.forget(now_ns)
        for entry in self._entries.values():
            entry.best = None

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def began_ns(self) -> int | None:
        """When the earliest of what is believed began."""
        known = [entry.began_ns for entry in self._entries.values() if entry.best is not None and entry.begins]
        return min(known, default=None)

    def strongest_began_ns(self, now_ns: int) -> int | None:
        """When that began of which most is believed."""
        known = [entry for entry in self._entries.values() if entry.best is not None]
        best = max(known, key=lambda entry: (entry.level_at(now_ns, self._decay_s), -entry.began_ns), default=None)
        return None if best is None else best.began_ns

    def evidence(self) -> tuple[Reason, ...]:
        """Return the strongest reasons, strongest first."""
        known = [entry.best for entry in self._entries.values() if entry.best is not None]
        return tuple(sorted(known, key=strongest_first)[:_MOST_EVIDENCE])

    def words(self) -> dict[str, str | float]:
        """What a sentence needs to know, of the strongest signals last so that they win."""
        told: dict[str, str | float] = {}
        known = [(entry.best.llr, entry.words) for entry in self._entries.values() if entry.best is not None]
        for _, words in sorted(known, key=itemgetter(0)):
            told |= words
        return told


def belief(level_llr: float, threshold_llr: float) -> float:
    """Posterior in [0, 1] when the prior odds are those that the threshold overcomes; 0 without evidence."""
    base = 1.0 / (1.0 + math.exp(threshold_llr))
    posterior = 1.0 / (1.0 + math.exp(threshold_llr - level_llr))
    return max(0.0, (posterior - base) / (1.0 - base))


def strongest_first(reason: Reason) -> tuple[float, str, int, str]:
    """Sorts reasons as they are told."""
    clue = reason.clue
    return -reason.llr, clue.signal, clue.track or 0, clue.zone or ""
