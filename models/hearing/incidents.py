"""Fits when a sound is an incident: a second opinion and a threshold per kind, at one false incident an hour.

    python -m models.hearing.incidents            # table on the screen; ten minutes, then half a minute
    python -m models.hearing.incidents --sources  # and how it does for sources that no opinion was fitted on
    python -m models.hearing.incidents --card     # and into `thresholds` of models/zoo/hearing.json

Every clip of `dev`, every recorded clip of `train` and of the sources found later (`outside`, less those kept apart
from everything), and the sounds of benchmarks/footage.csv that may be tuned on (its part `dev`) are heard as serving
hears them, steps of half a second and again after onsets; never anything of val nor what footage.csv holds back. Then,
for each kind:

1. Where the network half believes in it (llr above -2), a logistic fit tells windows of clips with the label from
   windows of others, by the llr as the scene counts it and by the 128 numbers of the embedding. The embedding's share,
   in units of llr and bounded, moves the llr from which that window opens an incident (agent.inference.opinion).
2. The threshold is the level that hard sounds (clips without a security event, none of `train`, which both networks
   learned from) reach once an hour. It is not the highest false clip but where an exponential tail, through the clips
   of the four highest an hour, comes down to one, and no lower than where the clips themselves do; nor lower than that
   level where each clip is judged by opinions that never heard its whole source (`held_out_as`), for that is how they
   meet a place that is new to them.
   A gunshot or a scream must be heard in three windows, as in the scene (agent.scene.hearing.CONFIRMED).
   An alarm adds up over time: a clip's level is the highest threshold at which it would still open one.

Clips are scored by fits that never heard their recording (four folds); what goes into the card is fitted on all of
them. The table counts what opens through the scene on the parts other than `train`. Left out: clips whose label makes
the kind plausible (an explosion is easily a shot), in which the teachers' head hears the sound though nobody labelled
it, and with labels not to be believed. `explosion` has too few recordings for an opinion. `--sources` shows what is
found, and what is false, where opinions never heard a clip's whole source, and what other rates would find: pull and
bounds were chosen by that.
"""

import argparse
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from tqdm import tqdm

from agent.config.schema import Models
from agent.inference.opinion import moved_llr
from agent.scene import Policy, Scene
from agent.scene.hearing import CONFIRMED, Confirmation, alarm_rate
from agent.scene.policy import RULES, SOUND_LLR
from agent.types import Blind, Heard, Opened
from models.hearing import found
from models.hearing.calibrate import FALSE_ALARMS_PER_HOUR
from models.hearing.clips import KINDS, NEVER_LLR, Clip, clips_of
from models.hearing.heard import Noting

VERSION = "0.9.0"
CARD = Path(__file__).resolve().parents[1] / "zoo" / "hearing.json"
SECOND_OPINION = ("gunshot", "glass_break", "scream", "crash", "alarm")
HALF_BELIEVED_LLR = -2.0
PULL = {"gunshot": 0.07}
USUAL_PULL = 0.2
"""Ridge on standardised weights, the llr's own towards a half."""
BY_SOURCE = ("gunshot",)
"""Kinds whose sources count by the root of what their recordings do: many little ones speak louder than a big one."""
AGAINST_LLR = {"alarm": 4.0}
USUAL_AGAINST_LLR = 1.5
"""How far an opinion may speak against a kind. With a pull of 0.03 and 4 for all, as up to 0.5.1, a recording left out
was found better, a whole source left out much worse: it was doubted for sounding like none of those fitted on."""
STEP_S = 0.5
LITTLE_PARTS = 6
TAIL_PER_HOUR = 4.0
TRADED_PER_HOUR = (0.5, 1.0, 2.0, 4.0)


