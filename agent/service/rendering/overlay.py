"""Draws what the agent knows onto a picture: boxes, ids, zones, sound, beliefs and the incident's sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from agent.config.names import in_ascii
from agent.types import Box, Heard, Incident, Severity, Track, Uint8Array

Colour = tuple[int, int, int]

MIN_WIDTH_PX = 640
STRIP_PX = 104
BELIEF_ROWS = 4
FLOOR_DBFS = -70.0
_FONT = cv2.FONT_HERSHEY_DUPLEX
_WHITE: Colour = (240, 240, 240)
_GREY: Colour = (140, 148, 156)
_BACKGROUND: Colour = (18, 22, 28)
_ZONE: Colour = (255, 190, 60)
_LOOK: Colour = (150, 170, 255)
_CALM: Colour = (70, 200, 140)
_SEVERITY: Mapping[Severity, Colour] = {"notice": (90, 150, 240), "warning": (250, 170, 40), "critical": (235, 60, 60)}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What there is to draw at one moment of one camera."""

    camera: str
    media_time_s: float
    tracks: Sequence[Track] = ()
    beliefs: Mapping[str, float] = field(default_factory=dict)
    heard: Heard | None = None
    incidents: Sequence[Incident] = ()
    zones: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    looks: Sequence[Box] = ()  # parts that were looked at closer


