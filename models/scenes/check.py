"""Judges rendered clips with what never saw one: `python -m models.scenes.check [--build build/scenes] [NAME…]`.

First table: how often detectors that were trained on real pictures only find the people, by clip and posture (every
twelfth frame; a box of at least SCORE and IoU 0.5 with the label): the shipped one by `vedette detect`, and two
published ones where their weights lie in ../shared/data/vision/teachers. Second table: what `vedette replay` opened,
and whether that is right: what is expected, and neither `fall`, `fire` nor anything else critical that is not. Writes
check.md beside the clips, and into docs/scenes.md with --docs; a clip that a judge saw before, both being the same, is
not judged again.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import av
import cv2

from agent.service.demo import INTRUDE_ZONE
from agent.uplink.outbox.queue import SEVERITY_RANK
from models.scenes.shows import SHOWS

EVERY = 12
SCORE, IOU = 0.3, 0.5
LEAST_PIXELS = 250
"""People of whom less is to be seen are not asked for."""
JUDGED = ("fall", "fight", "fire")
PERSON = 1  # COCO's number
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/scenes.md"
TEACHERS = {"NanoDet-Plus-m 512": "nanodet_plus_m_512.onnx", "PicoDet-S 416": "picodet_s_416_coco.onnx"}
OURS = "vision, shipped"
DEPENDS = {
    "others": [],
    "ours": ["models/zoo/vision.json"],
    "opened": [
        "models/zoo/*.json",
        "agent/scene/*.py",
        "agent/scene/normality/*.py",
        "agent/features/*.py",
        "agent/inference/*.py",
    ],
}
"""Files of the repository on which each judge's word rests."""
Box = list[float]
Clips = Mapping[str, dict[str, Any]]
Words = Iterator[tuple[str, Any]]
Counts = dict[str, list[int]]
"""By posture how many were found and how many there were; `false`: boxes on nobody, and pictures."""


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m models.scenes.check", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--build", type=Path, default=Path("build/scenes"))
    parser.add_argument("--docs", action="store_true", help=f"write the tables into {DOCS.name}, too")
    parser.add_argument("--judges", nargs="*", choices=list(JUDGES), default=list(JUDGES), help="who looks anew")
    chosen = parser.parse_args(arguments)
    here = [name for name in SHOWS if (chosen.build / f"{name}.mp4").is_file()]
    names = chosen.names or here
    labels = {name: json.loads((chosen.build / f"{name}.json").read_text()) for name in names}
    rows = _judged(chosen.build, labels, chosen.judges)
    tables = [_detector_table(rows), _recall_table(rows), _opened_table(labels, rows)]
    (chosen.build / "check.md").write_text("\n".join(tables))
    if chosen.docs:
        _into_docs("scenes", tables[2])
        _into_docs("people", "\n".join(tables[:2]))
    print("\n".join(tables))
    return 0


def _judged(build: Path, labels: Clips, judges: list[str]) -> dict[str, dict[str, Any]]:
    """Let judges look at each clip that they have not seen as it is; return each word that holds, by clip."""
    seals = {part: {name: _seal(build / f"{name}.mp4", part) for name in labels} for part in JUDGES}
    for part in judges:
        kept = _kept(build)
        new = [name for name in labels if kept.get(name, {}).get(part, {}).get("of") != seals[part][name]]
        for name, said in JUDGES[part](build, {name: labels[name] for name in new}):
            _keep(build, name, part, {"of": seals[part][name], "said": said})
    rows = _kept(build)
    return {
        name: {part: word["said"] for part, word in rows.get(name, {}).items() if word["of"] == seals[part][name]}
        for name in labels
    }


def _kept(build: Path) -> dict[str, Any]:
    kept = build / "check-rows.txt"
    return json.loads(kept.read_text()) if kept.is_file() else {}


def _keep(build: Path, name: str, part: str, word: dict[str, Any]) -> None:
    rows = _kept(build)
    rows.setdefault(name, {})[part] = word
    (build / "check-rows.txt").write_text(json.dumps(rows, indent=1) + "\n")


