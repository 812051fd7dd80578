"""One observation through the scene, and what the fusion graph makes of it right after."""

from collections.abc import Callable, Iterable

from agent.scene import Scene
from agent.types import Blind, Fused, FusionWindow, IncidentChange, Observation

Fuse = Callable[[FusionWindow], Fused]


def step_with_fusion(
    scene: Scene, observation: Observation, fuse: Fuse | None, keep: Callable[[Fused], None] | None = None
) -> tuple[IncidentChange, ...]:
    """Step `scene` through `observation` and through the judgement of each window that came due by it.

    `keep` sees each judgement after it was taken: a recording holds it, so its replay needs no graph. Without `fuse`
    the windows are left. Raises ModelError when the graph cannot be run anywhere.
    """
    changes: tuple[IncidentChange, ...] = ()
    if isinstance(observation, Blind) and observation.reason == "ended":
        changes += _taken(scene, scene.last_windows(observation), fuse, keep)
    changes += scene.step(observation)
    return changes + _taken(scene, scene.windows(), fuse, keep)


def _taken(
    scene: Scene, windows: Iterable[FusionWindow], fuse: Fuse | None, keep: Callable[[Fused], None] | None
) -> tuple[IncidentChange, ...]:
    changes: tuple[IncidentChange, ...] = ()
    for window in windows:
        if fuse is not None:
            fused = fuse(window)
            changes += scene.step(fused)
            if keep is not None:
                keep(fused)
    return changes
