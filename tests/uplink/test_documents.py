"""The examples for Home Assistant, Node-RED and Mosquitto's clients name what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config.schema import Camera, Config, Node, Snapshots, Zone
from agent.uplink.homeassistant.discovery import discovery
from agent.uplink.homeassistant.groups import GROUPS

TOPIC = re.compile(
    r"vedette/[a-z+]+/(?:\+/)?(?:incident|active|snapshot|sound|clip/#|presence|stats|request|response|gap|status|set/armed|setting/#|set/#)"
)


@pytest.fixture(scope="module")
def docs(repository: Path) -> Path:
    return repository / "docs"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_flow_for_node_red_is_whole(docs: Path) -> None:
    (text,) = blocks((docs / "nodered.md").read_text(), "json")
    nodes: list[dict[str, Any]] = json.loads(text)
    ids = {node["id"] for node in nodes}
    assert len(ids) == len(nodes)
    for node in nodes:
        assert {target for wire in node.get("wires", []) for target in wire} <= ids
        assert node.get("broker") in {None, "vbroker", "localhost"}
        if topic := node.get("topic"):
            assert TOPIC.fullmatch(topic)
        if node["type"] == "mqtt out":
            assert node["retain"] == "false"


def test_every_topic_of_the_shell_examples_is_one_of_the_contract(docs: Path) -> None:
    listening = (docs / "mqtt.md").read_text().partition("## Listening")[2]
    topics = re.findall(r"-t '?(\S+?)'?(?= |$)", listening)
    assert len(topics) >= 6
    assert all(TOPIC.fullmatch(topic) for topic in topics)


def test_the_page_for_home_assistant_tells_of_every_entity_and_its_class(docs: Path) -> None:
    text = (docs / "homeassistant.md").read_text()
    zones = {"gate": Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))}
    config = Config(
        node=Node(name="box"), cameras={"hall": Camera(url="x", zones=zones)}, snapshots=Snapshots(enabled=True)
    )
    for message in discovery(config, version="1").values():
        for part in message["components"].values():
            assert part["name"].replace("gate", "").strip() in text
    for group in GROUPS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {group.name} |"))
        assert f"`{group.device_class}`" in row


def test_the_automations_are_yaml_with_entities_of_a_camera(docs: Path) -> None:
    for text in blocks((docs / "homeassistant.md").read_text(), "yaml"):
        (automation,) = yaml.safe_load(text)["automation"]
        assert {"alias", "triggers", "actions"} <= automation.keys()


def test_an_incident_becomes_an_event_of_frigate(docs: Path) -> None:
    jinja2 = pytest.importorskip("jinja2")
    (text,) = blocks((docs / "frigate.md").read_text(), "yaml")
    told = yaml.safe_load(text)
    command, (automation,) = told["rest_command"]["frigate_keep"], told["automation"]
    summary = 'Person fell at stairs, "hall": went from walking to lying in 0.6 s; a thud was heard. ' + "x" * 100
    attributes = {"event_type": "fall", "summary": summary, "confidence": 0.56, "severity": "critical", "drill": False}
    heard = {"trigger": {"to_state": {"attributes": attributes}}}
    environment = jinja2.Environment()
    (condition,) = automation["conditions"]
    assert environment.from_string(condition).render(heard) == "True"
    (action,) = automation["actions"]
    assert action["action"] == "rest_command.frigate_keep"
    data = {name: environment.from_string(value).render(heard) for name, value in action["data"].items()}
    data["confidence"] = float(data["confidence"])  # Home Assistant gives templates native types
    assert environment.from_string(command["url"]).render(data).endswith("/api/events/stairs/fall/create")
    asked = json.loads(environment.from_string(command["payload"]).render(data))
    assert asked == {"sub_label": summary[:100], "score": 0.56, "duration": 60, "pre_capture": 10}
