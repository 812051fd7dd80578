"""One picture of a source that is not watched otherwise: opened in the background, given up at a deadline."""

from collections.abc import Callable
from dataclasses import replace

from agent.capture.pictures import LazyPicture
from agent.capture.pump import Arrived, Over, Pump
from agent.capture.spec import SourceSpec
from agent.errors import SourceError, SourceFault, redacted
from agent.types import NS_PER_S


class Glimpse:
    """Opens `spec` as soon as it is made; ask `poll` from time to time. Nothing here waits."""

    def __init__(self, spec: SourceSpec, *, clock_ns: Callable[[], int], deadline_s: float) -> None:
        self._spec = spec
        self._clock_ns = clock_ns
        self._deadline_s = deadline_s
        self._given_up_ns = clock_ns() + int(deadline_s * NS_PER_S)
        brief = replace(spec, want_sound=False, open_timeout_s=deadline_s, stall_timeout_s=deadline_s)
        # By the CPU: a device takes longer to be opened than a single picture to be decoded.
        self._pump = Pump(replace(brief, analysis_fps=None, decoder="cpu"), clock_ns)

    def poll(self) -> LazyPicture | SourceError | None:
        """Return the first picture (masks blackened), why there is none, or None while that is not known.

        Once it has answered, the source is being closed and it is not to be asked again.
        """
        while (event := self._pump.take(0)) is not None:
            if isinstance(event, Arrived) and event.full is not None:
                self.abandon()
                return event.full
            if isinstance(event, Over):
                return self._failure(event.error)
        if self._clock_ns() < self._given_up_ns:
            return None
        self.abandon()
        return self._error("timeout", f"no picture came within {self._deadline_s:g} s")

    def abandon(self) -> None:
        """Let go of the source."""
        self._pump.abandon()

    @property
    def hangs(self) -> bool:
        """Whether the source is still being opened or closed."""
        return self._pump.hangs

    def _failure(self, error: BaseException | None) -> SourceError:
        if error is None:
            return self._error("ended", "it ended without a picture")
        if isinstance(error, SourceError):
            return error
        raise error

    def _error(self, fault: SourceFault, why: str) -> SourceError:
        return SourceError(
            f"{redacted(self._spec.url)} cannot be read",
            fault=fault,
            why=why,
            cure="Check the network and whether the camera is overloaded.",
        )
