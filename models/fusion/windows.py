"""From cached observations to the windows that the network learns from.

The steps come out of the scene's own `RollingWindow`, so training sees what serving sees. A training example is a
window that ends somewhere in a clip, with its past cut short or replaced by another clip's: clips last two seconds,
cameras run for years, and neither the length of the past nor where it comes from may give the answer away. Its sound is
its own, none, or a recorded sound paired with it (`Mix`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.scene.camera import Camera
from agent.scene.rolling_window import PEOPLE_WIDTH, STEP_NS
from agent.types import FUSION_STEPS, FusionWindow, Heard, Seen
from models.fusion.clips import CAMERA, Clip, read
from models.fusion.more import sources
from models.fusion.net import LABELS, STREAMS

Floats = NDArray[np.float32]
PAST = FUSION_STEPS
FILM = "film"
"""The kind of clips of models.fusion.film: calm, but apart from the labelled calm ones."""
ECHO_S = 1.5
"""A window shows an event as long as part of the event lies in its newest this many seconds."""
WIDTHS = {"scene": 131, "people": PEOPLE_WIDTH, "sound": 160}
"""Features a step: 128 + 2 + 1; means and maxima of kinematics and motion, + 1; 128 + 30 + 2."""


@dataclass(frozen=True, slots=True)
class Sequence16:
    """The steps of one clip on the grid of half seconds: by stream rows [t, n] and known [t]; targets [t, 10]."""

    clip: Clip
    variant: int
    rows: Mapping[str, Floats]
    known: Mapping[str, Floats]
    targets: Floats
    weights: Floats

    @property
    def length(self) -> int:
        return len(self.targets)


def windows_of(observations: Sequence[Seen | Heard]) -> list[FusionWindow]:
    """Every window that comes due, as the scene would give them."""
    camera = Camera(CAMERA, {})
    found: list[FusionWindow] = []
    for observation in observations:
        for _ in camera.observe(observation):
            pass
        found += camera.window.taken()
    return found


def sequence(clip: Clip, variant: int, places: Mapping[str, Path]) -> Sequence16 | None:
    """The steps of one cached clip; None where no window of it comes due."""
    return from_windows(clip, variant, windows_of(read(clip, variant, places)))


def from_windows(clip: Clip, variant: int, windows: Sequence[FusionWindow]) -> Sequence16 | None:
    """Steps by their place in the clip, from windows that overlap."""
    if not windows:
        return None
    length = windows[-1].at_ns // STEP_NS
    rows = {name: np.zeros((length, WIDTHS[name]), np.float32) for name in STREAMS}
    known = {name: np.zeros(length, np.float32) for name in STREAMS}
    for window in windows:
        end = window.at_ns // STEP_NS
        for name in STREAMS:
            values, mask = getattr(window, name), getattr(window, f"{name}_known")
            for place in np.flatnonzero(mask):
                at = end - FUSION_STEPS + int(place)
                if 0 <= at < length and values.shape[1] == WIDTHS[name]:
                    rows[name][at], known[name][at] = values[place], 1.0
    targets, weights = _targets(clip, length)
    return Sequence16(clip, variant, rows, known, targets, weights)


def _targets(clip: Clip, length: int) -> tuple[Floats, Floats]:
    """Hard targets and how much each counts, [t, 10]; a moment shortly after an event counts neither way."""
    targets, weights = np.zeros((2, length, len(LABELS)), np.float32)
    ends_s = (np.arange(length) + 1) * STEP_NS / 1e9
    for label in ("fight", "fall", "fire", "smoke"):
        index = LABELS.index(label)
        weights[:, index] = 1.0
        for start_s, end_s, name in clip.events:
            if not name.startswith(label):
                continue
            showing = (ends_s > start_s + 0.4) & (ends_s - ECHO_S < end_s)
            doubtful = (ends_s > start_s) & (ends_s < end_s + PAST / 2)
            targets[showing, index] = 1.0
            weights[doubtful & ~showing, index] = 0.0
    if clip.kind == "fire":  # smoke is rarely named where there is fire
        weights[:, LABELS.index("smoke")] *= targets[:, LABELS.index("smoke")]
    if clip.kind == "robbery":
        weights[:, LABELS.index("fight")] = 0.0
    return targets, weights


@dataclass(frozen=True, slots=True)
class Sound:
    """What a recorded sound is heard as, a row a half second [t, 160], and which labels it is known by."""

    rows: Floats
    labels: frozenset[str]
    group: str


@dataclass(slots=True)
class Mix:
    """How examples are made; shares are probabilities."""

    cut: float = 1.0  # the past is cut short: were fights' alone short, a camera's first windows would look like one
    splice: float = 0.4  # the past is another clip's
    no_sound: float = 0.75  # with .35 and .5 the embrace of a rendered scene was taken for a fight
    paired_sound: float = 0.2
    no_scene: float = 0.8
    no_people: float = 0.08
    drop_step: float = 0.1
    noise: float = 0.1  # of each feature, by a factor that is the same in every step
    film: float = 0.0  # of all examples are dev film (models.fusion.film), instead of calm clips
    further: float = 0.25  # of fights and of calm examples are of models.fusion.more, where such clips are learned from
    same_camera: float = 0.0  # of calm examples are of a group that has fights, too
    fitting: Mapping[str, float] = field(default_factory=lambda: {"fight": 0.3, "other": 0.1})
    """How often a paired sound is a scream, a crash or breaking glass. Screams are rare in ordinary life but not the
    proof of a fight, so the ratio is kept low on purpose."""


FITTING = frozenset({"scream", "crash", "glass_break"})
Example = dict[str, Floats]
"""`STREAMS` [b, 16, n], their masks `…_known`, targets and weights [b, 10], own_sound [b]: 1 where the sound is the
clip's own; without the batch axis for one window."""


