"""A timeline as one picture: beliefs per kind, the incidents as spans, the level of the sound."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.errors import StoreError
from agent.service.recordings.replay import Row
from agent.types import NS_PER_S, Severity, Uint8Array

WIDTH_PX = 1280
LANE_PX = 74
MARGIN_LEFT_PX = 150
MARGIN_RIGHT_PX = 20
AXIS_PX = 34
QUIET_BELIEF = 0.05
_FONT = cv2.FONT_HERSHEY_DUPLEX
_BACKGROUND = (252, 252, 250)
_INK = (40, 44, 50)
_GRID = (224, 226, 228)
_CURVE = (40, 90, 190)
_SOUND = (60, 150, 110)
_SPAN: Mapping[Severity, tuple[int, int, int]] = {
    "notice": (200, 216, 250),
    "warning": (252, 224, 176),
    "critical": (250, 196, 196),
}


class Timeline:
    """Collects rows and messages of one replay and draws them."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._spans: dict[str, dict[str, Any]] = {}

    def row(self, row: Row) -> None:
        """Add the beliefs of one analysed picture."""
        self._rows.append(row)

    def message(self, message: Mapping[str, Any]) -> None:
        """Add an incident message."""
        span = self._spans.setdefault(message["id"], {"from_s": message["media_time_s"], **message})
        span["to_s"] = message["media_time_s"]

    def save(self, path: Path) -> None:
        """Write the PNG; StoreError where that is impossible."""
        written, data = cv2.imencode(".png", self.picture()[:, :, ::-1])
        try:
            path.write_bytes(data.tobytes() if written else b"")
        except OSError as error:
            raise StoreError(f"cannot write {path}", why=str(error.strerror), cure="Choose another file.") from error

    def picture(self) -> Uint8Array:
        """Return the drawing, uint8 [h, w, 3] RGB."""
        kinds = self._kinds()
        height = LANE_PX * (len(kinds) + 1) + AXIS_PX
        canvas = np.full((height, WIDTH_PX, 3), _BACKGROUND, dtype=np.uint8)
        end_s = max((row.at_ns / NS_PER_S for row in self._rows), default=1.0) or 1.0
        times_s = np.array([row.at_ns / NS_PER_S for row in self._rows])
        for lane, kind in enumerate(kinds):
            self._draw_spans(canvas, lane, kind, end_s)
            values = np.array([row.beliefs.get(kind, 0.0) for row in self._rows])
            _curve(canvas, lane, times_s / end_s, values, kind, _CURVE)
        levels = np.array([row.heard.level_dbfs if row.heard else -90.0 for row in self._rows])
        _curve(canvas, len(kinds), times_s / end_s, 1 + np.clip(levels, -90, 0) / 90, "sound -90..0 dBFS", _SOUND)
        _axis(canvas, end_s)
        return canvas

    def _kinds(self) -> Sequence[str]:
        opened = {span["kind"] for span in self._spans.values()}
        peaks: dict[str, float] = {}
        for row in self._rows:
            for kind, belief in row.beliefs.items():
                peaks[kind] = max(peaks.get(kind, 0.0), belief)
        return [kind for kind, peak in peaks.items() if peak >= QUIET_BELIEF or kind in opened]

    def _draw_spans(self, canvas: Uint8Array, lane: int, kind: str, end_s: float) -> None:
        for span in self._spans.values():
            if span["kind"] != kind:
                continue
            left, right = _x(span["from_s"] / end_s), max(_x(span["to_s"] / end_s), _x(span["from_s"] / end_s) + 3)
            colour = _SPAN[span["severity"]]
            cv2.rectangle(canvas, (left, LANE_PX * lane + 4), (right, LANE_PX * (lane + 1) - 4), colour, -1)


def _x(share: float) -> int:
    return MARGIN_LEFT_PX + round(min(1.0, max(0.0, share)) * (WIDTH_PX - MARGIN_LEFT_PX - MARGIN_RIGHT_PX))


def _curve(
    canvas: Uint8Array,
    lane: int,
    shares: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    name: str,
    colour: tuple[int, int, int],
) -> None:
    top, bottom = LANE_PX * lane + 8, LANE_PX * (lane + 1) - 8
    cv2.line(canvas, (MARGIN_LEFT_PX, bottom), (WIDTH_PX - MARGIN_RIGHT_PX, bottom), _GRID, 1)
    cv2.line(canvas, (MARGIN_LEFT_PX, (top + bottom) // 2), (WIDTH_PX - MARGIN_RIGHT_PX, (top + bottom) // 2), _GRID, 1)
    cv2.putText(canvas, name, (8, (top + bottom) // 2 + 4), _FONT, 0.42, _INK, 1, cv2.LINE_AA)
    points = [
        (_x(float(share)), round(bottom - float(value) * (bottom - top)))
        for share, value in zip(shares, values, strict=True)
    ]
    if points:
        cv2.polylines(canvas, [np.array(points, dtype=np.int32)], False, colour, 2, cv2.LINE_AA)


def _axis(canvas: Uint8Array, end_s: float) -> None:
    step_s = next((step for step in (1, 2, 5, 10, 30, 60, 300, 600, 3600) if end_s / step <= 16), 21600)
    y = canvas.shape[0] - AXIS_PX
    for second in range(0, int(end_s) + 1, step_s):
        x = _x(second / end_s)
        cv2.line(canvas, (x, 0), (x, y), _GRID, 1)
        cv2.putText(canvas, f"{second} s", (x - 8, y + 18), _FONT, 0.4, _INK, 1, cv2.LINE_AA)
