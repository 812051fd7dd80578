"""Exactly what leaves the box with a configuration: every topic that is published, what is in it, and to whom it goes.

`vedette doctor --privacy` prints it. A test runs the agent and finds nothing on the broker that is not listed here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from agent import __version__
from agent.config.schema import Camera, Config
from agent.service.remote import settings
from agent.service.sources import DEVICE_PREFIX
from agent.uplink.control.commands import command_topics, label_of, setting_topic
from agent.uplink.homeassistant.discovery import discovery, status_topic
from agent.uplink.messages.topics import Topics

Content = Literal["words and numbers", "picture"]

INCIDENT = "<incident>"  # stands for an incident's id in a topic
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """One topic, or one for each incident; `retained`: the broker keeps the newest."""

    topic: str
    content: Content
    what: str
    retained: bool = False

    def is_of(self, topic: str) -> bool:
        """Return whether `topic` is one of those described here."""
        return re.fullmatch(re.escape(self.topic).replace(re.escape(INCIDENT), "[^/]+"), topic) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What leaves the box (`leaving`), what is said of pictures and sound, and where the box connects to."""

    leaving: tuple[Leaving, ...]
    pictures: tuple[str, ...]
    sound: str
    goes_to: tuple[str, ...]
    listens_to: tuple[str, ...]


def privacy(config: Config) -> Privacy:
    """Return what leaves the box with `config`."""
    topics = Topics(config.broker.base_topic, config.node.name)
    return Privacy(
        leaving=tuple(_leaving(config, topics)),
        pictures=tuple(_pictures(config)),
        sound=_sound(config),
        goes_to=tuple(_goes_to(config)),
        listens_to=_listens_to(config, topics),
    )


def _leaving(config: Config, topics: Topics) -> Iterator[Leaving]:
    yield _words(topics.of_node("status"), "whether the agent runs", retained=True)
    state = "version, names of cameras, how they, models and their drift, outbox and clock are, sound levels"
    yield _words(topics.of_node("state"), state, retained=True)
    yield _words(topics.of_node("gap"), "which message numbers will never come, and why")
    yield _words(topics.of_node("check"), "an empty test message, while `vedette doctor` tries the broker")
    for name, camera in config.cameras.items():
        yield from _of_camera(config, topics, name, camera)
    if config.control.enabled:
        yield _words(topics.of_node("response"), "answers to who asks; also to the response topic that they choose")
    for setting in settings.every(config).values():
        topic = setting_topic(topics, setting.name, setting.camera, setting.place)
        yield _words(topic, f"how {label_of(setting)} is", retained=True)
    for topic in discovery(config, version=__version__):
        what = "names of box, cameras, zones and lines, for Home Assistant"
        yield _words(topic, what, retained=True)


def _of_camera(config: Config, topics: Topics, name: str, camera: Camera) -> Iterator[Leaving]:
    incident = "kind, time, name of the camera, sentence, scores, boxes in fractions of the picture, zones"
    yield _words(topics.of_camera(name, "incident"), incident)
    yield _words(topics.of_camera(name, "active"), "the open incidents, without evidence", retained=True)
    yield _words(
        topics.of_camera(name, "presence"), "how many people and things are there, and in which zone", retained=True
    )
    yield _words(topics.of_camera(name, "stats"), "counts of each minute: people, crossings, noise", retained=True)
    if camera.sound != "none":
        yield _words(topics.of_camera(name, "sound"), "level, background and up to three labels; no sound")
    if config.snapshots.enabled:
        what = "JPEG of an incident's moment, of its best view, or on request"
        yield Leaving(
            topic=topics.of_camera(name, "snapshot"), content="picture", what=what, retained=config.snapshots.retain
        )
        yield Leaving(topic=topics.snapshot(name, INCIDENT), content="picture", what="the same, for one incident")
    if _sends_films(config, name):
        sounding = " with sound" if config.clips.sound and camera.sound != "none" else ""
        what = f"MP4 of one incident{sounding}, when somebody asks"
        yield Leaving(topic=topics.clip(name, INCIDENT), content="picture", what=what)


