"""Frigate's zones as zones of Vedette's: corners in fractions, who counts, and what is reported."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from agent.config.frigate.words import called, is_off, number, table, words
from agent.config.names import named

_ALERTS = ["person", "car"]  # review.alerts.labels of Frigate's own
_CARRIED = {"coordinates", "objects", "friendly_name", "loitering_time", "enabled", "enabled_in_config", "color"}
_MOST_CORNERS = 64
_LONGEST_S = 86_400.0
_SLACK = 1.01  # its editor writes 1.001 now and then


@dataclass(slots=True, kw_only=True)
class Asked:
    """What Frigate's review asks of zones at one camera: which must be entered, and which labels then count."""

    alerts: list[str]
    detections: list[str]
    alert_labels: list[str]
    tracked: list[str]
    size_px: tuple[float, float]  # of the picture that corners in pixels are meant in


@dataclass(slots=True, kw_only=True)
class Zones:
    """`found` by identifier, as values of the configuration; `notes`, a line each, on what could not be carried."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def asked_of(camera: dict[str, Any], whole: dict[str, Any]) -> Asked:
    """Return what the review of a camera asks; what the camera does not say, the whole file does."""

    def said(*keys: str) -> Any:
        for place in (camera, whole):
            value = table(place, *keys[:-1]).get(keys[-1])
            if value is not None:
                return value
        return None

    before_014 = words(said("record", "events", "required_zones"))
    return Asked(
        alerts=words(said("review", "alerts", "required_zones")) or before_014,
        detections=words(said("review", "detections", "required_zones")),
        alert_labels=words(said("review", "alerts", "labels")) or _ALERTS,
        tracked=words(said("objects", "track")) or ["person"],
        size_px=(number(said("detect", "width")), number(said("detect", "height"))),
    )


def zones_of(camera: dict[str, Any], asked: Asked, known_labels: Collection[str]) -> Zones:
    """Return the zones of a camera of Frigate's."""
    zones = Zones()
    for key, zone in table(camera, "zones").items():
        try:
            identifier, name = named(key, "zone")
            values = {"polygon": _corners(table(zone).get("coordinates"), asked.size_px)}
        except ValueError as error:
            zones.notes.append(f"zone {key} is left out: {error.args[0]}")
            continue
        labels = _labels(key, zone, asked)
        unknown = [label for label in labels if label not in known_labels]
        known = [label for label in labels if label in known_labels]
        if unknown:
            zones.notes.append(f"zone {key}: Vedette's detector knows no {', '.join(unknown)}")
        if not known:
            zones.notes.append(f"zone {key} is left out: nothing that counts there is known")
            continue
        title = called(zone.get("friendly_name"), name)
        zones.found[identifier] = {
            **({"name": title} if title else {}),
            **values,
            **_rules(key, zone, asked),
            **({"labels": known} if known != ["person"] else {}),
            **({"enabled": False} if is_off(zone.get("enabled")) else {}),
        }
        lost = sorted(name for name, value in zone.items() if name not in _CARRIED and value)
        if lost:
            zones.notes.append(f"zone {key}: {', '.join(lost)} not carried over")
    return zones


def _labels(key: str, zone: dict[str, Any], asked: Asked) -> list[str]:
    """Who counts: what the zone names or else is tracked, of that what an alert is for where the zone is for alerts."""
    labels = list(dict.fromkeys(words(zone.get("objects")) or asked.tracked))
    if key in asked.alerts and key not in asked.detections:
        return [label for label in labels if label in asked.alert_labels] or labels
    return labels


def _rules(key: str, zone: dict[str, Any], asked: Asked) -> dict[str, Any]:
    seconds = number(zone.get("loitering_time"))
    if seconds > 0:
        return {"rules": ["loitering"], "loitering_dwell_s": min(max(1.0, seconds), _LONGEST_S)}
    return {"rules": ["intrusion"] if key in (*asked.alerts, *asked.detections) else []}


def _corners(coordinates: Any, size_px: tuple[float, float]) -> list[list[float]]:
    """Return corners in fractions. Raises ValueError, which says why there are none."""
    try:
        flat = [float(part) for part in ",".join(words(coordinates)).split(",")]
    except ValueError:
        flat = [math.nan]
    if not all(map(math.isfinite, flat)):
        raise ValueError("its coordinates are no numbers")
    if len(flat) % 2 or not 6 <= len(flat) <= 2 * _MOST_CORNERS:
        raise ValueError(f"it has {len(flat)} coordinates, and a zone has 3 to {_MOST_CORNERS} corners")
    if max(flat) > _SLACK:
        if min(size_px) <= 0 or any(at > size_px[n % 2] * _SLACK for n, at in enumerate(flat)):
            raise ValueError("its corners are pixels of an unknown picture size; `vedette view` draws zones anew")
        flat = [at / size_px[n % 2] for n, at in enumerate(flat)]
    within = [round(min(1.0, max(0.0, at)), 4) for at in flat]
    return [list(corner) for corner in zip(within[::2], within[1::2], strict=True)]
