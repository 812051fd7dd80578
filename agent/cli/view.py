"""`vedette view`: a page in the browser of this machine for whoever installs a camera, and reviews what happened."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import ConfigFile
from agent.cli.output import remark, say
from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.config.schema import Config


def view(
    camera: Annotated[
        str | None,
        typer.Argument(metavar="[CAMERA|URL|FILE|0]", help="Which camera; all of the configuration without it."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    looks: Annotated[
        bool, typer.Option("--looks", help="Outline, thinly, the parts of the picture that are looked at closer.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Show live pictures with boxes, sound and incidents in a browser here; draw zones, lines and masks in them.

    What happened before can be reviewed there, too; for that alone, `vedette incidents review` opens no camera.
    """
    from agent.config.places import state_dir
    from agent.service.run import stop_on_signals
    from agent.service.viewing.run import run_view

    settings, saves, password = _settings(camera, config)
    stop = threading.Event()
    stop_on_signals(stop)
    run_view(
        settings,
        config_path=config,
        history=state_dir(),
        saves=saves,
        password=password,
        port=port,
        looks=looks,
        on_ready=tell_address,
        stop=stop,
    )


def tell_address(url: str) -> None:
    """Say where the page is."""
    say(url)
    remark("Open it in a browser on this machine; it lets one in. From elsewhere: ssh -L PORT:127.0.0.1:PORT this-box.")
    remark("Ctrl-C ends it.")


def _settings(camera: str | None, path: Path | None) -> "tuple[Config, bool, str | None]":
    """The configuration with the cameras to show, whether drawings can be kept in it, and the password of a URL."""
    from agent.cli.address import source_address
    from agent.cli.look import camera_meant, known_config_of
    from agent.config.load import load
    from agent.config.schema import Camera, Config
    from agent.service.viewing.run import OWN_CAMERA

    wanted = None if camera is None or "://" in camera else camera_meant(camera, known_config_of(path))
    if camera is not None and wanted is None:
        address = source_address(camera)
        shown = Camera(url=address.url, username=address.username, loop=True)
        return Config(cameras={OWN_CAMERA: shown}), False, address.password or None
    settings = load(path)
    if wanted is not None:
        return settings.model_copy(update={"cameras": {wanted: settings.cameras[wanted]}}), True, None
    enabled = {name: its for name, its in settings.cameras.items() if its.enabled}
    if not enabled:
        raise ConfigError("there is no camera to show", cure="Add one: vedette camera add NAME URL")
    return settings.model_copy(update={"cameras": enabled}), True, None
