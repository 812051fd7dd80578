"""What calibration reads from recordings of a place."""

from collections.abc import Iterator

from agent.capture.source import SourceSpec, open_media
from agent.errors import SourceError
from agent.features.logmel import SAMPLES
from agent.features.windows import STEP_SAMPLES, SoundWindows
from agent.types import FloatArray, SoundBlock

CAMERA = "calibrate"


def require(has_it: bool, source: str, what: str) -> None:
    """Raise SourceError unless the recording has it: picture or sound."""
    if not has_it:
        raise SourceError(f"{source} has no {what}", fault="codec", cure=f"Give recordings with {what}.")


def sound_windows(source: str) -> Iterator[FloatArray]:
    """Yield the windows of a recording as serving cuts them, float32 [32240], the last ones only if mostly real.

    Raises SourceError where it cannot be read or has no sound.
    """
    windows = SoundWindows()
    with open_media(SourceSpec(camera=CAMERA, url=source, want_picture=False, want_sound=True)) as media:
        require(media.info.has_sound, source, "sound")
        for item in media.read():
            if isinstance(item, SoundBlock):
                for window in windows.push(item.samples, item.at_ns, gap_before=item.gap_before):
                    yield window.samples
    for window in windows.flush():
        if SAMPLES - window.pad_after_samples > STEP_SAMPLES // 2:
            yield window.samples
