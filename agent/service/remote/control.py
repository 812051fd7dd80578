"""Obeys what is set and asked over MQTT, on a thread of its own, and says how everything is set.

The uplink hands messages in (`take`), which costs it nothing; `run` understands, applies and answers them one after
the other. What touches the scene is done by the judge between two observations (`Errands`).
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from agent.config.schema import Config
from agent.errors import VedetteError
from agent.scene import Policy
from agent.service import clock
from agent.service.errands import Errands
from agent.service.remote import settings, timed_settings
from agent.service.remote.retained import Board, Retained
from agent.service.telemetry.loglimit import LogLimit
from agent.types import NS_PER_S, Uint8Array
from agent.uplink.control.commands import (
    Command,
    CommandError,
    Places,
    Request,
    Setting,
    command_topics,
    label_of,
    setting_text,
    setting_topic,
)
from agent.uplink.control.parsing import parse_command
from agent.uplink.control.replies import MAX_TOPIC, reply_to, response
from agent.uplink.evidence.clips import FILM_TYPE, film_of
from agent.uplink.homeassistant.discovery import BIRTH, discovery, status_topic
from agent.uplink.messages.payload import encoded
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.connection import Received
from agent.uplink.mqtt.latest import Latest

WAITING_MOST = 100  # messages; whoever sends more is not heard
TAKE_S = 0.2

_LOG = logging.getLogger(__name__)


class Uplink(Board, Protocol):
    """The part of the uplink that is needed here."""

    def answer(self, answer: Answer) -> None:
        """Send this once."""

    def mark(self, incident_id: str, *, verdict: bool) -> bool:
        """Keep a person's verdict; return False for an incident that is not known."""

    def camera_of(self, incident_id: str) -> str | None:
        """Return the camera of an incident, None for one that is not known."""

    def say_picture(self, camera: str, picture: Uint8Array) -> str | None:
        """Publish a picture; return its topic, None where snapshots are off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeActions:
    """What the control can have the running node do."""

    adopt: Callable[[Policy], None]
    switch: Callable[[str, bool], None]  # a camera on or off
    picture: Callable[[str], Uint8Array | None]  # the newest one that may leave the box
    status: Callable[[], Mapping[str, Any]]
    drill: Callable[[str, str], None]  # kind, camera: begin one; VedetteError where it cannot be
    wall_ns: Callable[[], int]


class Control:
    """`take` from the uplink's thread, `run` on its own; the settings are those of the state folder at the start."""

    def __init__(self, config: Config, folder: Path, uplink: Uplink, actions: NodeActions, *, version: str) -> None:
        self._config = config
        self._folder = folder
        self._uplink = uplink
        self._actions = actions
        self._topics = Topics(config.broker.base_topic, config.node.name)
        self._cameras = {
            name: Places(zone=frozenset(camera.zones), line=frozenset(camera.lines))
            for name, camera in config.cameras.items()
        }
        self._settings: Mapping[str, settings.Value] = settings.load(folder, config)
        self._timed = settings.load_timed(
            folder, self._settings, config, now_s=_now_s(), wall_ns=self._actions.wall_ns()
        )
        for path, ended in timed_settings.due(self._timed, _now_s()).items():  # while nobody ran
            self._settings = settings.with_value(self._settings, path, ended.then)
            self._timed = timed_settings.without(self._timed, path)
        self._local = Errands()  # what the local socket asks for
        self._discovery = {
            topic: Latest(topic, encoded(message), retain=True)
            for topic, message in discovery(config, version=version).items()
        }
        self._retained = Retained(folder, uplink)
        self._waiting: queue.Queue[Received] = queue.Queue(WAITING_MOST)
        self._dropped = 0  # written by the uplink's thread only
        self._dropped_told = 0
        self._logged = LogLimit(_LOG, "commands over MQTT, not logged one by one,")

    @property
    def config(self) -> Config:
        """The configuration with what was set over it."""
        return settings.laid_over(self._config, self._settings)

    @property
    def policy(self) -> Policy:
        """The policy with what was set over it."""
        return settings.policy(self._config, self._settings)

    @property
    def topics(self) -> tuple[str, ...]:
        """What the uplink should listen to."""
        wanted = command_topics(self._topics) if self._config.control.enabled else ()
        return (*wanted, status_topic(self._config)) if self._config.homeassistant.enabled else wanted

    def take(self, received: Received) -> None:
        """Take a message for later; more than can be obeyed are dropped, which is logged now and then."""
        try:
            self._waiting.put_nowait(received)
        except queue.Full:
            self._dropped += 1

    def run(self, stop: threading.Event) -> None:
        """Say how everything is set, then obey until `stop` is set."""
        self.begin()
        while not stop.is_set():
            self._local.run()
            self.tend()
            try:
                self.obey(self._waiting.get(timeout=TAKE_S))
            except queue.Empty:
                self._retained.tend()
                self._logged.tend(_now_s())

    def tend(self) -> None:
        """Put back what was to hold for a while that is over."""
        for path, ended in timed_settings.due(self._timed, _now_s()).items():
            setting = replace(settings.every(self._config)[path], value=ended.then)
            try:
                result = self._set(setting)
            except CommandError as error:  # the analysis is busy: at the next round
                self._log(logging.WARNING, "%s is not yet as before: %s", path, error.what)
                continue
            self._log(logging.INFO, "the while of %s is over, it is %s again", path, result["value"])

    def describe(self) -> dict[str, Any]:
        """Return how the node is and how everything is set; from any thread."""
        set_now, for_a_while, configured = self._settings, self._timed, settings.every(self._config)
        shown = settings.every(settings.laid_over(self._config, set_now))
        found = [
            {
                "setting": path,
                "value": setting_text(_known(set_now.get(path, shown[path].value))),
                "configured": setting_text(_known(setting.value)),
                "until": for_a_while[path].until if path in for_a_while else None,
            }
            for path, setting in configured.items()
        ]
        return {"state": dict(self._actions.status()), "settings": found}

    def set(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Set what the topic `…/set/…` of this path would; from any thread. Raises CommandError."""
        camera, _, rest = path.partition("/") if "/" in path else ("", "", path)
        topic = self._topics.of_camera(camera, f"set/{rest}") if camera else self._topics.of_node(f"set/{rest}")
        received = Received(topic=topic, payload=encoded(dict(payload)), qos=1, retain=False)

        def work() -> dict[str, Any]:
            command = parse_command(received, self._topics, self._cameras, self._actions.wall_ns())
            result: dict[str, Any] = self._carry_out(command)
            self._log(logging.INFO, "on this machine: %s %s", label_of(command), result)
            return result

        return self._local.ask(work)

    def begin(self) -> None:
        """Say how everything is set and what there is; take back what is no more."""
        said = dict(self._discovery)
        for setting in settings.every(self._config).values():
            latest = self._setting_message(setting)
            said[latest.topic] = latest
        pictures = self._config.snapshots.enabled and self._config.snapshots.retain
        kept = ("active", "presence", "stats", *(("snapshot",) if pictures else ()))
        per_camera = [self._topics.of_camera(name, what) for name in self._config.cameras for what in kept]
        self._retained.begin(said, per_camera)

    def obey(self, received: Received) -> None:
        """Do what one message wants, and answer it."""
        if received.topic == status_topic(self._config):
            if received.payload == BIRTH:
                self._publish_discovery()
            return
        command: Command | None = None
        reason, result = "", None
        try:
            command = parse_command(received, self._topics, self._cameras, self._actions.wall_ns())
            result = self._carry_out(command)
            outcome = f" {result}" if isinstance(command, Setting) else ""
            self._log(logging.INFO, "over MQTT: %s%s", label_of(command), outcome)
        except CommandError as error:
            reason = error.what
            self._log(logging.WARNING, "refused over MQTT, %s: %s", ascii(received.topic[:MAX_TOPIC]), reason)
        message = response(
            received,
            node=self._topics.node,
            at_wall_ns=self._actions.wall_ns(),
            command=command,
            reason=reason,
            result=result,
        )
        closed = (f"{self._config.homeassistant.discovery_prefix}/",)
        self._uplink.answer(reply_to(received, message, self._topics, closed))

    def _log(self, level: int, text: str, *values: object) -> None:
        """Log what came of a command; whoever sends for ever does not fill the log."""
        self._logged.write(_now_s(), level, text, *values)
        dropped = self._dropped
        if dropped > self._dropped_told:
            count, self._dropped_told = dropped - self._dropped_told, dropped
            told = "more than %d commands waited: %d were dropped"
            self._logged.write(_now_s(), logging.WARNING, told, WAITING_MOST, count)

    def _publish_discovery(self) -> None:
        """Home Assistant has started: it may have missed what there is, and how it is."""
        for latest in self._discovery.values():
            self._uplink.say(latest)

    def _setting_message(self, setting: Setting) -> Latest:
        path = settings.path_of(setting)
        value = self._settings.get(path, settings.every(self.config)[path].value)
        topic = setting_topic(self._topics, setting.name, setting.camera, setting.place)
        return Latest(topic, setting_text(_known(value)).encode(), retain=True, content_type="text/plain")

    def _carry_out(self, command: Command) -> Any:
        if isinstance(command, Setting):
            return self._set(command)
        if command.action == "status":
            return dict(self._actions.status())
        if command.action == "snapshot":
            return {"topic": self._snapshot(command.camera)}
        if command.action == "clip":
            return self._clip(command.incident)
        if command.action == "verdict":
            return self._mark(command)
        return self._drill(command)

    def _set(self, setting: Setting) -> dict[str, Any]:
        """Apply, keep and tell a setting: first what closes incidents, then what stops or starts a camera."""
        path = settings.path_of(setting)
        wanted = settings.changed(self._settings, setting)
        for_a_while = timed_settings.without(self._timed, path)
        if setting.for_s is not None:
            for_a_while = timed_settings.begun(
                self._timed,
                path,
                self._settings.get(path),
                for_s=setting.for_s,
                now_s=_now_s(),
                wall_ns=self._actions.wall_ns(),
            )
        self._actions.adopt(settings.policy(self._config, wanted))
        before, self._settings, after = self.config, wanted, settings.laid_over(self._config, wanted)
        if setting.camera and before.cameras[setting.camera].enabled != after.cameras[setting.camera].enabled:
            self._actions.switch(setting.camera, after.cameras[setting.camera].enabled)
        self._timed = for_a_while
        lost = settings.keep(self._settings, self._folder, self._timed)
        latest = self._setting_message(setting)
        self._uplink.say(latest)
        if setting.name == "profile":  # which may bring another sensitivity with it
            self._uplink.say(self._setting_message(Setting(name="sensitivity", value=None)))
        result = {"value": latest.payload.decode(), "kept": not lost}
        return result | {"until": self._timed[path].until} if path in self._timed else result

    def _snapshot(self, camera: str) -> str:
        if not self._config.snapshots.enabled:
            raise CommandError("snapshots are off on this box (snapshots.enabled)")
        if not self.config.cameras[camera].enabled:
            raise CommandError(f"camera {camera} is off")
        picture = self._actions.picture(camera)
        topic = None if picture is None else self._uplink.say_picture(camera, picture)
        if topic is None:
            raise CommandError(f"there is no picture of camera {camera} yet")
        return topic

    def _clip(self, incident_id: str) -> dict[str, Any]:
        """Send the film of an incident, once, to its own topic; the answer names that."""
        most_bytes = self._config.clips.send_max_bytes
        if not most_bytes:
            raise CommandError("films do not leave this box (clips.send_max_bytes)")
        camera = self._uplink.camera_of(incident_id)
        if camera is None:
            raise CommandError(f"incident {incident_id} is not in the history of this box")
        film = film_of(self._folder, incident_id)
        if film is None:
            raise CommandError(f"there is no film of incident {incident_id}: not yet, not any more, or none was kept")
        if len(film) > most_bytes:
            raise CommandError(f"the film has {len(film)} bytes, {most_bytes} are allowed (clips.send_max_bytes)")
        topic = self._topics.clip(camera, incident_id)
        self._uplink.answer(Answer(topic=topic, payload=film, content_type=FILM_TYPE))
        return {"topic": topic, "bytes": len(film)}

    def _drill(self, request: Request) -> dict[str, Any]:
        """Begin a drill; its incident, marked as one, is the rest of the answer."""
        try:
            self._actions.drill(request.kind, request.camera)
        except VedetteError as error:
            raise CommandError(error.line()) from error
        return {"kind": request.kind, "camera": request.camera}

    def _mark(self, request: Request) -> dict[str, Any]:
        if not self._uplink.mark(request.incident, verdict=request.verdict):
            raise CommandError(f"incident {request.incident} is not in the history of this box")
        return {"incident": request.incident, "verdict": request.verdict}


def _known(value: settings.Value | None) -> settings.Value:
    return value if value is not None else ""


def _now_s() -> float:
    return clock.now_ns() / NS_PER_S
