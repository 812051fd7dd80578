"""What it costs to keep films of incidents: processor time for a second of one camera, one thread.

    python -m benchmarks.clip_cost
    python -m benchmarks.clip_cost --agent     a whole agent instead, without and with films, in turns: five minutes

The demo's fall (640×360) and a moving test picture of 1920×1080, at ten pictures a second, go through what a running
agent does for its films: into the ring of the last seconds, which happens all the time, and into a film, which happens
from five seconds before an incident until five after it. Decoding and analysis are not counted: `vedette bench` says
what those take. With `--agent` everything is, as the agent's own figures for Prometheus tell it; the fall is looped, so
that an incident is being filmed all the time.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from agent.capture.pictures import LazyPicture
from agent.capture.source import SourceSpec, open_media
from agent.config.load import of_data
from agent.service.evidence.incident_clips import Clips
from agent.types import NS_PER_S, Box, Closed, Detection, Frame, Incident, Opened, PictureStats, Seen
from agent.uplink.evidence.clips import film_of
from agent.uplink.messages.payload import uuid7

FPS = 10.0
SECONDS = 10.0
SOURCES = {
    "640×360": str(files("agent.service") / "clips" / "fall.mp4"),
    "1920×1080": "lavfi:testsrc2=size=1920x1080:rate=10:duration=10",
}
STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
SOMEBODY = Detection(
    label="person",
    score_prob=0.9,
    box=Box(left_frac=0.4, top_frac=0.3, right_frac=0.6, bottom_frac=0.9),
)
INCIDENT_ID = uuid7(1_800_000_000_000, bytes(10))


def pictures(url: str) -> Iterator[tuple[int, LazyPicture]]:
    """Yield time and picture, decoded, ten a second."""
    with open_media(SourceSpec(camera="camera", url=url, analysis_fps=FPS, want_sound=False)) as media:
        for item in media.read():
            if isinstance(item, Frame) and media.newest is not None:
                yield item.at_ns, media.newest


def cost(url: str, *, filming: bool, blur: bool) -> tuple[float, int]:
    """Return milliseconds of the processor for a second of the camera, and the bytes of the film."""
    config = of_data(
        {
            "clips": {"keep": "all", "before_s": 0.0, "after_s": 0.0},
            "privacy": {"blur_people": blur},
            "cameras": {"camera": {"url": url}},
        }
    )
    now_ns, spent_s = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        clips = Clips(config, Path(folder), lambda: now_ns, time.time_ns)
        for number, (at_ns, picture) in enumerate(pictures(url)):
            now_ns = at_ns
            began_s = time.process_time()
            clips.looking("camera", at_ns, picture)
            seen = Seen(camera="camera", at_ns=at_ns, aspect_ratio=16 / 9, stats=STATS, detections=(SOMEBODY,))
            clips.note(seen, lambda _: ())
            while clips.work(0.0):
                """Until nothing is left to do."""
            if filming and number == 0:
                clips.follow(Opened(incident=_incident(at_ns)), INCIDENT_ID)
            spent_s += time.process_time() - began_s
        began_s = time.process_time()
        clips.follow(Closed(incident=_incident(now_ns)), INCIDENT_ID)
        clips.finish()
        spent_s += time.process_time() - began_s
        film = film_of(Path(folder), INCIDENT_ID) or b""
    return 1000.0 * spent_s / (now_ns / NS_PER_S + 1.0 / FPS), len(film)


def _incident(at_ns: int) -> Incident:
    return Incident(
        ordinal=1, camera="camera", cameras=("camera",), kind="fall", severity="critical", started_ns=0, at_ns=at_ns,
        ended_ns=at_ns, confidence=0.9, summary="", without_sound=True, without_picture=False, evidence=(),
    )  # fmt: skip


AGENT = """
[broker]
url = "mqtt://127.0.0.1:1"
[clips]
keep = "{keep}"
[metrics]
listen = "127.0.0.1:{port}"
[cameras.camera]
url = "{url}"
loop = true
"""
WATCHED_S = 40.0
PAIRS = 3


def agent_cost(keep: str) -> tuple[float, float, float]:
    """Run an agent; return milliseconds of the processor for a second, pictures a second, and memory in MB."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        config = Path(folder) / "vedette.toml"
        config.write_text(AGENT.format(keep=keep, port=port, url=SOURCES["640×360"]))
        command = [sys.executable, "-m", "agent.cli.main", "run", "--config", str(config)]
        environment = {**os.environ, "STATE_DIRECTORY": f"{folder}/state"}
        agent = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while figure(port, "vedette_pictures_total") < 20:
                time.sleep(0.5)
            counters = ("vedette_process_cpu_seconds_total", "vedette_pictures_total")
            before, began_s = [figure(port, name) for name in counters], time.monotonic()
            time.sleep(WATCHED_S)
            elapsed_s = time.monotonic() - began_s
            cpu, pictures = ((figure(port, n) - b) / elapsed_s for n, b in zip(counters, before, strict=True))
            return 1000.0 * cpu, pictures, figure(port, "vedette_process_resident_memory_bytes") / 1e6
        finally:
            agent.terminate()
            agent.wait(60)


def figure(port: int, name: str) -> float:
    """Return one figure of the agent, 0 while it does not tell."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name), 0.0)


def agent_table() -> None:
    """Print what a whole agent takes without films and with them, the medians of pairs.

    It says something only where both keep up with ten pictures a second: under overload films get thinner first.
    """
    told: dict[str, list[tuple[float, float, float]]] = {"off": [], "all": []}
    for _ in range(PAIRS):
        for keep, found in told.items():
            found.append(agent_cost(keep))
    print("| clips.keep | ms a second | pictures a second | MB |")
    print("|---|---|---|---|")
    for keep, found in told.items():
        cpu_ms, pictures, memory_mb = (median(column) for column in zip(*found, strict=True))
        print(f"| {keep} | {cpu_ms:.0f} | {pictures:.1f} | {memory_mb:.0f} |")


def main() -> None:
    """Print the table: the least of three runs each, for others use the machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", action="store_true", help="a whole agent, without and with films")
    if parser.parse_args().agent:
        agent_table()
        return
    print("| camera | blurred | ring, ms a second | ring and film, ms a second | film, kB a second |")
    print("|---|---|---|---|---|")
    for name, url in SOURCES.items():
        for blur in (False, True):
            ring = min(cost(url, filming=False, blur=blur)[0] for _ in range(3))
            filmed = [cost(url, filming=True, blur=blur) for _ in range(3)]
            size = filmed[0][1] / SECONDS / 1000
            least = min(ms for ms, _ in filmed)
            print(f"| {name} | {'yes' if blur else 'no'} | {ring:.0f} | {least:.0f} | {size:.0f} |")


if __name__ == "__main__":
    main()
