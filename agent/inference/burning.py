"""A second judge of fire and smoke, and a closer look at the part of the picture where most speaks for fire.

In the whole look, 320 pixels wide, a fire far away fills a cell or two, and a lamp, a sunset and a flame look alike.
The part around the place where the graph's own map of fire is highest, half as wide and high, shows twice as much of
it. The judge (`models.vision.judge`) has learned from such parts of photographs what is a fire and what the map only
takes for one. Closer looks are rare: only where something may burn, and four times as rare where they found nothing.
"""

from agent.inference.sunken import cut
from agent.inference.vision import Sight, VisionModel, box_of
from agent.types import NS_PER_S, Burning, Corners, Frame

PART_FRAC = 0.5
"""Of each side of the picture."""
FAINT_LLR = -4.0
"""From where, by both judges of the whole look together, something may burn: a sixth of the time on ordinary film."""
LOOKS_PER_S, IDLE_LOOKS_PER_S = 2.0, 0.5
"""So often where the newest closer look spoke for a fire or smoke, and where it did not."""


class BurningLooks:
    """The closer looks of one camera at what may burn."""

    def __init__(self, model: VisionModel, *, closely: bool) -> None:
        self._model = model
        self._closely = closely
        self._next_ns = 0
        self._before_ns = 0

    def see(self, frame: Frame, sight: Sight, *, closely: bool = True) -> Burning | None:
        """What the second judge says of a look; None where the graph has none.

        Errors: ModelError.
        """
        if not sight.judged:
            return None
        corners = self.choose(frame, sight) if closely else None
        return Burning(whole=sight.judged) if corners is None else self.look(frame, sight, corners)

    def choose(self, frame: Frame, sight: Sight) -> Corners | None:
        """Return the part that is to be looked at now."""
        if not self._closely or sight.hottest is None:
            return None
        if frame.at_ns < self._before_ns:  # time went back: a new source
            self._next_ns = 0
        self._before_ns = frame.at_ns
        said = max(one.llr + other.llr for one, other in zip(sight.scene, sight.judged, strict=True))
        if said < FAINT_LLR or frame.at_ns < self._next_ns:
            return None
        left, top = (min(max(middle - PART_FRAC / 2, 0.0), 1.0 - PART_FRAC) for middle in sight.hottest)
        return left, top, left + PART_FRAC, top + PART_FRAC

    def look(self, frame: Frame, sight: Sight, corners: Corners) -> Burning:
        """Look at the part between `corners`.

        Errors: ModelError.
        """
        size_px = self._model.smallest_px
        picture, exact = frame.native.cut(corners, *size_px) if frame.native else cut(frame.picture, corners)
        part = self._model.look(picture, size_px=self._model.export_for(*picture.shape[1::-1])).judged
        burns = max((score.llr for score in part), default=0.0) > 0.0
        self._next_ns = frame.at_ns + round(NS_PER_S / (LOOKS_PER_S if burns else IDLE_LOOKS_PER_S))
        return Burning(whole=sight.judged, region=box_of(*exact), part=part)
