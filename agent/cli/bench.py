"""`vedette bench`: what one camera costs on this machine."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.options import AsJson
from agent.cli.output import print_json, print_table, remark, say, warn

if TYPE_CHECKING:
    from agent.config.schema import Config
    from agent.service.bench import Bill


def bench(
    source: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="What to measure with; a 640×360 clip that came along by default."),
    ] = None,
    fps: Annotated[float, typer.Option(metavar="F", help="Pictures analysed per second.")] = 10.0,
    device: Annotated[str, typer.Option(metavar="auto|cpu|gpu|npu|tensorrt", help="Where the models run.")] = "auto",
    runtime: Annotated[str, typer.Option(metavar="auto|openvino|onnxruntime", help="What runs them.")] = "auto",
    threads: Annotated[int, typer.Option(metavar="N", help="CPU threads per model.")] = 1,
    cameras: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=64, help="Instead: a whole agent with so many cameras at once."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="With --cameras: for how long.")] = 30.0,
    models: Annotated[str, typer.Option(metavar="FOLDER", help="Other models than those that came along.")] = "",
    json: AsJson = False,
) -> None:
    """Measure every stage of the pipeline: milliseconds, cameras per core, memory.

    With --cameras 8: how many pictures a second eight cameras get on this box, and how late.
    """
    from agent.config.load import of_data
    from agent.service.bench import bench as measure

    wanted = {"device": device, "runtime": runtime, "threads": threads, "folder": models}
    config = of_data({"models": wanted, "analysis": {"fps": fps}}, ())
    if cameras is not None:
        _many(config, cameras, source, seconds, as_json=json)
        return
    bill = measure(config, source=source)
    if json:
        print_json(_as_json(bill))
    else:
        _print(bill)


def _many(config: "Config", cameras: int, source: str | None, seconds: float, *, as_json: bool) -> None:
    import logging
    from dataclasses import asdict

    from agent.service.bench_cameras import SETTLE_S, bench_cameras

    logging.getLogger("agent").setLevel(logging.ERROR)  # that there is no broker, and what is told below
    if not as_json:
        remark(f"{_counted(cameras)} for {SETTLE_S + seconds:.0f} s …")
    load = bench_cameras(config, cameras=cameras, sources=[source] if source else [], seconds=seconds)
    if as_json:
        print_json(asdict(load))
        return
    say(
        f"{_counted(load.cameras)}: {load.least_fps:.1f} to {load.most_fps:.1f} of {load.analysis_fps:g} pictures a "
        f"second each, {load.looked_at_fps:.1f} looked at by the detector"
    )
    say(f"processor: {load.cores:.2f} of {os.cpu_count() or 1} cores")
    say(f"from the moment to the judged picture: {load.latency_p50_ms:.0f} ms, p95 {load.latency_p95_ms:.0f} ms")
    say(f"sound: {load.dropped_sound_blocks} tenths of a second were lost")
    for why in load.overload:
        warn(why)


def _counted(cameras: int) -> str:
    return f"{cameras} camera{'' if cameras == 1 else 's'}"


def _print(bill: "Bill") -> None:
    print_table(
        ("stage", "runs", "p50 ms", "p95 ms", "CPU ms per second of camera"),
        [
            (cost.stage, cost.runs, f"{cost.p50_ms:.2f}", f"{cost.p95_ms:.2f}", f"{cost.cpu_ms_per_media_s:.1f}")
            for cost in bill.stages
        ],
    )
    say("")
    for file, place in bill.places.items():
        say(f"{file} runs on {place}")
    say(
        f"the models, log-mel included: {bill.models_ms_per_s:.0f} ms for a second of one camera at "
        f"{bill.analysis_fps:g} pictures a second"
    )
    say(
        f"one camera at {bill.pictures_per_s:.1f} pictures a second: {bill.core_moving_frac:.0%} of a core while "
        f"everything moves, {bill.core_still_frac:.0%} while nothing does"
    )
    say(f"cameras per core: {bill.cameras_per_core_moving:.1f} moving, {bill.cameras_per_core_still:.1f} still")
    latency = f"{bill.picture_latency_p50_ms:.1f} ms, p95 {bill.picture_latency_p95_ms:.1f} ms"
    say(f"from the packet to the judged picture: {latency}")
    say(f"memory: {bill.memory_mb:.0f} MB")


def _as_json(bill: "Bill") -> dict[str, Any]:
    from dataclasses import asdict

    extra = {
        "pictures_per_s": bill.pictures_per_s,
        "cameras_per_core_moving": bill.cameras_per_core_moving,
        "cameras_per_core_still": bill.cameras_per_core_still,
    }
    return asdict(bill) | {"places": dict(bill.places)} | extra
