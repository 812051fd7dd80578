"""What one microphone's windows say: bangs and screams, alarms and their rhythm, thuds, and how loud it is here.

One bang lies in up to four windows (2 s long, every 0.5 s): the ledger takes the best of them (`peak`). An alarm
goes on, so it counts per second (`rate`); its rhythm, once recognised, stands for itself (`state`).
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.scene.alarm_patterns import Beeping, Rhythm
from agent.scene.evidence import Clue
from agent.scene.knocks import LOUDER_DB, RegularKnocks
from agent.scene.policy import SOUND_LLR
from agent.types import NS_PER_S, Heard, Score

BANGS = ("gunshot", "explosion", "glass_break", "scream", "crash")
"""Labels of the hearing card that are kinds of their own."""
ALARMS = ("alarm", "siren", "smoke_alarm", "burglar_alarm")
"""Labels that speak for `alarm`; the strongest counts. A clock's alarm is everyday life."""
THUDS = ("crash", "door_slam", "knock")
"""Labels that a body hitting the floor is heard as; `thud` confirms, it is no kind of its own."""
THUD_SHARE = 0.6

CONFIRMED, CONFIRMED_BY, CONFIRMED_S = ("gunshot", "scream"), 3, 2.0
"""What one window alone takes for one of these is often something else (a bark, a cheer, a snare drum): the third best
of the windows that end within 2 s counts. They come every half second and again 0.1, 0.4 and 0.7 s after an onset; a
shot opens 0.3 s later by it in the median, a scream 0.5 s."""
UNCONFIRMED_LLR = -2.0

USUAL_LLR_MEMORY_S, USUAL_MOST_LLR = 8.0, 3.0
"""What a place sounds like all the time is no news: footsteps that half sound like shots do so at every step. The
mean of what was heard of a label in the 8 s before the window is taken off, up to 3, unless this is louder than all
of it. What lies in the window itself is not usual yet, or a bang would speak against its own second window."""

_SAME_MOMENT_NS = 50_000_000
"""Windows overlap by 15 ms more than whole steps."""

KNOCKS = ("gunshot", "explosion", "crash")
RHYTHM_LLR = 3.0
"""What a regular rhythm of knocks speaks against each of its knocks being one of KNOCKS."""

SUDDEN, NO_ONSET_LLR = ("glass_break",), 2.0
"""What begins at once is less likely where the window holds no onset: a faint sound in a shop (dev film) is taken for
glass as it leaves the window. Of 69 recordings of `dev` after three seconds of other sound 56 are found with it and
without; where the microphone has only just begun to hear (`JUST_BEGUN_S`), no onset can be told."""
JUST_BEGUN_S = 0.5

SLAMS, TAIL_LLR, TAIL_S = ("door_slam", "knock"), 4.0, 3.0
"""Where the windows that hold an onset hear a slam or a knock rather than one of KNOCKS, those that only hold what is
left of it say nothing else: without its beginning the tail of a thud sounds like a shot far away."""

ALARM_LLR_PER_S, ALARM_FLOOR = 4.0, 2.06
"""An alarm's window counts (llr − 2.06) a second, at most 4: the threshold of 5 is reached after three windows (1.5 s)
of a sure alarm (llr 6 and more), after 2 s of llr 5, 3.5 s of llr 4, 11 s of llr 3, never for what is less likely than
that. The llr is shifted so that the card's alarm (moved by the embedding) meets 5: flutes and voices are told from
sirens by it. With at most 3 a second a fourth window was needed, which a siren of three seconds seldom has
(decision 052)."""
PATTERN_LLR = (0.0, 3.5, 7.0, 8.0)
"""By complete cycles of T3 or T4: one alone is not enough, two are (the contract)."""
PATTERN_KEPT_S = 8.0

USUAL_MEMORY_S, USUAL_AFTER_S = 60.0, 8.0
LOUD_OVER_DB, LOUD_LLR_PER_DB, LOUD_LEVEL_DBFS = 24.0, 0.4, -32.0
"""llr of a half second = (dB above usual − 24) · 0.4: 34 dB above opens `loud_noise` (threshold 4), but nothing
that is not loud in itself does."""
THUD_OVER_DB = 12.0
SILENT_DBFS = -100.0


