"""What the node says of itself on the retained state topic: cameras, models, outbox, broker, clock."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent import __version__
from agent.capture.state import SourceState
from agent.config.schema import Config
from agent.service import clock
from agent.service.channels import NewestFrames, SoundQueue
from agent.service.notify import status_line
from agent.service.senses import Senses
from agent.types import NS_PER_S, Heard, Seen
from agent.uplink.messages.payload import rfc3339
from agent.uplink.uplink import Uplink

STATE_SCHEMA = "vedette.state/1"
EVERY_NS = 30 * NS_PER_S
FPS_WINDOW_NS = 10 * NS_PER_S
SLOW_WRITE_MS = 1000.0  # a sound disk takes milliseconds, a memory card that tidies up tenths of a second


@dataclass(slots=True)
class _Modality:
    """How one modality of one camera is."""

    status: str = "opening"
    since_ns: int = 0
    reason: str | None = None
    why: str = ""


@dataclass(slots=True)
class _Counts:
    """What was analysed of one camera since `since_ns`."""

    since_ns: int = 0
    pictures: int = 0
    looked: int = 0
    level_dbfs: float | None = None


class Report:
    """Collects from every thread, publishes from the supervisor: at a change, and every half minute."""

    def __init__(
        self,
        config: Config,
        senses: Senses,
        uplink: Uplink,
        frames: NewestFrames,
        sound: SoundQueue,
        remarks: Callable[[], Sequence[str]] = tuple,
        *,
        drift: Callable[[str], Mapping[str, float | None]],
        reading: Callable[[str], Mapping[str, Any]],
    ) -> None:
        """`remarks` say what else is degraded now; `drift` how far each sense of a camera has drifted; `reading` how
        its pictures are read."""
        self._config = config
        self._senses = senses
        self._uplink = uplink
        self._frames = frames
        self._sound = sound
        self._remarks = remarks
        self._drift = drift
        self._reading = reading
        self._lock = threading.Lock()
        self._started_ns = clock.now_ns()
        self._published_ns: int | None = None
        self._changed = True
        self._was_degraded: list[str] = []
        watched = [name for name, camera in config.cameras.items() if camera.enabled]
        self._modalities: dict[str, dict[str, _Modality]] = {name: {} for name in watched}
        self._counts = {name: _Counts(since_ns=self._started_ns) for name in config.cameras}

    def watch(self, camera: str) -> None:
        """A camera is watched from now on."""
        with self._lock:
            self._modalities.setdefault(camera, {})
            self._changed = True

    def unwatch(self, camera: str) -> None:
        """A camera is switched off: nothing is to be said of it."""
        with self._lock:
            self._modalities.pop(camera, None)
            self._changed = True

    def current(self) -> dict[str, Any]:
        """Return the state as it is now, for one who asks."""
        degraded = self._degraded()
        with self._lock:
            return self._state(clock.now_ns(), degraded)

    def source_changed(self, state: SourceState) -> None:
        """Note a change of state of a source."""
        with self._lock:
            if state.camera not in self._modalities:  # the last word of one that was just switched off
                return
            for modality in state.modalities:
                self._modalities[state.camera][modality] = _Modality(
                    state.status, clock.now_ns(), state.blind_reason, state.why
                )
            self._changed = True

    def seen(self, seen: Seen) -> None:
        """Count an analysed picture."""
        with self._lock:
            self._counts[seen.camera].pictures += 1
            self._counts[seen.camera].looked += seen.detections is not None

    def heard(self, heard: Heard) -> None:
        """Note how loud it is."""
        with self._lock:
            self._counts[heard.camera].level_dbfs = round(heard.level_dbfs, 1)

    def status(self, camera: str, modality: str) -> str:
        """Return how one modality of a camera is: opening, running, lost (why), ended, or absent."""
        with self._lock:
            state = self._modalities.get(camera, {}).get(modality)
        return "absent" if state is None else _status(state)

    def all_ended(self) -> bool:
        """Tell whether there were sources and each has come to its own end."""
        with self._lock:
            states = [modality for camera in self._modalities.values() for modality in camera.values()]
        watched = all(self._modalities.values())
        return bool(states) and watched and all(state.status in ("ended", "absent") for state in states)

    def line(self) -> str:
        """Return how the node is, in one line for `systemctl status`."""
        with self._lock:
            cameras = {
                name: {modality: _status(state) for modality, state in states.items()}
                for name, states in self._modalities.items()
            }
        health = self._uplink.health()
        broker = "connected" if health.connected else f"not connected ({health.fault or 'trying'})"
        return status_line(cameras, broker=broker, waiting=self._uplink.outbox_state().depth, remarks=self._degraded())

    def publish(self, *, final: bool = False) -> None:
        """Publish the state if it changed, is old, or is the last one."""
        now_ns = clock.now_ns()
        degraded = self._degraded()
        with self._lock:
            old = self._published_ns is None or now_ns - self._published_ns >= EVERY_NS
            if not (final or old or self._changed or degraded != self._was_degraded):
                return
            self._changed = False
            self._was_degraded = degraded
            self._published_ns = now_ns
            state = self._state(now_ns, degraded)
        self._uplink.publish_state(state)

    def _degraded(self) -> list[str]:
        """Return what is not as it should be, each in words that do not change while it lasts."""
        outbox = self._uplink.outbox_state()
        said = [*self._remarks(), self._uplink.health().remark]
        said += [f"{name}: {model['reason']}" for name, model in self._senses.describe().items() if model["degraded"]]
        said += [f"outbox: {why}" for why in (outbox.why, outbox.remark) if why]
        if outbox.write_ms > SLOW_WRITE_MS:
            said.append(f"outbox: the disk is slow, a write takes longer than {SLOW_WRITE_MS / 1000:g} s")
        return [why for why in said if why]

    def _state(self, now_ns: int, degraded: list[str]) -> dict[str, Any]:
        health = self._uplink.health()
        return {
            "schema": STATE_SCHEMA,
            "node": self._config.node.name,
            "version": __version__,
            "at": rfc3339(now_ns + clock.wall_offset_ns()),
            "uptime_s": round((now_ns - self._started_ns) / NS_PER_S),
            "status": "degraded" if degraded else "ok",
            "degraded_because": degraded,
            "cameras": {name: self._camera(name, now_ns) for name in self._modalities},
            "dropped_sound_blocks": self._sound.dropped,
            "models": self._senses.describe(),
            "outbox": asdict(self._uplink.outbox_state()),
            "broker": {"protocol": health.protocol, "refused_topics": list(health.refused_topics)},
            "clock": "synchronised" if clock.synchronised() else "unsynchronised",
        }

    def _camera(self, name: str, now_ns: int) -> Mapping[str, Any]:
        counts = self._counts[name]
        seconds = max(1e-9, (now_ns - counts.since_ns) / NS_PER_S)
        said = {
            "name": self._config.called(name),
            "analysed_fps": round(counts.pictures / seconds, 2),
            "looked_at_fps": round(counts.looked / seconds, 2),
            "replaced_pictures": self._frames.replaced(name),
            "level_dbfs": counts.level_dbfs,
            "drift": dict(self._drift(name)),
            **self._reading(name),
        }
        if now_ns - counts.since_ns >= FPS_WINDOW_NS:
            self._counts[name] = _Counts(since_ns=now_ns, level_dbfs=counts.level_dbfs)
        return {modality: _said(state, now_ns) for modality, state in self._modalities[name].items()} | said


def _status(state: _Modality) -> str:
    return f"{state.status} ({state.reason})" if state.status == "lost" and state.reason else state.status


def _said(state: _Modality, now_ns: int) -> dict[str, Any]:
    since_s = round((now_ns - state.since_ns) / NS_PER_S)
    return {"status": state.status, "for_s": since_s, "reason": state.reason, "why": state.why}
