"""How many cameras this box carries: a whole agent with so many at once, for some seconds, at the speed of life.

Every camera plays the same source, or in turn the clips that came with Vedette, in which people move all the time:
what stands still costs a third. There is no broker; everything else is as in `vedette run`.
"""

import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from agent.capture.source import SourceSpec, open_media
from agent.config.schema import Broker, Camera, Config
from agent.scene import Scene
from agent.service import clock
from agent.service.demo import SCENES
from agent.service.node import Node
from agent.service.options import LatestPicture, Options
from agent.types import Frame, IncidentChange, Observation, Seen, SoundBlock

SETTLE_S = 15.0
"""Before anything counts: sources open, and what is too much for the box shows."""
OPENING_S = 60.0
NOWHERE = Broker(url="mqtt://127.0.0.1:1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What so many cameras cost and get. Cores are of processor time a second; latency is from the moment that was
    filmed until the scene has judged it."""

    cameras: int
    seconds: float
    analysis_fps: float
    least_fps: float
    most_fps: float
    looked_at_fps: float
    cores: float
    latency_p50_ms: float
    latency_p95_ms: float
    dropped_sound_blocks: int
    overload: tuple[str, ...]


class Watcher:
    """Counts what the scene took of each camera, and how old it was, while `counting`."""

    def __init__(self, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self.counting = False
        self.judged: Counter[str] = Counter()
        self.looked = 0
        self.latencies_ms: list[float] = []
        self._now_ns = now_ns
        self.cameras: set[str] = set()

    def frame(self, frame: Frame, latest_picture: LatestPicture) -> None:
        """Nothing is counted before it is judged."""

    def sound(self, block: SoundBlock) -> None:
        """Of sound only what is lost is told."""

    def stepped(self, scene: Scene, observation: Observation, changes: tuple[IncidentChange, ...]) -> None:
        """A picture was judged."""
        if not isinstance(observation, Seen):
            return
        self.cameras.add(observation.camera)
        if self.counting:
            self.judged[observation.camera] += 1
            self.looked += observation.detections is not None
            self.latencies_ms.append((self._now_ns() - observation.at_ns) / 1e6)


def bench_cameras(config: Config, *, cameras: int, sources: Sequence[str], seconds: float) -> Load:
    """Watch `cameras` for `seconds`, after some to settle; they play `sources` in turn, or the clips that came along.

    Errors: SourceError, ModelError.
    """
    for source in dict.fromkeys(sources):
        open_media(SourceSpec(camera="bench", url=source)).close()  # one that cannot be opened would only be lost
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vedette-bench-")))
        clips = stack.enter_context(as_file(files("agent.service") / "clips"))
        urls = list(sources) or [str(clips / clip) for clip, _ in SCENES.values()]
        watched = {f"camera-{number + 1}": Camera(url=urls[number % len(urls)], loop=True) for number in range(cameras)}
        config = config.model_copy(update={"cameras": watched, "broker": NOWHERE})
        watcher = Watcher()
        node = Node(config, Options(credentials=lambda _: None, state_folder=state, witness=watcher))
        stop = threading.Event()
        running = threading.Thread(target=node.run, args=(stop,), name="node", daemon=True)
        running.start()
        try:
            return _measured(node, watcher, cameras, config.analysis.fps, seconds)
        finally:
            stop.set()
            running.join()


def _measured(node: Node, watcher: Watcher, cameras: int, fps: float, seconds: float) -> Load:
    deadline_s = time.monotonic() + OPENING_S
    while len(watcher.cameras) < cameras and time.monotonic() < deadline_s:
        time.sleep(0.1)
    time.sleep(SETTLE_S)
    watcher.counting = True
    began_s, cpu_s = time.monotonic(), time.process_time()
    time.sleep(seconds)
    watcher.counting = False
    elapsed_s, spent_s = time.monotonic() - began_s, time.process_time() - cpu_s
    state = node.state()
    latencies_ms = sorted(watcher.latencies_ms) or [0.0]
    rates = [watcher.judged[name] / elapsed_s for name in state["cameras"]]
    return Load(
        cameras=cameras,
        seconds=elapsed_s,
        analysis_fps=fps,
        least_fps=min(rates),
        most_fps=max(rates),
        looked_at_fps=watcher.looked / elapsed_s / cameras,
        cores=spent_s / elapsed_s,
        latency_p50_ms=statistics.median(latencies_ms),
        latency_p95_ms=latencies_ms[min(len(latencies_ms) - 1, int(0.95 * len(latencies_ms)))],
        dropped_sound_blocks=state["dropped_sound_blocks"],
        overload=tuple(why for why in state["degraded_because"] if why.startswith("overload")),
    )