class Background:
    """The usual level of a place in dBFS: a slow mean that loud moments hardly move."""

    def __init__(self) -> None:
        self.level_dbfs: float | None = None
        self._spread_db = 4.0
        self._heard_s = 0.0

    @property
    def is_known(self) -> bool:
        """Whether enough was heard to say what is usual."""
        return self._heard_s >= USUAL_AFTER_S

    def over_db(self, level_dbfs: float) -> float:
        """How far a level stands over the usual one; counts spread beyond 4 dB as usual."""
        if self.level_dbfs is None:
            return 0.0
        return level_dbfs - self.level_dbfs - max(0.0, 2.0 * (self._spread_db - 4.0))

    def learn(self, level_dbfs: float, elapsed_s: float) -> None:
        """Take a half second into account; what stands out counts only as far as 12 dB."""
        if level_dbfs <= SILENT_DBFS or elapsed_s <= 0.0:
            return
        if self.level_dbfs is None:
            self.level_dbfs = level_dbfs
        moved = min(12.0, max(-12.0, level_dbfs - self.level_dbfs))
        self._heard_s += elapsed_s
        share = min(0.5, elapsed_s / min(USUAL_MEMORY_S, max(elapsed_s, self._heard_s)))
        self.level_dbfs += share * moved
        self._spread_db += share * (abs(moved) - self._spread_db)


class Confirmation:
    """What the newest windows said of one label, and when it began for each."""

    def __init__(self) -> None:
        self._said: deque[tuple[int, float, int]] = deque()

    def of(self, at_ns: int, llr: float, begun_ns: int) -> tuple[float, int]:
        """A window's llr, but no more than the third best of those that end within `CONFIRMED_S`; `at_ns` rises.

        Besides, when the first of those that say at least that began.
        """
        while self._said and self._said[0][0] <= at_ns - CONFIRMED_S * NS_PER_S:
            self._said.popleft()
        self._said.append((at_ns, llr, begun_ns))
        if len(self._said) < CONFIRMED_BY:
            return min(llr, UNCONFIRMED_LLR), begun_ns
        third_llr = min(llr, sorted((said for _, said, _ in self._said), reverse=True)[CONFIRMED_BY - 1])
        return third_llr, min(begun for _, said, begun in self._said if said >= third_llr)


