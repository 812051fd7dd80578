"""Fits when a sound is an incident: a second opinion and a threshold per kind, at one false incident an hour.

    python -m models.hearing.incidents            # table on the screen; ten minutes, then half a minute
    python -m models.hearing.incidents --card     # and into `thresholds` of models/zoo/hearing.json

Every clip of `dev`, every recorded clip of `train` and the sounds of benchmarks/footage.csv that may be tuned on (its
part `dev`) are heard as serving hears them, steps of half a second and again after onsets; never anything of val nor
what footage.csv holds back. Then, for each kind:

1. Where the network half believes in it (llr above -2), a logistic fit tells windows of clips with the label from
   windows of others, by the llr as the scene counts it and by the 128 numbers of the embedding. The embedding's share,
   in units of llr and bounded, moves the llr from which that window opens an incident (agent.inference.opinion).
2. The threshold is the level that hard sounds (clips without a security event) reach once an hour. It is not the
   highest false clip but where an exponential tail, through the clips of the four highest an hour, comes down to one.

Clips are scored by fits that never heard their recording (four folds); what goes into the card is fitted on all of
them. The network itself learned from `train`, where false alarms are half to two thirds as frequent as on `dev`; the
table therefore counts what opens through the scene on the two other parts alone. Left out: clips whose label makes the
kind plausible (an explosion is easily a shot), in which the teachers' head hears the sound though nobody labelled it,
and with labels not to be believed. `explosion` has too few recordings for an opinion; `alarm` adds up over time and is
only counted.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from tqdm import tqdm

from agent.config.schema import Models
from agent.features.logmel import RATE_HZ
from agent.inference.calibrated import scores_of
from agent.inference.card import Card
from agent.inference.opinion import moved_llr
from agent.scene import Policy, Scene
from agent.scene.hearing import BANGS, Ear
from agent.scene.policy import SOUND_LLR
from agent.types import Blind, Heard, Opened
from models.hearing import data
from models.hearing.calibrate import FALSE_ALARMS_PER_HOUR
from models.hearing.heard import Noting, Take, takes
from models.hearing.labels import INDEX, SECURITY

CARD = Path(__file__).resolve().parents[1] / "zoo" / "hearing.json"
SECOND_OPINION = ("gunshot", "glass_break", "scream", "crash")
PLAUSIBLE = {
    "gunshot": {"explosion"},
    "explosion": {"gunshot", "crash"},
    "glass_break": {"crash"},
    "crash": {"glass_break", "explosion", "gunshot", "door_slam"},
}
FOLDS = 4
HALF_BELIEVED_LLR = -2.0
PULL = 0.03
"""Ridge on standardised weights, the llr's own towards a half. Chosen with the floor by recall at one false an hour."""
TAIL_PER_HOUR = 4.0
NEVER_LLR = -30.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip as it was heard; `excused` are kinds that say neither yes nor no here.

    `embeddings` [windows, 128]; `llr` [windows, BANGS] is what the scene makes of each window before it is held
    against a threshold. `heard` is kept where the scene is asked, so not of `train`.
    """

    heard: tuple[Heard, ...]
    embeddings: NDArray[np.float16]
    llr: NDArray[np.float64]
    labels: frozenset[str]
    excused: frozenset[str]
    group: str
    part: str
    hours: float

    def is_hard(self, kind: str) -> bool:
        """Whether a `kind` in it is a false alarm on hard sound."""
        return not self.labels & set(BANGS) and kind not in self.excused

    @property
    def fold(self) -> int:
        """Which fold's fit never heard its recording."""
        return int(hashlib.sha256(f"fold:{self.group}".encode()).hexdigest(), 16) % FOLDS


def scene_llr(one: Take, card: Card) -> NDArray[np.float64]:
    """The llr of each window [windows, BANGS] less what is usual at the place or in a rhythm; never for silence."""
    ear, llr = Ear(), np.full((len(one.heard), len(BANGS)), NEVER_LLR)
    logits = one.logits[:, [INDEX[kind] for kind in BANGS]]
    for row, (heard, said) in enumerate(zip(one.heard, logits, strict=True)):
        scores = () if one.is_silent[row] else scores_of(card, BANGS, said)
        plain = replace(heard, scores=tuple(replace(score, alarm_llr=SOUND_LLR) for score in scores))
        for clue in ear.hear(plain):
            if clue.kind in BANGS and clue.signal == clue.kind:
                llr[row, BANGS.index(clue.kind)] = clue.llr
    return llr