class Examples:
    """Draws examples from sequences of clips."""

    def __init__(self, clips: Sequence[Sequence16], sounds: Sequence[Sound], seed: int, mix: Mix | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        self._mix = mix or Mix()
        extra = sources()
        self._calm = [c for c in clips if c.clip.kind == "normal" and c.clip.name not in extra]
        self._by_kind: dict[str, dict[str, list[Sequence16]]] = {}
        self._further: dict[str, dict[str, list[Sequence16]]] = {}
        for one in clips:
            kind = one.clip.kind if one.clip.kind in ("fight", "normal", "fall", "fire", FILM) else "normal"
            kept = self._further if one.clip.name in extra else self._by_kind
            kept.setdefault(kind, {}).setdefault(one.clip.group, []).append(one)
        self._beside_fights = [group for group in self._by_kind.get("normal", ()) if group in self._by_kind["fight"]]
        self._fitting = [s for s in sounds if s.labels & FITTING]
        self._other = [s for s in sounds if not s.labels & FITTING]

    def batch(self, size: int) -> Example:
        """`size` examples: `STREAMS` [b, 16, n], their masks `…_known`, targets and weights [b, 10]."""
        film = self._mix.film if FILM in self._by_kind else 0.0
        shares = {"fight": 0.4, "normal": 0.4 - film, "fall": 0.1, "fire": 0.1, FILM: film}
        kinds = [kind for kind, share in shares.items() if kind in self._by_kind and share]
        p = np.array([shares[kind] for kind in kinds])
        drawn = [self._one(str(kind)) for kind in self._rng.choice(kinds, size, p=p / p.sum())]
        return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}

    def _one(self, kind: str) -> Example:
        rng, mix = self._rng, self._mix
        further = kind in self._further and rng.random() < mix.further
        groups = (self._further if further else self._by_kind)[kind]
        group = list(groups)[rng.integers(len(groups))]
        if (
            kind == "normal"
            and not further
            and mix.same_camera
            and self._beside_fights
            and rng.random() < mix.same_camera
        ):
            group = self._beside_fights[rng.integers(len(self._beside_fights))]
        clips = groups[group]
        chosen = clips[rng.integers(len(clips))]
        end = int(rng.integers(chosen.length)) + 1
        example = cut_out(chosen, end)
        kept = min(end, PAST)
        if rng.random() < mix.cut:
            kept = min(kept, int(rng.integers(1, 6)))
            _forget(example, PAST - kept)
        if kept < PAST and self._calm and rng.random() < mix.splice:
            self._splice(example, PAST - kept)
        self._sound(example)
        self._disturb(example)
        return example

    def _splice(self, example: Example, free: int) -> None:
        """What went before is a calm clip's end."""
        calm = self._calm[self._rng.integers(len(self._calm))]
        past = cut_out(calm, int(self._rng.integers(calm.length)) + 1)
        for name in ("scene", "people"):
            example[name][:free] = past[name][PAST - free :]
            example[f"{name}_known"][:free] = past[f"{name}_known"][PAST - free :]

    def _sound(self, example: Example) -> None:
        rng, mix = self._rng, self._mix
        drawn = rng.random()
        example["own_sound"] = example["own_sound"] * np.float32(drawn >= mix.no_sound + mix.paired_sound)
        if drawn < mix.no_sound:
            example["sound_known"][:] = 0.0
        elif drawn < mix.no_sound + mix.paired_sound and self._other:
            fight = example["targets"][0] > 0
            pool = self._other
            if self._fitting and rng.random() < mix.fitting["fight" if fight else "other"]:
                pool = self._fitting
            self._pair(example, pool[rng.integers(len(pool))])

    def _pair(self, example: Example, sound: Sound) -> None:
        length = len(sound.rows)
        place = PAST - int(self._rng.integers(min(length, 4))) if length > 1 else PAST
        rows, known = np.zeros_like(example["sound"]), np.zeros(PAST, np.float32)
        taken = sound.rows[: min(length, place)][-place:]
        rows[place - len(taken) : place], known[place - len(taken) : place] = taken, 1.0
        example["sound"], example["sound_known"] = rows, known
        for label in sound.labels & set(LABELS):
            index = LABELS.index(label)
            example["targets"][index], example["weights"][index] = 1.0, 1.0
        for label in LABELS[4:]:  # what is known not to be in this sound
            example["weights"][LABELS.index(label)] = 1.0

    def _disturb(self, example: Example) -> None:
        rng, mix = self._rng, self._mix
        if rng.random() < mix.no_scene:
            example["scene_known"][:] = 0.0
        elif rng.random() < mix.no_people:
            example["people_known"][:] = 0.0
        for name in STREAMS:
            keep = rng.random(PAST) >= mix.drop_step
            keep[-1] = True
            example[f"{name}_known"] = example[f"{name}_known"] * keep.astype(np.float32)
            grain = rng.normal(0.0, mix.noise, (1, example[name].shape[1])).astype(np.float32)
            example[name] = example[name] * (1.0 + grain) * example[f"{name}_known"][:, None]


def cut_out(chosen: Sequence16, end: int) -> Example:
    """The window that ends with step `end` (exclusive), as the graph takes it, with its targets."""
    first = max(0, end - PAST)
    example: Example = {}
    for name in STREAMS:
        rows, known = np.zeros((PAST, WIDTHS[name]), np.float32), np.zeros(PAST, np.float32)
        rows[PAST - (end - first) :] = chosen.rows[name][first:end]
        known[PAST - (end - first) :] = chosen.known[name][first:end]
        example[name], example[f"{name}_known"] = rows, known
    example["own_sound"] = np.float32(example["sound_known"].any())
    example["targets"] = chosen.targets[end - 1].copy()
    example["weights"] = chosen.weights[end - 1].copy()
    return example


def _forget(example: Example, steps: int) -> None:
    for name in STREAMS:
        example[name][:steps] = 0.0
        example[f"{name}_known"][:steps] = 0.0
