"""The entities of Home Assistant that a box and its cameras consist of, each as a part of a discovery message.

Pure functions; the templates are Home Assistant's (Jinja) and read the payloads of Vedette's own topics.
"""

from collections.abc import Collection

from agent.config.schema import Camera
from agent.kinds import KINDS
from agent.uplink.control.commands import Name, setting_topic
from agent.uplink.homeassistant.groups import Group
from agent.uplink.messages.payload import Message
from agent.uplink.messages.topics import Topics

MAX_STATE_CHARACTERS = 255  # Home Assistant's limit of a state


def incident_event(topics: Topics, name: str) -> Message:
    """Return the event entity: it fires for each incident when it opens, and again where it becomes severer."""
    told = ("id", "camera_name", "severity", "summary", "confidence", "zones", "delayed", "drill", "snapshot")
    attributes = ", ".join(f"'{key}': value_json.{key}" for key in told)
    fired = "{{ {'event_type': value_json.kind, " + attributes + "} | tojson }}"
    return {
        "platform": "event",
        "name": "Incident",
        "state_topic": topics.of_camera(name, "incident"),
        "event_types": list(KINDS),
        "value_template": "{% if value_json.phase == 'open' or value_json.escalated %}" + fired + "{% endif %}",
        "icon": "mdi:alert-decagram",
    }


def last_incident(topics: Topics, name: str) -> Message:
    """Return the sensor that follows the newest message; `clip` is there when an incident is over."""
    attributes = ", ".join(f"'{key}': value_json.{key}" for key in ("id", "kind", "severity", "phase", "clip"))
    return {
        "platform": "sensor",
        "name": "Last incident",
        "state_topic": topics.of_camera(name, "incident"),
        "value_template": f"{{{{ value_json.summary[:{MAX_STATE_CHARACTERS}] }}}}",
        "json_attributes_topic": topics.of_camera(name, "incident"),
        "json_attributes_template": "{{ {" + attributes + "} | tojson }}",
        "icon": "mdi:text-box-outline",
    }


def group_sensor(group: Group, topics: Topics, name: str) -> Message:
    """Return a binary sensor that is on while an incident of the group is open; a drill rings no siren."""
    of_group = f"selectattr('kind', 'in', {_list(group.kinds)})"
    if group.sure:
        of_group += " | selectattr('severity', 'eq', 'critical')"
    return {
        "platform": "binary_sensor",
        "name": group.name,
        "device_class": group.device_class,
        "state_topic": topics.of_camera(name, "active"),
        "value_template": on_if(f"value_json.incidents | {of_group} | rejectattr('drill') | list | count > 0"),
    }


def source_lost(topics: Topics, name: str) -> Message:
    """Return the binary sensor that is on while picture or sound is lost, armed or not."""
    camera = f"value_json.cameras.get('{name}', {{}})"
    lost = " or ".join(f"{camera}.get('{sense}', {{}}).get('status') == 'lost'" for sense in ("vision", "sound"))
    return diagnostic("binary_sensor", "Source lost", topics.of_node("state"), on_if(lost)) | {
        "device_class": "problem"
    }


def presence(topics: Topics, name: str, camera: Camera) -> dict[str, Message]:
    """Return who is there now: a count, and occupancy of the picture and of each zone; unknown while blind."""
    topic = topics.of_camera(name, "presence")
    people = "{{ None if value_json.things is none else value_json.things.get('person', 0) }}"
    somebody = "None if value_json.things is none else 'ON' if value_json.things.get('person') else 'OFF'"
    parts: dict[str, Message] = {
        "people": measurement("People", topic, people) | {"icon": "mdi:account-group"},
        "person": _occupancy("Person", topic, somebody)
        | {
            "json_attributes_topic": topic,
            "json_attributes_template": "{{ {'things': value_json.things, 'zones': value_json.zones} | tojson }}",
        },
    }
    for zone, its in camera.zones.items():
        # A zone that was drawn a moment ago may be missing in what the broker keeps.
        inside = f"(value_json.zones or {{}}).get('{zone}')"
        occupied = f"None if {inside} is none else 'ON' if {inside} else 'OFF'"
        parts[f"inside_{zone}"] = _occupancy(f"{its.name or zone} occupied", topic, occupied)
    return parts


def _occupancy(name: str, topic: str, template: str) -> Message:
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": "occupancy",
        "state_topic": topic,
        "value_template": "{{ " + template + " }}",
    }


def sound_sensors(topics: Topics, name: str) -> dict[str, Message]:
    """Return the sensors of the sound level and of what is heard."""
    topic = topics.of_camera(name, "sound")
    level = measurement("Sound level", topic, "{{ value_json.level_dbfs }}")
    heard = "{{ value_json.labels[0].label if value_json.labels else 'nothing' }}"
    return {
        # No device class: sound_pressure is in dB of pressure, and no microphone here is calibrated to that.
        "level": level | {"unit_of_measurement": "dBFS", "suggested_display_precision": 0, "icon": "mdi:waveform"},
        "heard": {
            "platform": "sensor",
            "name": "Heard",
            "state_topic": topic,
            "value_template": heard,
            "icon": "mdi:ear-hearing",
        },
    }


def measurement(name: str, topic: str, template: str) -> Message:
    """Return a sensor of a number that Home Assistant keeps statistics of."""
    return {
        "platform": "sensor",
        "name": name,
        "state_topic": topic,
        "value_template": template,
        "state_class": "measurement",
    }


def diagnostic(platform: str, name: str, topic: str, template: str) -> Message:
    """Return an entity that Home Assistant shows under the diagnostics of its device."""
    return {
        "platform": platform,
        "name": name,
        "state_topic": topic,
        "value_template": template,
        "entity_category": "diagnostic",
    }


def switch(topics: Topics, title: str, name: Name, camera: str = "", place: str = "") -> Message:
    """Return a switch of a setting of the box, or of a camera (its zone or line: `place`)."""
    levels = f"set/{name}/{place}" if place else f"set/{name}"
    return {
        "platform": "switch",
        "name": title,
        "command_topic": topics.of_camera(camera, levels) if camera else topics.of_node(levels),
        "state_topic": setting_topic(topics, name, camera, place),
        "payload_on": "on",
        "payload_off": "off",
    }


def select(topics: Topics, title: str, name: Name, options: Collection[str]) -> Message:
    """Return a choice among the values of a setting of the box."""
    return {
        "platform": "select",
        "name": title,
        "command_topic": topics.of_node(f"set/{name}"),
        "state_topic": setting_topic(topics, name),
        "options": list(options),
    }


def on_if(condition: str) -> str:
    """Return the template of a binary sensor that is on where the Jinja `condition` holds."""
    return "{{ 'ON' if " + condition + " else 'OFF' }}"


def _list(words: Collection[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"
