"""What the service talks to: what the scene decided goes in; everything due is on the disk when `raise_change` returns.

Here, and only here, wall time is attached. An incident keeps the wall time it was opened with, so that its
phases and evidence fit together whatever the clock does, except that a synchronised clock replaces one that
was not.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.config.schema import Config, Snapshots
from agent.types import NS_PER_S, Closed, Incident, IncidentChange, Uint8Array
from agent.uplink.evidence.pictures import EvidenceFolder
from agent.uplink.history import history
from agent.uplink.messages.jpeg import encode_jpeg
from agent.uplink.messages.payload import Message, active_message, encoded, incident_message, phase_of, rfc3339, uuid7
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.connection import Received, endpoint
from agent.uplink.mqtt.latest import Latest
from agent.uplink.mqtt.publisher import Health, MqttUplink
from agent.uplink.mqtt.refusals import Patience
from agent.uplink.mqtt.rivals import Rivals
from agent.uplink.outbox.batch import Batch, Limits, Moment, OutboxState
from agent.uplink.outbox.outbox import Outbox

DATABASE = "state.db"
REMEMBERED_IDS = 10_000  # ids of this run's incidents, for those that absorb others
_DAY_NS = 86_400 * NS_PER_S
_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _Clock:
    """Both clocks at once; whether wall time is right is what the service said last."""

    synchronised: bool = False

    def now(self) -> Moment:
        return Moment(wall_ns=time.time_ns(), synchronised=self.synchronised, monotonic_ns=time.monotonic_ns())


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said of an incident before."""

    incident_id: str
    wall_offset_ns: int
    synchronised: bool
    snapshot: str | None = None


@dataclass(slots=True)
class _Raised:
    """The incidents of this run."""

    known: dict[int, _Known] = field(default_factory=dict)  # by ordinal, the newest last
    open: dict[int, Message] = field(default_factory=dict)


