"""Follows objects from picture to picture: detections in, identities out, one picture at a time.

Association has up to three stages. Confident detections first, against every track, by overlap and by
whether the move fits the direction the object was going (OC-SORT). Then weak detections, against tracks
that were seen a moment ago: an object half hidden scores low, but it is still there (ByteTrack). Then what
is left of the confident ones against where each track was last really seen, for objects that stopped behind
something. A track found again gets the velocity of the straight line between the two sightings, not what
the filter dreamt up in between (OC-SORT's observation-centric re-update, in closed form).

Boxes are [left, top, right, bottom] in any unit that is the same in x and y. Times are integer nanoseconds.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.scene import kalman
from agent.scene.association import Floats, Ints, agreement, alike, assign, centred, corners, overlap
from agent.types import NS_PER_S

Flags = NDArray[np.bool_]

LONGEST_GAP = 3.0
"""Between two pictures this many times `lost_s` may pass before everything is taken for new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """Numbers of the association, tuned on the first halves of MOT17-02, -09 and -11 only
    (`python -m benchmarks.tracking_search`)."""

    confident_prob: float = 0.63  # from here a detection takes part in the first stage (ByteTrack: 0.6)
    weak_prob: float = 0.09  # below, it is noise (ByteTrack: 0.1)
    birth_prob: float = 0.7  # from here an unmatched detection starts a track (ByteTrack: 0.7)
    birth_overlap: float = 0.6  # more overlap with a tracked detection than this is a second box of it
    first_overlap: float = 0.219  # least overlap in each of the three stages
    weak_overlap: float = 0.481
    last_overlap: float = 0.298
    direction_weight: float = 0.067  # of the agreement of directions (-1 to 1) beside the overlap (0 to 1)
    direction_memory_s: float = 0.05
    direction_jitter: float = 0.039  # heights: motion shorter than this says little about where to
    score_weight: float = 0.415  # how much an unsure detection's overlap counts less
    height_weight: float = 0.66  # exponent of the overlap of heights alone
    lost_s: float = 1.33  # a track is looked for this long
    unproven_lost_s: float = 0.074  # the same for one seen once
    reupdate_s: float = 0.348  # after a gap longer than this the velocity is that between the two sightings
    fresh_s: float = 0.05  # the second stage continues only tracks seen this recently, or in the picture before
    confirm_hits: int = 2
    noise: kalman.Noise = field(default_factory=kalman.Noise)


