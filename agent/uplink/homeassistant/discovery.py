"""Discovery messages for Home Assistant: one device for the box, one for each camera, made from the configuration.

Device-based discovery (Home Assistant 2024.11 and later): one retained message per device on
`<prefix>/device/<id>/config` names everything it consists of. Home Assistant then reads Vedette's own topics:
nothing is published twice for it. Pure functions; docs/homeassistant.md says which entity is for what.

Names of nodes and cameras are lower case, so the upper-case separator below makes every id unique.
"""

from collections.abc import Mapping

from agent.config.schema import Camera, Config
from agent.uplink.control.commands import PROFILES, SENSITIVITIES, setting_topic
from agent.uplink.homeassistant.entities import (
    diagnostic,
    group_sensor,
    incident_event,
    last_incident,
    measurement,
    on_if,
    presence,
    select,
    sound_sensors,
    source_lost,
    switch,
)
from agent.uplink.homeassistant.groups import GROUPS
from agent.uplink.messages.payload import Message
from agent.uplink.messages.topics import Topics

SUPPORT_URL = "https://www.home-assistant.io/integrations/mqtt"
BIRTH = b"online"


def status_topic(config: Config) -> str:
    """Return where Home Assistant says that it has started: its birth message."""
    return f"{config.homeassistant.discovery_prefix}/status"


def discovery(config: Config, *, version: str) -> dict[str, Message]:
    """Return the retained discovery messages by topic; none where it is switched off in the configuration."""
    if not config.homeassistant.enabled:
        return {}
    topics = Topics(config.broker.base_topic, config.node.name)
    devices = {_id(topics): _box(config, topics, version)}
    for name, camera in config.cameras.items():
        devices[_id(topics, name)] = _camera(config, name, camera, topics, version)
    prefix = config.homeassistant.discovery_prefix
    return {f"{prefix}/device/{device}/config": message for device, message in devices.items()}


def _id(topics: Topics, camera: str = "") -> str:
    return f"vedette_{topics.node}_CAM_{camera}" if camera else f"vedette_{topics.node}"


def _device(device: Message, parts: Mapping[str, Message], identifier: str, version: str) -> Message:
    """Return a discovery message; each part gets its unique id. A `qos` for all is accepted, but not handed down."""
    return {
        "device": {"identifiers": [identifier], "manufacturer": "Vedette", "sw_version": version, **device},
        "origin": {"name": "Vedette", "sw_version": version, "support_url": SUPPORT_URL},
        "components": {
            f"{identifier}_{key}": {**part, "qos": 1, "unique_id": f"{identifier}_{key}"} for key, part in parts.items()
        },
    }


def _online(topics: Topics) -> Message:
    """Return the availability of the box: `stopped` and `offline` are both unavailable."""
    template = "{{ 'online' if value == 'online' else 'offline' }}"
    return {"topic": topics.of_node("status"), "value_template": template}


def _box(config: Config, topics: Topics, version: str) -> Message:
    state = topics.of_node("state")
    parts: dict[str, Message] = {
        "problem": diagnostic("binary_sensor", "Problem", state, on_if("value_json.status == 'degraded'"))
        | {
            "device_class": "problem",
            "json_attributes_topic": state,
            "json_attributes_template": "{{ {'because': value_json.degraded_because} | tojson }}",
        },
        "waiting": diagnostic("sensor", "Messages waiting", state, "{{ value_json.outbox.depth }}")
        | {"state_class": "measurement", "icon": "mdi:tray-full"},
    }
    if config.control.enabled:
        parts["armed"] = switch(topics, "Armed", "armed") | {"icon": "mdi:shield"}
        parts["profile"] = select(topics, "Profile", "profile", PROFILES) | {"icon": "mdi:home-switch"}
        parts["sensitivity"] = select(topics, "Sensitivity", "sensitivity", SENSITIVITIES) | {
            "entity_category": "config"
        }
    available = {"availability": [_online(topics)]}
    parts = {key: part | available for key, part in parts.items()}
    return _device({"name": f"Vedette {topics.node}", "model": "box"}, parts, _id(topics), version)


def _camera(config: Config, name: str, camera: Camera, topics: Topics, version: str) -> Message:
    parts = {"incident": incident_event(topics, name), "last": last_incident(topics, name)}
    parts |= {group.key: group_sensor(group, topics, name) for group in GROUPS}
    parts["lost"] = source_lost(topics, name)
    parts |= presence(topics, name, camera)
    for line, drawn in camera.lines.items():
        for way in ("in", "out"):
            template = f"{{{{ value_json.lines['{line}'].{way}_total }}}}"
            parts[f"line_{line}_{way}"] = measurement(
                f"{drawn.name or line} {way}", topics.of_camera(name, "stats"), template
            ) | {
                "state_class": "total_increasing",
                "icon": "mdi:swap-horizontal",
            }
    if camera.sound != "none":
        parts |= sound_sensors(topics, name)
    if config.snapshots.enabled:
        parts["snapshot"] = {
            "platform": "image",
            "name": "Snapshot",
            "image_topic": topics.of_camera(name, "snapshot"),
            "content_type": "image/jpeg",
        }
    watching = {
        "topic": setting_topic(topics, "enabled", name),
        "payload_available": "on",
        "payload_not_available": "off",
    }
    both = {"availability": [_online(topics), watching], "availability_mode": "all"}
    parts = {key: part | both for key, part in parts.items()}
    if config.control.enabled:
        parts |= _camera_switches(topics, name, camera)
    device = {"name": camera.name or f"{topics.node} {name}", "model": "camera", "via_device": _id(topics)}
    return _device(device, parts, _id(topics, name), version)


def _camera_switches(topics: Topics, name: str, camera: Camera) -> dict[str, Message]:
    """Return the switches; they stay available while the camera is off, or nobody could switch it on."""
    parts = {
        "armed": switch(topics, "Armed", "armed", name) | {"icon": "mdi:shield"},
        "enabled": switch(topics, "Camera on", "enabled", name) | {"icon": "mdi:cctv"},
    }
    for zone, drawn in camera.zones.items():
        parts[f"zone_{zone}"] = switch(topics, f"Zone {drawn.name or zone}", "zone", name, zone) | {
            "icon": "mdi:vector-polygon",
            "entity_category": "config",
        }
    for line, its in camera.lines.items():
        # Not line_<line>: a line `door_in` would take the place of the counter `in` of a line `door`.
        parts[f"line_ON_{line}"] = switch(topics, f"Line {its.name or line}", "line", name, line) | {
            "icon": "mdi:vector-line",
            "entity_category": "config",
        }
    return {key: part | {"availability": [_online(topics)]} for key, part in parts.items()}