def draw(picture: Uint8Array, view: View) -> Uint8Array:
    """Return `picture` (uint8 [h, w, 3] RGB) with the view drawn in and a strip below; both sides are even."""
    canvas = _at_least(picture, MIN_WIDTH_PX)
    for name, polygon in view.zones.items():
        _zone(canvas, name, polygon)
    for region in view.looks:
        cv2.rectangle(canvas, *_corners(canvas, region), _LOOK, 1)
    alarmed = {track for incident in view.incidents for track in incident.tracks}
    for track in view.tracks:
        _track(canvas, track, _SEVERITY["critical"] if track.track_id in alarmed else _CALM)
    _title(canvas, f"{view.camera}  {view.media_time_s:6.1f} s")
    if view.incidents:
        _banner(canvas, view.incidents[-1], others=len(view.incidents) - 1)
    framed = np.vstack([canvas, _strip(canvas.shape[1], view)])
    return np.ascontiguousarray(framed[: framed.shape[0] // 2 * 2, : framed.shape[1] // 2 * 2])


def _at_least(picture: Uint8Array, width_px: int) -> Uint8Array:
    height, width = picture.shape[:2]
    if width >= width_px:
        return picture.copy()
    scale = width_px / width
    size = (width_px, max(2, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _corners(canvas: Uint8Array, box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = canvas.shape[:2]
    return (
        (round(box.left_frac * width), round(box.top_frac * height)),
        (round(box.right_frac * width), round(box.bottom_frac * height)),
    )


# The vector font knows ASCII only.
def _text(canvas: Uint8Array, text: str, at: tuple[int, int], colour: Colour = _WHITE, scale: float = 0.45) -> None:
    cv2.putText(canvas, in_ascii(text), at, _FONT, scale, colour, 1, cv2.LINE_AA)


def _text_width_px(text: str, scale: float) -> int:
    return int(cv2.getTextSize(in_ascii(text), _FONT, scale, 1)[0][0])


def _track(canvas: Uint8Array, track: Track, colour: Colour) -> None:
    start, end = _corners(canvas, track.box)
    cv2.rectangle(canvas, start, end, colour, 2, cv2.LINE_AA)
    label = f"#{track.track_id} {track.label} {track.score_prob:.2f} {track.behaviour}"
    top = max(start[1], 16)
    cv2.rectangle(canvas, (start[0] - 1, top - 16), (start[0] + _text_width_px(label, 0.42) + 6, top), colour, -1)
    _text(canvas, label, (start[0] + 3, top - 4), (10, 10, 10), 0.42)


def _zone(canvas: Uint8Array, name: str, polygon: Sequence[tuple[float, float]]) -> None:
    height, width = canvas.shape[:2]
    points = np.array([[round(x * width), round(y * height)] for x, y in polygon], dtype=np.int32)
    tinted = canvas.copy()
    cv2.fillPoly(tinted, [points], _ZONE)
    cv2.addWeighted(tinted, 0.14, canvas, 0.86, 0, dst=canvas)
    cv2.polylines(canvas, [points], True, _ZONE, 1, cv2.LINE_AA)
    _text(canvas, name, (int(points[:, 0].min()) + 4, int(points[:, 1].max()) - 6), _ZONE, 0.42)


def _title(canvas: Uint8Array, text: str) -> None:
    left = canvas.shape[1] - _text_width_px(text, 0.45) - 16
    cv2.rectangle(canvas, (left, 0), (canvas.shape[1], 22), _BACKGROUND, -1)
    _text(canvas, text, (left + 8, 15))


def _wrapped(text: str, width_px: int, scale: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _text_width_px(f"{lines[-1]} {word}", scale) <= width_px:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _banner(canvas: Uint8Array, incident: Incident, others: int) -> None:
    height, width = canvas.shape[:2]
    colour = _SEVERITY[incident.severity]
    lines = _wrapped(incident.summary, width - 32, 0.48)[:3]
    top = height - 30 - 18 * len(lines)
    shade = canvas[top:height]
    shade[:] = (shade * 0.25).astype(np.uint8)
    cv2.rectangle(canvas, (0, top), (6, height), colour, -1)
    more = f"   (+{others} more)" if others else ""
    _text(canvas, f"{incident.kind.upper()}  {incident.confidence:.2f}{more}", (16, top + 18), colour, 0.52)
    for row, line in enumerate(lines):
        _text(canvas, line, (16, top + 38 + 18 * row), _WHITE, 0.48)


def _bar(canvas: Uint8Array, at: tuple[int, int], width_px: int, share: float, colour: Colour) -> None:
    x, y = at
    cv2.rectangle(canvas, (x, y - 9), (x + width_px, y), (44, 50, 58), -1)
    filled = round(width_px * min(1.0, max(0.0, share)))
    if filled:
        cv2.rectangle(canvas, (x, y - 9), (x + filled, y), colour, -1)


def _strip(width_px: int, view: View) -> Uint8Array:
    strip = np.empty((STRIP_PX, width_px, 3), dtype=np.uint8)
    strip[:] = _BACKGROUND
    _sound(strip, view.heard, width_px // 2)
    strongest = sorted(view.beliefs.items(), key=lambda item: -item[1])[:BELIEF_ROWS]
    for row, (kind, belief) in enumerate(strongest):
        y, x = 20 + 22 * row, width_px // 2 + 16
        lit = belief >= 0.02
        _text(strip, kind, (x, y), _WHITE if lit else _GREY)
        _bar(strip, (x + 150, y), width_px - x - 210, belief, _SEVERITY["warning"] if belief < 0.5 else (235, 60, 60))
        _text(strip, f"{belief:.2f}", (width_px - 50, y), _WHITE if lit else _GREY)
    return strip


def _sound(strip: Uint8Array, heard: Heard | None, width_px: int) -> None:
    if heard is None:
        _text(strip, "no sound", (12, 20), _GREY)
        return
    _text(strip, f"{heard.level_dbfs:5.0f} dBFS", (12, 20))
    _bar(strip, (110, 20), width_px - 130, 1.0 - heard.level_dbfs / FLOOR_DBFS, _CALM)
    for row, score in enumerate(sorted(heard.scores, key=lambda score: -score.prob)[:3]):
        y = 42 + 22 * row
        _text(strip, score.label, (12, y), _WHITE if score.prob >= 0.1 else _GREY)
        _bar(strip, (150, y), width_px - 220, score.prob, (90, 150, 240))
        _text(strip, f"{score.prob:.2f}", (width_px - 60, y), _WHITE if score.prob >= 0.1 else _GREY)
