"""Notices a source that has stopped without saying so: stalled is not ended."""

from agent.capture.spec import MediaInfo, SourceSpec
from agent.capture.state import Modality
from agent.errors import SourceError, redacted
from agent.types import NS_PER_S

_OPEN_MARGIN_S = 0.5  # FFmpeg's own timeout comes first: it knows more about the cause


class Watch:
    """Knows when each modality of one connection last delivered. All times are monotonic nanoseconds."""

    def __init__(self, spec: SourceSpec, now_ns: int) -> None:
        self._spec = spec
        self._limit_ns = int(spec.stall_timeout_s * NS_PER_S)
        self._started_ns = now_ns
        self._info: MediaInfo | None = None
        self._last_ns: dict[Modality, int] = {}

    def opened(self, info: MediaInfo, now_ns: int) -> None:
        """The source is open: what it says to have is expected from now on."""
        self._info = info
        self._last_ns = dict.fromkeys(modalities_of(info), now_ns)

    def arrived(self, modality: Modality, now_ns: int) -> None:
        """Something of `modality` came."""
        self._last_ns[modality] = now_ns

    def open_for_s(self, now_ns: int) -> float:
        """Return how long this connection has lasted."""
        return (now_ns - self._started_ns) / NS_PER_S

    def sound_is_missing(self, now_ns: int) -> bool:
        """Whether a live camera's sound has stopped while its picture comes."""
        if self._info is None or not self._info.live or not (self._info.has_picture and self._info.has_sound):
            return False
        half_ns = self._limit_ns // 2  # a picture newer than that says that not everything stands still
        return self._is_late("sound", now_ns) and now_ns - self._last_ns["vision"] < half_ns

    def failure(self, now_ns: int) -> SourceError | None:
        """Return the error to give up this connection with, if it is time to."""
        if self._info is None:
            too_long = self.open_for_s(now_ns) > self._spec.open_timeout_s + _OPEN_MARGIN_S
            return self._error("it does not open") if too_long else None
        late = [modality for modality in self._last_ns if self._is_late(modality, now_ns)]
        if len(late) == len(self._last_ns):
            return self._error(f"nothing came for {self._spec.stall_timeout_s:g} s")
        if "vision" in late and self._info.live:
            return self._error(f"sound comes, but no picture for {self._spec.stall_timeout_s:g} s")
        return None  # a camera whose sound has stopped is worth keeping; a recording's sound may be shorter

    def _is_late(self, modality: Modality, now_ns: int) -> bool:
        return now_ns - self._last_ns[modality] > self._limit_ns

    def _error(self, why: str) -> SourceError:
        return SourceError(
            f"{redacted(self._spec.url)} cannot be read",
            fault="timeout",
            why=why,
            cure="Check the network and whether the source is overloaded.",
        )


def modalities_of(info: MediaInfo) -> tuple[Modality, ...]:
    """Return what a medium delivers."""
    found: list[Modality] = []
    if info.has_picture:
        found.append("vision")
    if info.has_sound:
        found.append("sound")
    return tuple(found)
