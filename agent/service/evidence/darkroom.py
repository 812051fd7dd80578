"""From the pictures that were looked at to small JPEGs that may be kept: masks black, people blurred if wanted.

A snapshot is blurred where somebody was found in its moment or shortly before. In a film one picture in which somebody
is overlooked would be enough to know them, so here a picture waits for the 0.3 s after it as well.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.capture.pictures import LazyPicture, Scaler
from agent.features.blur import blurred
from agent.types import NS_PER_S, Box, Uint8Array
from agent.uplink.messages.jpeg import encode_jpeg

BLUR_NS = 3 * NS_PER_S // 10
QUALITY = 85
_TALLEST_PX = 4096


@dataclass(frozen=True, slots=True)
class Noted:
    """A picture that was looked at, and where people were in it; the boxes matter without the picture, too."""

    at_ns: int
    boxes: tuple[Box, ...] = ()
    picture: LazyPicture | None = None


@dataclass(frozen=True, slots=True)
class Still:
    """One picture of a film to be."""

    at_ns: int
    jpeg: bytes


def coded(picture: Uint8Array) -> bytes:
    """Return a picture as JPEG, in its own size."""
    return encode_jpeg(picture, quality=QUALITY, max_width_px=picture.shape[1])


class Darkroom:
    """Develops the pictures of one camera."""

    def __init__(self, *, max_width_px: int, blur_people: bool) -> None:
        self._scaler = Scaler(max_width_px, _TALLEST_PX)
        self._blur_people = blur_people
        self._noted: deque[tuple[int, tuple[Box, ...]]] = deque()
        self._waiting: deque[tuple[int, Uint8Array]] = deque()

    def take(self, noted: Noted) -> Iterator[Still]:
        """Take one moment, in the order of time; yield what is ready by it."""
        small = None if noted.picture is None else noted.picture.through(self._scaler)
        if not self._blur_people:
            if small is not None:
                yield Still(noted.at_ns, coded(small))
            return
        self._noted.append((noted.at_ns, noted.boxes))
        if small is not None:
            self._waiting.append((noted.at_ns, small))
        yield from self._developed(noted.at_ns - BLUR_NS)

    def rest(self) -> Iterator[Still]:
        """Yield what waited for a later moment: there is none any more."""
        if self._waiting:
            yield from self._developed(self._waiting[-1][0])

    def _developed(self, until_ns: int) -> Iterator[Still]:
        while self._waiting and self._waiting[0][0] <= until_ns:
            at_ns, small = self._waiting.popleft()
            while self._noted and self._noted[0][0] < at_ns - BLUR_NS:
                self._noted.popleft()
            yield Still(at_ns, coded(blurred(small, self._boxes_near(at_ns))))

    def _boxes_near(self, at_ns: int) -> Iterable[Box]:
        return [box for noted_ns, boxes in self._noted if abs(noted_ns - at_ns) <= BLUR_NS for box in boxes]
