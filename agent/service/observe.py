"""One opened source becomes a time-ordered stream of observations, without threads or clocks.

The live service runs the same `Seer` and `Listener` in threads; this is the loop of `vedette replay`.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace

from agent.capture.source import Media
from agent.inference.hear import Listener
from agent.inference.see import Seer
from agent.types import NS_PER_S, Blind, Frame, Heard, Observation, Seen, SoundBlock

# A Heard carries the time of its window's end, which may lie a block ahead of the pictures read so far.
HOLD_BACK_NS = NS_PER_S

FrameTap = Callable[[Frame], None]
SoundTap = Callable[[SoundBlock], None]


def _ignore(_: object) -> None:
    """Where nobody watches."""


def observations(
    media: Media,
    *,
    camera: str,
    seer: Seer | None,
    listener: Listener | None,
    on_frame: FrameTap = _ignore,
    on_sound: SoundTap = _ignore,
    sound_late_ns: int = 0,
) -> Iterator[Observation]:
    """Yield what `media` shows and sounds like in the order of time, then one Blind(ended) per modality.

    Sound that was recorded `sound_late_ns` after its picture is put back to where it belongs.
    """
    pending: list[tuple[int, int, Observation]] = []
    arrival = 0
    newest_ns = 0
    hold_back_ns = HOLD_BACK_NS + abs(sound_late_ns)
    for item in media.read():
        if sound_late_ns and isinstance(item, SoundBlock):
            if item.at_ns < sound_late_ns:
                continue  # before the first picture
            item = replace(item, at_ns=item.at_ns - sound_late_ns)  # noqa: PLW2901
        newest_ns = max(newest_ns, item.at_ns)
        for observation in _observed(item, seer, listener, on_frame, on_sound):
            heapq.heappush(pending, (observation.at_ns, arrival, observation))
            arrival += 1
        while pending and pending[0][0] <= newest_ns - hold_back_ns:
            yield heapq.heappop(pending)[2]
    for heard in listener.finish() if listener and media.info.has_sound else ():
        heapq.heappush(pending, (heard.at_ns, arrival, heard))
        arrival += 1
    while pending:
        last = heapq.heappop(pending)[2]
        newest_ns = max(newest_ns, last.at_ns)
        yield last
    yield from _ends(media, camera, newest_ns)


def _observed(
    item: Frame | SoundBlock, seer: Seer | None, listener: Listener | None, on_frame: FrameTap, on_sound: SoundTap
) -> Iterator[Seen | Heard]:
    if isinstance(item, Frame):
        on_frame(item)
        if seer is not None:
            yield seer.see(item)
        return
    on_sound(item)
    if listener is not None:
        yield from listener.hear(item)


def _ends(media: Media, camera: str, at_ns: int) -> Iterator[Blind]:
    if media.info.has_picture:
        yield Blind(camera=camera, at_ns=at_ns, modality="vision", reason="ended")
    if media.info.has_sound:
        yield Blind(camera=camera, at_ns=at_ns, modality="sound", reason="ended")
