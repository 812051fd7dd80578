"""The digest as HTML: words and shapes are made here, how they look stands in `page.html`."""

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from importlib.resources import files
from string import Template

import cv2
import numpy as np

from agent import __version__
from agent.service.digest.day import Day, Entry, quiet, rows
from agent.uplink.messages.jpeg import encode_jpeg
from agent.uplink.messages.payload import Message

MOST_CARDS = 150  # beyond, the least severe are left to `vedette incidents list`
PICTURE_WIDTH_PX, PICTURE_QUALITY = 720, 80
MOST_FILM_BYTES = 100_000_000  # what a browser opens without complaint
MOST_LLR = 12.0  # a full bar
ROW_PX, LANE_HEAD_PX, AXIS_PX = 16, 22, 24
SENSES = {"vision": "sight", "sound": "sound", "fusion": "both", "rule": "rule", "sensor": "sensor"}
RANK = {"critical": 0, "warning": 1, "notice": 2}


def page(day: Day, now: datetime, *, with_clips: bool = False) -> str:
    """Return the whole page, self-contained; `with_clips` puts the films into it, else it links those of this box."""
    template = Template((files("agent.service.digest") / "page.html").read_text("utf-8"))
    shown = _most_telling(day.entries)
    films = _films(shown) if with_clips else {}
    return template.substitute(
        title=escape(f"{_date(day)} · {_names(day)}"),
        node=escape(_names(day)),
        date=escape(_date(day)),
        lead=_lead(day),
        tiles=_tiles(day),
        timeline=_timeline(day),
        counts=_counts(day),
        quiet=_quiet(day),
        cards="\n".join(_card(entry, day, films.get(entry.newest["id"])) for entry in shown) or _nothing(day),
        left_out=_left_out(len(day.entries) - len(shown)),
        drills=_drills(day),
        made=escape(_clock(now, day, "%Y-%m-%d %H:%M")),
        zone=escape(day.begin.astimezone(day.zone).strftime("UTC%z")),
        version=escape(__version__),
    )


def _names(day: Day) -> str:
    return ", ".join(day.nodes) or "this box"


def _date(day: Day) -> str:
    return f"{day.day:%A} {day.day.day} {day.day:%B %Y}"


def _clock(moment: datetime, day: Day, form: str = "%H:%M") -> str:
    return moment.astimezone(day.zone).strftime(form)


def _kind(kind: str) -> str:
    return escape(kind.replace("_", " "))


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _lead(day: Day) -> str:
    if not day.entries:
        return "No incident."
    worst = next((f"{count} {severity}" for severity, count in day.by_severity() if count), "")
    where = _plural(len(day.cameras), "camera")
    still = sum(entry.newest["ended_at"] is None for entry in day.entries)
    tail = f" {_plural(still, 'incident')} still open." if still else ""
    return escape(f"{_plural(len(day.entries), 'incident')} on {where}, {worst}.{tail}")


def _tiles(day: Day) -> str:
    tiles = [(str(len(day.entries)), "incidents" if len(day.entries) != 1 else "incident", "")]
    for severity, count in day.by_severity():
        word = severity if severity == "critical" or count == 1 else f"{severity}s"
        tiles.append((str(count), word, severity if count else "none"))
    marked = [entry.verdict for entry in day.entries if entry.verdict is not None]
    if marked:
        tiles.append((f"{sum(verdict.true for verdict in marked)}/{len(marked)}", "confirmed of marked", ""))
    if day.drills:
        tiles.append((str(len(day.drills)), "drill" if len(day.drills) == 1 else "drills", "drill"))
    return "".join(
        f'<div class="tile {style}"><b>{figure}</b><span>{escape(word)}</span></div>' for figure, word, style in tiles
    )


