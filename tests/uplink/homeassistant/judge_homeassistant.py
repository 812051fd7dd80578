"""Home Assistant's own judgement of discovery messages; runs in an environment of Home Assistant, not in ours.

    python3.11 -m venv build/homeassistant
    build/homeassistant/bin/pip install homeassistant==2024.3.3 paho-mqtt==1.6.1
    pip download --no-deps --python-version 3.13 --only-binary=:all: homeassistant==2025.4.4 -d build/homeassistant
    build/homeassistant/bin/python tests/uplink/homeassistant/judge_homeassistant.py build/homeassistant < messages.json

2024.3.3 is the newest for Python 3.11 and judges every component; device discovery came later, so the schema of the
whole message is that of the newer wheel in the folder that the argument names, where there is one. Reads
{topic: message},
writes {"device_schema": whether there was one, "components": how many, "faults": [...]} as JSON.
"""

import ast
import contextlib
import importlib
import json
import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import voluptuous as vol

MQTT = "homeassistant.components.mqtt"
SHARED = ("availability", "availability_mode", "command_topic", "state_topic", "qos", "encoding")
TOPIC = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config")  # discovery.py: TOPIC_MATCHER


def device_schema(folder: Path) -> Any:
    """Return DEVICE_DISCOVERY_SCHEMA of the wheel in `folder`, made to run on what is installed; None without one."""
    wheels = sorted(folder.glob("homeassistant-*.whl"))
    if not wheels:
        return None
    with zipfile.ZipFile(wheels[-1]) as wheel:
        source = wheel.read("homeassistant/components/mqtt/schemas.py").decode()
        newer = {
            "homeassistant.const": wheel.read("homeassistant/const.py").decode(),
            f"{MQTT}.const": wheel.read("homeassistant/components/mqtt/const.py").decode(),
        }
    for name, text in newer.items():
        _add_constants(importlib.import_module(name), text)
    module = ModuleType(f"{MQTT}.newer_schemas")
    module.__package__ = MQTT
    exec(compile(source, "schemas.py", "exec"), module.__dict__)
    return module.__dict__["DEVICE_DISCOVERY_SCHEMA"]


def _add_constants(module: ModuleType, text: str) -> None:
    """Give an older module the constants that a newer one has and it can make."""
    for statement in ast.parse(text).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and not hasattr(module, target.id):
            with contextlib.suppress(Exception):  # what needs something else that is new is not needed here
                exec(ast.unparse(statement), module.__dict__)


def faults_of(topic: str, message: dict[str, Any], schema: Any) -> list[str]:
    """Return what Home Assistant has against one message."""
    faults = [] if TOPIC.fullmatch(topic) else [f"{topic}: is no discovery topic"]
    if schema is not None:
        faults += _tried(topic, schema, json.loads(json.dumps(message)))
    shared = {key: message[key] for key in (*SHARED, "device", "origin") if key in message}
    for key, component in message["components"].items():
        config = shared | component
        platform = importlib.import_module(f"{MQTT}.{config.pop('platform')}")
        faults += _tried(f"{topic} {key}", platform.DISCOVERY_SCHEMA, config)
    return faults


def _tried(where: str, schema: Any, config: dict[str, Any]) -> list[str]:
    try:
        schema(config)
    except vol.Invalid as error:
        return [f"{where}: {error}"]
    return []


def main() -> None:
    """Judge what comes on standard input."""
    messages: dict[str, dict[str, Any]] = json.load(sys.stdin)
    schema = device_schema(Path(sys.argv[1])) if len(sys.argv) > 1 else None
    faults = [fault for topic, message in messages.items() for fault in faults_of(topic, message, schema)]
    components = sum(len(message["components"]) for message in messages.values())
    json.dump({"device_schema": schema is not None, "components": components, "faults": faults}, sys.stdout)


if __name__ == "__main__":
    main()
