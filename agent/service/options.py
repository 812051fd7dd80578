"""What is asked of one run of the node beside its configuration, and who may watch it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.scene import Scene
from agent.service.notify import GIVE_UP_AFTER_S, STUCK_AFTER_S, Notifier
from agent.types import Frame, IncidentChange, Observation, SoundBlock, Uint8Array

LatestPicture = Callable[[], Uint8Array | None]


class Witness(Protocol):
    """Someone who watches the running node: the demo's film, the installer's page."""

    def frame(self, frame: Frame, latest_picture: LatestPicture) -> None:
        """Called with each picture that goes to analysis."""

    def sound(self, block: SoundBlock) -> None:
        """A block of sound goes to analysis."""

    def stepped(self, scene: Scene, observation: Observation, changes: tuple[IncidentChange, ...]) -> None:
        """Called after each observation that the scene took, with what changed by it."""


@dataclass(slots=True, kw_only=True)
class Options:
    """What a person asked of this run beside the configuration."""

    credentials: Callable[[str], str | None]
    state_folder: Path
    record_folder: Path | None = None
    witness: Witness | None = None
    config_toml: str = ""
    config_fault: str = ""  # why not the configuration of today but the last good one
    notifier: Notifier = field(default_factory=Notifier)
    stuck_after_s: float = STUCK_AFTER_S
    give_up_after_s: float = GIVE_UP_AFTER_S
