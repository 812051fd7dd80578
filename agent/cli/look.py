"""Looking through a camera for a moment: how to open it, what it delivers, one picture."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agent.cli.address import source_address
from agent.cli.options import resolve_name
from agent.cli.output import remark
from agent.errors import SourceError, VedetteError, redacted

if TYPE_CHECKING:
    from agent.capture.media import Media
    from agent.capture.spec import SourceSpec
    from agent.config.schema import Config
    from agent.types import Uint8Array

WAIT_S = 0.2
UNNAMED = "?"  # what is given by its address only; no camera has such an identifier
INTERRUPTED = 130  # as shells tell of Ctrl-C

Found = TypeVar("Found")


def spec_of(source: str, config: Path | None) -> "SourceSpec":
    """Return how to open the camera named `source`, or the address `source`."""
    from agent.capture.spec import SourceSpec
    from agent.config.credentials import read_credential
    from agent.service.sources import source_spec

    known_config = known_config_of(config)
    camera = camera_meant(source, known_config)
    if camera is None:
        address = source_address(source)
        return SourceSpec(camera=UNNAMED, url=address.url, username=address.username, password=address.password or None)
    password = read_credential(f"camera-{camera}", config)
    as_in_service = source_spec(camera, known_config.cameras[camera], known_config.analysis, password)
    return replace(as_in_service, analysis_fps=None, want_sound=True, loop=False)


def snapshot_spec_of(source: str, config: Path | None) -> "SourceSpec":
    """Return how to open what snapshots of the camera named `source` are taken from, or the address `source`."""
    from agent.config.credentials import read_credential
    from agent.service.sources import snapshot_spec

    known_config = known_config_of(config)
    camera = camera_meant(source, known_config)
    if camera is None:
        return spec_of(source, config)
    password = read_credential(f"camera-{camera}", config)
    main = snapshot_spec(camera, known_config.cameras[camera], known_config.analysis, password)
    return replace(main, analysis_fps=None, loop=False) if main is not None else spec_of(source, config)


def camera_meant(source: str, config: "Config") -> str | None:
    """Return which camera of the configuration is meant, by identifier or name; None where `source` is an address."""
    is_named = any(source.casefold() in (camera, its.name.casefold()) for camera, its in config.cameras.items())
    return resolve_name(config.cameras, source, "camera") if is_named or looks_like_a_name(source) else None


def known_config_of(config: Path | None) -> "Config":
    """Return the configuration; the defaults where there is none yet."""
    from agent.config.load import load
    from agent.config.places import config_path
    from agent.config.schema import Config

    return load(config) if config or os.path.exists(config_path(config)) else Config()


def lasting_name(url: str) -> str:
    """Return the stable name of a camera of this machine, `url` itself where it is none or has none."""
    from agent.capture.v4l2 import found_cameras

    if not url.startswith("/dev/video"):
        return url
    return next((camera.url for camera in found_cameras() if camera.device == url), url)


def looks_like_a_name(source: str) -> bool:
    """Whether `source` can only be meant as the name of a camera of the configuration."""
    return not source.isdecimal() and not any(mark in source for mark in "/:.") and not os.path.exists(source)


def interruptibly(work: Callable[[], Found]) -> Found:
    """Return what `work` returns, or raise what it raises, from another thread.

    A camera that never answers is waited for in FFmpeg, and Python hears no Ctrl-C there.
    """
    worker = ThreadPoolExecutor(max_workers=1)
    answer = worker.submit(work)
    try:
        while not answer.done():
            wait([answer], WAIT_S)
    except KeyboardInterrupt:
        # The other thread is still inside FFmpeg: taking the interpreter down around it crashes now and then.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    worker.shutdown()
    return answer.result()


def take_picture(spec: "SourceSpec") -> "Uint8Array":
    """Return one full-size picture (RGB) of a source. Raises SourceError."""
    return interruptibly(lambda: _picture_of(spec))


def _picture_of(spec: "SourceSpec") -> "Uint8Array":
    from agent.capture.source import open_media
    from agent.types import Frame

    with open_media(spec) as media:
        for item in media.read():
            picture = media.latest_picture() if isinstance(item, Frame) else None
            if picture is not None:
                return picture
    raise SourceError(
        f"{redacted(spec.url)} has no picture", fault="ended", cure="`vedette camera probe` tells what comes."
    )


def write_picture(picture: "Uint8Array", path: Path) -> None:
    """Write an RGB picture to `path`: as PNG where it is named so, else as JPEG. Raises VedetteError."""
    import cv2

    form = ".png" if path.suffix.lower() == ".png" else ".jpg"
    done, coded = cv2.imencode(form, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    try:
        if not done:
            raise OSError("the picture could not be coded")
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise VedetteError(
            f"{path} was not written", why=error.strerror or str(error), cure="Name another file with --out."
        ) from error
    remark(f"{picture.shape[1]} × {picture.shape[0]} pixels")


def probe_source(spec: "SourceSpec", seconds: float) -> "tuple[dict[str, Any], dict[str, Any]]":
    """Return what a source says of itself, and what came of it in so many seconds. Raises SourceError."""
    from agent.capture.source import open_media

    def look() -> tuple[dict[str, Any], dict[str, Any]]:
        started_s = time.monotonic()
        with open_media(spec) as media:
            told, found = describe_media(media), measure_media(media, seconds, started_s)
            decoding = media.decoding  # a device may have failed meanwhile
        told["decoder"] = decoding.by if told["width_px"] else None
        return told, {**found, "decoder_fault": decoding.fault or None, "decoder_cure": decoding.cure or None}

    return interruptibly(look)


def describe_media(media: "Media") -> dict[str, Any]:
    """Return what the media says of itself."""
    info = media.info
    return {
        "picture": info.video_codec if info.has_picture else "none",
        "width_px": info.width_px if info.has_picture else None,
        "height_px": info.height_px if info.has_picture else None,
        "declared_fps": round(info.fps, 2) if info.has_picture and info.fps else None,
        "sound": info.audio_codec if info.has_sound else "none",
        "sample_rate_hz": info.sample_rate_hz if info.has_sound else None,
        "duration_s": info.duration_s,
    }


def measure_media(media: "Media", seconds: float, started_s: float) -> dict[str, Any]:
    """Read for `seconds` of wall or media time, whichever ends first, and count what came."""
    import numpy as np

    from agent.types import NS_PER_S, Frame

    pictures_ns: list[int] = []
    peak, sound_samples, first_s = 0.0, 0, None
    for item in media.read():
        first_s = first_s if first_s is not None else round(time.monotonic() - started_s, 2)
        if isinstance(item, Frame):
            pictures_ns.append(item.at_ns)
        else:
            sound_samples += len(item.samples)
            peak = max(peak, float(np.abs(item.samples).max(initial=0.0)))
        if item.at_ns >= seconds * NS_PER_S or time.monotonic() - started_s > seconds + (first_s or 0.0):
            break
    span_s = (pictures_ns[-1] - pictures_ns[0]) / NS_PER_S if len(pictures_ns) > 1 else 0.0
    return {
        "first_media_after_s": first_s,
        "measured_fps": round((len(pictures_ns) - 1) / span_s, 2) if span_s else None,
        "sound_peak_dbfs": round(20 * float(np.log10(max(peak, 1e-5))), 1) if sound_samples else None,
    }
