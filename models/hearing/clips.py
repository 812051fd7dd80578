"""The clips on which thresholds of incidents are fitted, as the live agent hears them (models.hearing.incidents)."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.features.logmel import RATE_HZ
from agent.inference.hearing import HearingModel
from agent.scene.hearing import ALARMS, BANGS, Ear
from agent.scene.policy import SOUND_LLR
from agent.types import Heard
from models.hearing import catalogue, data
from models.hearing.heard import Noting, Take, Verifying, takes
from models.hearing.labels import INDEX, SECURITY

KINDS = (*BANGS, "alarm")
PLAUSIBLE = {
    "gunshot": {"explosion"},
    "explosion": {"gunshot", "crash"},
    "glass_break": {"crash"},
    "crash": {"glass_break", "explosion", "gunshot", "door_slam"},
}
FOLDS = 4
NEVER_LLR = -30.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip as it was heard; `excused` are kinds that say neither yes nor no here.

    `embeddings` [windows, 128]; `llr` [windows, KINDS] is what the scene makes of each window by itself before it is
    held against a threshold, of alarms NaN between steps; `at_ns` [windows] is when each ended. `heard` is kept where
    the scene is asked, so not of `train`.
    `part` is train, dev, outside or footage.
    """

    heard: tuple[Heard, ...]
    at_ns: NDArray[np.int64]
    embeddings: NDArray[np.float16]
    llr: NDArray[np.float64]
    labels: frozenset[str]
    excused: frozenset[str]
    group: str
    source: str
    part: str
    hours: float

    def is_hard(self, kind: str) -> bool:
        """Whether a `kind` in it is a false alarm on hard sound that neither network learned from: none of `train`."""
        return self.part != "train" and not self.labels & {*BANGS, kind} and kind not in self.excused

    @property
    def fold(self) -> int:
        """Which fold's fit never heard its recording."""
        return int(hashlib.sha256(f"fold:{self.group}".encode()).hexdigest(), 16) % FOLDS


def scene_llr(one: Take, model: HearingModel, verifying: Verifying) -> NDArray[np.float64]:
    """The llr of each window by itself [windows, KINDS], less what is usual or in a rhythm; never for silence."""
    ear, llr = Ear(confirmed=()), np.full((len(one.heard), len(KINDS)), NEVER_LLR)
    alarms = {*ALARMS, *model.card.groups["alarm"]}
    for row, (heard, outputs) in enumerate(zip(one.heard, one.outputs(verifying), strict=True)):
        scores = () if one.is_silent[row] else model.verified(outputs)
        bangs = tuple(replace(score, alarm_llr=SOUND_LLR) for score in scores if score.label in BANGS)
        for clue in ear.hear(replace(heard, scores=bangs)):
            if clue.kind in BANGS and clue.signal == clue.kind:
                llr[row, BANGS.index(clue.kind)] = clue.llr
        if not one.is_silent[row]:
            llr[row, -1] = max(score.llr for score in scores if score.label in alarms)
        if heard.between:
            llr[row, -1] = np.nan
    return llr


def rows_of(pieces: list[data.Piece], part: str) -> list[int]:
    """Which pieces of a part are heard: recorded, with labels to be believed, not kept apart from everything."""
    known = [row for row, p in enumerate(pieces) if p.split == part and p.known and p.kind != "synthetic"]
    return [row for row in known if pieces[row].repo not in catalogue.KEPT]


def clips_of(model: Noting) -> list[Clip]:
    """Clips of dev, train and outside with labels to be believed, and the hard sounds that may be tuned on.

    Not those of `catalogue.KEPT`, which nothing is fitted on. Clips of the later sources are verified by upper blocks
    that never heard a sound of their source (models.hearing.tuning); those that ship learned nothing of dev, footage.
    """
    from benchmarks import footage  # noqa: PLC0415 - what nobody trained on lies with the benchmarks
    from models.hearing import soften, tuning, verifier_rows  # noqa: PLC0415 - need torch, the rest does not

    verifying = tuning.Nets.load().parts

    def clip(
        one: Take, labels: frozenset[str], excused: frozenset[str], group: str, source: str, part: str, samples: int
    ) -> Clip:
        said = verifying[verifier_rows.part_of(source)].logits(one.maps)
        heard = () if part == "train" else one.scored(model, lambda _: said)
        llr, hours = scene_llr(one, model, lambda _: said), samples / RATE_HZ / 3600
        at_ns = np.array([window.at_ns for window in one.heard], np.int64)
        return Clip(heard, at_ns, one.embeddings, llr, labels, excused, group, source, part, hours)

    pieces, waves = data.load()
    clips = []
    for part in ("dev", "train", "outside"):
        chosen = [pieces[row] for row in rows_of(pieces, part)]
        sounds = [waves[p.start : p.start + p.samples] for p in chosen]
        for piece, one, doubtful in zip(chosen, takes(part, sounds, model), soften.doubtful(chosen), strict=True):
            labels = frozenset(piece.labels.split(";"))
            excused = {kind for kind in SECURITY if doubtful[INDEX[kind]] or labels & PLAUSIBLE.get(kind, set())}
            said = labels, frozenset(excused) - labels
            clips.append(clip(one, *said, piece.group, piece.repo, part, piece.samples))
    new = [one for one in footage.sounds() if one.part == "dev"]
    missing = [one for one in new if not one.file.is_file()]
    if missing:
        more = f"{missing[0].file} is missing, {len(missing)} in all"
        raise SystemExit(f"{more}: python -m benchmarks.footage fetch DIR brings them")
    sounds = [data.decode(one.file) for one in new]
    for recording, samples, one in zip(new, sounds, takes("footage", sounds, model), strict=True):
        clips.append(clip(one, frozenset(), frozenset(), recording.group, recording.source, "footage", len(samples)))
    return clips
