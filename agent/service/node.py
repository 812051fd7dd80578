"""The live agent: sources, see, hear, judge and uplink as threads, supervised, stopped in the order of flow."""

import faulthandler
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent import __version__
from agent.capture.live import LiveSource, Microphone, SourceState
from agent.config.schema import Config
from agent.errors import WorkerError
from agent.scene import Policy, Scene, unlearned
from agent.service import clock
from agent.service.cameras import Cameras
from agent.service.channels import Lossless, NewestFrames, SoundQueue
from agent.service.compiled_graphs import CompiledGraphs
from agent.service.drills.drill import DrillContext, Drills
from agent.service.evidence.incident_clips import Clips
from agent.service.evidence.snapshots import Snapshots
from agent.service.judge import Judge
from agent.service.late import Late
from agent.service.normality_files import NormalityFiles
from agent.service.notify import Heartbeat, Progress
from agent.service.options import Options
from agent.service.overload import OverloadControl
from agent.service.overload_cure import cure_of
from agent.service.recordings.journal import Journal
from agent.service.remote.control import Control, NodeActions
from agent.service.remote.local_socket import LocalSocket
from agent.service.senses import Senses
from agent.service.sensing import Sensing
from agent.service.sources import Feeds, blinds_of, live_sources
from agent.service.telemetry.drift_watch import DriftWatch, bases
from agent.service.telemetry.measures import Measures
from agent.service.telemetry.metrics import Metrics
from agent.service.telemetry.report import Report
from agent.service.telemetry.tallies import Tallies
from agent.service.workers import Workers
from agent.types import (
    NS_PER_S,
    Blind,
    Observation,
    SoundBlock,
)
from agent.uplink.uplink import Uplink

STOP_STEP_S = 1.2
TEND_EVERY_S = 0.5
SEE_NICE, CLIPS_NICE = 5, 10
"""Who hears and who judges goes first; then who sees, as who captures (`Cameras`); films have time."""
_MODALITIES: tuple[Literal["vision", "sound"], ...] = ("vision", "sound")

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Channels:
    frames: NewestFrames = field(default_factory=NewestFrames)
    sound: SoundQueue = field(default_factory=SoundQueue)
    observations: Lossless[Observation] = field(default_factory=lambda: Lossless("the judge's queue"))


