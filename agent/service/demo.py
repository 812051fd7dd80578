"""The demo: real node, real outbox, embedded broker, independent subscriber; ends by itself.

Without a source it plays four rendered scenes with their sound as four live cameras, in real time.
"""

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from agent.capture.source import SourceSpec, open_media
from agent.config.schema import Broker, Camera, Config, Snapshots, Zone
from agent.config.schema import Node as NodeSettings
from agent.errors import StoreError
from agent.service.broker import EmbeddedBroker
from agent.service.node import Node
from agent.service.options import Options
from agent.service.rendering.filming import Filming
from agent.uplink.subscriber.subscriber import Subscriber

NODE_NAME = "demo"
# Camera → the rendered clip that it shows, and what has to open there.
SCENES: dict[str, tuple[str, frozenset[str]]] = {
    "care-home": ("fall.mp4", frozenset({"fall"})),
    "workshop": ("fire.mp4", frozenset({"fire", "alarm"})),
    "shop": ("intrude.mp4", frozenset({"glass_break", "intrusion"})),
    "lobby": ("walkby.mp4", frozenset()),
}
# The door and the floor before it, where nobody has any business at night.
INTRUDE_ZONE = Zone(polygon=((0.05, 0.2), (0.95, 0.2), (0.98, 0.98), (0.02, 0.98)), rules=("intrusion",))
OWN_CAMERA = "camera"
FLUSH_S = 3.0

OnMessage = Callable[[str, dict[str, Any]], None]


def run_demo(
    *, source: str | None, keep: Path, seconds: float, on_message: OnMessage, on_progress: Callable[[str], None]
) -> dict[str, Any]:
    """Run the demo and return its summary; every incident message goes to `on_message` as it is received."""
    if source is not None:
        # A demo of a source that cannot be opened would only show that it is lost: say why instead.
        open_media(SourceSpec(camera=OWN_CAMERA, url=_own_camera(source).url)).close()
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"nothing can be kept in {keep}", why=why, cure="Name another folder with --keep.") from error
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vedette-demo-")))
        broker = stack.enter_context(EmbeddedBroker())
        cameras = _scenes(stack) if source is None else {OWN_CAMERA: _own_camera(source)}
        config = Config(
            node=NodeSettings(name=NODE_NAME),
            broker=Broker(url=broker.url),
            snapshots=Snapshots(enabled=True),
            cameras=cameras,
        )
        log = _Log(on_message, keep)
        on_progress(f"Watching {len(cameras)} {'rendered scenes' if source is None else 'source'}, broker {broker.url}")
        subscriber = stack.enter_context(
            Subscriber(config.broker, topics=(f"vedette/{NODE_NAME}/#",), on_message=log.take)
        )
        subscriber.wait_ready(FLUSH_S)
        filming = Filming(config, keep)
        node = Node(config, Options(credentials=lambda _: None, state_folder=state, witness=filming))
        _run(node, seconds if source is not None else None)
        log.wait_quiet(FLUSH_S)
        filming.close()
        return log.summary(config, filming, broker.url, node.models_line(), expected=source is None)


def _run(node: Node, limit_s: float | None) -> None:
    """Run until every source has ended or the limit is reached."""
    stop = threading.Event()
    timer = threading.Timer(limit_s, stop.set) if limit_s is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        node.run(stop)
    finally:
        if timer is not None:
            timer.cancel()


def _scenes(stack: ExitStack) -> dict[str, Camera]:
    clips = stack.enter_context(as_file(files("agent.service") / "clips"))
    zones = {"shop": {"closed": INTRUDE_ZONE}}
    return {name: Camera(url=str(clips / clip), zones=zones.get(name, {})) for name, (clip, _) in SCENES.items()}


def _own_camera(source: str) -> Camera:
    return Camera(url=f"/dev/video{source}" if source.isdigit() else source)


class _Log:
    """What the subscriber received, in order, with the snapshots saved as pictures."""

    def __init__(self, on_message: OnMessage, keep: Path) -> None:
        self._on_message = on_message
        self._keep = keep
        self._lock = threading.Lock()
        self._messages: list[dict[str, Any]] = []
        self._delays_ms: list[float] = []
        self._snapshots: list[Path] = []
        self._last_s = time.monotonic()

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message from the subscriber's thread."""
        levels = topic.split("/")
        with self._lock:
            self._last_s = time.monotonic()
        if levels[-1] == "incident":
            self._take_incident(topic, payload)
        elif len(levels) == 5 and levels[3] == "snapshot":
            self._take_snapshot(levels[2], levels[4], payload)

    def wait_quiet(self, seconds: float) -> None:
        """Return once nothing has come for a moment, at the latest after `seconds`."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            with self._lock:
                if time.monotonic() - self._last_s > 0.5:
                    return
            time.sleep(0.05)

    def summary(
        self, config: Config, filming: Filming, broker_url: str, models: str, *, expected: bool
    ) -> dict[str, Any]:
        """Return what was received beside what was to be expected."""
        with self._lock:
            messages, delays_ms, snapshots = list(self._messages), list(self._delays_ms), list(self._snapshots)
        sequence = sorted({message["seq"] for message in messages})
        return {
            "cameras": [
                _verdict(camera, messages, SCENES[camera][1] if expected else None) for camera in config.cameras
            ],
            "messages": len(messages),
            "broker": broker_url,
            "sequence_complete": sequence == list(range(1, len(sequence) + 1)),
            "median_delay_ms": statistics.median(delays_ms) if delays_ms else 0.0,
            "models": models,
            "files": [str(path) for path in (*filming.paths.values(), *snapshots)],
        }

    def _take_incident(self, topic: str, payload: bytes) -> None:

        message: dict[str, Any] = json.loads(payload)
        delay_ms = (time.time() - datetime.fromisoformat(message["at"]).timestamp()) * 1000
        with self._lock:
            self._messages.append(message)
            if message["phase"] == "open":
                self._delays_ms.append(delay_ms)
        self._on_message(topic, message)

    def _take_snapshot(self, camera: str, incident: str, payload: bytes) -> None:
        if not payload:
            return
        path = self._keep / f"{camera}-{incident}.jpg"
        path.write_bytes(payload)
        with self._lock:
            if path not in self._snapshots:
                self._snapshots.append(path)


def _verdict(camera: str, messages: list[dict[str, Any]], expected: frozenset[str] | None) -> dict[str, Any]:
    kinds = sorted({message["kind"] for message in messages if message["camera"] == camera})
    return {
        "name": camera,
        "kinds": kinds,
        "expected": None if expected is None else sorted(expected),
        "as_expected": None if expected is None else set(kinds) == expected,
    }
