"""The demo: real node, real outbox, embedded broker, independent subscriber; ends by itself.

Without a source it plays four rendered scenes with their sound as four live cameras, in real time. A scene in which
something was missed because the box could not look often enough at four of them is played again, by itself.
"""

import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from agent.capture.source import SourceSpec, open_media
from agent.config.schema import Broker, Camera, Config, Snapshots, Zone
from agent.config.schema import Node as NodeSettings
from agent.errors import StoreError
from agent.service.broker import EmbeddedBroker
from agent.service.demo_log import DemoLog, OnMessage
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
        expected = {name: SCENES[name][1] for name in cameras} if source is None else {}
        log = DemoLog(on_message, keep, expected)
        on_progress(f"Watching {len(cameras)} {'rendered scenes' if source is None else 'source'}, broker {broker.url}")
        subscriber = stack.enter_context(
            Subscriber(config.broker, topics=(f"vedette/{NODE_NAME}/#",), on_message=log.take)
        )
        subscriber.wait_ready(FLUSH_S)
        models = _play(config, keep, state, log, seconds if source is not None else None)
        for camera in log.missed_for_load(config.analysis.fps):
            on_progress(
                f"This box looked at {log.looked_per_s(camera):.1f} of {config.analysis.fps:g} pictures a second of "
                f"{camera}: it is played again, by itself."
            )
            log.begin_again(camera)
            _play(config.model_copy(update={"cameras": {camera: cameras[camera]}}), keep, state, log, None)
        return log.summary(cameras, broker.url, models)


def _play(config: Config, keep: Path, state: Path, log: DemoLog, limit_s: float | None) -> str:
    """Run a node until every source has ended or the limit is reached; return where its models ran."""
    filming = Filming(config, keep)
    node = Node(config, Options(credentials=lambda _: None, state_folder=state, witness=filming))
    _run(node, limit_s)
    log.wait_quiet(FLUSH_S)
    filming.close()
    log.filmed(filming)
    return node.models_line()


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