class Node:
    """One running agent. `run` returns after `stop` is set and everything raised is on disk or delivered."""

    def __init__(self, config: Config, options: Options) -> None:
        self._config = config
        self._options = options
        self._channels = _Channels()
        self._compiled = CompiledGraphs(options.state_folder)
        self._senses = Senses.load(config, compiled=self._compiled, state_folder=options.state_folder)
        self._uplink = Uplink.open(config, options.state_folder, password=options.credentials("broker"))
        self._uplink.describe_models(self._senses.model_versions())
        self._control = Control(config, options.state_folder, self._uplink, self._actions(), version=__version__)
        self._uplink.listen(self._control.topics, self._control.take)
        self._normality = NormalityFiles(options.state_folder)
        for unknown in self._senses.unknown_labels():
            _LOG.warning("%s", unknown)
        self._load = OverloadControl(_clock_s(), can_shrink=self._senses.can_shrink, cure=self._cure)
        self._late = Late()
        self._measures = Measures()
        self._clips = Clips(config, options.state_folder, clock.now_ns, clock.wall_once_set())
        self._drift = DriftWatch(options.state_folder, bases(config.cameras, self._senses.speakers()))
        self._report = Report(
            self._control.config,
            self._senses,
            self._uplink,
            self._channels.frames,
            self._channels.sound,
            remarks=self._remarks,
            drift=self._drift.figures,
            reading=lambda camera: self._cameras.reading_of(camera),  # noqa: PLW0108 - they are made later
        )
        self._metrics = (
            Metrics(config, self._measures, self._report.current, self._uplink) if config.metrics.listen else None
        )
        self._progress = Progress(("see", "hear", "judge"), _clock_s, options.stuck_after_s)
        self._snapshots = Snapshots(config, options.credentials, clock.now_ns)
        self._cameras = Cameras(self._open_sources, _clock_s, STOP_STEP_S)
        self._drills = Drills(self._drill_context())
        self._sensing = self._build_sensing()
        self._ending = threading.Event()
        self._journal = Journal(options.record_folder, options.config_toml) if options.record_folder else None
        if options.record_folder and config.normality.enabled:
            self._normality.copy_to(options.record_folder, config.cameras)
        if self._journal:
            self._journal.adopted(self._control.policy)  # what was set before lies over the configuration
        self._judge = self._build_judge()

    def _remarks(self) -> list[str]:
        """Return what is not as it should be, beside what the report sees for itself."""
        return [
            *([self._options.config_fault] if self._options.config_fault else ()),
            *self._senses.unknown_labels(),
            *self._load.reasons(),
            *self._cameras.remarks(),
            *self._clips.remarks(),
            *self._late.remarks(self._judge.scene.dropped, clock.now_ns()),
            *(self._metrics.remarks() if self._metrics else ()),
            *([f"recording: {self._journal.fault}"] if self._journal and self._journal.fault else ()),
        ]

    def _cure(self, pictures_per_s: float) -> str:
        """Return what could be done about an overload of this box."""
        sources = {name: self._cameras.picture_of(name) for name in self._control.config.cameras}
        infos = {name: source.info for name, source in sources.items() if source is not None}
        return cure_of(self._config, infos, pictures_per_s)

    def _drill_context(self) -> DrillContext:
        return DrillContext(
            config=self._config,
            policy=lambda: self._control.policy,
            seer=self._senses.seer,
            listener=self._senses.listener,
            fuse=self._senses.fuse,
            put_frame=self._channels.frames.put,
            put_sound=self._channels.sound.put,
            put_observation=self._channels.observations.put,
            source_status=self._report.status,
            uplink=self._uplink,
        )

    def _build_sensing(self) -> Sensing:
        return Sensing(
            with_flow=self._config.normality.enabled,
            frames=self._channels.frames,
            sound=self._channels.sound,
            tell=self._channels.observations.put,
            senses=self._senses,
            source_of=self._cameras.picture_of,
            snapshots=self._snapshots,
            clips=self._clips,
            report=self._report,
            measures=self._measures,
            drift=self._drift,
            drills=self._drills,
            load=self._load,
            beat=self._progress.beat,
            clock_s=_clock_s,
            witness=self._options.witness,
        )

    def _build_judge(self) -> Judge:
        config, fuse = self._config, self._senses.fuse
        scene = Scene(
            self._control.policy,
            wall_offset_ns=clock.wall_offset_ns(),
            normality=self._normality.known if config.normality.enabled else unlearned,
        )
        tallies = Tallies(
            config,
            topics=self._uplink.topics,
            say=self._uplink.say,
            once=self._uplink.answer,
            wall_offset_ns=clock.wall_offset_ns,
        )
        return Judge(
            scene=scene,
            observations=self._channels.observations,
            fuse=None if fuse is None else self._measures.timed("fuse", fuse),
            uplink=self._uplink,
            drills=self._drills,
            snapshots=self._snapshots,
            clips=self._clips,
            tallies=tallies,
            measures=self._measures,
            normality=self._normality,
            cameras={camera: config.called(camera) for camera in config.cameras},
            beat=self._progress.beat,
            clock_s=_clock_s,
            journal=self._journal,
            witness=self._options.witness,
        )

    def models_line(self) -> str:
        """Return in one line where each model runs."""
        described = self._senses.describe()
        return "; ".join(f"{name} {model['precision']} on {model['place']}" for name, model in described.items())

    def state(self) -> dict[str, Any]:
        """Return the state as it is published, as it is now; from any thread."""
        return self._report.current()

    def _details_for_this_machine(self) -> dict[str, Any]:
        """Return what who asks on this machine is told beside the state that goes to the broker."""
        return {
            "broker_fault": self._uplink.health().why,
            "stuck": list(self._progress.stuck()),
            "names": {camera: self._config.called(camera) for camera in self._config.cameras},
        }

    def adopt(self, policy: Policy) -> None:
        """Go by `policy` from the next observation on; from any thread. Raises CommandError while nothing is judged."""
        self._judge.adopt(policy)

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set (by a signal handler or because every source has ended)."""
        workers = self._workers()
        workers.start()
        for name, camera in self._control.config.cameras.items():
            if camera.enabled:
                self._cameras.start(name)
        self._options.notifier.ready(self._report.line())
        try:
            self._supervise(workers, stop)
        finally:
            self._options.notifier.stopping()
            stop.set()
            self._ending.set()
            self._stop_in_order(workers)

    def _workers(self) -> Workers:
        workers = Workers(_clock_s, STOP_STEP_S)
        workers.add("uplink", self._uplink.run)
        workers.add("judge", self._judge.run)
        workers.add("see", self._sensing.see, nice=SEE_NICE)
        workers.add("hear", self._sensing.hear)
        workers.add("control", self._control.run)
        listening = LocalSocket(self._options.state_folder, self._drills, self._control, self._details_for_this_machine)
        workers.add("local socket", listening.serve)
        workers.add("local drills", listening.drill)
        workers.add("normality", self._normality.run)
        workers.add("drift", self._drift.run)
        workers.add("clips", self._clips.run, nice=CLIPS_NICE)
        if self._metrics is not None:
            workers.add("metrics", self._metrics.run)
        return workers

    def _stop_in_order(self, workers: Workers) -> None:
        """End what commands the agent, what feeds the judge, the judge, what writes, and the uplink last."""
        workers.tell_to_stop("local socket", "local drills", *(("metrics",) if self._metrics is not None else ()))
        workers.end("control")
        workers.end("local socket", "local drills")
        for name in self._cameras.end():
            _LOG.warning("worker %s did not stop in %.1f s", name, STOP_STEP_S)
        workers.end("see", "hear")
        workers.end("judge")
        self._judge.offer_normality()
        workers.tell_to_stop("normality", "drift")  # all write what they have at the same time: a stop is to be short
        workers.end("clips")
        workers.end("normality", "drift")
        self._compiled.seal()  # with what was opened since: a smaller export under load
        self._report.publish(final=True)
        workers.end("uplink")
        self._uplink.close()
        if self._journal:
            self._journal.close()

    def _open_sources(self, name: str) -> Mapping[str, LiveSource | Microphone]:
        feeds = Feeds(on_frame=self._channels.frames.put, on_sound=self._on_sound, on_state=self._on_source_state)
        camera = self._config.cameras[name]
        return live_sources(name, camera, self._config.analysis, self._options.credentials, feeds)

    def _actions(self) -> NodeActions:
        """What may be moved over MQTT; whatever touches the scene is an errand of the judge."""
        return NodeActions(
            adopt=self.adopt,
            switch=self._switch,
            picture=lambda camera: self._judge.picture(camera),  # noqa: PLW0108 - the judge is made later
            drill=lambda kind, camera: self._drills.start(kind, camera, self._ending),
            status=lambda: self._report.current(),  # noqa: PLW0108 - the report is made later
            wall_ns=_wall_ns,
        )

    def _switch(self, camera: str, on: bool) -> None:
        """Begin or end to watch a camera; one that is off is neither lost nor dark."""
        if on:
            self._sensing.forget(camera)
            self._report.watch(camera)
            self._cameras.start(camera)
            return
        if not self._cameras.stop(camera):
            _LOG.warning("camera %s did not stop in %.1f s", camera, STOP_STEP_S)
        self._report.unwatch(camera)
        self._clips.forget(camera)
        for modality in _MODALITIES:
            self._channels.observations.put(
                Blind(camera=camera, at_ns=clock.now_ns(), modality=modality, reason="ended")
            )

    def _supervise(self, workers: Workers, stop: threading.Event) -> None:
        heartbeat = Heartbeat(self._options.notifier, self._progress, _clock_s)
        while not stop.wait(TEND_EVERY_S):
            workers.tend()
            self._cameras.tend()
            self._report.publish()
            heartbeat.tend(self._report.line)
            if hopeless := heartbeat.hopeless(self._options.give_up_after_s):
                raise _no_progress_error(hopeless)
            if self._report.all_ended():
                _LOG.info("every source has ended")
                return

    def _on_sound(self, block: SoundBlock) -> None:
        if self._options.witness is not None:
            self._options.witness.sound(block)
        self._clips.sound(block)
        self._channels.sound.put(block)

    def _on_source_state(self, state: SourceState) -> None:
        self._report.source_changed(state)
        for blind in blinds_of(state, clock.now_ns()):
            self._channels.observations.put(blind)


def _no_progress_error(stuck: tuple[str, ...]) -> WorkerError:
    """Tell the log where every thread stands, as systemd's watchdog has it do, and return what ends the agent."""
    faulthandler.dump_traceback(all_threads=True)
    return WorkerError(
        f"no progress of {' and '.join(stuck)} for a minute",
        why="it hangs; the lines above say where",
        cure="Start it again, or let the service or the container do so; `vedette doctor` looks for the reason.",
    )


def _wall_ns() -> int:
    return clock.now_ns() + clock.wall_offset_ns()


def _clock_s() -> float:
    return clock.now_ns() / NS_PER_S
