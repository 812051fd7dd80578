"""Short clips that go on: most fights of the clips last two seconds, and a camera has been running for years."""

from collections.abc import Iterator
from dataclasses import replace

from agent.capture.source import Media
from agent.types import Frame

LONG_S = 10.0


class ToAndFro:
    """A short medium's pictures forward, backward and forward again for `LONG_S`, at its own pace; without its sound.

    At the turns everything only turns round: nothing jumps, nobody is lost, and the camera has been running.
    """

    def __init__(self, media: Media) -> None:
        self._media = media
        self.info = replace(media.info, has_sound=False)

    def read(self) -> Iterator[Frame]:
        """The pictures, as often as it takes."""
        taken = [item for item in self._media.read() if isinstance(item, Frame)]
        if len(taken) < 2:
            return
        pace_ns = (taken[-1].at_ns - taken[0].at_ns) // (len(taken) - 1)
        turn = [*taken, *taken[-2:0:-1]]
        for index in range(int(LONG_S * 1e9) // max(1, pace_ns)):
            frame = turn[index % len(turn)]
            yield replace(frame, at_ns=taken[0].at_ns + index * pace_ns, index=index)
