"""Follows objects from picture to picture: detections in, identities out, one picture at a time.

Association has up to three stages. Confident detections first, against every track, by overlap, likeness of
height and score, and by whether the move fits the direction the object was going (OC-SORT, Hybrid-SORT). Then weak
detections, against tracks that were seen a moment ago: an object half hidden scores low, but it is still there
(ByteTrack). Then what is left of the confident ones against where each track was last really seen, for objects that
stopped behind something. A track found again gets the velocity of the straight line between the two sightings, not
what the filter dreamt up in between (OC-SORT's observation-centric re-update, in closed form).

What all tracks do at once and unexpectedly is the camera's motion (`camera_motion`): tracks that were not found move
along, and the first stage is done again. What counts as confident follows the detector (`score_level`). Appearance
vectors may help where they are given; nothing depends on them.

Boxes are [left, top, right, bottom] in any unit that is the same in x and y. Times are integer nanoseconds. The
result does not depend on the order of the detections within a picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice

import numpy as np

from agent.scene.tracking import camera_motion, kalman
from agent.scene.tracking.association import (
    Floats,
    Ints,
    agreement,
    alike,
    assign,
    centred,
    corners,
    directed,
    overlap,
    undisputed,
)  # fmt: skip
from agent.scene.tracking.score_level import ScoreLevel
from agent.scene.tracking.sightings import Flags, Sightings, canonical, free_pairs, places_of
from agent.scene.tracking.tracks import Tracks
from agent.types import NS_PER_S

LONGEST_GAP = 3.0
"""Between two pictures this many times `lost_s` may pass before everything is taken for new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """Numbers of the association, tuned on the first halves of MOT17-02, -09 and -11 and on altered versions of them
    (`python -m benchmarks.tracking_search`), with a look at every second validation sequence of DanceTrack.

    Those of appearance are set by hand: no benchmark at hand has vectors.
    """

    confident_prob: float = 0.63  # from here a detection takes part in the first stage (ByteTrack: 0.6)
    weak_prob: float = 0.09  # below, it is noise (ByteTrack: 0.1)
    birth_prob: float = 0.7  # from here an unmatched detection starts a track (ByteTrack: 0.7)
    sure_prob: float = 0.85  # a detector less sure than this has its thresholds lowered; 0: never
    birth_overlap: float = 0.6  # more overlap with a tracked detection than this is a second box of it
    first_overlap: float = 0.26  # least overlap in each of the three stages
    weak_overlap: float = 0.481
    last_overlap: float = 0.298
    direction_weight: float = 0.067  # of the agreement of directions (-1 to 1) beside the overlap (0 to 1)
    direction_memory_s: float = 0.05
    direction_jitter: float = 0.039  # heights: motion shorter than this says little about where to
    score_weight: float = 0.415  # how much an unsure detection's overlap counts less
    height_weight: float = 0.66  # exponent of the overlap of heights alone
    confidence_weight: float = 0.1  # of the difference between a track's scores and a detection's
    stale_weight: float = 0.2  # of each second that a track was not seen, up to one
    lost_s: float = 1.33  # a track is looked for this long
    unproven_lost_s: float = 0.074  # the same for one seen once
    reupdate_s: float = 0.348  # after a gap longer than this the velocity is that between the two sightings
    fresh_s: float = 0.05  # the second stage continues only tracks seen this recently, or in the picture before
    confirm_hits: int = 2
    sway_strictness: float = 2.0  # standard errors of the common motion that count as chance
    sway_heights: float = 0.02  # the camera moved further than this: associate again
    look_weight: float = 0.5  # of the likeness of appearance (cosine) beside the overlap
    look_least: float = 0.2  # a cosine below this is somebody else
    look_again: float = 0.7  # from here a lost track is found again by appearance alone
    look_reach: float = 1.5  # heights, and as many a second, that it may have gone meanwhile
    noise: kalman.Noise = field(default_factory=kalman.Noise)


