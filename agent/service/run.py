"""`vedette run`: the configuration, the signals and the node; returns when it was stopped or nothing is left."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from agent.config.credentials import read_credential
from agent.config.load import load
from agent.config.places import config_path, state_dir
from agent.errors import ConfigError
from agent.service.node import Node, Options


def run_service(
    *, path: Path | None, overrides: list[str], record: Path | None, on_ready: Callable[[str], None]
) -> None:
    """Run the agent until SIGTERM, SIGINT or the end of every source."""
    config = load(path, overrides)
    if not any(camera.enabled for camera in config.cameras.values()):
        raise ConfigError(
            "there is nothing to watch",
            why="no camera is configured and enabled",
            cure="Add one: vedette camera add NAME URL.",
        )
    place = config_path(path)
    stop = threading.Event()
    options = Options(
        credentials=lambda name: read_credential(name, path),
        state_folder=state_dir(),
        record_folder=record,
        config_toml=place.read_text(encoding="utf-8") if place.is_file() else "",
    )
    node = Node(config, options)
    _stop_on_signals(stop)
    on_ready(f"watching {', '.join(config.cameras)}; {node.models_line()}; incidents go to {config.broker.url}")
    node.run(stop)


def _stop_on_signals(stop: threading.Event) -> None:
    """A signal handler only sets the event."""

    def handler(number: int, _: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
