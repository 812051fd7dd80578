"""What one camera costs: milliseconds per stage, cameras per core, memory, measured on the real pipeline.

Every picture is analysed, as if something moved all the time; what a still scene costs is worked out from
the same figures, with the detector running once per `still_look_s`.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files

import psutil

from agent.capture.source import Media, SourceSpec, open_media
from agent.config.schema import Config
from agent.features.flow import FlowCells
from agent.features.gait import Gait
from agent.features.letterbox import letterbox, to_tensor
from agent.features.motion import Motion
from agent.features.picture import MotionGate, Prepared, picture_stats
from agent.inference.burning import BurningLooks
from agent.inference.closer import CloserLooks
from agent.inference.hearing import HearingModel
from agent.inference.see import people_of
from agent.inference.sunken import SunkenLooks
from agent.inference.vision import VisionModel
from agent.scene import Policy, Scene
from agent.scene.normality import Normality
from agent.service.senses import Senses
from agent.types import NS_PER_S, Burning, Figure, Frame, Heard, Seen, SoundBlock

DEFAULT_CLIP = "fire.mp4"
_DETECTOR = ("letterbox", "vision", "boxes", "closer looks", "motion")
_MODELS = ("vision", "log-mel and hearing", "fusion")
_WARM_RUNS = 3

Clock = Callable[[], "Moment"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Two clocks at once: what a person waits for, and what the process computes (all its threads)."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> "Moment":
        """Read both clocks now: wall time and processor time of this process, in seconds."""
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, earlier: "Moment") -> "Moment":
        return Moment(self.wall_s - earlier.wall_s, self.cpu_s - earlier.cpu_s)


@dataclass(slots=True)
class Stages:
    """What each run of each stage took, in the order in which stages first ran."""

    clock: Clock
    runs: dict[str, list[Moment]] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure one run of `stage`, within a `with` block."""
        start = self.clock()
        yield
        self.add(stage, self.clock() - start)

    def add(self, stage: str, took: Moment) -> None:
        """Note one run that was measured elsewhere."""
        self.runs.setdefault(stage, []).append(took)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """One stage: how often it ran, how long one waits for it, and what it computes per second of camera."""

    stage: str
    runs: int
    p50_ms: float
    p95_ms: float
    cpu_ms_per_media_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What the bench found.

    `pictures_per_s`: what of `analysis_fps` the source gave. `models_ms_per_s`: what the three graphs take for a second
    of one camera at `analysis_fps`, log-mel included, from their medians.
    """

    source: str
    media_s: float
    pictures: int
    analysis_fps: float
    stages: tuple[StageCost, ...]
    models_ms_per_s: float
    core_moving_frac: float
    core_still_frac: float
    picture_latency_p50_ms: float
    picture_latency_p95_ms: float
    memory_mb: float
    places: Mapping[str, str]

    @property
    def pictures_per_s(self) -> float:
        """Pictures analysed per second of the source."""
        return self.pictures / self.media_s

    @property
    def cameras_per_core_moving(self) -> float:
        """Cameras that one core carries while everything moves everywhere."""
        return 1.0 / self.core_moving_frac if self.core_moving_frac else 0.0

    @property
    def cameras_per_core_still(self) -> float:
        """Cameras that one core carries while nothing moves."""
        return 1.0 / self.core_still_frac if self.core_still_frac else 0.0


def bench(config: Config, *, source: str | None, clock: Clock = Moment.now) -> Bill:
    """Run `source` (None: a clip that came with Vedette) through every stage as fast as it goes.

    Errors: SourceError, ModelError.
    """
    senses = Senses.load(config)
    stages = Stages(clock)
    with ExitStack() as stack:
        url = source or str(stack.enter_context(as_file(files("agent.service") / "clips" / DEFAULT_CLIP)))
        media = stack.enter_context(open_media(_spec(url, config)))
        run = _Run(config, senses, stages)
        run.warm()
        for item, waited in _paced_by_us(media, clock):
            run.take(item, waited)
        run.finish()
    return _bill(run, source or DEFAULT_CLIP, _places(senses))


class _Run:
    """One pass of a source through the stages, each timed on its own."""

    def __init__(self, config: Config, senses: Senses, stages: Stages) -> None:
        self.config, self.stages = config, stages
        self.latencies_ms: list[float] = []
        self.end_ns = 0
        self._vision: VisionModel = senses.vision
        self._hearing: HearingModel = senses.hearing
        self._listener = senses.listener()
        learned = Normality() if config.normality.enabled else None
        self._scene = Scene(Policy.of(config), normality=lambda _: learned)
        self._gate = MotionGate(still_look_s=config.analysis.still_look_s)
        self._closer = CloserLooks(senses.vision, config.analysis.closer_looks_per_s)
        self._sunken = SunkenLooks(senses.vision) if config.analysis.closer_looks_per_s > 0.0 else None
        self._burning = BurningLooks(senses.vision, closely=config.analysis.closer_looks_per_s > 0.0)
        self._motion = Motion()
        self._flow = FlowCells() if config.normality.enabled else None
        self._gait = Gait() if config.normality.enabled else None
        self._fuse = senses.fuse
        self._previous: Prepared | None = None

    def warm(self) -> None:
        """Let caches and thread pools settle before anything is measured."""
        size_px = self._vision.export_for(self.config.analysis.width_px, self.config.analysis.height_px)
        for _ in range(_WARM_RUNS):
            self._vision.open(size_px)
            self._hearing.silence()

    def take(self, item: Frame | SoundBlock, waited: Moment) -> None:
        """Run one item through its stages; `waited` is what capture took to make it."""
        self.end_ns = max(self.end_ns, item.at_ns)
        if isinstance(item, SoundBlock):
            self.stages.add("sound decode", waited)
            self._hear(item)
            return
        self.stages.add("decode and scale", waited)
        start = self.stages.clock()
        self._see(item)
        self.latencies_ms.append(((self.stages.clock() - start).wall_s + waited.wall_s) * 1e3)

    def finish(self) -> None:
        """Judge what is left in the sound buffer at the end of the recording."""
        for heard in self._listener.finish():
            self._step(heard)

    def _see(self, frame: Frame) -> None:
        with self.stages.timed("statistics and gate"):
            picture = Prepared.of(frame.picture)
            stats = picture_stats(picture, self._previous)
            self._gate.opens(picture, stats, frame.at_ns)
            self._previous = picture
            self._closer.note(picture.grey, frame.at_ns)
        with self.stages.timed("letterbox"):
            canvas, fit = letterbox(frame.picture, *self._vision.export_for(*frame.picture.shape[1::-1]))
            tensor = to_tensor(canvas)
        with self.stages.timed("vision"):
            outputs = self._vision.run(tensor)
        with self.stages.timed("boxes"):
            sight = self._vision.sight(outputs, fit)
        corners, closer = self._closer.choose(frame, sight.detections), None
        if corners is not None:
            with self.stages.timed("closer looks"):
                closer = self._closer.look(frame, corners, sight.detections)
        low, sunken = self._sunken.choose(frame, sight.detections) if self._sunken else None, None
        if self._sunken is not None and low is not None:
            with self.stages.timed("closer looks"):
                sunken = self._sunken.look(frame, low)
        hot, burning = self._burning.choose(frame, sight), Burning(whole=sight.judged) if sight.judged else None
        if hot is not None:
            with self.stages.timed("closer looks"):
                burning = self._burning.look(frame, sight, hot)
        with self.stages.timed("motion"):
            motion = self._motion.see(frame.picture, frame.at_ns, people_of(sight.detections))
        flow = None
        if self._flow is not None:
            with self.stages.timed("flow"):
                flow = self._flow.see(frame.picture, frame.at_ns)
        figures: tuple[Figure, ...] = ()
        if self._gait is not None:
            with self.stages.timed("gait"):
                figures = self._gait.see(frame.picture, frame.at_ns)
        self._step(
            Seen(
                camera=frame.camera, at_ns=frame.at_ns, aspect_ratio=frame.width_px / frame.height_px, stats=stats,
                detections=sight.detections, scene=sight.scene, embedding=sight.embedding, motion=motion, flow=flow,
                closer=closer, sunken=sunken, burning=burning, figures=figures,
            )
        )  # fmt: skip

    def _hear(self, block: SoundBlock) -> None:
        start = self.stages.clock()
        for heard in self._listener.hear(block):
            self.stages.add("log-mel and hearing", self.stages.clock() - start)
            self._step(heard)
            start = self.stages.clock()

    def _step(self, observation: Seen | Heard) -> None:
        with self.stages.timed("scene"):
            self._scene.step(observation)
        for window in self._scene.windows():
            if self._fuse is None:
                continue
            with self.stages.timed("fusion"):
                fused = self._fuse(window)
            with self.stages.timed("scene"):
                self._scene.step(fused)


def _spec(url: str, config: Config) -> SourceSpec:
    return SourceSpec(
        camera="bench",
        url=url,
        width_px=config.analysis.width_px,
        height_px=config.analysis.height_px,
        analysis_fps=config.analysis.fps,
    )


def _paced_by_us(media: Media, clock: Clock) -> Iterator[tuple[Frame | SoundBlock, Moment]]:
    """Items with what reading each took: demultiplexing, decoding, scaling, skipped pictures too."""
    start = clock()
    for item in media.read():
        yield item, clock() - start
        start = clock()


def _bill(run: _Run, source: str, places: Mapping[str, str]) -> Bill:
    media_s = max(run.end_ns / NS_PER_S, 1.0 / run.config.analysis.fps)
    stages = tuple(_cost(name, runs, media_s) for name, runs in run.stages.runs.items())
    detector_ms_per_s = sum(cost.cpu_ms_per_media_s for cost in stages if cost.stage in _DETECTOR)
    total_ms_per_s = sum(cost.cpu_ms_per_media_s for cost in stages)
    looks_frac = min(1.0, 1.0 / (run.config.analysis.still_look_s * run.config.analysis.fps))
    latencies_ms = run.latencies_ms or [0.0]
    return Bill(
        source=source,
        media_s=media_s,
        pictures=len(run.latencies_ms),
        analysis_fps=run.config.analysis.fps,
        stages=stages,
        models_ms_per_s=_models_ms_per_s(stages, run.config.analysis.fps, media_s),
        core_moving_frac=total_ms_per_s / 1e3,
        core_still_frac=(total_ms_per_s - detector_ms_per_s * (1.0 - looks_frac)) / 1e3,
        picture_latency_p50_ms=statistics.median(latencies_ms),
        picture_latency_p95_ms=_p95(latencies_ms),
        memory_mb=psutil.Process().memory_info().rss / 1e6,
        places=places,
    )


def _models_ms_per_s(stages: Sequence[StageCost], fps: float, media_s: float) -> float:
    """The medians, because the process computes other things beside a graph, such as the next picture."""
    per_s = {cost.stage: cost.runs / media_s for cost in stages} | {"vision": fps}
    return sum(cost.p50_ms * per_s[cost.stage] for cost in stages if cost.stage in _MODELS)


def _cost(stage: str, runs: list[Moment], media_s: float) -> StageCost:
    waits_ms = [took.wall_s * 1e3 for took in runs]
    return StageCost(
        stage=stage,
        runs=len(runs),
        p50_ms=statistics.median(waits_ms),
        p95_ms=_p95(waits_ms),
        cpu_ms_per_media_s=sum(took.cpu_s for took in runs) * 1e3 / media_s,
    )


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def _places(senses: Senses) -> dict[str, str]:
    return {chosen.file: str(chosen.place) for model in senses.models for chosen in model.chosen}
