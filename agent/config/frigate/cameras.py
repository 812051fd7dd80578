"""A whole file of Frigate's → cameras, broker and time zone, and in a line each what was left out."""

import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.config.fields import RESERVED_CAMERA_NAMES
from agent.config.frigate.streams import Stream, Streams, UnreadableError
from agent.config.frigate.words import called, is_off, missing, number, put_in, table, words
from agent.config.frigate.zones import Asked, asked_of, zones_of
from agent.config.names import named
from agent.errors import redacted

_CARRIED = {
    *("cameras", "go2rtc", "mqtt", "environment_vars", "version", "ui", "name", "friendly_name", "enabled"),
    *("ffmpeg", "detect", "objects", "zones", "review", "motion"),
}
_UDP = ("preset-rtsp-udp", "-rtsp_transport udp")
_DEVICES = ("vaapi", "qsv", "nvidia", "cuda")  # Frigate's others (Raspberry Pi, Jetson, Rockchip) reach no PyAV


@dataclass(slots=True, kw_only=True)
class ImportedCamera:
    """A camera: `values` as in the configuration, its zones, passwords by credential, and `notes`."""

    identifier: str
    values: dict[str, Any]
    zones: dict[str, dict[str, Any]]
    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    notes: list[str] = field(default_factory=list)
    own: bool = False  # by its address its stream is on this very machine
    lacks_password: bool = False  # for a variable of it is not known here


@dataclass(slots=True, kw_only=True)
class Imported:
    """What the file says: `cameras`, the broker's keys, the time zone, and `notes` on what is left out."""

    cameras: list[ImportedCamera] = field(default_factory=list)
    broker: dict[str, str] = field(default_factory=dict)
    broker_password: str = field(default="", repr=False)
    timezone: str = ""
    notes: list[str] = field(default_factory=list)


def imported(
    whole: dict[str, Any],
    *,
    environ: Mapping[str, str],
    known_labels: Collection[str],
    host: str = "",
    direct: bool = False,
) -> Imported:
    """Return what the tables of a Frigate configuration say; `environ` may hold its FRIGATE_… variables."""
    own = {key: value for key, value in table(whole, "environment_vars").items() if isinstance(value, str)}
    streams = Streams(go2rtc=table(whole, "go2rtc"), variables={**environ, **own}, host=host, direct=direct)
    result = Imported(timezone=str(table(whole, "ui").get("timezone") or ""))
    if result.timezone and result.timezone not in zoneinfo.available_timezones():
        result.notes.append(f"ui.timezone is left out: this machine knows no {result.timezone}")
        result.timezone = ""
    for key in table(whole, "cameras"):
        camera = table(whole, "cameras", key)
        try:
            one = _camera(key, camera, whole, streams, known_labels)
        except (UnreadableError, ValueError) as error:
            result.notes.append(f"camera {key} is left out: {redacted(str(error.args[0]))}")
            continue
        if any(one.identifier == other.identifier for other in result.cameras):
            result.notes.append(f"camera {key} is left out: another one would be {one.identifier}, too")
            continue
        result.cameras.append(one)
    _broker(table(whole, "mqtt"), streams.variables, result)
    places = [whole, *(table(whole, "cameras", key) for key in table(whole, "cameras"))]
    if any(table(place, "objects", "filters") for place in places):
        result.notes.append("object filters are left out: they are for Frigate's detector; zones have `min_score`")
    left = sorted({key for place in places for key, value in place.items() if key not in _CARRIED and value})
    if left:
        result.notes.append(f"of Frigate's own work, left out: {', '.join(left)}")
    return result


def _camera(
    key: str, camera: dict[str, Any], whole: dict[str, Any], streams: Streams, known_labels: Collection[str]
) -> ImportedCamera:
    """Return one camera. Raises UnreadableError or ValueError where it cannot be one of ours."""
    identifier, name = named(key, "camera")
    if identifier in RESERVED_CAMERA_NAMES:
        raise ValueError(f"{identifier} is a topic of Vedette; `vedette camera add` it by another name")
    inputs = {role: each for each in _inputs(camera) for role in words(each.get("roles"))}
    if "detect" not in inputs:
        raise ValueError("none of its inputs has the role detect")
    watched = streams.of(str(inputs["detect"].get("path") or ""))
    asked = asked_of(camera, whole)
    zones = zones_of(camera, asked, known_labels)
    title = called(camera.get("friendly_name"), name)
    read_by = _nearest("input_args", inputs["detect"], camera, whole)
    decoded_by = _nearest("hwaccel_args", inputs["detect"], camera, whole)
    decodes = any(device in decoded_by for device in _DEVICES)
    one = ImportedCamera(
        identifier=identifier,
        values={
            **({"name": title} if title else {}),
            "url": watched.url,
            **({"username": watched.username} if watched.username else {}),
            **({"transport": "udp"} if any(mark in read_by for mark in _UDP) else {}),
            **({"decoder": "auto"} if decodes and not streams.host else {}),
            **({"enabled": False} if is_off(camera.get("enabled")) else {}),
        },
        zones=zones.found,
        notes=zones.notes,
        own=watched.own,
        lacks_password=bool(watched.lacks),
    )
    _login(one, f"camera-{identifier}", watched)
    if decodes and streams.host:
        one.notes.append(
            f"Frigate decodes it by {decoded_by}, here the CPU does: `vedette config set analysis.decoder auto`"
        )
    if streams.direct and watched.restream:
        one.notes.append("Vedette reads none of its sources itself: Frigate's restream is taken")
    if watched.url.startswith(("rtsps:", "https:")):
        one.notes.append("Frigate believes any certificate, Vedette does not: `tls_ca_file` names one of its own")
    for role, put in (("record", _add_snapshots), ("audio", _add_sound)):
        path = inputs.get(role, inputs["detect"]).get("path")
        if path == inputs["detect"].get("path"):
            continue
        try:
            put(one, streams.of(str(path or "")), watched)
        except UnreadableError as error:
            one.notes.append(f"its {role} stream is left out: {error.args[0]}")
    one.notes += _further_notes(camera, whole, asked, one)
    return one


