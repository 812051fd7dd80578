"""`vedette track`: the tracker alone, MOTChallenge text in and out, for scoring with other people's tools."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.output import remark
from agent.errors import SourceError, VedetteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.scene.tracking.tracker import Tracker

_COLUMNS = "frame,id,x,y,w,h,score"
_CURE = f"Write one detection a line as {_COLUMNS}: frames from 1, boxes in pixels, scores from 0 to 1"
_LAST_FRAME = 1_000_000_000


def track(
    detections: Annotated[
        Path, typer.Argument(metavar="DET.txt", help="Detections of every score, one a line: frame,id,x,y,w,h,score.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="OUT.txt", help="Tracks: frame,id,x,y,w,h,score,-1,-1,-1.")],
    fps: Annotated[float, typer.Option(metavar="F", min=0.1, max=1000.0, help="Pictures per second.")] = 30.0,
) -> None:
    """Give detections identities, one picture after the other: a line never depends on later ones."""
    import time

    from agent.scene.tracking.tracker import Tracker

    table = _read(detections)
    began_s = time.perf_counter()
    lines, pictures = _followed(table, Tracker(), fps)
    elapsed_s = max(1e-9, time.perf_counter() - began_s)
    try:
        out.write_text("".join(lines), encoding="ascii")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise VedetteError(f"Cannot write {out}", why=why, cure="Give --out a file in a folder that exists") from error
    remark(
        f"{len(lines)} lines from {pictures} pictures with detections, {pictures / elapsed_s:.0f} pictures per second"
    )


def _followed(table: "NDArray[np.float64]", tracker: "Tracker", fps: float) -> tuple[list[str], int]:
    """Lines of the output, and how many pictures held detections. `table` is [n, 7], sorted by frame."""
    import numpy as np

    from agent.types import NS_PER_S

    lines: list[str] = []
    starts = np.flatnonzero(np.diff(table[:, 0], prepend=-1.0))
    for rows in np.split(table, starts[1:]) if len(table) else ():
        frame = int(rows[0, 0])
        boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
        ids = tracker.step(round(frame / fps * NS_PER_S), boxes, rows[:, 6], np.zeros(len(rows), np.int64))
        known = np.flatnonzero(ids)
        for track_id, row in zip(ids[known].tolist(), rows[known].tolist(), strict=True):
            x, y, width, height, score = row[2:7]
            lines.append(f"{frame},{track_id},{x:.9g},{y:.9g},{width:.9g},{height:.9g},{score:.9g},-1,-1,-1\n")
    return lines, len(starts)


def _read(path: Path) -> "NDArray[np.float64]":
    """All detections [n, 7] by frame; within a frame in the order of the file."""
    import numpy as np

    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise SourceError(f"No file {path}", fault="not_found", cure="Check the path") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError(
            f"Cannot read {path}", fault="refused", why=why, cure="Check the path and its rights"
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not text", fault="codec", cure=_CURE) from error
    rows = [
        _row(path, number, line) for number, line in enumerate(text.split("\n"), start=1) if line and not line.isspace()
    ]
    table = np.array(rows, np.float64).reshape(-1, 7)
    return table[np.argsort(table[:, 0], kind="stable")]


def _row(path: Path, number: int, line: str) -> list[float]:
    fields = line.split(",")
    try:
        row = [float(fields[0]), 0.0, *map(float, fields[2:7])]
    except (ValueError, IndexError) as error:
        raise _wrong(path, number, f"{_short(line)} is not {_COLUMNS}") from error
    if len(row) < 7:
        raise _wrong(path, number, f"{_short(line)} has {len(fields)} columns instead of 7 or more")
    if not all(map(math.isfinite, row)):
        raise _wrong(path, number, f"{_short(line)} holds a number that is not finite")
    if not (1 <= row[0] <= _LAST_FRAME and row[0].is_integer()):
        raise _wrong(path, number, f"{_short(fields[0])} is not a frame number from 1 to {_LAST_FRAME}")
    if not 0.0 <= row[6] <= 1.0:
        raise _wrong(path, number, f"the score {_short(fields[6])} is not between 0 and 1")
    return row


def _wrong(path: Path, number: int, why: str) -> SourceError:
    return SourceError(f"{path}, line {number}", fault="codec", why=why, cure=_CURE)


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 40 else text[:39] + "…")