def clips_of(model: Noting) -> list[Clip]:
    """Clips of dev and train with labels to be believed, and the hard sounds that may be tuned on."""
    from benchmarks import footage  # noqa: PLC0415 - what nobody trained on lies with the benchmarks
    from models.hearing import soften  # noqa: PLC0415 - needs torch, the rest does not

    def clip(one: Take, labels: frozenset[str], excused: frozenset[str], group: str, part: str, samples: int) -> Clip:
        heard = () if part == "train" else one.scored(model)
        llr, hours = scene_llr(one, model.card), samples / RATE_HZ / 3600
        return Clip(heard, one.embeddings, llr, labels, excused, group, part, hours)

    pieces, waves = data.load()
    clips = []
    for part in ("dev", "train"):
        chosen = [p for p in pieces if p.split == part and p.known and p.kind != "synthetic"]
        sounds = [waves[p.start : p.start + p.samples] for p in chosen]
        for piece, one, doubtful in zip(chosen, takes(part, sounds, model), soften.doubtful(chosen), strict=True):
            labels = frozenset(piece.labels.split(";"))
            excused = {kind for kind in SECURITY if doubtful[INDEX[kind]] or labels & PLAUSIBLE.get(kind, set())}
            clips.append(clip(one, labels, frozenset(excused) - labels, piece.group, part, piece.samples))
    new = [one for one in footage.sounds() if one.part == "dev"]
    missing = [one for one in new if not one.file.is_file()]
    if missing:
        more = f"{missing[0].file} is missing, {len(missing)} in all"
        raise SystemExit(f"{more}: python -m benchmarks.footage fetch DIR brings them")
    sounds = [data.decode(one.file) for one in new]
    for recording, samples, one in zip(new, sounds, takes("footage", sounds, model), strict=True):
        clips.append(clip(one, frozenset(), frozenset(), recording.group, "footage", len(samples)))
    return clips


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows in which the network half believes in a kind, of all clips in a row; no others can open one.

    `row` is the window's place in its clip.
    """

    llr: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    clip: NDArray[np.int64]
    row: NDArray[np.int64]
    is_true: NDArray[np.bool_]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]

    @classmethod
    def of(cls, clips: Sequence[Clip], kind: str) -> "Windows":
        """The windows of clips; those that are excused must not be among them."""
        column = BANGS.index(kind)
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
        )


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """llr of a second opinion = weights · embedding + offset."""

    weights: NDArray[np.float64]
    offset: float

    def moves(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """By how much each window's threshold sinks."""
        return np.asarray(moved_llr((embeddings @ self.weights + self.offset).astype(np.float32)), np.float64)


