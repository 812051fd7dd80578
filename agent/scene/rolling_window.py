"""The last eight seconds of one camera in steps of half a second: what the fusion graph is shown.

Steps lie on a grid of time, so what is in one does not depend on when anybody asks. A step is over with the first
observation beyond it, or with the end of the recording; if anything moved or sounded in the newest two seconds, a
`FusionWindow` is then due.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable

import numpy as np

from agent.features.kinematics import COLUMNS, KINEMATIC_NAMES, kinematics_of
from agent.features.motion import MOTION_NAMES
from agent.scene.following import Followed
from agent.types import FUSION_STEPS, NS_PER_S, FloatArray, FusionWindow, Heard, Seen

STEP_NS = NS_PER_S // 2
LEAST_STEP_NS = STEP_NS // 2
"""Of its last step a recording must show this much for it to be judged: means over less are noise."""
LIVELY_STEPS = 4
LIVELY_FRAC, LIVELY_DBFS = 2.0 / 960.0, -55.0
"""Something moves: two cells of a picture changed; something sounds: louder than a quiet room."""
PRESENT_S, LOST_S = 0.3, 1.0
PEOPLE_WIDTH = 2 * (len(KINEMATIC_NAMES) + len(MOTION_NAMES)) + 1
MOST_LOG_ODDS = 8.0
MOTION_SCALE = 5.0
"""Speeds spread over two orders of magnitude: their logarithm, linear below a fifth of a height a second."""
MOST_DUE = 8
"""Windows that nobody asks for do not pile up."""

Person = tuple[float, ...]
"""One person in one picture, by `agent.features.kinematics.COLUMNS`."""


class _Step:
    """What half a second showed and sounded like."""

    __slots__ = ("embeddings", "lively", "moments", "motions", "rows", "scenes", "sound")

    def __init__(self) -> None:
        self.embeddings: list[tuple[float, ...]] = []
        self.scenes: list[tuple[float, ...]] = []
        self.moments: list[tuple[list[Person], int]] = []  # by picture: who was there, and how many were just lost
        self.motions: list[tuple[float, ...]] = []
        self.sound: tuple[float, ...] = ()
        self.lively = False
        self.rows: tuple[FloatArray | None, FloatArray | None] | None = None

    def finish(self) -> None:
        """Nothing more comes: it is part of many windows, but looks the same in each."""
        self.rows = self.scene(), self.people()

    def scene(self) -> FloatArray | None:
        if not self.embeddings:
            return None
        known = np.asarray(self.embeddings, np.float32)
        flicker = known.std(axis=0).mean(keepdims=True)
        scores = np.asarray(self.scenes, np.float32).mean(axis=0)
        return np.concatenate([known.mean(axis=0), scores, flicker]).astype(np.float32)

    def people(self) -> FloatArray | None:
        """Means and maxima over the pictures of the step; None where none was looked at."""
        if not self.moments:
            return None
        rows = self._kinematics()
        known = bool(self.motions)
        motions = np.asarray(self.motions if known else [(0.0,) * len(MOTION_NAMES)], np.float32)
        moved = np.log1p(MOTION_SCALE * np.concatenate([motions.mean(axis=0), motions.max(axis=0)]))
        parts = [rows.mean(axis=0), rows.max(axis=0), moved, [float(known)]]
        return np.concatenate(parts).astype(np.float32)

    def _kinematics(self) -> FloatArray:
        """Numbers of each picture [pictures, len(KINEMATIC_NAMES)]; those with as many people come at once."""
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for place, (people, _) in enumerate(self.moments):
            alike[len(people)].append(place)
        rows = np.empty((len(self.moments), len(KINEMATIC_NAMES)), np.float32)
        for count, places in alike.items():
            there = np.array([self.moments[place][0] for place in places], np.float32)
            lost = [self.moments[place][1] for place in places]
            rows[places] = kinematics_of(there.reshape(len(places), count, len(COLUMNS)), lost)
        return rows


class RollingWindow:
    """The newest half seconds of one camera, from which the windows of the fusion graph are made."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._steps: deque[tuple[int, _Step]] = deque()
        self._index: int | None = None
        self._drill = False
        self._due: list[FusionWindow] = []

    def see(self, seen: Seen, known: Iterable[Followed]) -> None:
        """Take one picture and who was there, tracked up to it."""
        step = self._step(seen.at_ns)
        self._look(step, seen, known)
        if step is not self._steps[-1][1]:
            step.finish()  # once more: the picture came after its sound

    def _look(self, step: _Step, seen: Seen, known: Iterable[Followed]) -> None:
        self._drill = seen.drill
        step.lively |= seen.stats.moving_frac >= LIVELY_FRAC
        if seen.detections is None:
            return
        if seen.embedding:
            step.embeddings.append(seen.embedding)
            step.scenes.append(tuple(_bounded(score.llr) for score in seen.scene))
        if seen.motion:
            step.motions.append(seen.motion)
        step.moments.append(_people(seen, known))

    def hear(self, heard: Heard) -> None:
        """Put one window of sound into the half second that it ends in."""
        # A window that ends on the grid belongs to the step that it closes.
        step = self._step(heard.at_ns - 1)
        self._drill = heard.drill
        step.lively |= heard.level_dbfs > LIVELY_DBFS
        if heard.embedding:
            odds = tuple(_bounded(score.llr) for score in heard.scores)
            step.sound = (*heard.embedding, *odds, heard.level_dbfs / 20.0 + 2.0, heard.peak_dbfs / 20.0 + 2.0)

    def end(self, at_ns: int) -> None:
        """Nothing more comes: the step that is going on is over with what it has."""
        if self._steps and self._steps[-1][1].rows is None and at_ns - self._steps[-1][0] * STEP_NS >= LEAST_STEP_NS:
            self._finish(at_ns)

    def taken(self) -> tuple[FusionWindow, ...]:
        """The windows that came due since this was last asked."""
        due, self._due = tuple(self._due), []
        return due

    def _step(self, at_ns: int) -> _Step:
        index = at_ns // STEP_NS
        if self._index is None or index > self._index:
            if self._index is not None:
                self._finish((self._steps[-1][0] + 1) * STEP_NS)
            self._index = index
            self._steps.append((index, _Step()))
        # What comes late belongs where it happened, as far as that is still known.
        return next((step for at, step in reversed(self._steps) if at <= index), self._steps[0][1])

    def _finish(self, ends_ns: int) -> None:
        """The newest step is over at `ends_ns`."""
        newest = self._steps[-1][0]
        self._steps[-1][1].finish()
        while self._steps[0][0] <= newest - FUSION_STEPS:
            self._steps.popleft()
        if any(step.lively for at, step in self._steps if at > newest - LIVELY_STEPS):
            self._due = [*self._due[1 - MOST_DUE :], self._window(newest, ends_ns)]

    def _window(self, newest: int, ends_ns: int) -> FusionWindow:
        places = {at - newest + FUSION_STEPS - 1: step for at, step in self._steps if at <= newest}
        rows = {place: step.rows for place, step in places.items() if step.rows is not None}
        scenes = {place: scene for place, (scene, _) in rows.items() if scene is not None}
        people = {place: there for place, (_, there) in rows.items() if there is not None}
        sounds = {place: np.asarray(step.sound, np.float32) for place, step in places.items() if step.sound}
        return FusionWindow(
            camera=self._camera,
            at_ns=ends_ns,
            scene=_rows(scenes),
            people=_rows(people),
            sound=_rows(sounds),
            scene_known=_known(scenes),
            people_known=_known(people),
            sound_known=_known(sounds),
            drill=self._drill,
        )


