"""`vedette watch` against a real Mosquitto."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.config.credentials import write_credential
from tests.cli.conftest import Vedette
from tests.servers.mosquitto import READER, READER_PASSWORD, Mosquitto, mosquitto
from tests.uplink.conftest import RunningNode, needs_mosquitto, start, wait_for  # noqa: F401 - a fixture
from tests.uplink.made import STARTED_NS, life

pytestmark = [pytest.mark.integration, needs_mosquitto]

Start = Callable[..., RunningNode]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "mosquitto") as running:
        yield running


@pytest.fixture
def watcher(server: Mosquitto, config: Path) -> None:
    """The configuration and the password of somebody who may read."""
    broker = server.broker(username=READER)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f'[broker]\nurl = "{broker.url}"\nusername = "{READER}"\nca_file = "{broker.ca_file}"\n')
    write_credential("broker", READER_PASSWORD, config)


def raise_lives(node: RunningNode) -> None:
    for changes in (life(1), life(2, kind="loitering", severity="warning")):
        for change in changes:
            node.uplink.raise_change(change, wall_offset_ns=time.time_ns() - STARTED_NS, clock_synchronised=True)
    wait_for(lambda: node.uplink.outbox_state().depth == 0)


@pytest.mark.usefixtures("watcher")
def test_a_watcher_gets_what_came_while_it_was_away(vedette: Vedette, server: Mosquitto, start: Start) -> None:  # noqa: F811
    assert vedette("watch", "--for", "1.5").code == 0
    node = start(server.broker())
    raise_lives(node)
    node.stop()
    ended = vedette("watch", "--count", "6", "--for", "20")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert len([line for line in lines if "seq" in line]) == 6
    assert "● fall" in ended.out
    assert "closed: quiet" in ended.out
    assert "online box" in ended.out
    assert "6 messages, nothing missing" in ended.err


@pytest.mark.usefixtures("watcher")
def test_filters_and_json_serve_scripts(vedette: Vedette, server: Mosquitto, start: Start) -> None:  # noqa: F811
    vedette("watch", "--for", "1.5")
    raise_lives(start(server.broker()))
    ended = vedette("watch", "--count", "3", "--for", "20", "--json", "--kind", "loitering", "--severity", "warning")
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert [entry["phase"] for entry in told if "phase" in entry] == ["open", "update", "close"]
    assert {entry["kind"] for entry in told if "kind" in entry} == {"loitering"}
    assert {"node": "box", "status": "online"} in told


@pytest.mark.usefixtures("watcher")
def test_a_command_of_ones_own_is_run_once_for_each_incident(
    vedette: Vedette,
    server: Mosquitto,
    start: Start,  # noqa: F811
    tmp_path: Path,
) -> None:
    vedette("watch", "--for", "1.5")
    raise_lives(start(server.broker()))
    note = f'echo "$VEDETTE_KIND $VEDETTE_SUMMARY" >>{tmp_path}/told'
    assert vedette("watch", "--count", "6", "--for", "20", "--run", note).code == 0
    told = (tmp_path / "told").read_text().splitlines()
    assert [line.split()[0] for line in told] == ["fall", "loitering"]


@pytest.mark.usefixtures("watcher")
def test_a_box_that_goes_offline_is_told(vedette: Vedette, server: Mosquitto, start: Start) -> None:  # noqa: F811
    node = start(server.broker())
    wait_for(lambda: node.uplink.health().connected)
    vedette("watch", "--for", "1.5")
    node.stop()
    assert "stopped box" in vedette("watch", "--for", "1.5").out


def test_a_wrong_password_ends_with_code_5_and_a_cure(
    vedette: Vedette, server: Mosquitto, config: Path, watcher: None
) -> None:
    write_credential("broker", "not-it", config)
    ended = vedette("watch", "--for", "5")
    assert ended.code == 5
    assert "set-password" in ended.err
    assert "not-it" not in ended.err


def test_a_kind_that_does_not_exist_is_a_usage_error(vedette: Vedette) -> None:
    assert vedette("watch", "--kind", "party").code == 2