class Uplink:
    """What the service talks to. `raise_change` from one thread, `run` on its own, the rest from any."""

    def __init__(
        self,
        *,
        topics: Topics,
        outbox: Outbox,
        mqtt: MqttUplink,
        snapshots: Snapshots,
        clock: _Clock,
        run_id: str = "",
        evidence: EvidenceFolder | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        keep_incidents: int = history.KEEP_INCIDENTS,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """`names`: what people call the cameras."""
        self.topics = self._topics = topics
        self._outbox = outbox
        self._mqtt = mqtt
        self._snapshots = snapshots
        self._clock = clock
        self._run_id = run_id
        self._evidence = evidence
        self._random_bytes = random_bytes
        self._keep_incidents = keep_incidents
        self._names = names or {}
        self._models: Mapping[str, str] = {}
        self._raised = _Raised()

    @classmethod
    def open(
        cls,
        config: Config,
        state_folder: Path,
        *,
        password: str | None = None,
        patience: Patience | None = None,
        keep_incidents: int = history.KEEP_INCIDENTS,
    ) -> "Uplink":
        """Open outbox and history in `state_folder`, and close what a crash left open.

        Raises StoreError where another Vedette has the folder, ConfigError for an unusable broker.url.
        """
        topics = Topics(config.broker.base_topic, config.node.name)
        place = endpoint(config.broker, password, client_id=f"vedette-{config.node.name}")
        clock = _Clock()
        run_id = os.urandom(8).hex()
        outbox = Outbox(
            state_folder / DATABASE,
            node=config.node.name,
            gap_topic=topics.of_node("gap"),
            limits=Limits(max_bytes=config.outbox.max_bytes, max_age_ns=round(config.outbox.max_age_days * _DAY_NS)),
            run=run_id,
            now=clock.now,
        )
        mqtt = MqttUplink(
            place,
            outbox,
            status_topic=topics.of_node("status"),
            run_id=run_id,
            rivals=Rivals(config.node.name, topics.of_node("state"), run_id),
            now=clock.now,
            random=random.random,
            patience=patience or Patience(),
        )
        uplink = cls(
            topics=topics,
            outbox=outbox,
            mqtt=mqtt,
            snapshots=config.snapshots,
            clock=clock,
            run_id=run_id,
            evidence=EvidenceFolder(state_folder),
            keep_incidents=keep_incidents,
            names={camera: config.called(camera) for camera in config.cameras},
        )
        uplink._close_what_was_left(config.cameras.keys())
        return uplink

    def describe_models(self, models: Mapping[str, str]) -> None:
        """From now on messages name these models: name → short sha256."""
        self._models = dict(models)

    def raise_change(
        self,
        change: IncidentChange,
        *,
        wall_offset_ns: int,
        clock_synchronised: bool,
        picture: Uint8Array | None = None,
        clip: str | None = None,
    ) -> str:
        """Keep everything due for `change` in one transaction and return the incident's id.

        `wall_offset_ns` is wall time minus the scene's time now; `picture` is uint8 [height, width, 3] RGB of
        the moment, sent before the message if snapshots are on; `clip` is what the message calls the film.
        """
        self._clock.synchronised = clock_synchronised
        incident = change.incident
        known = self._known(incident, wall_offset_ns, clock_synchronised)
        jpeg = self._jpeg(picture)
        if jpeg is not None:
            known = replace(known, snapshot=self._topics.snapshot(incident.camera, known.incident_id))
        message = self._outbox.write(lambda batch: self._write(batch, change, known, jpeg, clip))
        self._remember(change, known, message)
        if jpeg is not None and self._evidence is not None:  # a better view replaces the one before
            self._evidence.keep(known.incident_id, jpeg)
        if jpeg is not None and not incident.drill:  # a drill's picture is none of the camera
            self._publish_newest(incident.camera, jpeg)
        for camera in incident.cameras:
            self._publish_active(camera)
        return known.incident_id

    def show(self, incident: Incident, picture: Uint8Array) -> None:
        """Send a better picture of an incident that was raised before, uint8 [height, width, 3] RGB, to its topic."""
        known, jpeg = self._raised.known.get(incident.ordinal), self._jpeg(picture)
        if known is None or jpeg is None:
            return
        known = replace(known, snapshot=self._topics.snapshot(incident.camera, known.incident_id))
        self._raised.known[incident.ordinal] = known
        moment = replace(self._clock.now(), synchronised=known.synchronised)
        self._outbox.write(lambda batch: _put_snapshot(batch, incident, "update", known, jpeg, moment))
        self._publish_newest(incident.camera, jpeg)

    def publish_state(self, state: Mapping[str, Any]) -> None:
        """Replace the retained state of the node; only the newest matters, so it is not kept on the disk."""
        content = encoded({**state, "run": self._run_id})  # by which two boxes of one name know each other
        self._mqtt.publish_latest(Latest(self._topics.of_node("state"), content, retain=True))

    def say(self, latest: Latest) -> None:
        """Replace the content of a topic, of which only the newest matters."""
        self._mqtt.publish_latest(latest)

    def is_said(self, topic: str) -> bool:
        """Return whether the broker has the newest content of `topic`."""
        return self._mqtt.is_said(topic)

    def answer(self, answer: Answer) -> None:
        """Send this once, if there is a connection."""
        self._mqtt.answer(answer)

    def listen(self, topics: tuple[str, ...], take: Callable[[Received], None]) -> None:
        """Before `run`: have what comes on `topics` handed to `take`, which must be brief."""
        self._mqtt.listen(topics, take)

    def say_picture(self, camera: str, picture: Uint8Array) -> str | None:
        """Publish a picture (uint8 [height, width, 3] RGB) of now; return its topic, None where snapshots are off."""
        jpeg = self._jpeg(picture)
        if jpeg is None:
            return None
        return self._publish_newest(camera, jpeg)

    def mark(self, incident_id: str, *, verdict: bool) -> bool:
        """Keep a person's verdict in the history; return False for an incident that is not in it."""
        at = rfc3339(self._clock.now().wall_ns)
        return self._outbox.write(lambda batch: history.mark(batch.db, incident_id, verdict=verdict, at=at))

    def camera_of(self, incident_id: str) -> str | None:
        """Return the camera of an incident, None for one that is not in the history."""
        return self._outbox.write(lambda batch: history.camera_of(batch.db, incident_id))

    def health(self) -> Health:
        """Return how the connection to the broker is."""
        return self._mqtt.health()

    def is_delivered(self, incident_id: str) -> bool:
        """Return whether the broker has acknowledged everything that was raised of an incident so far."""
        return not self._outbox.waits(incident_id)

    def outbox_state(self) -> OutboxState:
        """Return what waits to be delivered, and whether the disk takes it."""
        return self._outbox.state()

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set."""
        self._mqtt.run(stop)

    def close(self) -> None:
        """Close the database; what was not delivered is delivered by the next run."""
        self._outbox.close()

    # -- inside -------------------------------------------------------------------------------------------

    def _known(self, incident: Incident, wall_offset_ns: int, synchronised: bool) -> _Known:
        known = self._raised.known.get(incident.ordinal)
        if known is None:
            unix_ms = (incident.started_ns + wall_offset_ns) // _NS_PER_MS
            return _Known(uuid7(max(0, unix_ms), self._random_bytes(10)), wall_offset_ns, synchronised)
        if synchronised and not known.synchronised:
            return replace(known, wall_offset_ns=wall_offset_ns, synchronised=True)
        return known

    def _jpeg(self, picture: Uint8Array | None) -> bytes | None:
        if picture is None or not self._snapshots.enabled:
            return None
        settings = self._snapshots
        return encode_jpeg(picture, quality=settings.quality, max_width_px=settings.max_width_px)

    def _write(
        self, batch: Batch, change: IncidentChange, known: _Known, jpeg: bytes | None, clip: str | None
    ) -> Message:
        """Snapshot, message, history: in this order, all or nothing. May run twice."""
        incident = change.incident
        moment = replace(
            self._clock.now(), wall_ns=incident.at_ns + known.wall_offset_ns, synchronised=known.synchronised
        )
        if jpeg is not None:
            _put_snapshot(batch, incident, phase_of(change), known, jpeg, moment)
        ids = self._raised.known
        message = incident_message(
            change,
            incident_id=known.incident_id,
            seq=batch.take_seq(),
            node=self._topics.node,
            wall_offset_ns=known.wall_offset_ns,
            clock_synchronised=known.synchronised,
            models=self._models,
            absorbed_ids=[ids[ordinal].incident_id for ordinal in incident.absorbs if ordinal in ids],
            camera_name=self._names.get(incident.camera, ""),
            snapshot=known.snapshot,
            clip=clip,
        )
        self._put_message(batch, message, moment, known.wall_offset_ns)
        return message

    def _put_message(self, batch: Batch, message: Message, moment: Moment, wall_offset_ns: int) -> None:
        batch.put(
            seq=message["seq"],
            chain=message["id"],
            role="incident",
            phase=message["phase"],
            severity=message["severity"],
            topic=self._topics.of_camera(message["camera"], "incident"),
            payload=encoded(message),
            moment=moment,
        )
        history.record(batch.db, message, wall_offset_ns=wall_offset_ns)
        if message["seq"] % max(1, self._keep_incidents // 50) == 0:  # a run may last for months
            history.forget_oldest(batch.db, self._keep_incidents)

    def _remember(self, change: IncidentChange, known: _Known, message: Message) -> None:
        raised, ordinal = self._raised, change.incident.ordinal
        raised.known[ordinal] = known
        if len(raised.known) > REMEMBERED_IDS:
            raised.known.pop(next(key for key in raised.known if key not in raised.open))
        if isinstance(change, Closed):
            raised.open.pop(ordinal, None)
        else:
            raised.open[ordinal] = message

    def _publish_newest(self, camera: str, jpeg: bytes) -> str:
        newest = self._topics.of_camera(camera, "snapshot")
        self._mqtt.publish_latest(Latest(newest, jpeg, self._snapshots.retain, "image/jpeg"))
        return newest

    def _publish_active(self, camera: str) -> None:
        messages = [message for message in self._raised.open.values() if camera in message["cameras"]]
        wall_ns = self._clock.now().wall_ns
        name = self._names.get(camera, "")
        active = active_message(camera, messages, camera_name=name, at_wall_ns=wall_ns, node=self._topics.node)
        self._mqtt.publish_latest(Latest(self._topics.of_camera(camera, "active"), encoded(active), retain=True))

    def _close_what_was_left(self, cameras: Any) -> None:
        """Close what a crash or a loss of power left open, and tell the truth about every camera."""
        left = self._outbox.write(self._close_left_open)
        for camera in {*cameras, *(camera for message in left for camera in message["cameras"])}:
            self._publish_active(camera)

    def _close_left_open(self, batch: Batch) -> list[Message]:
        left = history.unclosed(batch.db)
        for message, wall_offset_ns in left:
            # It ended when it was last heard of: nobody watched after that.
            closing = message | {
                "seq": batch.take_seq(),
                "phase": "close",
                "escalated": False,
                "ended_at": message["at"],
                "close_reason": "stopped",
                "delayed": True,
            }
            self._put_message(batch, closing, self._clock.now(), wall_offset_ns)
        history.forget_oldest(batch.db, self._keep_incidents)
        return [message for message, _ in left]


def _put_snapshot(batch: Batch, incident: Incident, phase: str, known: _Known, jpeg: bytes, moment: Moment) -> None:
    assert known.snapshot is not None
    batch.put(
        seq=None,
        chain=known.incident_id,
        role="snapshot",
        phase=phase,
        severity=incident.severity,
        topic=known.snapshot,
        payload=jpeg,
        moment=moment,
    )