def _rows(known: dict[int, FloatArray]) -> FloatArray:
    """Rows by place in the window; what has another width than the newest (a graph was changed) is left out."""
    width = known[max(known)].size if known else 0
    rows = np.zeros((FUSION_STEPS, width), np.float32)
    for place, row in known.items():
        if row.size == width:
            rows[place] = row
    return rows


def _known(known: dict[int, FloatArray]) -> FloatArray:
    mask = np.zeros(FUSION_STEPS, np.float32)
    mask[list(known)] = 1.0
    return mask


def _people(seen: Seen, known: Iterable[Followed]) -> tuple[list[Person], int]:
    rows: list[Person] = []
    lost = 0
    for followed in known:
        gone_s = (seen.at_ns - followed.seen_ns) / NS_PER_S
        if followed.label != "person" or gone_s > LOST_S:
            continue
        if gone_s > PRESENT_S:
            lost += 1
        else:
            rows.append(_row(followed, seen))
    return rows, lost


def _row(followed: Followed, seen: Seen) -> Person:
    box, body = followed.box, followed.body
    x, foot = box.foot
    widens, shrinks = _changes(followed)
    return (
        x * seen.aspect_ratio, foot, box.width_frac * seen.aspect_ratio, box.height_frac, *followed.velocity,
        body.speed_heights_per_s, body.down_llr, followed.score_prob, (seen.at_ns - followed.since_ns) / NS_PER_S,
        widens, shrinks,
    )  # fmt: skip


def _changes(followed: Followed) -> tuple[float, float]:
    """How fast width over height, and the logarithm of the height, change a second: the newest two looks."""
    shapes = followed.body.shapes
    if len(shapes) < 2:
        return 0.0, 0.0
    before, now = shapes[-2], shapes[-1]
    elapsed_s = (now.at_ns - before.at_ns) / NS_PER_S
    if not 0.0 < elapsed_s <= PRESENT_S:
        return 0.0, 0.0
    return (now.ratio - before.ratio) / elapsed_s, math.log(now.height / before.height) / elapsed_s


def _bounded(log_odds: float) -> float:
    return min(MOST_LOG_ODDS, max(-MOST_LOG_ODDS, log_odds)) / 4.0
