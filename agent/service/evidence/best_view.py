"""How well a picture shows what an incident is about: the best view so far is sent again when it is updated.

A view is as good as the incident's people are large and sure in it. Where an incident has nobody (fire, smoke), a
picture of a moment at which it was seen more surely is the better one; what was only heard has no better view.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.capture.pictures import LazyPicture
from agent.scene.geometry import iou
from agent.types import NS_PER_S, Box, Incident, Seen, Track

CLEARLY_BETTER = 1.2  # so much better than what was sent before, and it is sent again
SAME_IOU = 0.2  # a track is a few pictures behind what was found in this one
NEAR_NS = NS_PER_S  # evidence of a moment is of this picture
_LEAST_SCORE = 1e-4


@dataclass(slots=True)
class BestView:
    """The best picture of one open incident since the last one was sent; `sent_score` is that one's."""

    camera: str
    tracks: tuple[int, ...]
    sent_score: float
    score: float = 0.0
    at_ns: int = 0
    picture: LazyPicture | None = None

    def offer(self, score: float, at_ns: int, picture: LazyPicture) -> None:
        """Keep this picture if it is the best so far."""
        if score > max(self.score, CLEARLY_BETTER * self.sent_score):
            self.score, self.at_ns, self.picture = score, at_ns, picture

    def take(self) -> tuple[int, LazyPicture, float] | None:
        """Return time, picture and by how much it is better than the one before, if there is one; it counts as sent."""
        if self.picture is None:
            return None
        found = self.at_ns, self.picture, self.score / max(_LEAST_SCORE, self.sent_score)
        self.sent_score, self.score, self.picture = self.score, 0.0, None
        return found


def score_of(seen: Seen, tracks: Iterable[Track], wanted: tuple[int, ...]) -> float:
    """Return how well a picture shows the tracks `wanted`: the area of what was found there, times how sure it is."""
    found = (*(seen.detections or ()), *(seen.closer.detections if seen.closer is not None else ()))
    total = 0.0
    for track in tracks:
        if track.track_id in wanted:
            there = [d for d in found if d.label == track.label and iou(d.box, track.box) >= SAME_IOU]
            total += max((_area(d.box) * d.score_prob for d in there), default=0.0)
    return total


def score_of_nobody(incident: Incident, at_ns: int) -> float:
    """Return how surely an incident without tracks was seen around `at_ns`, 0 where it was only heard or before."""
    seen = (one for one in incident.evidence if one.modality == "vision" and abs(one.at_ns - at_ns) <= NEAR_NS)
    return max((one.score for one in seen), default=0.0)


def _area(box: Box) -> float:
    return max(0.0, box.right_frac - box.left_frac) * max(0.0, box.bottom_frac - box.top_frac)
