"""How many cameras this machine carries: pictures a second for each, processor time, and how late they are judged.

    python -m benchmarks.cameras
    python -m benchmarks.cameras --first-right               before whatever else runs here (root, Linux's autogroups)
    python -m benchmarks.cameras --beside ../other --first-right    another checkout in turn with this one

A real RTSP server (GStreamer, as the tests need it) sends films that were coded before, so it costs some hundredths of
a core; a whole agent watches one, four and eight of them (`vedette bench --cameras` does the same with any source). The
films are the rendered `walkby` with a sensor's noise, at 25 pictures a second, without B-frames as cameras send: in one
somebody walks all the time, in the other nobody does. They are kept in build/cameras.
"""

import argparse
import heapq
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("VEDETTE_BUILD", REPOSITORY / "build")) / "cameras"
CLIP = str(files("agent.service") / "clips" / "walkby.mp4")
SIZES = {"640×360": (640, 360, 800_000), "1920×1080": (1920, 1080, 4_000_000)}
FPS = 25
CALM_PICTURES = 8 * FPS
NOISE_LEVELS = 2.5
FILM_S = 120.0
SECONDS = 15.0
RUNS = [
    ("640×360", "moving", 1), ("640×360", "moving", 4), ("640×360", "moving", 8), ("640×360", "calm", 8),
    ("1920×1080", "moving", 1), ("1920×1080", "moving", 4), ("1920×1080", "moving", 8), ("1920×1080", "calm", 8),
    ("1920×1080", "mixed", 8),
]  # fmt: skip
MIXTURES = {"mixed": ("moving", "calm", "calm", "calm")}
"""Which films the cameras play in turn: of eight two see somebody."""
HEADS = (
    "analysed a second, each", "looked at", "cores", "until judged, ms (median, p95)", "sound lost", "overload",
)  # fmt: skip
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer(); server.set_address("127.0.0.1"); server.set_service("0")
for number, path in enumerate(sys.argv[1:]):
    factory = GstRtspServer.RTSPMediaFactory(); factory.set_shared(False)
    factory.set_launch(
        "( filesrc location=%s ! qtdemux name=d d.video_0 ! queue ! h264parse config-interval=-1 "
        "! rtph264pay config-interval=1 name=pay0 pt=96 d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
        % path
    )
    server.get_mount_points().add_factory("/film%d" % number, factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""
# What measures is this checkout's; what is measured is whichever the path names first. An older one tells its state
# only to its own parts.
AGENT = """
import importlib.util, json, logging, sys
from dataclasses import asdict
from agent.config.load import of_data
from agent.service.node import Node
if not hasattr(Node, "state"):
    Node.state = lambda node: node._report.current()
named = importlib.util.spec_from_file_location("bench_cameras", sys.argv[1])
module = importlib.util.module_from_spec(named); sys.modules["bench_cameras"] = module
named.loader.exec_module(module)
logging.getLogger("agent").setLevel(logging.ERROR)
load = module.bench_cameras(
    of_data({}, ()), cameras=int(sys.argv[2]), sources=sys.argv[4:], seconds=float(sys.argv[3])
)
print(json.dumps(asdict(load)))
"""


def film(size: str, kind: str) -> Path:
    """Return a film of `FILM_S` with sound; made once."""
    width_px, height_px, bits_per_s = SIZES[size]
    path = FOLDER / f"{kind}-{height_px}.mp4"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        once = FOLDER / f"once-{path.name}"
        _code(once, width_px, height_px, bits_per_s, calm=kind == "calm")
        _repeat(once, path)
        once.unlink()
    return path


def _code(path: Path, width_px: int, height_px: int, bits_per_s: int, *, calm: bool) -> None:
    random = np.random.default_rng(0)
    grains = [(NOISE_LEVELS * random.standard_normal((height_px, width_px))).astype(np.int16) for _ in range(7)]
    with av.open(CLIP) as clip, av.open(str(path), "w") as out:
        rate = float(clip.streams.video[0].average_rate or FPS)
        pictures = [
            picture.reformat(width_px, height_px, "yuv420p").to_ndarray().astype(np.int16)
            for picture in clip.decode(video=0)
        ]
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width_px, height_px, "yuv420p", bits_per_s
        limit = str(bits_per_s)
        stream.options = {"preset": "veryfast", "bf": "0", "g": str(2 * FPS), "maxrate": limit, "bufsize": limit}
        for index in range(CALM_PICTURES if calm else int(len(pictures) / rate * FPS)):
            planes = pictures[0 if calm else min(len(pictures) - 1, int(index * rate / FPS))].copy()
            planes[:height_px] += grains[index % len(grains)]
            picture = VideoFrame.from_ndarray(np.clip(planes, 0, 255).astype(np.uint8), "yuv420p")
            picture.pts = index
            out.mux(stream.encode(picture))
        out.mux(stream.encode())


def _repeat(once: Path, path: Path) -> None:
    """Copy the packets of the pictures and of the clip's sound again and again, in the order of time."""
    with av.open(str(path), "w") as out, av.open(str(once)) as video, av.open(CLIP) as sound:
        to = {
            "video": out.add_stream_from_template(video.streams.video[0]),
            "audio": out.add_stream_from_template(sound.streams.audio[0]),
        }
        last = dict.fromkeys(to, -1)
        both = heapq.merge(_again(once, "video"), _again(Path(CLIP), "audio"), key=lambda one: one[0])
        for _, kind, packet in both:
            if packet.dts is not None and packet.dts > last[kind]:
                last[kind] = packet.dts
                packet.stream = to[kind]
                out.mux(packet)


def _again(path: Path, kind: str) -> Iterator[tuple[float, str, Any]]:
    begin_s = 0.0
    while begin_s < FILM_S:
        end_s = begin_s
        with av.open(str(path)) as container:
            for packet in container.demux(getattr(container.streams, kind)[0]):
                if packet.dts is None or packet.pts is None or not packet.size:
                    continue
                at_s = begin_s + float(packet.dts * packet.time_base)
                end_s = at_s + float((packet.duration or 0) * packet.time_base)
                late = round(begin_s / packet.time_base)
                packet.dts, packet.pts = packet.dts + late, packet.pts + late
                yield at_s, kind, packet
        begin_s = end_s


@contextmanager
def served(paths: Sequence[Path], *, first: bool) -> Iterator[tuple[list[str], int]]:
    """Yield the addresses at which everybody gets the films from their beginning, and the server's process."""
    server = subprocess.Popen(
        [SYSTEM_PYTHON, "-c", SERVER, *map(str, paths)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        if not port:
            raise SystemExit("this needs GStreamer's RTSP server: `make test` names the packages")
        _go_first(server.pid, first=first)
        yield [f"rtsp://127.0.0.1:{port}/film{number}" for number in range(len(paths))], server.pid
    finally:
        server.kill()
        server.wait()


def measured(tree: Path, size: str, kind: str, cameras: int, *, first: bool) -> dict[str, Any]:
    """Return what so many cameras get from the agent in `tree`, and what the server took of a core."""
    films = [film(size, each) for each in MIXTURES.get(kind, (kind,))]
    with served(films, first=first) as (urls, server_id):
        began = _spent_s(server_id)
        arguments = [str(REPOSITORY / "agent/service/bench_cameras.py"), str(cameras), str(SECONDS), *urls]
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, *arguments], cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)},
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        _go_first(agent.pid, first=first)
        try:
            told, _ = agent.communicate()
        finally:
            agent.kill()
        if agent.returncode:
            raise SystemExit(f"the agent of {tree} ended with {agent.returncode}")
        found: dict[str, Any] = json.loads(told)
        return found | {"server_s": _spent_s(server_id) - began}