def held_out_as(clip: Clip) -> str:
    """What of a clip's source is held out together: all of it, but of the sounds of footage a fold of recordings.

    Those are the only ones of their kind (studio instruments, crying babies): without them an opinion would have to
    tell what it never met, and that decided how sure an alarm has to be everywhere. Of the little sources a sixth is
    held out at a time.
    """
    if clip.source in found.SMALL:
        return f"little {int(hashlib.sha256(f'sixth:{clip.source}'.encode()).hexdigest(), 16) % LITTLE_PARTS}"
    return f"{clip.source} {clip.fold}" if clip.part == "footage" else clip.source


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows in which the network half believes in a kind, of all clips in a row; no others can open one.

    `row` is the window's place in its clip and `at_ns` its end; `group`, `source` (what is held out together) and
    `origin` (where it is from) are numbers.
    """

    llr: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    clip: NDArray[np.int64]
    row: NDArray[np.int64]
    is_true: NDArray[np.bool_]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]
    source: NDArray[np.int64]
    origin: NDArray[np.int64]
    at_ns: NDArray[np.int64]

    @classmethod
    def of(cls, clips: Sequence[Clip], kind: str) -> "Windows":
        """The windows of clips; those that are excused must not be among them."""
        column = KINDS.index(kind)
        rows = [np.flatnonzero(one.llr[:, column] >= HALF_BELIEVED_LLR) for one in clips]
        group = np.unique([one.group for one in clips], return_inverse=True)[1]
        clip = np.repeat(np.arange(len(clips)), [len(row) for row in rows])
        return cls(
            np.concatenate([one.llr[row, column] for one, row in zip(clips, rows, strict=True)]),
            np.concatenate([one.embeddings[row] for one, row in zip(clips, rows, strict=True)]).astype(np.float64),
            clip,
            np.concatenate(rows),
            np.array([kind in one.labels for one in clips])[clip],
            group[clip],
            np.array([one.fold for one in clips])[clip],
            np.unique([held_out_as(one) for one in clips], return_inverse=True)[1][clip],
            np.unique([one.source for one in clips], return_inverse=True)[1][clip],
            np.concatenate([one.at_ns[row] for one, row in zip(clips, rows, strict=True)]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """llr of a second opinion = weights · embedding + offset."""

    weights: NDArray[np.float64]
    offset: float
    most_against_llr: float = USUAL_AGAINST_LLR

    def moves(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """By how much each window's threshold sinks."""
        said_llr = (embeddings @ self.weights + self.offset).astype(np.float32)
        return np.asarray(moved_llr(said_llr, self.most_against_llr), np.float64)


