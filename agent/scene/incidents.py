"""The desk that moves every case along its life, joins what is one happening, and writes incidents.

`note` what was observed, then `judge` the moment. A case is one kind on one camera; its ledger says how much
speaks for it, what agrees on the same camera supports it, and what explains it better keeps it from opening.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from agent.scene.cases import Case, Draft, Standing, confidence, is_same_moment, news, reaches
from agent.scene.evidence import Clue, Ledger, Level, Reason, belief, strongest_first
from agent.scene.lifecycle import TRANSITIONS, Event
from agent.scene.policy import (
    CLOSE_FRAC,
    GATE_FRAC,
    HEADROOM_LLR,
    SIGNAL_LLR,
    SUPPORTS_OF,
    SUSPECT_FRAC,
    UPDATE_EVERY_S,
    KindRule,
    Policy,
    Support,
)
from agent.scene.sentences import sentence
from agent.types import NS_PER_S, Closed, CloseReason, Incident, IncidentChange, Opened, Severity, Updated

MOST_TOLD = 12
"""Reasons that an incident tells."""
SAID_FRAC = 0.5
"""Of the most that another sense may add: what adds less is a reason, but the sentence does not claim it."""


class Desk:
    """All cases of all cameras. `note` what was observed, then `judge` the moment."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._cases: dict[tuple[str, str], Case] = {}
        self._signals: dict[tuple[str, str], Ledger] = {}
        self._last_ordinal = 0

    def note(self, camera: str, clue: Clue, now_ns: int, *, drill: bool = False) -> None:
        """Enter a clue into its ledger; one that is no kind of incident may still support another."""
        rule = self._policy.rules.get(clue.kind)
        key = camera, clue.kind
        if rule is None:
            ledger = self._signals.setdefault(key, Ledger(decay_s=3.0, most_llr=8.0))
            ledger.note(clue, now_ns)
            return
        case = self._cases.get(key)
        if case is None:
            if clue.llr <= 0.0:
                return
            case = self._cases[key] = Case(camera, clue.kind, rule, self._new_ledger(clue.kind, rule))
        case.ledger.note(clue, now_ns)
        case.drill = drill

    def belief(self, camera: str, kind: str, now_ns: int) -> float:
        """Belief in [0, 1] that `kind` is happening, before hysteresis."""
        case = self._cases.get((camera, kind))
        if case is None:
            return 0.0
        standing = self._standing(case, now_ns)
        return belief(standing.level.total, standing.threshold_llr)

    def judge(self, now_ns: int) -> list[IncidentChange]:
        """Move every case along; return what changed."""
        standings = {key: self._standing(case, now_ns) for key, case in sorted(self._cases.items())}
        changes: list[IncidentChange] = []
        for key, standing in standings.items():
            case = self._cases[key]
            changes += self._apply(case, self._event(case, standing, standings, now_ns), standing, now_ns)
        for key, standing in standings.items():
            changes += self._tell(self._cases[key], standing, standings, now_ns)
        self._forget(now_ns)
        return changes

    def _forget(self, now_ns: int) -> None:
        """Let go of what has faded; an open incident goes on telling all that was said for it."""
        for case in self._cases.values():
            if case.draft is None:
                case.ledger.forget(now_ns)
        for ledger in self._signals.values():
            ledger.forget(now_ns)

    def end(
        self, camera: str | None, now_ns: int, reason: CloseReason, kinds: Iterable[str] = ()
    ) -> list[IncidentChange]:
        """Close what is open on `camera` (None: everywhere), or only some `kinds` of it."""
        wanted = frozenset(kinds)
        changes: list[IncidentChange] = []
        for key, case in sorted(self._cases.items()):
            if camera in (None, key[0]) and (not wanted or key[1] in wanted):
                changes += self._apply(case, "ended", self._standing(case, now_ns), now_ns, reason)
                case.ledger.clear()  # the watching ended, not the happening: what comes back starts anew
        return changes

    def adopt(self, policy: Policy, now_ns: int) -> list[IncidentChange]:
        """Go by `policy` from now on; close what it does not allow."""
        forbidden = [key for key, case in sorted(self._cases.items()) if not policy.allows(key[1], key[0])]
        changes: list[IncidentChange] = []
        for camera, kind in forbidden:
            if self._cases[camera, kind].draft is not None:
                changes += self.end(camera, now_ns, "disarmed", [kind])
        self._policy = policy
        for camera, kind in sorted(self._cases):
            if kind not in policy.rules:
                del self._cases[camera, kind]
            else:
                case = self._cases[camera, kind]
                case.rule = policy.rules[kind]
                case.ledger.limit(policy.threshold_llr(kind) + HEADROOM_LLR)
        return changes

    def open_kinds(self, camera: str) -> list[str]:
        """Kinds with an incident on `camera`."""
        return [kind for (name, kind), case in sorted(self._cases.items()) if name == camera and case.draft]

    def _new_ledger(self, kind: str, rule: KindRule) -> Ledger:
        return Ledger(decay_s=rule.decay_s, most_llr=self._policy.threshold_llr(kind) + HEADROOM_LLR)

    def _standing(self, case: Case, now_ns: int) -> Standing:
        own = case.ledger.level(now_ns)
        threshold = self._policy.threshold_llr(case.kind)
        if own.total < GATE_FRAC * threshold:
            return Standing(own, (), threshold)
        level, supports = own, []
        for support in SUPPORTS_OF.get(case.kind, ()):
            ledger = self._ledger(case.camera, support.signal)
            said = ledger.evidence() if ledger else ()
            if ledger is None or not said:
                continue
            theirs = ledger.level(now_ns, began_ns=_about(support, case.ledger.strongest_began_ns(now_ns)))
            share = min(1.0, support.most_llr / max(1e-9, support.share * theirs.total)) * support.share
            given = Level(theirs.sight * share, theirs.sound * share, theirs.other * share)
            if given.total > 0.1:
                level = level.plus(given)
                supports.append(_as_support(said[0], support.signal, given.total))
        return Standing(level, tuple(supports), threshold)

    def _ledger(self, camera: str, signal: str) -> Ledger | None:
        case = self._cases.get((camera, signal))
        return case.ledger if case else self._signals.get((camera, signal))

    def _event(
        self, case: Case, standing: Standing, standings: Mapping[tuple[str, str], Standing], now_ns: int
    ) -> Event:
        level, threshold = standing.level.total, standing.threshold_llr
        if case.state in ("open", "closing"):
            if case.state == "closing" and level < threshold and self._passed(case.faded_ns, now_ns, case.rule.quiet_s):
                return "expired"
            if self._passed(case.opened_ns, now_ns, case.rule.longest_s):
                return "expired"
        if level < (CLOSE_FRAC if case.state == "open" else SUSPECT_FRAC) * threshold:
            case.spent = False
            return "weak"
        if level < threshold or case.spent or not self._policy.allows(case.kind, case.camera):
            return "middling"
        case.strong_ns = now_ns
        if case.state in ("quiet", "suspected") and self._is_explained(case, standing, standings, now_ns):
            return "middling"
        return "strong"

    def _is_explained(
        self, case: Case, standing: Standing, standings: Mapping[tuple[str, str], Standing], now_ns: int
    ) -> bool:
        """Whether another case accounts for the same happening."""
        if self._waits(case, standing, standings, now_ns):
            return True
        began_ns = case.ledger.began_ns() or case.strong_ns
        for key, other in self._cases.items():
            if case.kind not in other.rule.silences:
                continue
            if key[0] == case.camera:
                if other.draft is not None and reaches(other, began_ns):
                    return True
                rival = standings[key]
                mutual = other.kind in case.rule.silences
                stronger = (rival.margin, other.kind) > (standing.margin, case.kind)
                told = rival.margin >= 0.0 and self._policy.allows(other.kind, other.camera)
                if told and (stronger or not mutual) and not self._waits(other, rival, standings, now_ns):
                    return True
            elif case.rule.joins_cameras and other.rule.joins_cameras and is_same_moment(other.draft, began_ns):
                return True
        return False

    def _waits(
        self, case: Case, standing: Standing, standings: Mapping[tuple[str, str], Standing], now_ns: int
    ) -> bool:
        """Whether a doubtful case waits for what is open on its camera, or has perhaps just begun.

        What has been merely suspected for longer holds nothing up: who sleeps looks a little like a fall all night.
        """
        if standing.margin >= case.rule.sure_llr:
            return False
        for name in case.rule.waits_for:
            key = case.camera, name
            if key in self._signals and self._signals[key].level(now_ns).total >= SIGNAL_LLR:
                return True
            if key not in standings or not self._policy.allows(name, case.camera):
                continue
            other, began_ns = self._cases[key], self._cases[key].ledger.began_ns()
            fresh = began_ns is not None and not self._passed(began_ns, now_ns, other.rule.reach_s)
            likely = standings[key].level.total >= SUSPECT_FRAC * standings[key].threshold_llr
            if other.draft is not None or (fresh and likely):
                return True
        return False

    def _passed(self, since_ns: int, now_ns: int, duration_s: float) -> bool:
        return now_ns - since_ns >= duration_s * NS_PER_S

    def _apply(
        self, case: Case, event: Event, standing: Standing, now_ns: int, reason: CloseReason | None = None
    ) -> Iterator[IncidentChange]:
        before = case.state
        case.state, action = TRANSITIONS[before, event]
        if action == "open":
            yield from self._open(case, standing, now_ns)
        elif action == "fade":
            case.faded_ns = now_ns
        elif action == "drop":
            case.ledger.reset(now_ns)
        elif action == "close":
            timeout = event == "expired" and before == "open"
            case.spent = timeout
            ended_ns = case.faded_ns if before == "closing" and event == "expired" else now_ns
            yield from self._close(case, ended_ns, now_ns, reason or ("timeout" if timeout else "quiet"))

    def _open(self, case: Case, standing: Standing, now_ns: int) -> Iterator[IncidentChange]:
        case.opened_ns = now_ns
        began_ns = case.ledger.began_ns()
        began_ns = now_ns if began_ns is None else min(began_ns, now_ns)
        shared = self._same_elsewhere(case, began_ns)
        if shared is not None:
            case.draft = shared
            shared.cameras.append(case.camera)
            return
        self._last_ordinal += 1
        draft = case.draft = Draft(self._last_ordinal, case.kind, began_ns, [case.camera], case.drill)
        absorbed = [other for other in self._cases.values() if self._absorbs(case, other, began_ns, now_ns)]
        draft.absorbs = [other.draft.ordinal for other in absorbed if other.draft]
        # What becomes part of this one was told as that severe already.
        draft.sure = any(other.draft and self._severity(other, other.draft) == "critical" for other in absorbed)
        self._learn(case, standing)
        yield Opened(incident=self._incident(case, draft, now_ns))
        for other in absorbed:
            yield from self._close_whole(other, now_ns, "absorbed")
            # What was doubtful was not told as what it may yet turn out to be.
            other.spent = case.kind not in other.rule.waits_for

    def _same_elsewhere(self, case: Case, began_ns: int) -> Draft | None:
        if not case.rule.joins_cameras:
            return None
        for (camera, kind), other in sorted(self._cases.items()):
            draft = other.draft
            if kind != case.kind or draft is None or draft.drill != case.drill or case.camera in draft.cameras:
                continue
            if camera != case.camera and is_same_moment(draft, began_ns):
                return draft
        return None

    def _absorbs(self, case: Case, other: Case, began_ns: int, now_ns: int) -> bool:
        if other.draft is None:
            return False
        if case.kind in other.rule.waits_for:
            if other.draft.sure or self._standing(other, now_ns).margin >= other.rule.sure_llr:
                return False
        elif other.kind not in case.rule.absorbs:
            return False
        if other.camera != case.camera:
            return case.rule.joins_cameras and other.rule.joins_cameras and is_same_moment(other.draft, began_ns)
        reach_s = case.rule.reach_s
        return reach_s == 0.0 or abs(other.draft.started_ns - began_ns) <= reach_s * NS_PER_S

    def _close(self, case: Case, ended_ns: int, now_ns: int, reason: CloseReason) -> Iterator[IncidentChange]:
        draft = case.draft
        if draft is None:
            return
        self._learn(case, self._standing(case, now_ns))
        case.draft = None
        if not any(other.draft is draft for other in self._cases.values()):
            yield Closed(incident=self._incident(case, draft, now_ns, ended_ns, reason))
        case.ledger.reset(now_ns)

    def _close_whole(self, case: Case, now_ns: int, reason: CloseReason) -> Iterator[IncidentChange]:
        """Close a case and all that share its incident."""
        draft = case.draft
        for other in [other for other in self._cases.values() if other.draft is draft]:
            other.state = "quiet"
            other.spent = True  # what it heard is told already
            yield from self._close(other, now_ns, now_ns, reason)

    def _tell(
        self, case: Case, standing: Standing, standings: Mapping[tuple[str, str], Standing], now_ns: int
    ) -> Iterator[IncidentChange]:
        """An update, where there is something new to say and the last word was long enough ago, or it is severer."""
        draft = case.draft
        if draft is None:
            return
        self._learn(case, standing)
        draft.sure |= self._hides_what_is_sure(case, standings)
        escalates = self._severity(case, draft) != draft.told_severity
        if draft.told is None or not (escalates or self._passed(draft.told_ns, now_ns, UPDATE_EVERY_S)):
            return
        if escalates or news(draft) != draft.told:
            yield Updated(incident=self._incident(case, draft, now_ns))

    def _hides_what_is_sure(self, case: Case, standings: Mapping[tuple[str, str], Standing]) -> bool:
        """Whether something is not told for the sake of this one that would be critical by itself."""
        return any(
            standings[key].margin >= other.rule.sure_llr and reaches(case, other.ledger.began_ns() or other.strong_ns)
            for key, other in self._cases.items()
            if key in standings
            and key[0] == case.camera
            and other.draft is None
            and other.kind in case.rule.silences
            and other.rule.severity == "critical"
            and self._policy.allows(other.kind, other.camera)
        )

    def _severity(self, case: Case, draft: Draft) -> Severity:
        """As severe as its kind once it is sure; a warning until then."""
        return "warning" if case.rule.severity == "critical" and not draft.sure else case.rule.severity

    def _learn(self, case: Case, standing: Standing) -> None:
        """Keep in the draft what the ledger knows now, so that reasons outlive their decay."""
        draft = case.draft
        if draft is None:
            return
        level, threshold = standing.level, standing.threshold_llr
        draft.peak_llr = max(draft.peak_llr, level.total - threshold)
        draft.sure |= draft.peak_llr >= case.rule.sure_llr
        draft.without_sound |= level.without_sound >= threshold
        draft.without_picture |= level.without_sight >= threshold
        own = case.ledger.evidence()
        draft.zones |= {reason.clue.zone for reason in own if reason.clue.zone is not None}
        for reason in (*own, *standing.supports):
            key = case.camera, reason.clue.key
            before = draft.reasons.get(key)
            if before is None or reason.llr >= before.llr:
                draft.reasons[key] = reason
        if case.camera == draft.cameras[0]:
            draft.words.update(case.ledger.words())
            most_llr = {support.signal: support.most_llr for support in SUPPORTS_OF[case.kind]}
            signals = (
                reason.clue.signal
                for reason in standing.supports
                if reason.llr >= SAID_FRAC * most_llr.get(reason.clue.signal, 0.0)
            )
            draft.agreeing += [signal for signal in signals if signal not in draft.agreeing]

    def _incident(
        self, case: Case, draft: Draft, now_ns: int, ended_ns: int | None = None, reason: CloseReason | None = None
    ) -> Incident:
        severity = self._severity(case, draft)
        escalated = draft.told_severity is not None and severity != draft.told_severity
        draft.told_ns, draft.told, draft.told_severity = now_ns, news(draft), severity
        evidence = tuple(one.evidence() for one in sorted(draft.reasons.values(), key=strongest_first)[:MOST_TOLD])
        zones = tuple(sorted(draft.zones))
        cameras = (draft.cameras[0], *sorted(draft.cameras[1:]))
        return Incident(
            ordinal=draft.ordinal,
            camera=cameras[0],
            cameras=cameras,
            kind=draft.kind,
            severity=severity,
            escalated=escalated,
            started_ns=draft.started_ns,
            at_ns=now_ns,
            ended_ns=ended_ns,
            confidence=round(confidence(draft), 6),
            summary=sentence(
                draft.kind,
                draft.words,
                cameras=[self._policy.called(camera) for camera in cameras],
                zones=[self._policy.place_called(cameras, zone) for zone in zones],
                agreeing=draft.agreeing,
                doubtful=severity != case.rule.severity,
            ),
            without_sound=draft.without_sound,
            without_picture=draft.without_picture,
            evidence=evidence,
            tracks=tuple(sorted({e.track for e in evidence if e.track is not None})),
            zones=zones,
            absorbs=tuple(draft.absorbs),
            drill=draft.drill,
            close_reason=reason,
        )


def _about(support: Support, began_ns: int | None) -> tuple[int, int] | None:
    """Between which moments a signal has to have begun to support what began at `began_ns`."""
    if support.within_s is None or began_ns is None:
        return None
    return began_ns + round(support.within_s[0] * NS_PER_S), began_ns + round(support.within_s[1] * NS_PER_S)


def _as_support(said: Reason, signal: str, llr: float) -> Reason:
    return Reason(round(llr, 6), said.at_ns, replace(said.clue, signal=signal))
