"""From blocks of sound to what was heard: one answer per half second, silence included."""

from collections.abc import Iterable, Iterator

import numpy as np

from agent.errors import SourceError
from agent.features.level import ONSET_CONTEXT_S, is_digital_silence, level_dbfs, onset_s, peak_dbfs
from agent.features.logmel import HOP_SAMPLES, RATE_HZ, SAMPLES
from agent.features.tones import STEP_FRAMES, tone_bands
from agent.features.windows import NS_PER_SAMPLE, STEP_SAMPLES, SoundWindow, SoundWindows
from agent.inference.hearing import HearingModel
from agent.types import FloatArray, Heard, Score, SoundBlock

_NEWEST = SAMPLES - STEP_SAMPLES
"""Where in a window the half second begins that the window before did not have."""
_ONE_ONSET_NS = 50_000_000
"""A bang that rises across the border of two half seconds is one."""
_TONE_SAMPLES = STEP_FRAMES * HOP_SAMPLES
_TONES_PER_STEP = STEP_SAMPLES // _TONE_SAMPLES


class Listener:
    """The ear of one source; the model behind it may serve many."""

    def __init__(self, model: HearingModel) -> None:
        self._model = model
        self._windows = SoundWindows()
        self._camera, self._drill = "", False
        self._told_onset_ns: int | None = None

    def hear(self, block: SoundBlock) -> Iterator[Heard]:
        """Take the next block, yield one Heard per half second that is complete. Exhaust it before the next.

        Errors: ModelError when the graph cannot be run on any device.
        """
        self._camera, self._drill = block.camera, block.drill
        for window in self._windows.push(block.samples, block.at_ns, gap_before=block.gap_before):
            yield self._heard(window)

    def finish(self) -> Iterator[Heard]:
        """The source ended: hear what is left, padded with silence."""
        for window in self._windows.flush():
            yield self._heard(window)

    def _heard(self, window: SoundWindow) -> Heard:
        newest = window.samples[_NEWEST : SAMPLES - window.pad_after_samples]
        scores, tones, embedding = self._analysed(window)
        return Heard(
            camera=self._camera,
            start_ns=window.start_ns + window.pad_before_samples * NS_PER_SAMPLE,
            at_ns=window.at_ns,
            level_dbfs=level_dbfs(newest),
            peak_dbfs=peak_dbfs(newest),
            scores=scores,
            tone_bands=tones,
            onset_ns=self._onset_ns(window),
            gap_before=window.gap_before,
            drill=self._drill,
            embedding=embedding,
        )

    def _onset_ns(self, window: SoundWindow) -> int | None:
        """The newest half second's onset, unless it is the second half of one that was told just before it began."""
        found_ns, told_ns = _onset_ns(window), self._told_onset_ns
        if found_ns is None or (told_ns is not None and 0 <= found_ns - told_ns < _ONE_ONSET_NS):
            return None
        self._told_onset_ns = found_ns
        return found_ns

    def _analysed(self, window: SoundWindow) -> tuple[tuple[Score, ...], tuple[int, ...], tuple[float, ...]]:
        """Scores, the tones of the newest half second as far as it is real sound, and the embedding."""
        real_tones = _TONES_PER_STEP - -(-window.pad_after_samples // _TONE_SAMPLES)
        if is_digital_silence(window.samples):
            return self._model.silence(), (-1,) * real_tones, ()
        hearing = self._model.hear(window.samples)
        newest: FloatArray = hearing.log_mel[-_TONES_PER_STEP * STEP_FRAMES :]
        embedding = tuple(np.round(hearing.embedding.astype(np.float64), 4).tolist())
        return hearing.scores, tone_bands(newest)[:real_tones], embedding


def heard_in(blocks: Iterable[SoundBlock], model: HearingModel) -> Iterator[Heard]:
    """Everything a recording sounds like, to its last sample; at least one answer, even if it holds none.

    Errors: SourceError from `blocks`, after what came before it was heard.
    """
    listener = Listener(model)
    broken: SourceError | None = None
    answers = 0
    try:
        for block in blocks:
            for heard in listener.hear(block):
                answers += 1
                yield heard
    except SourceError as error:
        broken = error
    for heard in listener.finish():
        answers += 1
        yield heard
    if broken is not None:
        raise broken
    if not answers:
        nothing = SoundBlock(camera="", at_ns=0, samples=np.zeros(1, np.float32))
        yield from listener.hear(nothing)
        yield from listener.finish()


def _onset_ns(window: SoundWindow) -> int | None:
    """When the newest half second's sharpest rise happened; padding in front is no quiet to rise from."""
    first = max(window.pad_before_samples, _NEWEST - round(ONSET_CONTEXT_S * RATE_HZ))
    samples = window.samples[first : SAMPLES - window.pad_after_samples]
    found_s = onset_s(samples, RATE_HZ, context_s=(_NEWEST - first) / RATE_HZ)
    return None if found_s is None else window.start_ns + (first + round(found_s * RATE_HZ)) * NS_PER_SAMPLE