class Ear:
    """The sound of one camera; of the `confirmed` labels no window counts by itself."""

    def __init__(self, *, confirmed: Sequence[str] = CONFIRMED) -> None:
        self._background = Background()
        self._rhythm = Rhythm()
        self._said = {label: Confirmation() for label in confirmed}
        self._at_ns: int | None = None
        self._onset_ns: int | None = None
        self._first_ns: int | None = None
        self._pattern: tuple[int, Beeping] | None = None
        self._alarm_since_ns: int | None = None
        self._usual_llr: deque[tuple[int, dict[str, float]]] = deque()  # as it was at the end of each window
        self._loud: Clue | None = None
        self._knocks = RegularKnocks()
        self._peaks: deque[tuple[int, float]] = deque()
        self._begun: tuple[int, dict[str, float]] = (0, {})

    @property
    def background_dbfs(self) -> float | None:
        """The usual level of this place; None until enough was heard."""
        return self._background.level_dbfs if self._background.is_known else None

    def hear(self, heard: Heard) -> Iterator[Clue]:
        """Yield the clues that one window of sound gives."""
        if self._first_ns is None or heard.gap_before:
            self._first_ns = heard.start_ns
        if heard.between:
            self._onset_ns = heard.onset_ns
            yield from self._bangs(heard, {score.label: score for score in heard.scores})
            return
        elapsed_s = 0.5 if self._at_ns is None else min(1.0, max(0.0, (heard.at_ns - self._at_ns) / NS_PER_S))
        if heard.gap_before:
            self._rhythm.reset()
        if heard.onset_ns is not None:
            self._onset_ns = heard.onset_ns
        self._knocks.hear(heard.onset_ns, heard.peak_dbfs)
        scores = {score.label: score for score in heard.scores}
        yield from self._bangs(heard, scores)
        self._learn_usual(heard, scores, elapsed_s)
        yield from self._alarms(heard, scores, elapsed_s)
        yield from self._beeps(heard)
        yield from self._loudness(heard, elapsed_s)
        self._at_ns = heard.at_ns

    def _begun_ns(self, heard: Heard) -> int:
        """When the thing in the newest half second began: at its onset, or in the middle."""
        if self._onset_ns is not None and heard.start_ns <= self._onset_ns <= heard.at_ns:
            return self._onset_ns
        return max(heard.start_ns, heard.at_ns - NS_PER_S // 4)

    def _bangs(self, heard: Heard, scores: dict[str, Score]) -> Iterator[Clue]:
        in_rhythm = self._knocks.explain(heard.at_ns, heard.peak_dbfs)
        louder = heard.peak_dbfs > max((peak for _, peak in self._peaks), default=0.0) + LOUDER_DB
        usual_llr = self._usual_before(heard.start_ns)
        for label in BANGS:
            if label in scores:
                less_llr = 0.0 if louder else usual_llr.get(label, 0.0)
                less_llr += RHYTHM_LLR if in_rhythm and label in KNOCKS else 0.0
                less_llr += NO_ONSET_LLR if label in SUDDEN and not self._may_begin_in(heard) else 0.0
                less_llr += TAIL_LLR if label in KNOCKS and self._is_tail_of_slam(label, heard, scores) else 0.0
                clue = self._window(label, label, scores[label], heard, less_llr=less_llr)
                said = self._said.get(label)
                if said is not None:
                    third_llr, begun_ns = said.of(heard.at_ns, clue.llr, self._begun_ns(heard))
                    clue = replace(clue, llr=third_llr, begun_ns=begun_ns)
                yield clue
        thuds = [scores[label] for label in THUDS if label in scores]
        if thuds:
            best = max(thuds, key=lambda score: (score.llr, score.label))
            yield self._window("thud", best.label, best, heard, share=THUD_SHARE)

    def _may_begin_in(self, heard: Heard) -> bool:
        """Whether something sudden can have begun in a window: at an onset, or before there was sound to rise from."""
        begun = self._onset_ns is not None and self._onset_ns >= heard.start_ns
        return begun or heard.start_ns <= (self._first_ns or 0) + JUST_BEGUN_S * NS_PER_S

    def _is_tail_of_slam(self, label: str, heard: Heard, scores: dict[str, Score]) -> bool:
        """Whether a window lies after an onset that was heard as a slam rather than as `label`; notes what it was."""
        if self._onset_ns is None:
            return False
        if self._begun[0] != self._onset_ns:
            self._begun = self._onset_ns, {}
        if heard.start_ns <= self._onset_ns:
            for name in (*KNOCKS, *SLAMS):
                if name in scores:
                    self._begun[1][name] = max(scores[name].llr, self._begun[1].get(name, scores[name].llr))
            return False
        began = self._begun[1]
        slam = max((began[name] for name in SLAMS if name in began), default=None)
        is_near = heard.start_ns - self._onset_ns <= TAIL_S * NS_PER_S
        return is_near and slam is not None and label in began and slam > began[label]

    def _usual_before(self, start_ns: int) -> dict[str, float]:
        """What was usual when a window began."""
        while len(self._usual_llr) > 1 and self._usual_llr[1][0] <= start_ns + _SAME_MOMENT_NS:
            self._usual_llr.popleft()
        known = self._usual_llr and self._usual_llr[0][0] <= start_ns + _SAME_MOMENT_NS
        return self._usual_llr[0][1] if known else {}

    def _learn_usual(self, heard: Heard, scores: dict[str, Score], elapsed_s: float) -> None:
        self._peaks.append((heard.at_ns, heard.peak_dbfs))
        while heard.at_ns - self._peaks[0][0] > USUAL_LLR_MEMORY_S * NS_PER_S:
            self._peaks.popleft()
        share = min(0.5, elapsed_s / USUAL_LLR_MEMORY_S)
        usual = dict(self._usual_llr[-1][1]) if self._usual_llr else {}
        for label in BANGS:
            if label in scores:
                before = usual.get(label, 0.0)
                heard_llr = min(2.0 * USUAL_MOST_LLR, max(0.0, scores[label].llr))
                usual[label] = min(USUAL_MOST_LLR, before + share * (heard_llr - before))
        self._usual_llr.append((heard.at_ns, usual))

    def _window(
        self, kind: str, signal: str, score: Score, heard: Heard, *, share: float = 1.0, less_llr: float = 0.0
    ) -> Clue:
        return Clue(
            kind=kind,
            signal=signal,
            modality="sound",
            adding="peak",
            llr=share * score.llr - less_llr + (_shift_llr(score) if kind == score.label else 0.0),
            score=score.prob,
            since_ns=heard.start_ns,
            begun_ns=self._begun_ns(heard),
        )

    def _alarms(self, heard: Heard, scores: dict[str, Score], elapsed_s: float) -> Iterator[Clue]:
        known = [scores[label] for label in ALARMS if label in scores]
        if not known:
            return
        best = max(known, key=lambda score: (score.llr, score.label))
        rate = alarm_rate(best.llr + _shift_llr(scores.get("alarm")))
        if rate <= 0.0:
            self._alarm_since_ns = None
        elif self._alarm_since_ns is None:
            self._alarm_since_ns = self._begun_ns(heard)
        yield Clue(
            kind="alarm",
            signal="alarm_sound",
            modality="sound",
            adding="rate",
            llr=rate * elapsed_s,
            score=best.prob,
            since_ns=heard.start_ns,
            begun_ns=self._alarm_since_ns,
        )

    def _beeps(self, heard: Heard) -> Iterator[Clue]:
        found = self._rhythm.hear(heard.at_ns, heard.tone_bands)
        if found is not None and (self._pattern is None or found != self._pattern[1]):
            self._pattern = heard.at_ns, found
        if self._pattern is None:
            return
        told_ns, beeping = self._pattern
        if heard.at_ns - told_ns > PATTERN_KEPT_S * NS_PER_S:
            self._pattern = None
            return
        yield Clue(
            kind="alarm",
            signal=f"pattern_{beeping.pattern}",
            modality="sound",
            adding="state",
            llr=PATTERN_LLR[min(beeping.cycles, len(PATTERN_LLR) - 1)],
            score=min(1.0, beeping.cycles / 2),
            since_ns=beeping.began_ns,
            begun_ns=beeping.began_ns,
            words={"variant": beeping.pattern, "cycles": beeping.cycles} if beeping.cycles > 1 else {},
        )

    def _loudness(self, heard: Heard, elapsed_s: float) -> Iterator[Clue]:
        over_db = self._background.over_db(heard.level_dbfs)
        if self._background.is_known and heard.onset_ns is not None and over_db > THUD_OVER_DB / 2:
            sharp_db = self._background.over_db(heard.peak_dbfs) - THUD_OVER_DB
            if sharp_db > 0.0:
                yield self._level_clue("thud", "onset", heard, min(3.0, 0.2 * sharp_db), over_db)
        if self._background.is_known and heard.level_dbfs > LOUD_LEVEL_DBFS:
            llr = LOUD_LLR_PER_DB * (over_db - LOUD_OVER_DB)
            loud = self._level_clue("loud_noise", "level", heard, llr, over_db)
        else:
            loud = None
        # Told half a second later: what the noise was may be known by then, and that is the better incident.
        if self._loud is not None:
            yield self._loud
        self._loud = loud
        self._background.learn(heard.level_dbfs, elapsed_s)

    def _level_clue(self, kind: str, signal: str, heard: Heard, llr: float, over_db: float) -> Clue:
        return Clue(
            kind=kind,
            signal=signal,
            modality="sound",
            adding="peak",
            llr=llr,
            score=1.0 / (1.0 + math.exp(-llr)),
            since_ns=max(heard.start_ns, heard.at_ns - NS_PER_S // 2),
            begun_ns=self._begun_ns(heard),
            words={"over_db": over_db},
        )


def alarm_rate(llr: float) -> float:
    """What a window of an alarm counts a second, by its llr where SOUND_LLR is the card's alarm."""
    return min(ALARM_LLR_PER_S, max(-ALARM_LLR_PER_S, llr - ALARM_FLOOR))


def _shift_llr(score: Score | None) -> float:
    """What brings the llr from which the card would raise an alarm to where the scene's rules expect it."""
    return 0.0 if score is None or score.alarm_llr is None else SOUND_LLR - score.alarm_llr
