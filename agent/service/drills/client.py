"""`vedette drill`: asks the running node for a drill, waits for it at the broker, and tells how far it came.

Node and subscriber are on one machine, so every stage is on the same monotonic clock.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config.schema import Config
from agent.errors import VedetteError
from agent.service.drills.plans import PLANS
from agent.service.remote.local_socket import ask
from agent.types import NS_PER_S
from agent.uplink.messages.topics import Topics
from agent.uplink.subscriber.subscriber import Subscriber

READY_S = 10.0
LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A stage: when it was reached, from the first picture or sound, and from the event in it; or why it was not."""

    stage: str
    at_s: float
    after_event_s: float
    fault: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """The report of a drill; `arrived` says that a subscriber received the incident, marked as a drill."""

    kind: str
    camera: str
    arrived: bool
    incident: str | None
    stages: tuple[Reached, ...]


def run_drill(
    config: Config,
    *,
    kind: str,
    camera: str,
    state_folder: Path,
    password: str | None,
    timeout_s: float,
    on_stage: Callable[[Reached], None],
) -> Drilled:
    """Drill and report. VedetteError: no node runs, or it refuses; UplinkError: the broker cannot be asked."""
    steps = ask(state_folder, kind, camera, timeout_s=timeout_s)
    log = _Log(kind, on_stage)
    topic = Topics(config.broker.base_topic, config.node.name).of_camera(camera, "incident")
    with Subscriber(config.broker, topics=(topic,), password=password, on_message=log.take) as subscriber:
        subscriber.wait_ready(READY_S)
        threading.Thread(target=log.follow, args=(steps,), name="drill steps", daemon=True).start()
        log.wait(time.monotonic() + timeout_s, timeout_s)
    return Drilled(
        kind=kind,
        camera=camera,
        arrived=log.arrived,
        incident=log.incident,
        stages=tuple(log.stages),
    )


class _Log:
    """What the node says of its stages, and what the subscriber receives, in the order of the stages."""

    def __init__(self, kind: str, on_stage: Callable[[Reached], None]) -> None:
        self._kind = kind
        self._on_stage = on_stage
        self._news: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._started_ns = time.monotonic_ns()
        self._event_ns: int | None = None
        self._received: dict[str, int] = {}  # incident → when
        self._hung_up = False
        self.incident: str | None = None
        self.arrived = False
        self.stages: list[Reached] = []

    def take(self, _: str, payload: bytes) -> None:
        """Take a message from the subscriber's thread."""
        try:
            message = json.loads(payload)
            fits = message["drill"] is True and message["phase"] == "open" and message["kind"] == self._kind
        except (ValueError, TypeError, KeyError):
            return
        if fits:
            self._news.put({"stage": "received", "at_ns": time.monotonic_ns(), "more": {"id": message["id"]}})

    def follow(self, steps: Iterator[dict[str, Any]]) -> None:
        """Take what the node says, on a thread of its own."""
        for step in steps:
            self._news.put(step)
        self._news.put(None)

    def wait(self, until_s: float, timeout_s: float) -> None:
        """Return when it arrived, or when it is plain that it will not. Raises VedetteError where the node refuses."""
        while time.monotonic() < until_s and not self._is_over():
            try:
                news = self._news.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if news is None:
                self._hung_up = True
            else:
                self._note(news)
        if not self.arrived and not any(reached.fault for reached in self.stages):
            self._give_up(timeout_s)

    def _is_over(self) -> bool:
        if any(reached.fault and reached.stage != "on disk" for reached in self.stages):
            return True
        told = {reached.stage for reached in self.stages}
        return (self.arrived and ("published" in told or self._hung_up)) or (self._hung_up and "published" not in told)

    def _note(self, news: dict[str, Any]) -> None:
        if "error" in news:
            raise VedetteError(news["error"], why=news["why"], cure=news["cure"])
        stage, at_ns, more = news["stage"], news["at_ns"], news["more"]
        if stage == "received":
            self._received[more["id"]] = at_ns
        elif stage == "injected" and not news["fault"]:
            self._started_ns, self._event_ns = at_ns, more["event_ns"]
        elif stage == "on disk":
            self.incident = more["id"]
        if stage != "received":
            self._reach(stage, at_ns, news["fault"], news["cure"])
        if self.incident in self._received and not self.arrived:
            self.arrived = True
            self._reach("received", self._received[self.incident])

    def _reach(self, stage: str, at_ns: int, fault: str = "", cure: str = "") -> None:
        event_ns = self._event_ns if self._event_ns is not None else at_ns
        reached = Reached(
            stage=stage,
            at_s=round((at_ns - self._started_ns) / NS_PER_S, 4),
            after_event_s=round((at_ns - event_ns) / NS_PER_S, 4),
            fault=fault,
            cure=cure,
        )
        self.stages.append(reached)
        self._on_stage(reached)

    def _give_up(self, timeout_s: float) -> None:
        """Say which stage was not reached, and what may help."""
        order = ["injected", "seen" if PLANS[self._kind].sense == "vision" else "heard", "opened", "on disk"]
        order += ["published", "received"]
        told = {reached.stage for reached in self.stages}
        missing = next(stage for stage in order if stage not in told)
        if missing == "received":
            fault = "the broker has acknowledged it, but does not hand it to this subscriber"
            cure = "Look at the broker's ACL: the user of broker.username must be allowed to read these topics."
        elif self._hung_up:
            fault, cure = "the agent ended the drill", "It was stopped, or failed: see its log."
        else:
            fault = f"not reached within {timeout_s:g} s"
            cure = "Give it longer with --timeout; `vedette doctor` looks at every stage by itself."
        self._reach(missing, time.monotonic_ns(), fault, cure)
