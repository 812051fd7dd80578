"""From a camera's configuration to the live sources that feed it: its own stream, and sound from elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from agent.capture.live import LiveSource, Microphone, MicrophoneSpec, SourceState
from agent.capture.spec import SourceSpec
from agent.config.schema import Analysis, Camera
from agent.service import clock
from agent.service.microphones import SeparateInputs
from agent.types import NS_PER_S, Blind, BlindReason, Frame, SoundBlock

DEVICE_PREFIX = "device:"

Credentials = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Feeds:
    """Where pictures, sound and changes of state go."""

    on_frame: Callable[[Frame], None]
    on_sound: Callable[[SoundBlock], None]
    on_state: Callable[[SourceState], None]


def live_sources(
    name: str, camera: Camera, analysis: Analysis, credentials: Credentials, feeds: Feeds
) -> Mapping[str, LiveSource | Microphone]:
    """Return the sources of one camera: `picture` always, `sound` where it comes from somewhere else."""
    feeds = replace(feeds, on_sound=aligned(camera, feeds.on_sound))
    spec = source_spec(name, camera, analysis, credentials(f"camera-{name}"))
    sources: dict[str, LiveSource | Microphone] = {"picture": _live(spec, feeds)}
    if camera.sound.startswith(DEVICE_PREFIX):
        sources["sound"] = _microphone(name, camera, feeds)
    elif camera.sound not in ("same", "none"):
        sources["sound"] = _live(sound_spec(name, camera, analysis, credentials(f"sound-{name}")), feeds)
    return sources


def aligned(camera: Camera, on_sound: Callable[[SoundBlock], None]) -> Callable[[SoundBlock], None]:
    """Return `on_sound` with the camera's sound put back to when its picture was."""
    late_ns = sound_late_ns(camera)
    if not late_ns:
        return on_sound
    return lambda block: on_sound(replace(block, at_ns=block.at_ns - late_ns))


def blinds_of(state: SourceState, at_ns: int) -> Iterator[Blind]:
    """Yield what the scene is to know of a change of state: which senses deliver nothing from now on.

    A camera that ends its connection is lost, or back within seconds; only a recording that is over has ended.
    """
    reason: BlindReason | None = state.blind_reason
    if reason is not None:
        if state.status == "lost" and reason == "ended":
            reason = "cut"
        for modality in state.modalities:
            yield Blind(camera=state.camera, at_ns=at_ns, modality=modality, reason=reason)


def sound_late_ns(camera: Camera) -> int:
    """By how much the camera's sound is stamped later than its picture."""
    return round(camera.sound_late_s * NS_PER_S)


def source_spec(name: str, camera: Camera, analysis: Analysis, password: str | None) -> SourceSpec:
    """Return how the camera's own stream is read."""
    return SourceSpec(
        camera=name,
        url=camera.url,
        username=camera.username,
        password=password,
        transport=camera.transport,
        tls_verify=camera.tls_verify,
        tls_ca_file=camera.tls_ca_file,
        open_timeout_s=camera.open_timeout_s,
        stall_timeout_s=camera.stall_timeout_s,
        loop=camera.loop,
        decoder=camera.decoder or analysis.decoder,
        width_px=analysis.width_px,
        height_px=analysis.height_px,
        analysis_fps=analysis.fps,
        want_sound=camera.sound == "same",
        masks=tuple(mask.polygon for mask in camera.masks.values()),
    )


def snapshot_spec(name: str, camera: Camera, analysis: Analysis, password: str | None) -> SourceSpec | None:
    """Return how the camera's main stream is read, None where it has none of its own.

    The login goes along to the same host only: a password is not handed to whoever else is named.
    """
    if not camera.snapshot_url:
        return None
    spec = replace(source_spec(name, camera, analysis, password), url=camera.snapshot_url, want_sound=False)
    return spec if _host(camera.snapshot_url) == _host(camera.url) else replace(spec, username="", password=None)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def sound_spec(name: str, camera: Camera, analysis: Analysis, password: str | None) -> SourceSpec:
    """Return how the sound of a camera is read that comes from a URL of its own, with a password of its own."""
    return replace(
        source_spec(name, camera, analysis, password),
        url=camera.sound,
        username=camera.username if password is not None else "",
        analysis_fps=None,
        want_picture=False,
        want_sound=True,
        masks=(),
    )


def _live(spec: SourceSpec, feeds: Feeds) -> LiveSource:
    return LiveSource(
        spec, clock_ns=clock.now_ns, on_frame=feeds.on_frame, on_sound=feeds.on_sound, on_state=feeds.on_state
    )


def _microphone(name: str, camera: Camera, feeds: Feeds) -> Microphone:
    spec = MicrophoneSpec(
        camera=name,
        device=camera.sound.removeprefix(DEVICE_PREFIX),
        open_timeout_s=camera.open_timeout_s,
        stall_timeout_s=camera.stall_timeout_s,
    )
    return Microphone(
        spec, clock_ns=clock.now_ns, on_sound=feeds.on_sound, on_state=feeds.on_state, inputs=SeparateInputs()
    )