class Tracker:
    """The tracks of one camera; `ids` gives identities, rising from 1 unless somebody else draws from it too."""

    def __init__(self, settings: TrackerSettings | None = None, ids: Iterator[int] | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._score_level = ScoreLevel(self._settings.sure_prob) if self._settings.sure_prob else None
        self._ids = count(1) if ids is None else ids
        self._first_picture = True
        self._at_ns: int | None = None
        self._before_ns = 0
        self._tracks = Tracks.none()

    @property
    def ids(self) -> Ints:
        """Identities of all tracks that are alive, seen or not: [n]."""
        return self._tracks.ids

    @property
    def boxes(self) -> Floats:
        """Where each of `ids` is thought to be: corners [n, 4]."""
        return corners(self._tracks.state[:, kalman.POSITION])

    @property
    def velocities(self) -> Floats:
        """Of the centres, per second: [n, 2]."""
        return self._tracks.state[:, kalman.VELOCITY][:, :2]

    @property
    def seen_ns(self) -> Ints:
        """When each of `ids` was last detected: [n]."""
        return self._tracks.seen_ns

    def step(self, at_ns: int, boxes: Floats, scores: Floats, groups: Ints, looks: Floats | None = None) -> Ints:
        """Take one picture's detections (corners [m, 4], [m], [m]); return the identity of each, 0 for none.

        Only detections of the same group continue a track. A detection has an identity from its track's
        second sighting on (in the very first picture at once). `looks` [m, d] may say what each looks like, as
        vectors whose cosine is near 1 for the same object; a row that is zero or not finite says nothing.
        """
        elapsed_s = self._advance(at_ns)
        self._forget(at_ns)
        order = canonical(boxes, scores, groups)
        picture = self._prepare(at_ns, elapsed_s, order, boxes, scores, groups, looks)
        if len(self._tracks) and len(order):
            self._associate(picture)
        ids = np.zeros(len(boxes), np.int64)
        ids[order] = self._conclude(picture)
        self._first_picture = False
        return ids

    def stand_still(self, at_ns: int) -> None:
        """The picture did not change: nobody came or went, so for the tracks no time has passed."""
        if self._at_ns is None or at_ns <= self._at_ns:
            return
        self._tracks.seen_ns += at_ns - self._at_ns
        self._tracks.state[:, kalman.VELOCITY] = 0.0
        self._at_ns = at_ns

    def _advance(self, at_ns: int) -> float:
        """Predict every track to `at_ns`; return the seconds since the picture before."""
        if self._at_ns is None:
            self._at_ns = self._before_ns = at_ns
            return 0.0
        tracks = self._tracks
        if at_ns < self._at_ns:  # the clock was set back: the picture before was just now
            tracks.seen_ns += at_ns - self._at_ns
            self._at_ns = at_ns
        elapsed_s = (at_ns - self._at_ns) / NS_PER_S
        if elapsed_s:
            kalman.predict(tracks.state, elapsed_s, self._settings.noise)
            # A box that was shrinking when it was lost must not turn inside out.
            np.maximum(tracks.state[:, 2:4], 0.5 * tracks.observed[:, 2:4], out=tracks.state[:, 2:4])
        self._before_ns, self._at_ns = self._at_ns, at_ns
        return elapsed_s

    def _prepare(
        self, at_ns: int, elapsed_s: float, order: Ints, boxes: Floats, scores: Floats, groups: Ints,
        looks: Floats | None,
    ) -> Sightings:  # fmt: skip
        chosen = self._settings
        boxes, scores, groups = boxes[order], scores[order], groups[order]
        measured = centred(boxes)
        scale = self._score_level.learn(scores, elapsed_s) if self._score_level else 1.0
        usable = (measured[:, 2] > 0.0) & (measured[:, 3] > 0.0) & (scores >= chosen.weak_prob)
        confident = scores >= scale * chosen.confident_prob
        seen = np.zeros((len(order), 0)) if looks is None else directed(looks[order])
        self._tracks.see_looks_of(seen.shape[1])
        return Sightings(
            at_ns=at_ns, boxes=boxes, measured=measured, scores=scores, groups=groups, looks=seen,
            sure=usable & confident, weak=usable & ~confident, birth=usable & (scores >= scale * chosen.birth_prob),
            owner=np.full(len(order), -1, np.int64),
        )  # fmt: skip

    def _associate(self, picture: Sightings) -> None:
        chosen, tracks = self._settings, self._tracks
        same = tracks.groups[:, None] == picture.groups[None, :]
        if picture.looks.shape[1]:
            cosine = tracks.looks @ picture.looks.T
            same &= (cosine == 0.0) | (cosine >= chosen.look_least)
        sure = same & picture.sure
        self._first_stage(picture, sure)
        if self._follow_camera(picture, sure):
            picture.owner[:] = -1
            self._first_stage(picture, sure)
        if np.count_nonzero(picture.weak):
            fresh = tracks.seen_ns >= min(self._before_ns, picture.at_ns - round(chosen.fresh_s * NS_PER_S))
            self._overlap_stage(picture, same & picture.weak & fresh[:, None], self.boxes, chosen.weak_overlap)
        if np.count_nonzero(picture.sure & (picture.owner < 0)):
            self._overlap_stage(picture, sure, corners(tracks.observed), chosen.last_overlap)
            if picture.looks.shape[1]:
                self._look_stage(picture, sure, cosine)

    def _first_stage(self, picture: Sightings, allowed: Flags) -> None:
        """Assign confident detections to all tracks; only where several compete does it matter how well each fits."""
        chosen, tracks, columns = self._settings, self._tracks, places_of(picture.sure)
        if not len(columns):
            return
        predicted, boxes = self.boxes, picture.boxes[columns]
        shared = overlap(predicted, boxes)
        possible = (shared >= chosen.first_overlap) & allowed[:, columns]
        sole_rows, sole, rows, rivals = undisputed(possible)
        picture.owner[columns[sole]] = sole_rows
        if not len(rows):
            return
        block = rows[:, None], rivals
        columns = columns[rivals]
        gain = shared[block] * alike(predicted[rows], boxes[rivals]) ** chosen.height_weight
        gain *= 1.0 - chosen.score_weight * (1.0 - picture.scores[columns])[None, :]
        straight = agreement(self._heading(rows), tracks.observed[rows, :2], picture.measured[columns, :2])
        gain += chosen.direction_weight * straight
        gain += self._doubt(rows, picture.scores[columns])
        if picture.looks.shape[1]:
            gain += chosen.look_weight * (tracks.looks[rows] @ picture.looks[columns].T)
        pairs = assign(gain, possible[block])
        picture.owner[columns[pairs[1]]] = rows[pairs[0]]

    def _overlap_stage(self, picture: Sightings, allowed: Flags, places: Floats, least: float) -> None:
        """Assign what is still free on both sides by overlap."""
        rows, columns = free_pairs(picture.owner, allowed)
        if not len(rows):
            return
        shared = overlap(places[rows], picture.boxes[columns])
        gain = shared + self._doubt(rows, picture.scores[columns])
        pairs = assign(gain, (shared >= least) & allowed[rows[:, None], columns])
        picture.owner[columns[pairs[1]]] = rows[pairs[0]]

    def _look_stage(self, picture: Sightings, allowed: Flags, cosine: Floats) -> None:
        """Find lost tracks again that look the same, as far away as they can have gone."""
        chosen, tracks = self._settings, self._tracks
        rows, columns = free_pairs(picture.owner, allowed)
        if not len(rows):
            return
        gap_s = (picture.at_ns - tracks.seen_ns[rows]) / NS_PER_S
        reach = chosen.look_reach * (1.0 + gap_s) * tracks.observed[rows, 3]
        away = tracks.observed[rows, None, :2] - picture.measured[None, columns, :2]
        near = np.square(away).sum(axis=2) <= np.square(reach)[:, None]
        likeness = cosine[np.ix_(rows, columns)]
        pairs = assign(likeness, near & (likeness >= chosen.look_again) & allowed[np.ix_(rows, columns)])
        picture.owner[columns[pairs[1]]] = rows[pairs[0]]

    def _doubt(self, rows: Ints, scores: Floats) -> Floats:
        """What speaks against each pair [n, m] though the boxes overlap: other scores, a long time unseen."""
        chosen, tracks = self._settings, self._tracks
        unseen_s = np.minimum(1.0, (self._before_ns - tracks.seen_ns[rows]) / NS_PER_S)
        other = np.abs(tracks.scores[rows, None] - scores[None, :])
        return np.asarray(-chosen.confidence_weight * other - chosen.stale_weight * unseen_s[:, None], np.float64)

    def _follow_camera(self, picture: Sightings, allowed: Flags) -> bool:
        """Move the tracks with the camera; whether it moved so far that the association has to be done again."""
        chosen, tracks = self._settings, self._tracks
        steady = (tracks.hits > chosen.confirm_hits) & (tracks.seen_ns == self._before_ns)
        found = places_of(picture.owner >= 0)
        found = found[steady[picture.owner[found]]]
        if self._follow_jump(picture, allowed, steady, len(found)):
            return True
        if len(found) <= camera_motion.FEWEST:
            return False
        rows = picture.owner[found]
        shift = camera_motion.common_shift(picture.measured[found, :2] - tracks.state[rows, :2], chosen.sway_strictness)
        if not np.count_nonzero(shift):
            return False
        gain = camera_motion.median(kalman.velocity_gain(tracks.state[rows], chosen.noise)[:, :2])
        tracks.state[:, :2] += shift
        tracks.state[:, kalman.VELOCITY][:, :2] += gain * shift
        tracks.observed[:, :2] += shift
        return bool(np.abs(shift).max() > chosen.sway_heights * camera_motion.median(tracks.state[:, 3]))

    def _follow_jump(self, picture: Sightings, allowed: Flags, steady: Flags, held: int) -> bool:
        """Where most of the steady tracks, of which so many were `held`, were lost at once: whether the camera jumped,
        and they with it."""
        tracks, known = self._tracks, int(np.count_nonzero(steady))
        lost = known - held
        if lost < camera_motion.FEWEST or 2 * lost < known:
            return False
        found = picture.measured[places_of(allowed.any(axis=0))]
        shift = camera_motion.jump(tracks.state[steady][:, kalman.POSITION], found)
        if shift is None:
            return False
        tracks.state[:, :2] += shift
        tracks.observed[:, :2] += shift
        return True

    def _heading(self, rows: Ints) -> Floats:
        """Direction of recent motion [n, 2]; its length falls below one where the motion is within the jitter."""
        moved = self._tracks.direction[rows]
        length = np.sqrt(np.square(moved).sum(axis=1, keepdims=True))
        sure = np.minimum(1.0, length / (self._settings.direction_jitter * self._tracks.observed[rows, 3:4]))
        return np.asarray(moved / np.maximum(length, 1e-12) * sure, np.float64)

    def _conclude(self, picture: Sightings) -> Ints:
        """Continue what was found, begin what is new; the identity of each detection."""
        chosen, tracks, owner = self._settings, self._tracks, picture.owner
        found = places_of(owner >= 0)
        self._continue(picture, owner[found], found)
        ids = np.zeros(len(owner), np.int64)
        known = found[tracks.hits[owner[found]] >= chosen.confirm_hits]
        ids[known] = tracks.ids[owner[known]]
        newborn = places_of(picture.birth & (owner < 0))
        if len(newborn):
            newborn = self._distinct(newborn, picture)
            born = self._bear(picture, newborn)
            if self._first_picture:
                ids[newborn] = born
        return ids

    def _continue(self, picture: Sightings, rows: Ints, found: Ints) -> None:
        if not len(rows):
            return
        chosen, tracks, measured = self._settings, self._tracks, picture.measured[found]
        gap_s = (picture.at_ns - tracks.seen_ns[rows]) / NS_PER_S
        moved = measured - tracks.observed[rows]
        state = kalman.update(tracks.state.T.take(rows, axis=1).T, measured, chosen.noise)
        again = (tracks.seen_ns[rows] < self._before_ns) & (gap_s > chosen.reupdate_s)
        if np.count_nonzero(again):
            state[again, kalman.VELOCITY] = moved[again] / gap_s[again, None]
        tracks.state[rows] = state
        fading = np.exp(-gap_s / chosen.direction_memory_s)[:, None]
        tracks.direction[rows] = tracks.direction[rows] * fading + moved[:, :2]
        tracks.observed[rows] = measured
        tracks.scores[rows] += 0.5 * (picture.scores[found] - tracks.scores[rows])
        tracks.seen_ns[rows] = picture.at_ns
        tracks.hits[rows] += 1
        if picture.looks.shape[1]:
            # Who is half hidden looks like who stands in front.
            share = np.where(picture.sure[found], 0.1, 0.0)[:, None] * picture.looks[found].any(axis=1, keepdims=True)
            share = np.where(tracks.looks[rows].any(axis=1, keepdims=True), share, 1.0)
            tracks.looks[rows] = directed(tracks.looks[rows] * (1.0 - share) + picture.looks[found] * share)

    def _forget(self, at_ns: int) -> None:
        """Drop tracks that were lost for too long, and new ones that were not seen a second time."""
        chosen, tracks = self._settings, self._tracks
        if not len(tracks):
            return
        longest_ns = round(LONGEST_GAP * chosen.lost_s * NS_PER_S)
        if at_ns - int(np.minimum.reduce(tracks.seen_ns)) <= min(at_ns - self._before_ns, longest_ns):
            return  # all were found in the picture before
        lost_ns = at_ns - tracks.seen_ns
        proven = tracks.hits >= chosen.confirm_hits
        patience_ns = np.where(proven, round(chosen.lost_s * NS_PER_S), round(chosen.unproven_lost_s * NS_PER_S))
        # At a picture a second, or after a short loss of the source, the picture before is all there is.
        newest = (tracks.seen_ns >= self._before_ns) & (lost_ns <= longest_ns)
        kept = newest | (lost_ns <= patience_ns)
        if not kept.all():
            tracks.keep(kept)

    def _distinct(self, newborn: Ints, picture: Sightings) -> Ints:
        """Without those that are a second box of a tracked object, or of a surer newborn one."""
        scores = picture.scores
        rival = (picture.owner >= 0)[None, :] | (scores[None, :] > scores[newborn, None])
        rival &= (picture.owner >= 0) | np.isin(np.arange(len(scores)), newborn)
        shared = np.where(rival, overlap(picture.boxes[newborn], picture.boxes), 0.0)
        return np.asarray(newborn[shared.max(axis=1) <= self._settings.birth_overlap], np.int64)

    def _bear(self, picture: Sightings, newborn: Ints) -> Ints:
        born = len(newborn)
        ids = np.fromiter(islice(self._ids, born), np.int64, born)
        if born:
            measured = picture.measured[newborn]
            more = Tracks(
                state=kalman.born(measured, self._settings.noise),
                observed=measured,
                direction=np.zeros((born, 2)),
                scores=picture.scores[newborn],
                looks=picture.looks[newborn],
                seen_ns=np.full(born, picture.at_ns, np.int64),
                ids=ids,
                groups=picture.groups[newborn],
                hits=np.full(born, self._settings.confirm_hits if self._first_picture else 1, np.int64),
            )
            self._tracks.add(more)
        return ids
