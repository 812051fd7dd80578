"""The AsyncAPI document: its references lead somewhere, its examples are true, its topics are the published ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agent.uplink.control.commands import Places, setting_topic
from agent.uplink.control.parsing import parse_command
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.connection import Received


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / "asyncapi.yaml").read_text())
    return loaded


def resolved(reference: str, document: dict[str, Any], folder: Path) -> Any:
    file, _, pointer = reference.partition("#")
    found: Any = json.loads((folder / file).read_text()) if file else document
    for key in pointer.strip("/").split("/"):
        found = found[key] if key else found
    return found


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        here = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return here + [reference for inner in part.values() for reference in references(inner)]
    return [reference for inner in part for reference in references(inner)] if isinstance(part, list) else []


def test_every_reference_leads_somewhere(document: dict[str, Any], folder: Path) -> None:
    found = references(document)
    assert len(found) > 15
    for reference in found:
        assert resolved(reference, document, folder)


def test_every_example_fits_its_schema(document: dict[str, Any], folder: Path) -> None:
    checked = 0
    for message in document["components"]["messages"].values():
        payload = message["payload"]
        schema = resolved(payload["schema"]["$ref"], document, folder) if "schema" in payload else payload
        for example in message.get("examples", []):
            Draft202012Validator(schema).validate(example["payload"])
            checked += 1
    assert checked >= 5


def test_every_topic_is_one_that_the_box_publishes(document: dict[str, Any]) -> None:
    topics = Topics("vedette", "{node}")
    of_node = {
        topics.of_node(name) for name in ("status", "state", "gap", "check", "request", "response", "set/{name}")
    }
    of_camera = {
        topics.of_camera("{camera}", name)
        for name in (
            "incident",
            "active",
            "snapshot",
            "sound",
            "presence",
            "stats",
            "set/{name}",
            "set/zone/{zone}",
            "set/line/{line}",
        )
    }
    settings = {
        setting_topic(topics, "{name}"),  # type: ignore[arg-type]
        setting_topic(topics, "{name}", "{camera}"),  # type: ignore[arg-type]
        setting_topic(topics, "zone", "{camera}", "{zone}"),
        setting_topic(topics, "line", "{camera}", "{line}"),
    }
    films = topics.clip("{camera}", "{incident}")
    others = {topics.snapshot("{camera}", "{incident}"), films, "{prefix}/device/{device}/config"}
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == of_node | of_camera | settings | others


def test_every_channel_has_its_operation_with_quality_and_retention(document: dict[str, Any]) -> None:
    said = {
        operation["channel"]["$ref"].rsplit("/", 1)[1]: operation["bindings"]["mqtt"]
        for operation in document["operations"].values()
    }
    assert said.keys() == document["channels"].keys()
    settings = {"setting", "cameraSetting", "zoneSetting", "lineSetting"}
    retained = {"status", "state", "active", "snapshot", "presence", "stats", "discovery"} | settings
    assert {name for name, binding in said.items() if binding["retain"]} == retained
    assert {name for name, binding in said.items() if binding["qos"] != 1} == {"sound"}


def test_what_may_be_sent_is_what_is_understood(document: dict[str, Any]) -> None:
    topics, now_ns = Topics("vedette", "box"), 0
    for message, topic in (("request", "request"), ("set", "set/armed")):
        for example in document["components"]["messages"][message]["examples"]:
            payload = (
                {key: value for key, value in example["payload"].items() if key != "at"}
                if isinstance(example["payload"], dict)
                else example["payload"]
            )
            received = Received(topics.of_node(topic), json.dumps(payload).encode(), qos=1, retain=False)
            assert parse_command(received, topics, {"hall": Places()}, now_ns)
    names = {name: document["channels"][name]["parameters"]["name"]["enum"] for name in ("set", "cameraSet")}
    for channel, prefix in (("set", ""), ("cameraSet", "hall/")):
        for name in names[channel]:
            received = Received(topics.of_node(f"{prefix}set/{name}"), b"default", qos=1, retain=False)
            assert parse_command(received, topics, {"hall": Places()}, now_ns)


def test_the_text_tells_of_every_topic(document: dict[str, Any], folder: Path) -> None:
    text = (folder / "mqtt.md").read_text()
    for channel in document["channels"].values():
        assert (
            channel["address"]
            .replace("vedette/{node}/", "…/")
            .replace("{camera}", "<camera>")
            .replace("{incident}", "<incident id>")
            .replace("{name}", "<name>")
            .replace("{zone}", "<zone>")
            .replace("{line}", "<line>")
            .replace("{prefix}/", "<prefix>/")
            .replace("{device}", "<device>")
            in text
        )
