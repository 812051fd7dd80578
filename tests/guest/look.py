"""What the virtual machine is asked, through our own door: prints one line of JSON behind `guest: saw`."""

import faulthandler
import json
import os
import sys
import threading
import time
from pathlib import Path

from agent.capture.live import LiveSource, SourceState, list_microphones
from agent.capture.source import SourceSpec, open_media
from agent.capture.v4l2 import found_cameras
from agent.errors import SourceError
from agent.types import Frame

PICTURES = 20
WAIT_S = 120.0
DRIVER = Path("/sys/bus/platform/drivers/vivid")


def look(url: str) -> dict[str, object]:
    """Return what came of a camera."""
    started_s = time.monotonic()
    spec = SourceSpec(camera="door", url=url, fps=15.0, open_timeout_s=60.0, stall_timeout_s=60.0)
    at_ns: list[int] = []
    with open_media(spec) as media:
        opened_s = time.monotonic() - started_s
        for item in media.read(ordered=False):
            assert isinstance(item, Frame)
            at_ns.append(item.at_ns)
            if len(at_ns) == PICTURES:
                break
        full = media.latest_picture()
        assert full is not None
        return {
            "url": url,
            "opened_s": round(opened_s, 2),
            "live": media.info.live,
            "codec": media.info.video_codec,
            "full": full.shape,
            "bright": int(full.max()),
            "pictures": len(at_ns),
            "step_ms": (at_ns[-1] - at_ns[0]) / (len(at_ns) - 1) / 1e6,
        }


def fault(url: str) -> str:
    """Return how opening `url` fails."""
    try:
        open_media(SourceSpec(camera="door", url=url, open_timeout_s=10.0)).close()
    except SourceError as error:
        return f"{error.fault}: {error.line()}"
    return "it opened"


def busy() -> str:
    """Return how a camera fails that somebody else reads."""
    with open_media(SourceSpec(camera="door", url="/dev/video0", open_timeout_s=60.0)) as media:
        next(iter(media.read(ordered=False)))
        return fault("/dev/video0")


def unplugged() -> list[str]:
    """Take the camera away while it is watched and put it back; return what was told of it."""
    told: list[SourceState] = []
    changed = threading.Condition()

    def tell(state: SourceState) -> None:
        with changed:
            told.append(state)
            changed.notify_all()

    def wait(status: str, count: int) -> None:
        with changed:
            changed.wait_for(lambda: len([state for state in told if state.status == status]) >= count, WAIT_S)

    spec = SourceSpec(camera="door", url="v4l2:vivid", open_timeout_s=60.0, stall_timeout_s=20.0, want_sound=False)
    ignore = [].append
    source = LiveSource(spec, clock_ns=time.monotonic_ns, on_frame=ignore, on_sound=ignore, on_state=tell)
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    wait("running", 1)
    (DRIVER / "unbind").write_text("vivid.0")
    wait("lost", 1)
    kept = source.latest_picture()  # of memory that the device had lent
    (DRIVER / "bind").write_text("vivid.0")
    wait("running", 2)
    stop.set()
    thread.join(WAIT_S)
    assert kept is not None
    told.append(SourceState(camera="door", status="ended", modalities=(), why=f"kept {kept.max()}"))
    return [f"{state.status} {state.reason or ''} {state.why}".strip() for state in told]


def main() -> None:
    faulthandler.enable()
    found = found_cameras()
    seen = {
        "found": [{"device": camera.device, "name": camera.name, "stable": camera.stable} for camera in found],
        "nodes": sorted(name for name in os.listdir("/dev") if name.startswith("video")),
        "looks": [look(url) for url in ("/dev/video0", found[0].url, f"v4l2:{found[0].name}")],
        "busy": busy(),
        "output": fault("/dev/video1"),
        "missing": fault("/dev/video7"),
        "unplugged": unplugged(),
        "microphones": [microphone.name for microphone in list_microphones()],
    }
    sys.stdout.write(f"\nguest: saw {json.dumps(seen)}\n")


if __name__ == "__main__":
    main()
