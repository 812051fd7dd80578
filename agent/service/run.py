"""`vedette run`: the configuration, the signals and the node; returns when it was stopped or nothing is left.

As a service under systemd a broken configuration does not blind the box: it goes on with the last good one,
and says so in the log, in `systemctl status` and in the state topic.
"""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

from agent.config.credentials import read_credential
from agent.config.load import load
from agent.config.places import config_path, state_dir
from agent.config.schema import Config
from agent.config.text import read_text
from agent.errors import ConfigError
from agent.service import last_good
from agent.service.node import Node
from agent.service.notify import Notifier
from agent.service.options import Options

_LOG = logging.getLogger(__name__)


def run_service(
    *, path: Path | None, overrides: list[str], record: Path | None, on_ready: Callable[[str], None]
) -> None:
    """Run the agent until SIGTERM, SIGINT or the end of every source."""
    options = Options(
        credentials=lambda name: read_credential(name, path),
        state_folder=state_dir(),
        record_folder=record,
        notifier=Notifier.from_environ(),
    )
    config, node = _begun(path, overrides, options)
    stop = threading.Event()
    stop_on_signals(stop)
    on_ready(f"watching {watched(config)}; {node.models_line()}; incidents go to {config.broker.url}")
    node.run(stop)


def watched(config: Config) -> str:
    """Return what people call the cameras that are to be watched, in one line."""
    return ", ".join(config.called(name) for name, camera in config.cameras.items() if camera.enabled)


def _begun(path: Path | None, overrides: list[str], options: Options) -> tuple[Config, Node]:
    """Return a node with the configuration of today or, as a service that cannot use it, with the last good one."""
    place = config_path(path)
    try:
        config = load(path, overrides)
        options = replace(options, config_toml=read_text(place) if place.is_file() else "")
        _require_camera(config)
        node = Node(config, options)
    except NothingToWatchError:
        raise  # somebody took the cameras away: the last good configuration would go on watching
    except ConfigError as error:
        good = last_good.read(options.state_folder, overrides) if options.notifier.listening else None
        if good is None:
            raise
        _LOG.error("%s", error.line())
        fault = f"running with the last good configuration, for {error.what}"
        fault = f"{fault}: {error.why}" if error.why else fault
        _LOG.warning("%s", fault)
        return good[0], Node(good[0], replace(options, config_toml=good[1], config_fault=fault))
    if options.notifier.listening and not overrides:
        last_good.keep(options.config_toml, options.state_folder)
    return config, node


class NothingToWatchError(ConfigError):
    """The configuration is right, but has no enabled camera."""


def _require_camera(config: Config) -> None:
    if not any(camera.enabled for camera in config.cameras.values()):
        raise NothingToWatchError(
            "there is nothing to watch",
            why="no camera is configured and enabled",
            cure="Add one: vedette camera add NAME URL.",
        )


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT; a signal handler does no more than that."""

    def handler(number: int, _: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
