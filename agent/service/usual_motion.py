"""What learned normality alone reads of pictures: how cells move and how figures walk.

A third and more of what a busy camera costs; under overload it rests, and nothing else is missed but what is `unusual`
by its motion. `Seer` can add the same by itself, for recordings, which are never in a hurry.
"""

from dataclasses import replace

from agent.features.flow import FlowCells
from agent.features.gait import Gait
from agent.types import Frame, Seen


class UsualMotion:
    """What one camera's pictures of the last moments tell; belongs to the thread of the eyes."""

    def __init__(self) -> None:
        self._flow = FlowCells()
        self._gait = Gait()

    def added(self, frame: Frame, seen: Seen) -> Seen:
        """Return `seen` with what the motion of `frame` tells."""
        moving = seen.detections is not None
        return replace(
            seen,
            flow=self._flow.see(frame.picture, frame.at_ns, moving=moving),
            figures=self._gait.see(frame.picture, frame.at_ns, moving=moving),
        )
