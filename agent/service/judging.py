"""One observation through the scene, and what the fusion graph makes of it right after."""

from collections.abc import Callable

from agent.scene import Scene
from agent.types import Fused, FusionWindow, IncidentChange, Observation

Fuse = Callable[[FusionWindow], Fused]


def judged(
    scene: Scene, observation: Observation, fuse: Fuse | None, keep: Callable[[Fused], None] | None = None
) -> tuple[IncidentChange, ...]:
    """Step `scene` through `observation` and through the judgement of each window that came due by it.

    `keep` sees each judgement after it was taken: a recording holds it, so its replay needs no graph. Without `fuse`
    the windows are left. Errors: ModelError when the graph cannot be run anywhere.
    """
    changes = scene.step(observation)
    for window in scene.windows():
        if fuse is not None:
            fused = fuse(window)
            changes += scene.step(fused)
            if keep is not None:
                keep(fused)
    return changes