def _go_first(process_id: int, *, first: bool) -> None:
    if first:
        Path(f"/proc/{process_id}/autogroup").write_text("-15", encoding="ascii")


def _spent_s(process_id: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(found: dict[str, Any]) -> list[str]:
    return [
        f"{found['least_fps']:.1f} to {found['most_fps']:.1f}",
        f"{found['looked_at_fps']:.1f}",
        f"{found['cores']:.2f}",
        f"{found['latency_p50_ms']:.0f}, {found['latency_p95_ms']:.0f}",
        str(found["dropped_sound_blocks"]),
        found["overload"][0].removeprefix("overload: ").partition(".")[0] if found["overload"] else "no",
    ]


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another one, in turn with this one")
    parser.add_argument(
        "--only", metavar="WORDS", default="", help='rows with these words, such as "1920×1080 mixed 8"'
    )
    parser.add_argument("--first-right", action="store_true", help="go before whatever else runs on this machine")
    chosen = parser.parse_args()
    trees = {"": REPOSITORY} if chosen.beside is None else {"before": chosen.beside.resolve(), "now": REPOSITORY}
    heads = ["film, 25 a second", "cameras", *([""] if chosen.beside else []), *HEADS]
    print(f"| {' | '.join(heads)} |")
    print("|" + "---|" * len(heads))
    wanted = set(chosen.only.split())
    for size, kind, cameras in (run for run in RUNS if wanted <= set(map(str, run))):
        for name, tree in trees.items():
            row = _row(measured(tree, size, kind, cameras, first=chosen.first_right))
            print(f"| {' | '.join([f'{size} {kind}', str(cameras), *([name] if name else []), *row])} |", flush=True)


if __name__ == "__main__":
    main()