def _timeline(day: Day) -> str:
    """Return an inline SVG: a lane for each camera, its incidents as bars; positions in percent, text in pixels."""
    cameras = sorted({camera for entry in (*day.entries, *day.drills) for camera in entry.newest["cameras"]})
    parts, top = [], AXIS_PX
    lanes = []
    for camera in cameras:
        mine = [entry for entry in (*day.entries, *day.drills) if camera in entry.newest["cameras"]]
        packed = rows(sorted(mine, key=lambda entry: entry.started), day)
        lanes.append(f'<text class="lane" x="0" y="{top + 15}">{escape(day.called(camera))}</text>')
        for index, row in enumerate(packed):
            y_px = top + LANE_HEAD_PX + index * ROW_PX
            lanes += [_bar(entry, day, y_px) for entry in row]
        top += LANE_HEAD_PX + max(1, len(packed)) * ROW_PX + 8
    height_px = max(top, AXIS_PX + 30)
    parts.append(_axis(day, height_px))
    if day.end < day.midnight:
        x, down_px = _percent(day.end, day), height_px - AXIS_PX
        parts.append(f'<rect class="future" x="{x:.3f}%" y="{AXIS_PX}" width="{100 - x:.3f}%" height="{down_px}"/>')
    label = f"Timeline of {_plural(len(day.entries), 'incident')} over the day"
    return (
        f'<svg class="timeline" role="img" aria-label="{label}" width="100%" height="{height_px}">'
        + "".join(parts + lanes)
        + "</svg>"
    )


def _axis(day: Day, height_px: int) -> str:
    marks = []
    hours = round((day.midnight - day.begin) / timedelta(hours=1))
    for number in range(hours + 1):
        at = (day.begin + timedelta(hours=number)).astimezone(day.zone)
        x = _percent(at, day)
        heavy = number % 6 == 0 or number == hours
        style, place = "six" if heavy else "hour", f'x1="{x:.3f}%" x2="{x:.3f}%"'
        marks.append(f'<line class="{style}" {place} y1="{AXIS_PX - 6}" y2="{height_px}"/>')
        if number % 3 == 0:
            anchor = "start" if number == 0 else "end" if number == hours else "middle"
            minor = "" if heavy else " minor"
            hour = "24:00" if number == hours else f"{at:%H:%M}"
            marks.append(f'<text class="tick{minor}" x="{x:.3f}%" y="12" text-anchor="{anchor}">{hour}</text>')
    return "".join(marks)


def _bar(entry: Entry, day: Day, y_px: int) -> str:
    began, ended = _percent(entry.started, day), _percent(min(entry.ended(day.end), day.midnight), day)
    newest = entry.newest
    words = f"{_clock(entry.started, day, '%H:%M:%S')} {newest['kind'].replace('_', ' ')}: {newest['summary']}"
    style = "drill" if newest["drill"] else newest["severity"]
    width = max(0.55, ended - began)
    return (
        f'<a href="#i{escape(newest["id"])}"><rect class="bar {style}" x="{min(began, 100 - width):.3f}%" y="{y_px}"'
        f' width="{width:.3f}%" height="{ROW_PX - 5}" rx="3"><title>{escape(words)}</title></rect></a>'
    )


def _percent(moment: datetime, day: Day) -> float:
    return 100 * min(1.0, max(0.0, (moment - day.begin) / (day.midnight - day.begin)))