def _sends_films(config: Config, camera: str) -> bool:
    return config.control.enabled and config.clips.send_max_bytes > 0 and config.clips_of(camera) != "off"


def _words(topic: str, what: str, *, retained: bool = False) -> Leaving:
    return Leaving(topic=topic, content="words and numbers", what=what, retained=retained)


def _sound(config: Config) -> str:
    if config.clips.sound and any(_sends_films(config, name) for name in config.cameras):
        return "Sound leaves the box in films, when somebody asks (clips.sound = true). Levels in dBFS and labels do."
    return "Sound never leaves the box: not as sound, not as a recording. Levels in dBFS and labels do."


def _films(config: Config) -> Iterator[str]:
    """Say what is kept, and whether it leaves."""
    kept = {name: of for name in config.cameras if (of := config.clips_of(name)) != "off"}
    if not kept:
        yield "No film is kept on the box (clips.keep = off)."
        return
    settings = config.clips
    of_what = ", ".join(f"{name} ({'every incident' if of == 'all' else of})" for name, of in kept.items())
    sounding = "with sound" if settings.sound else "without sound"
    yield (
        f"Films of incidents are kept on the box, {sounding}, for {settings.max_age_days:g} days at most: {of_what}. "
        "Masks and blurring hold in them as in pictures."
    )
    leave = any(_sends_films(config, name) for name in config.cameras)
    when = "when somebody asks" if leave else "never"
    yield f"They leave it {when} (clips.send_max_bytes = {settings.send_max_bytes})."


def _pictures(config: Config) -> Iterator[str]:
    yield from _films(config)
    if not config.snapshots.enabled:
        films = any(_sends_films(config, name) for name in config.cameras)
        yield f"No {'other ' if films else ''}picture leaves the box (snapshots.enabled = false)."
        return
    when = "when an incident opens or shows more, and when somebody asks (snapshots.enabled = true)"
    yield f"Pictures leave the box {when}, at most {config.snapshots.max_width_px} pixels wide."
    for name, camera in config.cameras.items():
        masks = ", ".join(camera.masks) or "none"
        yield f"{name}: masks blackened before anything sees the picture: {masks}"
    blurred = "People who are found are blurred" if config.privacy.blur_people else "People are not blurred"
    yield f"{blurred} (privacy.blur_people = {str(config.privacy.blur_people).lower()})."
    if config.snapshots.retain:
        yield "The broker keeps the newest picture of each camera (snapshots.retain = true)."


def _goes_to(config: Config) -> Iterator[str]:
    url = urlsplit(config.broker.url)
    host = url.hostname or ""
    secret = url.scheme == "mqtts" or host in _LOOPBACK
    how = "encrypted, its certificate verified" if url.scheme == "mqtts" else "not encrypted"
    how = f"{how}, this machine" if host in _LOOPBACK else how
    yield f"the broker {host}: everything above; {how}" + ("" if secret else " (write mqtts:// to encrypt)")
    if config.metrics.listen:
        where = f"http://{config.metrics.listen}/metrics"
        yield f"whoever asks {where}: counts and states of box and cameras; not encrypted"
    for name, camera in config.cameras.items():
        places = [camera.url, camera.snapshot_url, camera.sound]
        hosts = dict.fromkeys(place for place in (_host(one) for one in places) if place)
        for place in hosts:
            yield f"{place}: camera {name} is asked for its stream, with its login if it has one"


def _host(url: str) -> str:
    if "://" not in url or url.startswith((DEVICE_PREFIX, "lavfi:", "file:")):
        return ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _listens_to(config: Config, topics: Topics) -> tuple[str, ...]:
    wanted: tuple[str, ...] = (topics.of_node("state"),)  # whether another box uses our name
    wanted += command_topics(topics) if config.control.enabled else ()
    return (*wanted, status_topic(config)) if config.homeassistant.enabled else wanted
