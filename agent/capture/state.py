"""How a live source is, told once for each change; how long to wait before it is tried again."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.types import SourceReason

_LOG = logging.getLogger(__name__)

Modality = Literal["vision", "sound"]
Status = Literal["opening", "running", "absent", "lost", "ended"]

_FIRST_S, _LIMIT_S = 1.0, 60.0
_PATIENT_FIRST_S, _PATIENT_LIMIT_S = 30.0, 600.0
"""A wrong password or format does not heal by itself, and cameras lock an account after a few wrong logins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is known of `modalities` of `camera` from now on; `reason` and `why` where they deliver nothing.

    `lost` is tried again, `ended` is a recording's own end, `absent` is what was wanted but is not in the
    source (a camera without sound). `why` is one sentence without secrets.
    """

    camera: str
    status: Status
    modalities: tuple[Modality, ...]
    reason: SourceReason | None = None
    why: str = ""

    @property
    def blind_reason(self) -> SourceReason | None:
        """Why nothing comes; None while something comes, or may."""
        return self.reason


class Herald:
    """Tells and logs each change of state of one source once."""

    def __init__(self, camera: str, on_state: Callable[[SourceState], None]) -> None:
        self._camera = camera
        self._on_state = on_state
        self._known: dict[Modality, tuple[Status, SourceReason | None]] = {}

    def tell(
        self, status: Status, modalities: tuple[Modality, ...], reason: SourceReason | None = None, why: str = ""
    ) -> None:
        """Say how `modalities` are; those that were so before are left out."""
        changed = tuple(modality for modality in modalities if self._known.get(modality) != (status, reason))
        if not changed:
            return
        self._known.update(dict.fromkeys(changed, (status, reason)))
        level = logging.WARNING if status == "lost" else logging.INFO
        details = f" ({reason})" if reason else ""
        _LOG.log(
            level, "%s: %s %s%s%s", self._camera, " and ".join(changed), status, details, f": {why}" if why else ""
        )
        self._on_state(SourceState(camera=self._camera, status=status, modalities=changed, reason=reason, why=why))


class Backoff:
    """Doubles the wait with every failure; `jitter` gives numbers from 0 to 1, so that boxes do not try in step."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._failures = 0

    def wait_s(self, *, transient: bool) -> float:
        """Return how long to wait after one more failure."""
        first_s, limit_s = (_FIRST_S, _LIMIT_S) if transient else (_PATIENT_FIRST_S, _PATIENT_LIMIT_S)
        longest_s = min(limit_s, first_s * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return longest_s * (0.5 + 0.5 * self._jitter())

    def reset(self) -> None:
        """The source delivers: the next failure is the first one."""
        self._failures = 0