def opinion(windows: Windows, chosen: NDArray[np.bool_]) -> Opinion:
    """Logistic fit over the chosen windows; a recording counts by the root of how many it has."""
    truth, group = windows.is_true[chosen].astype(float), windows.group[chosen]
    weight = 1.0 / np.sqrt(np.bincount(group)[group])
    for value in (0.0, 1.0):
        weight[truth == value] *= 0.5 / weight[truth == value].sum()
    embeddings = windows.embeddings[chosen]
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0) + 1e-6
    x = np.column_stack([windows.llr[chosen], (embeddings - mean) / spread, np.ones(len(truth))])
    rest = np.zeros(x.shape[1])
    rest[0] = 0.5
    pull = np.full(x.shape[1], PULL)
    pull[-1] = 0.0

    def loss(p: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ p
        slope = weight * (1.0 / (1.0 + np.exp(-z)) - truth)
        away = p - rest
        value = float((weight * (np.logaddexp(0.0, z) - truth * z)).sum() + (pull * away**2).sum())
        return value, x.T @ slope + 2.0 * pull * away

    found = minimize(loss, rest, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    weights = found[1:-1] / spread / found[0]
    return Opinion(weights, float(found[-1] / found[0] - weights @ mean))


def crossfitted(windows: Windows) -> NDArray[np.float64]:
    """By how much each window's threshold sinks, by opinions that never heard its recording."""
    moves = np.zeros(len(windows.llr))
    for fold in range(FOLDS):
        held = windows.fold == fold
        moves[held] = opinion(windows, ~held).moves(windows.embeddings[held])
    return moves


def highest(windows: Windows, level: NDArray[np.float64], clips: int) -> NDArray[np.float64]:
    """Each clip's highest window."""
    best = np.full(clips, NEVER_LLR)
    np.maximum.at(best, windows.clip, level)
    return best


def once_an_hour(best: NDArray[np.float64], hours: float, *, per_hour: float = FALSE_ALARMS_PER_HOUR) -> float:
    """The level that clips reach so often, by an exponential tail through the `TAIL_PER_HOUR` highest an hour.

    Maximum likelihood: above the level u of those, excesses have the mean b, so u + b·ln(rate(u) / rate) is wanted.
    """
    ranked = np.sort(best)[::-1]
    count = min(len(ranked) - 1, max(2, int(TAIL_PER_HOUR * hours)))
    start = ranked[count]
    mean_excess = float((ranked[:count] - start).mean())
    return float(start + mean_excess * np.log(count / hours / per_hour))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What one kind's card entry says; `moves` of clip and window are those of opinions that never heard them."""

    kind: str
    alarm_llr: float
    opinion: Opinion | None
    moves: Mapping[int, Mapping[int, float]]
    false: int
    hours: float


def fit(clips: Sequence[Clip], kind: str) -> Fitted:
    """The threshold of a kind, and its second opinion where it has one."""
    said = [index for index, clip in enumerate(clips) if kind not in clip.excused]
    windows = Windows.of([clips[index] for index in said], kind)
    moves = crossfitted(windows) if kind in SECOND_OPINION else np.zeros(len(windows.llr))
    best = highest(windows, windows.llr + moves, len(said))
    hard = np.array([clips[index].is_hard(kind) for index in said])
    hours = sum(clips[index].hours for index, is_hard in zip(said, hard, strict=True) if is_hard)
    alarm_llr = round(once_an_hour(best[hard], hours), 2)
    whole = opinion(windows, np.ones(len(windows.llr), bool)) if kind in SECOND_OPINION else None
    by_clip: dict[int, dict[int, float]] = {}
    for clip, row, move in zip(windows.clip, windows.row, moves, strict=True):
        by_clip.setdefault(said[clip], {})[int(row)] = float(move)
    return Fitted(kind, alarm_llr, whole, by_clip, int((best[hard] >= alarm_llr).sum()), hours)


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


def write(fitted: Sequence[Fitted], counts: Mapping[str, Count], card: Path = CARD) -> None:
    """Put the thresholds and opinions beside those of single windows."""
    sheet = json.loads(card.read_text("utf-8"))
    for one in fitted:
        entry = sheet["thresholds"].setdefault(one.kind, {})
        entry.update(
            incident_llr=one.alarm_llr,
            incident_false_alarms_per_hour=round(one.false / one.hours, 2),
            incident_fitted_on=f"dev, train and dev sounds of footage, cross-fitted: {one.false} false clips in "
            f"{one.hours:.2f} h of hard sound; through the scene on dev {counts[one.kind]}",
        )
        for key in ("incident_offset", "incident_weights"):
            entry.pop(key, None)
        if one.opinion is not None:
            entry["incident_offset"] = round(one.opinion.offset, 4)
            entry["incident_weights"] = [round(weight, 4) for weight in one.opinion.weights.tolist()]
    card.write_text(json.dumps(sheet, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", action="store_true", help="write thresholds and opinions into the card")
    arguments = parser.parse_args()
    clips = clips_of(Noting.load(Models(device="cpu")))
    fitted = [fit(clips, kind) for kind in BANGS]
    judged = [(index, clip) for index, clip in enumerate(clips) if clip.part != "train"]
    kinds_in = [opened(list(with_alarms(clip, index, fitted))) for index, clip in tqdm(judged, desc="scene")]
    counts: dict[tuple[str, str], Count] = {}
    for part in ("dev", "footage"):
        pairs = [(clip, kinds) for (_, clip), kinds in zip(judged, kinds_in, strict=True) if clip.part == part]
        for kind in (*BANGS, "alarm"):
            counts[part, kind] = counted([clip for clip, _ in pairs], [kinds for _, kinds in pairs], kind)
    for one in fitted:
        print(f"{one.kind:12s} llr {one.alarm_llr:.2f}, {one.false} false clips in {one.hours:.2f} h", end="; ")
        print(f"scene: dev {counts['dev', one.kind]}; footage {counts['footage', one.kind]}")
    print(f"{'alarm':12s} as it is; scene: dev {counts['dev', 'alarm']}; footage {counts['footage', 'alarm']}")
    if arguments.card:
        write(fitted, {kind: counts["dev", kind] for kind in BANGS})


if __name__ == "__main__":
    main()
