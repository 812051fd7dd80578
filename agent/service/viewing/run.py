"""`vedette view`: an agent of its own for the page, with a broker of its own, beside a service that may be running.

`vedette incidents review`: the page with past incidents alone.
"""

import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.config.credentials import read_credential
from agent.config.edit import edit, with_key, without_key
from agent.config.load import load
from agent.config.names import named
from agent.config.schema import Broker, Camera, Config, Control, HomeAssistant, Metrics, Snapshots
from agent.errors import ConfigError
from agent.scene import Policy
from agent.service.broker import EmbeddedBroker
from agent.service.node import Node
from agent.service.options import Options
from agent.service.viewing.page import Desk, Drawing, Live, Page, refuse_saving
from agent.service.viewing.review import Review
from agent.service.viewing.screens import Screens

SHAPES = {"zones": "polygon", "masks": "polygon", "lines": "line"}
NAMED = ("zones", "lines")
"""Those that have a name besides their identifier; nobody is told of a mask."""
OWN_CAMERA = "camera"


class SavedParts:
    """Zones, lines and masks in the configuration file, changed by drawing."""

    def __init__(self, path: Path | None, changed: Callable[[Config], None]) -> None:
        self._path = path
        self._changed = changed

    def parts(self, camera: str) -> Mapping[str, Any]:
        """All shapes of a camera by table and name, and that they can be kept."""
        return {"saves": True, **shapes_of(load(self._path).cameras[camera])}

    def keep(self, drawing: Drawing) -> None:
        """Write a shape; an existing one of that name keeps its rules. Raises ConfigError."""
        shape = _shape(drawing.table)
        part, name = _named(drawing)
        keys = ("cameras", drawing.camera, drawing.table, part)

        def change(text: str) -> str:
            text = with_key(text, (*keys, shape), [list(point) for point in drawing.points])
            return with_key(text, (*keys, "name"), name) if name and drawing.table in NAMED else text

        self._changed(edit(change, self._path))

    def remove(self, camera: str, table: str, name: str) -> None:
        """Take a shape away. Raises ConfigError."""
        _shape(table)
        self._changed(edit(lambda text: without_key(text, ("cameras", camera, table, name)), self._path))


def shapes_of(camera: Camera) -> dict[str, dict[str, Any]]:
    """The corners of each zone, line and mask: table → identifier → points; and `names`: identifier → name."""
    shapes = {
        table: {part: getattr(its, shape) for part, its in getattr(camera, table).items()}
        for table, shape in SHAPES.items()
    }
    names = {part: zone.name for part, zone in camera.zones.items() if zone.name}
    return shapes | {"names": names | {part: line.name for part, line in camera.lines.items() if line.name}}


def _named(drawing: Drawing) -> tuple[str, str]:
    """Return identifier and name of what was drawn. Raises ConfigError."""
    try:
        return named(drawing.name, drawing.table.removesuffix("s"))
    except ValueError as error:
        raise ConfigError(f"this cannot be its name: {error.args[0]}", cure=error.args[1]) from error


def _shape(table: str) -> str:
    if table not in SHAPES:
        raise ConfigError(f"{table!r} cannot be drawn", cure="Zones, lines and masks can.")
    return SHAPES[table]


def run_view(
    config: Config,
    *,
    config_path: Path | None,
    history: Path,
    saves: bool,
    password: str | None,
    port: int,
    looks: bool = False,
    on_ready: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Watch the cameras of `config` and serve the page until `stop` is set.

    `saves`: the cameras are those of the file `config_path`, and drawings are kept there; otherwise the one camera is
    opened with `password`. `history`: the state folder whose incidents can be reviewed beside. `looks`: closer looks
    are outlined. Raises VedetteError.
    """
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vedette-view-")))
        broker = stack.enter_context(EmbeddedBroker())
        private = config.model_copy(
            update={
                "broker": Broker(url=broker.url),
                "snapshots": Snapshots(),
                "homeassistant": HomeAssistant(enabled=False),
                "control": Control(enabled=False),
                "metrics": Metrics(),
                "cameras": {name: its.model_copy(update={"clips": "off"}) for name, its in config.cameras.items()},
            }
        )
        screens = Screens(private, shows_looks=looks)

        def credentials(name: str) -> str | None:
            if name == "broker":
                return None
            return read_credential(name, config_path) if saves else password

        node = Node(private, Options(credentials=credentials, state_folder=state, witness=screens))
        page = Page(Review(history), Live(screens, _desk(config, config_path, saves, screens, node)), port)
        page.start()
        stack.callback(page.close)
        on_ready(page.url)
        node.run(stop)


def run_review(history: Path, *, port: int, on_ready: Callable[[str], None], stop: threading.Event) -> None:
    """Serve the page with the past incidents of the state folder `history` until `stop` is set. Raises VedetteError.

    No camera is opened, no model is loaded.
    """
    page = Page(Review(history), port=port)
    page.start()
    try:
        on_ready(page.url)
        stop.wait()
    finally:
        page.close()


def _desk(config: Config, path: Path | None, saves: bool, screens: Screens, node: Node) -> Desk:
    if not saves:
        return Desk(
            parts=lambda camera: {"saves": False, **shapes_of(config.cameras[camera])},
            keep=refuse_saving,
            remove=lambda camera, table, name: refuse_saving(Drawing(camera, table, name, ())),
        )

    def changed(new: Config) -> None:
        shown = new.model_copy(update={"cameras": {name: new.cameras[name] for name in screens.cameras}})
        screens.adopt(shown)
        node.adopt(Policy.of(shown))

    saved = SavedParts(path, changed)
    return Desk(parts=saved.parts, keep=saved.keep, remove=saved.remove)