class Tracker:
    """The tracks of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._next_id = 1
        self._first_picture = True
        self._at_ns: int | None = None
        self._before_ns = 0
        self._state = np.zeros((0, kalman.COLUMNS))
        self._observed = np.zeros((0, 4))  # last detection, centre and size
        self._direction = np.zeros((0, 2))  # recent displacement of the detections
        self._seen_ns = np.zeros(0, np.int64)
        self._ids = np.zeros(0, np.int64)
        self._groups = np.zeros(0, np.int64)
        self._hits = np.zeros(0, np.int64)

    @property
    def ids(self) -> Ints:
        """Identities of all tracks that are alive, seen or not: [n]."""
        return self._ids

    @property
    def boxes(self) -> Floats:
        """Where each of `ids` is thought to be: corners [n, 4]."""
        return corners(self._state[:, kalman.POSITION])

    @property
    def velocities(self) -> Floats:
        """Of the centres, per second: [n, 2]."""
        return self._state[:, kalman.VELOCITY][:, :2]

    @property
    def seen_ns(self) -> Ints:
        """When each of `ids` was last detected: [n]."""
        return self._seen_ns

    def step(self, at_ns: int, boxes: Floats, scores: Floats, groups: Ints) -> Ints:
        """Take one picture's detections (corners [m, 4], [m], [m]); return the identity of each, 0 for none.

        Only detections of the same group continue a track. A detection has an identity from its track's
        second sighting on (in the very first picture at once).
        """
        chosen = self._settings
        self._advance(at_ns)
        self._forget(at_ns)
        measured = centred(boxes)
        usable = (measured[:, 2:] > 0.0).all(axis=1) & (scores >= chosen.weak_prob)
        sure = scores >= chosen.confident_prob
        owner = np.full(len(boxes), -1, np.int64)
        if len(self._ids) and len(boxes):
            same = self._groups[:, None] == groups[None, :]
            predicted = self.boxes
            self._first_stage(owner, same & (usable & sure), predicted, boxes, scores)
            fresh = self._seen_ns >= min(self._before_ns, at_ns - round(chosen.fresh_s * NS_PER_S))
            self._overlap_stage(owner, same & (usable & ~sure) & fresh[:, None], predicted, boxes, chosen.weak_overlap)
            last_seen = corners(self._observed)
            self._overlap_stage(owner, same & (usable & sure), last_seen, boxes, chosen.last_overlap)
        found = np.flatnonzero(owner >= 0)
        self._continue(at_ns, owner[found], measured[found])
        ids = np.zeros(len(boxes), np.int64)
        known = self._hits[owner[found]] >= chosen.confirm_hits
        ids[found[known]] = self._ids[owner[found[known]]]
        newborn = self._distinct(
            np.flatnonzero(usable & (scores >= chosen.birth_prob) & (owner < 0)), owner, boxes, scores
        )
        born = self._bear(at_ns, measured[newborn], groups[newborn])
        if self._first_picture:
            ids[newborn] = born
        self._first_picture = False
        return ids

    def stand_still(self, at_ns: int) -> None:
        """The picture did not change: nobody came or went, so for the tracks no time has passed."""
        if self._at_ns is None or at_ns <= self._at_ns:
            return
        self._seen_ns += at_ns - self._at_ns
        self._state[:, kalman.VELOCITY] = 0.0
        self._at_ns = at_ns

    def _advance(self, at_ns: int) -> None:
        """Predict every track to `at_ns`; a picture that is not newer leaves them where they are."""
        if self._at_ns is not None and at_ns > self._at_ns:
            kalman.predict(self._state, (at_ns - self._at_ns) / NS_PER_S, self._settings.noise)
            # A box that was shrinking when it was lost must not turn inside out.
            np.maximum(self._state[:, 2:4], 0.5 * self._observed[:, 2:4], out=self._state[:, 2:4])
        self._before_ns = at_ns if self._at_ns is None else self._at_ns
        self._at_ns = at_ns

    def _first_stage(self, owner: Ints, allowed: Flags, predicted: Floats, boxes: Floats, scores: Floats) -> None:
        chosen = self._settings
        rows, columns = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
        if not len(rows):
            return
        shared = overlap(predicted[rows], boxes[columns])
        straight = agreement(self._heading(rows), self._observed[rows, :2], centred(boxes[columns])[:, :2])
        gain = shared * alike(predicted[rows], boxes[columns]) ** chosen.height_weight
        gain *= 1.0 - chosen.score_weight * (1.0 - scores[columns])[None, :]
        gain = gain + chosen.direction_weight * straight
        pairs = assign(gain, (shared >= chosen.first_overlap) & allowed[np.ix_(rows, columns)])
        owner[columns[pairs[1]]] = rows[pairs[0]]

    def _overlap_stage(self, owner: Ints, allowed: Flags, places: Floats, boxes: Floats, least: float) -> None:
        """Assign what is still free on both sides by overlap alone."""
        allowed = allowed & (owner < 0)
        allowed[owner[owner >= 0]] = False
        rows, columns = np.flatnonzero(allowed.any(axis=1)), np.flatnonzero(allowed.any(axis=0))
        if not len(rows):
            return
        shared = overlap(places[rows], boxes[columns])
        pairs = assign(shared, (shared >= least) & allowed[np.ix_(rows, columns)])
        owner[columns[pairs[1]]] = rows[pairs[0]]

    def _heading(self, rows: Ints) -> Floats:
        """Direction of recent motion [n, 2]; its length falls below one where the motion is within the jitter."""
        moved = self._direction[rows]
        length = np.sqrt(np.square(moved).sum(axis=1, keepdims=True))
        sure = np.minimum(1.0, length / (self._settings.direction_jitter * self._observed[rows, 3:4]))
        return np.asarray(moved / np.maximum(length, 1e-12) * sure, np.float64)

    def _continue(self, at_ns: int, tracks: Ints, measured: Floats) -> None:
        if not len(tracks):
            return
        chosen = self._settings
        gap_s = (at_ns - self._seen_ns[tracks]) / NS_PER_S
        moved = measured - self._observed[tracks]
        state = kalman.update(self._state[tracks], measured, chosen.noise)
        again = (self._seen_ns[tracks] < self._before_ns) & (gap_s > chosen.reupdate_s)
        state[again, kalman.VELOCITY] = moved[again] / gap_s[again, None]
        self._state[tracks] = state
        fading = np.exp(-gap_s / chosen.direction_memory_s)[:, None]
        self._direction[tracks] = self._direction[tracks] * fading + moved[:, :2]
        self._observed[tracks] = measured
        self._seen_ns[tracks] = at_ns
        self._hits[tracks] += 1

    def _forget(self, at_ns: int) -> None:
        """Drop tracks that were lost for too long, and new ones that were not seen a second time."""
        chosen = self._settings
        lost_ns = at_ns - self._seen_ns
        proven = self._hits >= chosen.confirm_hits
        patience_ns = np.where(proven, round(chosen.lost_s * NS_PER_S), round(chosen.unproven_lost_s * NS_PER_S))
        # At a picture a second, or after a short loss of the source, the picture before is all there is.
        newest = (self._seen_ns >= self._before_ns) & (lost_ns <= round(LONGEST_GAP * chosen.lost_s * NS_PER_S))
        kept = newest | (lost_ns <= patience_ns)
        if kept.all():
            return
        self._state, self._observed, self._direction = self._state[kept], self._observed[kept], self._direction[kept]
        self._seen_ns, self._ids, self._groups = self._seen_ns[kept], self._ids[kept], self._groups[kept]
        self._hits = self._hits[kept]

    def _distinct(self, newborn: Ints, owner: Ints, boxes: Floats, scores: Floats) -> Ints:
        """Without those that are a second box of a tracked object, or of a surer newborn one."""
        if not len(newborn):
            return newborn
        rival = (owner >= 0)[None, :] | (scores[None, :] > scores[newborn, None])
        rival &= (owner >= 0) | np.isin(np.arange(len(boxes)), newborn)
        shared = np.where(rival, overlap(boxes[newborn], boxes), 0.0)
        return np.asarray(newborn[shared.max(axis=1) <= self._settings.birth_overlap], np.int64)

    def _bear(self, at_ns: int, measured: Floats, groups: Ints) -> Ints:
        count = len(measured)
        ids = np.arange(self._next_id, self._next_id + count)
        if count:
            self._next_id += count
            self._state = np.concatenate([self._state, kalman.born(measured, self._settings.noise)])
            self._observed = np.concatenate([self._observed, measured])
            self._direction = np.concatenate([self._direction, np.zeros((count, 2))])
            self._seen_ns = np.concatenate([self._seen_ns, np.full(count, at_ns, np.int64)])
            self._ids = np.concatenate([self._ids, ids])
            self._groups = np.concatenate([self._groups, groups])
            hits = self._settings.confirm_hits if self._first_picture else 1
            self._hits = np.concatenate([self._hits, np.full(count, hits, np.int64)])
        return ids