def _counts(day: Day) -> str:
    """Return the table of kinds and cameras; the darker a cell, the more."""
    counts, cameras = day.counts(), day.cameras
    if not counts:
        return ""
    kinds = sorted({kind for kind, _ in counts}, key=lambda kind: (-_of_kind(day, kind), kind))
    most = max(counts.values())
    head = "".join(f"<th>{escape(day.called(camera))}</th>" for camera in cameras)
    body = []
    for kind in kinds:
        cells = "".join(_cell(counts[kind, camera], most) for camera in cameras)
        total = _of_kind(day, kind)
        body.append(f'<tr><th scope="row">{_kind(kind)}</th>{cells}<td class="sum">{total}</td></tr>')
    return (
        f'<h2>What and where</h2><div class="scroll"><table class="counts"><thead><tr><th></th>{head}'
        f'<th class="sum">all</th></tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _of_kind(day: Day, kind: str) -> int:
    return sum(entry.newest["kind"] == kind for entry in day.entries)


def _cell(count: int, most: int) -> str:
    if not count:
        return '<td class="nil">·</td>'
    return f'<td><span style="--share:{0.12 + 0.5 * count / most:.2f}">{count}</span></td>'


def _quiet(day: Day) -> str:
    stretches = quiet(day)
    if not stretches:
        return ""
    items = "".join(
        f"<li><b>{_clock(began, day)} – {_until(ended, day)}</b><span>{_lasting(ended - began)}</span></li>"
        for began, ended in stretches
    )
    return f'<h2>Quiet hours</h2><ul class="quiet">{items}</ul>'


def _until(moment: datetime, day: Day) -> str:
    return "24:00" if moment == day.midnight else _clock(moment, day)


def _lasting(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _most_telling(entries: Sequence[Entry]) -> list[Entry]:
    kept = sorted(entries, key=lambda entry: (RANK[entry.newest["severity"]], entry.started))[:MOST_CARDS]
    return sorted(kept, key=lambda entry: entry.started)


def _nothing(day: Day) -> str:
    return '<p class="nothing">Nothing was raised on this day.</p>'


def _left_out(count: int) -> str:
    if not count:
        return ""
    return f'<p class="nothing">And {count} less severe: <code>vedette incidents list</code>.</p>'


def _films(entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the films that go into the page by incident id: the most severe first, while there is room."""
    films: dict[str, bytes] = {}
    room_bytes = MOST_FILM_BYTES
    for entry in sorted(entries, key=lambda entry: RANK[entry.newest["severity"]]):
        if entry.clip is not None and entry.clip.stat().st_size <= room_bytes:
            films[entry.newest["id"]] = entry.clip.read_bytes()
            room_bytes -= len(films[entry.newest["id"]])
    return films


def _card(entry: Entry, day: Day, film: bytes | None = None) -> str:
    newest = entry.newest
    places = " · ".join(escape(day.called(camera)) for camera in newest["cameras"])
    zones = "".join(f" · zone {escape(zone)}" for zone in newest["zones"])
    blind = "" if entry.jpeg or film else " blind"
    return (
        f'<article class="card {newest["severity"]}{blind}" id="i{escape(newest["id"])}">'
        f'{_figure(entry, film)}<div class="text">'
        f'<header><span class="kind">{_kind(newest["kind"])}</span>'
        f'<time datetime="{escape(newest["started_at"])}">{_clock(entry.started, day, "%H:%M:%S")}</time>'
        f'<span class="place">{places}{zones}</span>{_mark(entry)}</header>'
        f'<p class="sentence">{escape(newest["summary"])}</p>{_evidence(newest)}{_facts(entry)}</div></article>'
    )


def _mark(entry: Entry) -> str:
    if entry.verdict is None:
        return ""
    word, style = ("true", "yes") if entry.verdict.true else ("false alarm", "no")
    note = f": {escape(entry.verdict.note)}" if entry.verdict.note else ""
    return f'<span class="mark {style}">{word}{note}</span>'


def _figure(entry: Entry, film: bytes | None) -> str:
    jpeg = None if entry.jpeg is None else _fitted(entry.jpeg)
    data = "" if jpeg is None else base64.b64encode(jpeg).decode("ascii")
    if film is not None:
        poster = f' poster="data:image/jpeg;base64,{data}"' if data else ""
        source = base64.b64encode(film).decode("ascii")
        return (
            f'<figure><video controls preload="metadata"{poster} src="data:video/mp4;base64,{source}"></video></figure>'
        )
    if not data:
        return ""
    alt = f"The moment it opened: {escape(entry.newest['summary'])}"
    return f'<figure><img alt="{alt}" src="data:image/jpeg;base64,{data}"></figure>'


def _fitted(jpeg: bytes) -> bytes | None:
    """Return the picture no wider than the page needs; None where it cannot be read."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        return None
    if picture.shape[1] <= PICTURE_WIDTH_PX:
        return jpeg
    return encode_jpeg(picture.astype(np.uint8), quality=PICTURE_QUALITY, max_width_px=PICTURE_WIDTH_PX)


def _evidence(message: Message) -> str:
    entries, times = _strongest(message["evidence"])
    if not entries:
        return ""
    items = "".join(
        f'<li><span class="signal">{escape(entry["signal"].replace("_", " "))}{_often(times[entry["signal"]])}</span>'
        f'<span class="sense">{escape(str(SENSES.get(entry["modality"], entry["modality"])))}</span>'
        f'<span class="meter"><i style="width:{100 * min(1.0, max(0.0, entry["llr"]) / MOST_LLR):.0f}%"></i></span>'
        f'<span class="llr">{entry["llr"]:+.1f}</span></li>'
        for entry in entries[:6]
    )
    more = f'<li class="more">and {len(entries) - 6} more</li>' if len(entries) > 6 else ""
    return f'<ul class="evidence" title="How strongly each signal speaks for it">{items}{more}</ul>'


def _strongest(evidence: Sequence[Message]) -> tuple[list[Message], Counter[str]]:
    """Return the strongest evidence of each signal, in the order in which they first came, and how often each came."""
    best: dict[str, Message] = {}
    for entry in evidence:
        if entry["signal"] not in best or entry["llr"] > best[entry["signal"]]["llr"]:
            best[entry["signal"]] = entry
    return list(best.values()), Counter(entry["signal"] for entry in evidence)


def _often(times: int) -> str:
    return f" × {times}" if times > 1 else ""


def _facts(entry: Entry) -> str:
    newest = entry.newest
    ended = newest["ended_at"]
    lasted = "still open" if ended is None else f"lasted {_lasting(entry.ended(entry.started) - entry.started)}"
    facts = [
        f"raised {entry.open_after_s:.1f} s after it began",
        lasted,
        f"confidence {newest['confidence']:.0%}",
        *_needed(newest),
        *(["delivered late"] if newest["delayed"] else []),
        *(["clock not synchronised"] if newest["clock"] != "synchronised" else []),
    ]
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    if entry.clip is not None:
        listed += f'<li><a href="{escape(entry.clip.resolve().as_uri())}">clip</a></li>'
    return f'<ul class="facts">{listed}<li><code>{escape(newest["id"][-8:])}</code></li></ul>'


def _needed(message: Message) -> Iterable[str]:
    """Say which sense it hung on, where it is not plain from the evidence."""
    senses = {entry["modality"] for entry in message["evidence"]}
    if "sound" not in senses or senses == {"sound"}:
        return ()
    if message["without_sound"] and message["without_picture"]:
        return ("either sense alone would have told",)
    if not message["without_sound"] and not message["without_picture"]:
        return ("took sight and sound together",)
    return ("sight alone would have told" if message["without_sound"] else "sound alone would have told",)


def _drills(day: Day) -> str:
    if not day.drills:
        return ""
    items = "".join(
        f'<li id="i{escape(entry.newest["id"])}"><time>{_clock(entry.started, day, "%H:%M:%S")}</time>'
        f"<b>{_kind(entry.newest['kind'])}</b>"
        f"<span>{escape(', '.join(map(day.called, entry.newest['cameras'])))}</span>"
        f"<span>{escape(entry.newest['summary'].removeprefix('Drill: '))}</span></li>"
        for entry in day.drills
    )
    note = "<p>Played on purpose; not counted above.</p>"
    return f'<section class="drills"><h2>Drills</h2>{note}<ul>{items}</ul></section>'