def _inputs(camera: dict[str, Any]) -> list[dict[str, Any]]:
    found = table(camera, "ffmpeg").get("inputs")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _nearest(key: str, its: dict[str, Any], camera: dict[str, Any], whole: dict[str, Any]) -> str:
    """Return what the nearest place that gives these arguments of FFmpeg says; empty where none does."""
    for place in (its, table(camera, "ffmpeg"), table(whole, "ffmpeg")):
        said = place.get(key)
        if said:
            return " ".join(map(str, said)) if isinstance(said, list) else str(said)
    return ""


def _login(one: ImportedCamera, credential: str, stream: Stream) -> None:
    if stream.password:
        one.credentials[credential] = stream.password
    if stream.lacks:
        one.notes.append(f"{stream.lacks} is not set here: `vedette config set-password {credential}` asks for it")
    if redacted(stream.url) != stream.url:
        one.notes.append("a password stands in its address and would stay in the configuration: a restream has none")


def _add_snapshots(one: ImportedCamera, main: Stream, watched: Stream) -> None:
    """Take snapshots from the stream that Frigate records, where one login opens both."""
    if main.lacks and not watched.lacks:
        one.notes.append(f"{main.lacks} is not set here: snapshots stay those of the detect stream")
    elif (main.username, main.password) != (watched.username, watched.password):
        one.notes.append("its record stream has another login: snapshots stay those of the detect stream")
    else:
        one.values["snapshot_url"] = main.url


def _add_sound(one: ImportedCamera, ear: Stream, watched: Stream) -> None:
    """Take the sound from the input with the role audio."""
    if ear.username and watched.username and ear.username != watched.username:
        one.notes.append("its audio stream has another user name: sound stays that of the detect stream")
        return
    one.values["sound"] = ear.url
    if ear.username:
        one.values["username"] = ear.username
    _login(one, f"sound-{one.identifier}", ear)


def _further_notes(camera: dict[str, Any], whole: dict[str, Any], asked: Asked, one: ImportedCamera) -> list[str]:
    notes = []
    if not any(zone["rules"] for zone in one.zones.values()):
        notes.append(
            f"Frigate alerts of {' and '.join(asked.alert_labels)} wherever they are; Vedette reports presence where a "
            "zone has a rule (`vedette zone add`)"
        )
    silent = [key for key, zone in one.zones.items() if not zone["rules"]]
    if silent:
        notes.append(f"only counted in, for no review requires it: {', '.join(silent)}")
    for entered in sorted({*asked.alerts, *asked.detections} - table(camera, "zones").keys()):
        notes.append(f"Frigate's review requires a zone {entered}, which this camera does not have")
    masks = _masks(camera, whole)
    if masks:
        notes.append(f"{masks} left out: a mask of Vedette's blackens the picture, Frigate's does not")
    return notes


def _masks(camera: dict[str, Any], whole: dict[str, Any]) -> str:
    """Return how many masks a camera has, in words; empty where it has none."""

    def count(place: dict[str, Any]) -> int:
        mask = place.get("mask")
        return len(mask) if isinstance(mask, dict | list) else bool(mask)

    objects = [table(place, "objects") for place in (camera, whole)]
    filters = [table(each) for place in objects for each in table(place, "filters").values()]
    counted = {
        "motion": sum(count(table(place, "motion")) for place in (camera, whole)),
        "object": sum(count(place) for place in (*objects, *filters)),
    }
    return " and ".join(f"{n} {kind} mask{'s' if n > 1 else ''}" for kind, n in counted.items() if n)


def _broker(mqtt: dict[str, Any], variables: Mapping[str, str], result: Imported) -> None:
    host, user, password = (put_in(str(mqtt.get(key) or ""), variables) for key in ("host", "user", "password"))
    if not host or is_off(mqtt.get("enabled")):
        return
    if missing(host + user):
        result.notes.append(f"the broker is left out: {missing(host + user)} is not set here")
        return
    tls = any(mqtt.get(key) for key in ("tls_ca_certs", "tls_client_cert", "tls_insecure"))
    port = int(number(mqtt.get("port"))) or 1883
    result.broker = {"url": f"{'mqtts' if tls else 'mqtt'}://{host}:{port}", **({"username": user} if user else {})}
    if missing(password):
        result.notes.append(f"{missing(password)} is not set here: `vedette config set-password` asks for the broker's")
    else:
        result.broker_password = password
    if tls:
        result.notes.append("the broker's certificates lie in Frigate's container: broker.ca_file names them here")