def opinion(windows: Windows, chosen: NDArray[np.bool_], kind: str = "") -> Opinion:
    """Logistic fit over the chosen windows; a recording counts by the root of how many it has."""
    truth, group, origin = windows.is_true[chosen].astype(float), windows.group[chosen], windows.origin[chosen]
    weight = 1.0 / np.sqrt(np.bincount(group)[group])
    for value in (0.0, 1.0):
        rows = truth == value
        if kind in BY_SOURCE:
            weight[rows] /= np.sqrt(np.bincount(origin[rows], weight[rows])[origin[rows]])
        weight[rows] *= 0.5 / weight[rows].sum()
    embeddings = windows.embeddings[chosen]
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0) + 1e-6
    x = np.column_stack([windows.llr[chosen], (embeddings - mean) / spread, np.ones(len(truth))])
    rest = np.zeros(x.shape[1])
    rest[0] = 0.5
    pull = np.full(x.shape[1], PULL.get(kind, USUAL_PULL))
    pull[-1] = 0.0

    def loss(p: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ p
        slope = weight * (1.0 / (1.0 + np.exp(-z)) - truth)
        away = p - rest
        value = float((weight * (np.logaddexp(0.0, z) - truth * z)).sum() + (pull * away**2).sum())
        return value, x.T @ slope + 2.0 * pull * away

    best = minimize(loss, rest, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = best[1:-1] / spread / best[0]
    offset = float(best[-1] / best[0] - weights @ mean)
    return Opinion(weights, offset, AGAINST_LLR.get(kind, USUAL_AGAINST_LLR))


def crossfitted(windows: Windows, held_by: NDArray[np.int64] | None = None, kind: str = "") -> NDArray[np.float64]:
    """By how much each window's threshold sinks, by opinions that never heard its recording.

    `held_by` names for each window what is held out together, instead of the folds of recordings.
    """
    held_by = windows.fold if held_by is None else held_by
    moves = np.zeros(len(windows.llr))
    for part in np.unique(held_by):
        held = held_by == part
        moves[held] = opinion(windows, ~held, kind).moves(windows.embeddings[held])
    return moves


def highest(windows: Windows, level: NDArray[np.float64], clips: int) -> NDArray[np.float64]:
    """Each clip's highest window."""
    best = np.full(clips, NEVER_LLR)
    np.maximum.at(best, windows.clip, level)
    return best


def confirmed(windows: Windows, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the scene makes of each window's level where a window must be confirmed by others of its clip."""
    said: dict[int, Confirmation] = defaultdict(Confirmation)
    told = zip(windows.clip.tolist(), windows.at_ns.tolist(), level.tolist(), strict=True)
    return np.array([said[clip].of(at_ns, llr, at_ns)[0] for clip, at_ns, llr in told])


def adding_up(windows: Windows, level: NDArray[np.float64], steps: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Each clip's highest card's alarm at which its alarm would still open; `steps` are the rows of its half seconds.

    Steps that are not among the windows speak against an alarm as much as they can.
    """
    rule, best = RULES["alarm"], np.full(len(steps), NEVER_LLR)
    stays = np.exp(-STEP_S / rule.decay_s)

    def opens(llr: NDArray[np.float64]) -> bool:
        believed = 0.0
        for one in llr.tolist():
            believed = max(0.0, believed * stays + STEP_S * alarm_rate(one))
            if believed >= rule.threshold_llr:
                return True
        return False

    for clip in np.unique(windows.clip):
        llr = np.full(steps[clip].max() + 1, NEVER_LLR)
        mine = windows.clip == clip
        llr[windows.row[mine]] = level[mine]
        llr = llr[steps[clip]]
        low, high = NEVER_LLR, 20.0
        while high - low > 0.02:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if opens(llr + SOUND_LLR - middle) else (low, middle)
        best[clip] = low
    return best


def once_an_hour(best: NDArray[np.float64], hours: float, *, per_hour: float = FALSE_ALARMS_PER_HOUR) -> float:
    """The level that clips reach so often, by an exponential tail through the `TAIL_PER_HOUR` highest an hour.

    Maximum likelihood: above the level u of those, excesses have the mean b, so u + b·ln(rate(u) / rate) is wanted.
    Where the clips themselves are above that more often than so, the tail is not exponential and they decide.
    """
    ranked = np.sort(best)[::-1]
    count = min(len(ranked) - 1, max(2, int(TAIL_PER_HOUR * hours)))
    start = ranked[count]
    mean_excess = float((ranked[:count] - start).mean())
    tail = start + mean_excess * np.log(count / hours / per_hour)
    return float(max(tail, np.nextafter(ranked[max(1, int(per_hour * hours))], np.inf)))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What one kind's card entry says; `moves` of clip and window are those of opinions that never heard them.

    `level` of a clip is the highest threshold that it reaches, `reached` are those that reach the fitted one; `false`
    are those of them that are hard sounds.
    """

    kind: str
    alarm_llr: float
    opinion: Opinion | None
    moves: Mapping[int, Mapping[int, float]]
    level: Mapping[int, float]
    reached: set[int]
    false: int
    hours: float


def fit(clips: Sequence[Clip], kind: str, *, by_source: bool = False, at_least_llr: float = NEVER_LLR) -> Fitted:
    """The threshold of a kind, and its second opinion where it has one; `by_source` holds whole sources out."""
    said = [index for index, clip in enumerate(clips) if kind not in clip.excused]
    windows = Windows.of([clips[index] for index in said], kind)
    moves, whole = np.zeros(len(windows.llr)), None
    if kind in SECOND_OPINION:
        moves = crossfitted(windows, windows.source if by_source else None, kind)
        whole = opinion(windows, np.ones(len(windows.llr), bool), kind)
    if kind == "alarm":
        best = adding_up(
            windows, windows.llr + moves, [np.flatnonzero(~np.isnan(clips[index].llr[:, -1])) for index in said]
        )
    else:
        level = windows.llr + moves
        best = highest(windows, confirmed(windows, level) if kind in CONFIRMED else level, len(said))
    hard = np.array([clips[index].is_hard(kind) for index in said])
    hours = sum(clips[index].hours for index, is_hard in zip(said, hard, strict=True) if is_hard)
    alarm_llr = max(at_least_llr, math.ceil(100.0 * once_an_hour(best[hard], hours)) / 100.0)
    levels = dict(zip(said, best.tolist(), strict=True))
    reached = {index for index, level in levels.items() if level >= alarm_llr}
    by_clip: dict[int, dict[int, float]] = {}
    for clip, row, move in zip(windows.clip, windows.row, moves, strict=True):
        by_clip.setdefault(said[clip], {})[int(row)] = float(move)
    return Fitted(kind, alarm_llr, whole, by_clip, levels, reached, int((best[hard] >= alarm_llr).sum()), hours)


def with_alarms(clip: Clip, index: int, fitted: Sequence[Fitted]) -> Iterator[Heard]:
    """A clip's windows with the alarms of the fit, moved by opinions that never heard its recording."""
    for row, heard in enumerate(clip.heard):
        alarm_llr = {one.kind: one.alarm_llr - one.moves.get(index, {}).get(row, 0.0) for one in fitted}
        yield replace(
            heard, scores=tuple(replace(s, alarm_llr=alarm_llr.get(s.label, s.alarm_llr)) for s in heard.scores)
        )


def opened(windows: Sequence[Heard]) -> set[str]:
    """The kinds of incident that open where this is heard, in a scene of its own."""
    scene, changes = Scene(Policy(), lateness_ns=0), list[object]()
    for heard in windows:
        changes += scene.step(heard)
    end_ns = windows[-1].at_ns
    changes += scene.step(Blind(camera="dev", at_ns=end_ns, modality="sound", reason="ended"))
    changes += scene.finish(end_ns, "source_ended")
    return {change.incident.kind for change in changes if isinstance(change, Opened)}


@dataclass(frozen=True)
class Count:
    """How one kind does through the scene in a part."""

    found: int
    asked: int
    false: int
    hours: float

    def __str__(self) -> str:
        found = f"{self.found} of {self.asked} found, " if self.asked else ""
        return f"{found}{self.false} false in {self.hours:.2f} h"


def counted(clips: Sequence[Clip], kinds_in: Sequence[set[str]], kind: str) -> Count:
    """Clips with the label in which `kind` opened, and clips of hard sound in which it did."""
    pairs = list(zip(clips, kinds_in, strict=True))
    true = [kind in kinds for clip, kinds in pairs if kind in clip.labels]
    hard = [(clip, kind in kinds) for clip, kinds in pairs if clip.is_hard(kind) and kind not in clip.labels]
    return Count(sum(true), len(true), sum(false for _, false in hard), sum(clip.hours for clip, _ in hard))


def by_source(clips: Sequence[Clip], one: Fitted, apart: Fitted) -> str:
    """What of each source reaches its threshold, by recording: fitted without it (recordings left out in brackets)."""
    told = [f"{one.kind}: llr {apart.alarm_llr:.2f} where sources are held out (shipped: {one.alarm_llr:.2f})"]
    sources = sorted({clip.source for clip in clips if one.kind in clip.labels})
    for source in sources:
        groups: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for index, clip in enumerate(clips):
            if clip.source == source and one.kind in clip.labels:
                groups[clip.group].append((index in apart.reached, index in one.reached))
        share = np.array([np.mean(said, axis=0) for said in groups.values()]).mean(axis=0)
        told.append(f"  {source}: {share[0]:.2f} ({share[1]:.2f}) of {len(groups)} recordings")
    return "\n".join(told)


def traded(clips: Sequence[Clip], one: Fitted) -> str:
    """What of each part would be found at other rates of false clips: whether it is the threshold that costs recall."""
    hard = np.sort([level for index, level in one.level.items() if clips[index].is_hard(one.kind)])[::-1]
    told = []
    for part in ("dev", "train", "outside"):
        levels = [one.level[i] for i in one.level if clips[i].part == part and one.kind in clips[i].labels]
        at = [hard[min(len(hard) - 1, int(rate * one.hours))] for rate in TRADED_PER_HOUR]
        shares = " ".join(f"{np.mean(np.array(levels) > level):.2f}" for level in at) if levels else "–"
        told.append(f"{part} {shares} of {len(levels)}")
    return f"  at {', '.join(f'{rate:g}' for rate in TRADED_PER_HOUR)} false clips an hour: " + "; ".join(told)


def write(fitted: Sequence[Fitted], counts: Mapping[str, Count], card: Path = CARD) -> None:
    """Put the thresholds and opinions beside those of single windows."""
    sheet = json.loads(card.read_text("utf-8"))
    sheet["version"] = VERSION
    for one in fitted:
        entry = sheet["thresholds"].setdefault(one.kind, {})
        entry.update(
            incident_llr=one.alarm_llr,
            incident_false_alarms_per_hour=round(one.false / one.hours, 2),
            incident_fitted_on=f"dev, train, outside and dev sounds of footage, cross-fitted: {one.false} false clips "
            f"in {one.hours:.2f} h of hard sound; through the scene on dev {counts[one.kind]}",
        )
        for key in ("incident_against_llr", "incident_offset", "incident_weights"):
            entry.pop(key, None)
        if one.opinion is not None:
            entry["incident_against_llr"] = one.opinion.most_against_llr
            entry["incident_offset"] = round(one.opinion.offset, 4)
            entry["incident_weights"] = [round(weight, 4) for weight in one.opinion.weights.tolist()]
    card.write_text(json.dumps(sheet, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="write thresholds and opinions into the card")
    parser.add_argument("--sources", action="store_true", help="besides, by source, with opinions of other sources")
    arguments = parser.parse_args()
    clips = clips_of(Noting.load(Models(device="cpu")))
    unheard = [fit(clips, kind, by_source=True) for kind in KINDS]
    fitted = [fit(clips, one.kind, at_least_llr=one.alarm_llr) for one in unheard]
    if arguments.sources:
        for one, apart in zip(fitted, unheard, strict=True):
            print(by_source(clips, one, apart))
            print(traded(clips, apart))
    judged = [(index, clip) for index, clip in enumerate(clips) if clip.part != "train"]
    kinds_in = [opened(list(with_alarms(clip, index, fitted))) for index, clip in tqdm(judged, desc="scene")]
    counts: dict[tuple[str, str], Count] = {}
    for part in ("dev", "outside", "footage"):
        pairs = [(clip, kinds) for (_, clip), kinds in zip(judged, kinds_in, strict=True) if clip.part == part]
        for kind in KINDS:
            counts[part, kind] = counted([clip for clip, _ in pairs], [kinds for _, kinds in pairs], kind)
    for one in fitted:
        print(f"{one.kind:12s} llr {one.alarm_llr:.2f}, {one.false} false clips in {one.hours:.2f} h", end="; ")
        print("scene: " + "; ".join(f"{part} {counts[part, one.kind]}" for part in ("dev", "outside", "footage")))
    if arguments.card:
        write(fitted, {kind: counts["dev", kind] for kind in KINDS})


if __name__ == "__main__":
    main()