def _seal(clip: Path, part: str) -> str:
    """Return what changes with the clip and with what judges it: models and, for incidents, rules."""
    told = hashlib.sha256(clip.read_bytes())
    for path in sorted(found for pattern in DEPENDS[part] for found in ROOT.glob(pattern)):
        told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _vedette(*arguments: str) -> str:
    command = [sys.executable, "-m", "agent.cli.main", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _ours(build: Path, labels: Clips) -> Words:
    """What the shipped detector found."""
    with tempfile.TemporaryDirectory() as folder:
        for name in labels:
            _frames(build, name, Path(folder))
        told = json.loads(_vedette("detect", folder, "--out", "-")) if labels else []
    boxes: dict[str, dict[int, list[Box]]] = defaultdict(lambda: defaultdict(list))
    for result in told:
        if result["category_id"] == PERSON and result["score"] >= SCORE:
            x, y, width, height = result["bbox"]
            name, index = Path(result["image_id"]).stem.split("~")
            boxes[name][int(index)].append([x, y, x + width, y + height])
    for name, clip in labels.items():
        yield name, {OURS: _counted(clip, boxes[name])}


def _others(build: Path, labels: Clips) -> Words:
    """What the published detectors found."""
    looks = _outside()
    for name, clip in labels.items():
        with tempfile.TemporaryDirectory() as folder:
            frames = {index: cv2.imread(str(path)) for index, path in _frames(build, name, Path(folder)).items()}
        seen = {other: {index: look(frame) for index, frame in frames.items()} for other, look in looks.items()}
        yield name, {other: _counted(clip, boxes) for other, boxes in seen.items()}


def _outside() -> Mapping[str, Callable[[Any], list[Box]]]:
    """Return the published detectors whose weights are here: BGR picture → boxes of people in pixels."""
    from models.vision import teachers  # noqa: PLC0415 - wants the extra `train`, which judging what opened does not
    from models.vision.data import shared_folder  # noqa: PLC0415

    folder = shared_folder() / "data/vision/teachers"
    makers = {"NanoDet-Plus-m 512": teachers.nanodet, "PicoDet-S 416": teachers.picodet}
    return {
        name: _people_of(makers[name](folder / file))
        for name, file in TEACHERS.items()
        if (folder / file).is_file()
    }  # fmt: skip


def _people_of(look: Callable[[Any], Any]) -> Callable[[Any], list[Box]]:
    def people(picture: Any) -> list[Box]:
        height, width = picture.shape[:2]
        told = look(picture[:, :, ::-1])
        sure = (told.classes == 0) & (told.scores >= SCORE)
        boxes: list[Box] = (told.boxes[sure] * (width, height, width, height)).tolist()
        return boxes

    return people


def _frames(build: Path, name: str, folder: Path) -> dict[int, Path]:
    """Write every twelfth frame as a picture named by the clip and its number."""
    written = {}
    with av.open(str(build / f"{name}.mp4")) as media:
        for index, frame in enumerate(media.decode(video=0)):
            if index % EVERY == 0:
                written[index] = folder / f"{name}~{index}.png"
                cv2.imwrite(str(written[index]), frame.to_ndarray(format="bgr24"))
    return written


def _counted(clip: dict[str, Any], boxes: Mapping[int, list[Box]]) -> Counts:
    counts: Counts = defaultdict(lambda: [0, 0])
    for index in range(0, round(clip["seconds"] * clip["fps"]), EVERY):
        seen = [row for who in clip["people"] for row in who["frames"] if row["frame"] == index]
        found = boxes.get(index, [])
        for row in seen:
            if row["pixels"] >= LEAST_PIXELS:
                hit = any(iou(row["box"], box) >= IOU for box in found)
                counts[row["posture"]][0] += hit
                counts[row["posture"]][1] += 1
        counts["false"][0] += sum(all(iou(row["box"], box) < 0.1 for row in seen) for box in found)
        counts["false"][1] += 1
    return dict(counts)


def iou(first: list[float], second: list[float]) -> float:
    """Return the intersection over union of two boxes left, top, right, bottom."""
    wide = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    tall = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return wide * tall / (sum(areas) - wide * tall)


def _opened(build: Path, labels: Clips) -> Words:
    """Kind and severity of what `vedette replay` opened, with a zone like the demo's for `intrude`."""
    for name in labels:
        clip = build / f"{name}.mp4"
        with tempfile.TemporaryDirectory() as folder:
            out = _vedette("replay", str(clip), "--json-lines", "-", *_zone(clip, Path(folder)))
        worst: dict[str, str] = {}  # a kind's newest word is its worst: severity only rises
        for told in map(json.loads, out.splitlines()):
            worst[told["kind"]] = max(
                worst.get(told["kind"], "notice"), told["severity"], key=SEVERITY_RANK.__getitem__
            )
        opened = sorted(worst.items())
        print(f"{name}: {', '.join(kind for kind, _ in opened) or 'nothing'}", flush=True)
        yield name, [list(pair) for pair in opened]


def _zone(clip: Path, folder: Path) -> list[str]:
    if clip.stem != "intrude":
        return []
    corners = json.dumps([list(corner) for corner in INTRUDE_ZONE.polygon])
    config = folder / "c.toml"
    config.write_text(
        f'cameras.shop.url = "{clip}"\ncameras.shop.zones.closed = {{polygon = {corners}, rules = ["intrusion"]}}\n'
    )
    return ["--config", str(config)]


JUDGES: Mapping[str, Callable[[Path, Clips], Words]] = {"others": _others, "ours": _ours, "opened": _opened}


def _totals(rows: Mapping[str, Any], detector: str) -> Counts:
    total: Counts = defaultdict(lambda: [0, 0])
    for row in rows.values():
        for posture, pair in _found(row, detector).items():
            total[posture] = [a + b for a, b in zip(total[posture], pair, strict=True)]
    return total


def _found(row: Mapping[str, Any], detector: str) -> Counts:
    counts: Counts = (row.get("ours", {}) | row.get("others", {})).get(detector, {})
    return counts


def _postures(rows: Mapping[str, Any]) -> list[str]:
    return sorted({posture for row in rows.values() for posture in _found(row, OURS)} - {"false"})


def _header(first: str, postures: list[str]) -> list[str]:
    columns = [first, *postures, "all", "false boxes / pictures"]
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _detector_table(rows: Mapping[str, Any]) -> str:
    """Every detector, on the clips that all of them looked at."""
    seen = {name: row for name, row in rows.items() if all(_found(row, detector) for detector in (OURS, *TEACHERS))}
    if not seen:
        return ""
    postures = _postures(seen)
    lines = _header(f"detector, {len(seen)} clips", postures)
    lines += [_recall_row(detector, _totals(seen, detector), postures) for detector in (OURS, *TEACHERS)]
    return "\n".join([*lines, ""])


def _recall_table(rows: Mapping[str, Any]) -> str:
    """The shipped detector, clip by clip."""
    postures = _postures(rows)
    lines = _header("clip", postures)
    lines += [_recall_row(name, _found(row, OURS), postures) for name, row in rows.items() if _found(row, OURS)]
    lines.append(_recall_row("**all**", _totals(rows, OURS), postures))
    return "\n".join([*lines, ""])


def _recall_row(name: str, counts: Mapping[str, list[int]], postures: list[str]) -> str:
    cells = [_share(counts.get(posture, [0, 0])) for posture in postures]
    both = [sum(counts.get(posture, [0, 0])[side] for posture in postures) for side in (0, 1)]
    false = counts.get("false", [0, 0])
    return f"| {name} | {' | '.join(cells)} | {_share(both)} | {false[0]} / {false[1]} |"


def _share(pair: list[int]) -> str:
    return f"{100 * pair[0] / pair[1]:.0f} % of {pair[1]}" if pair[1] else ""


def verdict(expects: list[str], opened: list[list[str]]) -> str:
    """Return what is wrong with what opened, or "right"; warnings and notices that nobody expected are not judged."""
    kinds = {kind for kind, _ in opened}
    wrong = [f"{kind} missed" for kind in expects if kind not in kinds]
    wrong += [
        f"{kind} opened wrongly"
        for kind, severity in opened
        if kind not in expects and (kind in JUDGED or severity == "critical")
    ]
    return ", ".join(wrong) or "right"


def _opened_table(labels: Mapping[str, dict[str, Any]], rows: Mapping[str, Any]) -> str:
    lines = ["| clip | shows | where | expects | opened | verdict |", "|---|---|---|---|---|---|"]
    right = right_on_those = 0
    judged = {name: clip for name, clip in labels.items() if "opened" in rows[name]}
    for name, clip in judged.items():
        opened = rows[name]["opened"]
        told = verdict(clip["expects"], opened)
        right += told == "right"
        right_on_those += not any(kind in told for kind in JUDGED)
        cells = (
            name, SHOWS[name], f"{clip['room']}, {clip['lighting']}", ", ".join(clip["expects"]),
            ", ".join(kind for kind, _ in opened), told,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    on = ", ".join(JUDGED)
    return "\n".join([*lines, "", f"{right} of {len(judged)} clips right; {right_on_those} on {on}.", ""])


def _cards() -> list[str]:
    return [path.read_text() for path in sorted((ROOT / "models/zoo").glob("*.json"))]


def _into_docs(section: str, text: str) -> None:
    """Put a table between its marks in docs/scenes.md."""
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    head, rest = DOCS.read_text().split(begin)
    _, tail = rest.split(end)
    models = ", ".join(f"{told['name']} {told['version']}" for told in map(json.loads, _cards()))
    command = f"`python -m models.scenes.check --docs`, {date.today()}, {models}"
    DOCS.write_text(f"{head}{begin}\n{command}\n\n{text}{end}{tail}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
