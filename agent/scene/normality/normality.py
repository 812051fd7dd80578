"""What is normal in front of one camera, learned without a label; what is not becomes evidence for `unusual`.

Seven streams are looked at: the moving cells of the picture (speed, size and gait together; direction), the tracks
(place, size, motion, posture and kind together; kind alone), the whole scene, its sound, and activity at hours when
there is none. Each has a gauge of how much surprise is usual; the stream that is farthest above its own usual is told.
Tracks, scene and sound are always somewhat surprising: what one picture in a hundred reaches says nothing.

Nothing is learned at once: a look waits `WAIT_S`, and is thrown away if an incident was open by then, so that what
was unusual does not become usual by happening. All of it fades with `HALF_LIFE_S` of watching. Until `MATURE_S`
were watched nothing is told, unless what is known was learned from recordings.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label as regions_of

from agent.scene.evidence import Clue
from agent.scene.following import Followed
from agent.scene.normality.exemplars import Points
from agent.scene.normality.field import Look, Map, Trail, look_at
from agent.scene.normality.hours import Hours
from agent.scene.normality.knowledge import Knowledge
from agent.scene.normality.things import Strange
from agent.scene.normality.walking import GAIT_SHARE, GAIT_TRAIL_S
from agent.scene.normality.words import Found, clue_of
from agent.types import NS_PER_S, Box, Figure, Heard, Seen

WAIT_S = 10.0
"""An incident that opens within this time of a look was perhaps about it."""
MATURE_S = 6 * 3600.0
"""Watched this long, a day's part is known: the first hours tell nothing."""
MEASURE_S = 3600.0
"""The gauges count from then on: at first everything is a surprise."""
HALF_LIFE_S = 14 * 24 * 3600.0
LEARN_EVERY_S = 0.4
"""Pictures a tenth of a second apart say the same; recordings are short, so of them every picture is learned."""
LONGEST_STEP_S = 0.5
_TOLD_SHARE = 0.4
"""Of the threshold: weaker surprise needs no box."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """One look that waits to be learned."""

    at_ns: int
    look: Look | None = None
    figures: tuple[Figure, ...] = ()
    points: Points | None = None
    scene: Points | None = None
    sound: Points | None = None
    highest: tuple[tuple[str, float], ...] = ()


class Normality:
    """One camera's normality. `knowledge` is what was learned before; `from_recordings` learns every picture at once;
    without `learns` what is known stays as it is.
    """

    def __init__(
        self, knowledge: Knowledge | None = None, *, from_recordings: bool = False, learns: bool = True
    ) -> None:
        self.knowledge = knowledge or Knowledge()
        self.measuring = False  # whether the gauges count before MEASURE_S: recordings say when themselves
        self._learns = learns
        self._learn_every_s = 0.0 if from_recordings else LEARN_EVERY_S
        self._wait_s = 0.0 if from_recordings else WAIT_S
        self._hours = Hours(self.knowledge.hours)
        self._trail: Trail | None = None
        self._gait_trail: Trail | None = None
        self._pending: deque[_Pending] = deque()
        self._seen_ns: int | None = None
        self._taken_ns: int | None = None

    @property
    def is_mature(self) -> bool:
        """Whether enough is known to call anything unusual."""
        return self.knowledge.given or self.knowledge.watched_s >= MATURE_S

    def see(self, seen: Seen, present: Sequence[Followed], wall_ns: int, *, calm: bool) -> Iterator[Clue]:
        """Take one picture, yield what is unusual in it; `calm` is whether no incident is open on this camera."""
        known = self.knowledge
        elapsed_s = self._elapsed_s(seen.at_ns)
        known.watched_s += elapsed_s if self._learns else 0.0
        look = look_at(seen.flow) if seen.flow is not None else None
        followed, points = known.things.points(present, seen.aspect_ratio)
        scene = known.scene.point(seen.embedding, seen.at_ns)
        found = [
            *self._motion(look, seen.figures, elapsed_s),
            *self._things(followed, points, seen.at_ns),
            *self._embedding("scene", scene, seen.at_ns),
        ]
        highest = tuple((f.stream, f.nats) for f in found)
        if self._is_due(seen.at_ns):
            self._pending.append(_Pending(seen.at_ns, look, seen.figures, points, scene, None, highest))
        if wall_ns != seen.at_ns:  # where the time on the wall is known
            found += self._hours.see(wall_ns, bool(len(points)), calm=calm and self._learns)
        self._learn(seen.at_ns, calm=calm)
        yield from self._told(found, "sight", seen.at_ns)

    def hear(self, heard: Heard, *, calm: bool) -> Iterator[Clue]:
        """Take one window of sound, yield what is unusual in it."""
        if heard.between:
            return
        sound = self.knowledge.sound.point(heard.embedding, heard.at_ns)
        found = self._embedding("sound", sound, heard.at_ns)
        if sound is not None:
            highest = tuple((f.stream, f.nats) for f in found)
            self._pending.append(_Pending(heard.at_ns, sound=sound, highest=highest))
        self._learn(heard.at_ns, calm=calm)
        yield from self._told(found, "sound", heard.at_ns)

    def settle(self) -> None:
        """Learn what still waits: for recordings, at their end."""
        while self._pending:
            self._take(self._pending.popleft())

    def begin_again(self) -> None:
        """The next picture belongs to another recording: nothing carries over but what was learned."""
        self._trail, self._gait_trail, self._seen_ns, self._taken_ns = None, None, None, None
        for stream in (self.knowledge.things, self.knowledge.scene, self.knowledge.sound):
            stream.begin_again()

    def _elapsed_s(self, at_ns: int) -> float:
        elapsed_s = 0.1 if self._seen_ns is None else (at_ns - self._seen_ns) / NS_PER_S
        self._seen_ns = at_ns
        return min(LONGEST_STEP_S, max(0.0, elapsed_s))

    def _is_due(self, at_ns: int) -> bool:
        if self._taken_ns is not None and 0 <= at_ns - self._taken_ns < self._learn_every_s * NS_PER_S:
            return False
        self._taken_ns = at_ns
        return True

    def _motion(self, look: Look | None, figures: Sequence[Figure], elapsed_s: float) -> list[Found]:
        if look is None:
            return []
        field = self.knowledge.field_of(look.active.shape)
        if self._trail is None or self._trail.shape != field.shape:
            self._trail, self._gait_trail = Trail(*field.shape), None
        if self._gait_trail is None:
            self._gait_trail = Trail(*field.shape, names=("gait",), trail_s=GAIT_TRAIL_S)
        speed, size, direction = self._trail.follow(look, field.surprise(look), elapsed_s)
        walking = {"gait": self.knowledge.walking.on_cells(figures, field.shape)}
        gait = np.float32(GAIT_SHARE) * self._gait_trail.follow(look, walking, elapsed_s)[0]
        parts = {"speed": speed, "size": size, "gait": gait}
        return [
            self._moving("motion", speed + size + gait, look, parts),
            self._moving("direction", direction, look, {"direction": direction}),
        ]

    def _moving(self, stream: str, trail: Map, look: Look, parts: Mapping[str, Map]) -> Found:
        row, column = (int(index) for index in np.unravel_index(int(trail.argmax()), trail.shape))
        nats, high = float(trail[row, column]), self.knowledge.gauges[stream].high_nats()
        words: dict[str, str | float] = {}
        box = None
        if nats >= _TOLD_SHARE * high:
            box = _box_around(trail, row, column)
            usual = self.knowledge.field_of(trail.shape).usual_speed(row, column)
            fast = float(np.hypot(look.across[row, column], look.down[row, column]))
            words = {"times": max(1.0, fast / max(usual, 1e-3))}
        attribute = max(parts, key=lambda name: float(parts[name][row, column]))
        return Found(stream=stream, attribute=attribute, nats=nats, high_nats=high, box=box, words=words)

    def _things(self, followed: Sequence[Followed], points: Points, at_ns: int) -> list[Found]:
        things = self.knowledge.things
        strangest = {
            "things": things.surprise(followed, points, at_ns),
            "kind": things.kind_surprise(followed, points, at_ns),
        }
        return [self._thing(stream, strange) for stream, strange in strangest.items() if strange is not None]

    def _thing(self, stream: str, strange: Strange) -> Found:
        gauge = self.knowledge.gauges[stream]
        return Found(
            stream=stream, attribute=f"thing_{strange.attribute}",
            nats=strange.nats, high_nats=gauge.high_nats(), often_nats=gauge.often_nats(),
            box=strange.box, track=strange.track, words={"what": strange.label.capitalize()},
        )  # fmt: skip

    def _embedding(self, stream: str, point: Points | None, at_ns: int) -> list[Found]:
        if point is None:
            return []
        looks = self.knowledge.scene if stream == "scene" else self.knowledge.sound
        nats, gauge = looks.surprise(point, at_ns), self.knowledge.gauges[stream]
        high, often = gauge.high_nats(), gauge.often_nats()
        return [Found(stream=stream, attribute=stream, nats=nats, high_nats=high, often_nats=often)]

    def _told(self, found: Sequence[Found], sense: str, at_ns: int) -> Iterator[Clue]:
        ready = [f for f in found if self._may_tell(f)]
        if ready and self.is_mature:
            yield clue_of(max(ready, key=lambda f: f.ratio), sense, at_ns)

    def _may_tell(self, found: Found) -> bool:
        gauge = self.knowledge.gauges.get(found.stream)
        return gauge is None or gauge.is_ready

    def _learn(self, now_ns: int, *, calm: bool) -> None:
        if not calm or not self._learns:
            self._pending.clear()
            return
        while self._pending and now_ns - self._pending[0].at_ns >= self._wait_s * NS_PER_S:
            self._take(self._pending.popleft())

    def _take(self, pending: _Pending) -> None:
        known = self.knowledge
        known.fade_to(0.5 ** (max(0.1, self._learn_every_s) / HALF_LIFE_S))
        if self.measuring or known.watched_s >= MEASURE_S:
            for name, nats in pending.highest:
                known.count(name, nats)
        if pending.look is not None:
            known.field_of(pending.look.active.shape).learn(pending.look)
        known.walking.learn(pending.figures)
        if pending.points is not None and len(pending.points):
            known.things.exemplars.learn(pending.points, np.zeros(len(pending.points), np.intp))
        for looks, point in ((known.scene, pending.scene), (known.sound, pending.sound)):
            if point is not None and looks.exemplars is not None:
                looks.exemplars.learn(point, np.zeros(1, np.intp))


def _box_around(trail: Map, row: int, column: int) -> Box:
    """The connected cells around one that are at least half as strange."""
    marked, _ = regions_of(trail >= 0.5 * trail[row, column])
    rows, columns = np.nonzero(marked == marked[row, column])
    high, wide = trail.shape
    return Box(
        left_frac=float(columns.min()) / wide,
        top_frac=float(rows.min()) / high,
        right_frac=float(columns.max() + 1) / wide,
        bottom_frac=float(rows.max() + 1) / high,
    )
