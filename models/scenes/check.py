"""Judges rendered clips with what never saw one: `python -m models.scenes.check [--build build/scenes] [NAME…]`.

First table: how often the shipped detector, trained on real pictures only, finds people, by clip and posture
(`vedette detect` on every third frame; a box of at least SCORE and IoU 0.5 with the label). Second table: what
`vedette replay` opened, and whether that is right: `fall` and `fire` on the clips that expect them and on no other.
Writes check.md beside the clips; clips judged before are not judged again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import av
import cv2

EVERY = 3
SCORE, IOU = 0.3, 0.5
LEAST_PIXELS = 250
"""People of whom less is to be seen are not asked for."""
JUDGED = ("fall", "fire")
PERSON = 1  # COCO's number


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m models.scenes.check", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--build", type=Path, default=Path("build/scenes"))
    chosen = parser.parse_args(arguments)
    names = chosen.names or sorted(p.stem for p in chosen.build.glob("*.json") if p.with_suffix(".mp4").is_file())
    labels = {name: json.loads((chosen.build / f"{name}.json").read_text()) for name in names}
    rows = _judged_before(chosen.build, names)
    new = [name for name in names if name not in rows]
    if new:
        found = _recall(chosen.build, {name: labels[name] for name in new})
        opened = _opened(chosen.build, new)
        rows |= {name: {"found": found[name], "opened": opened[name], "of": _age(chosen.build, name)} for name in new}
        (chosen.build / "check-rows.txt").write_text(json.dumps(rows, indent=1) + "\n")
    rows = {name: rows[name] for name in names}
    text = _recall_table({name: row["found"] for name, row in rows.items()}) + "\n"
    text += _opened_table(labels, {name: row["opened"] for name, row in rows.items()})
    (chosen.build / "check.md").write_text(text)
    print(text)
    return 0


def _age(build: Path, name: str) -> int:
    return (build / f"{name}.mp4").stat().st_mtime_ns


def _judged_before(build: Path, names: list[str]) -> dict[str, Any]:
    """Return the rows of an earlier run whose clips have not changed; delete check-rows.txt to judge all anew."""
    kept = build / "check-rows.txt"
    rows = json.loads(kept.read_text()) if kept.is_file() else {}
    return {name: row for name, row in rows.items() if name in names and row["of"] == _age(build, name)}


def _vedette(*arguments: str) -> str:
    command = [sys.executable, "-m", "agent.cli.main", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _recall(build: Path, labels: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """Return for each clip and posture how many were found, and how many there were; `false`: boxes on nobody."""
    with tempfile.TemporaryDirectory() as folder:
        for name in labels:
            _frames(build / f"{name}.mp4", Path(folder), name)
        results = json.loads(_vedette("detect", folder, "--out", "-"))
    boxes: dict[str, list[list[float]]] = defaultdict(list)
    for result in results:
        if result["category_id"] == PERSON and result["score"] >= SCORE:
            x, y, width, height = result["bbox"]
            boxes[result["image_id"]].append([x, y, x + width, y + height])
    return {name: _of_clip(name, clip, boxes) for name, clip in labels.items()}


def _frames(clip: Path, folder: Path, name: str) -> None:
    with av.open(str(clip)) as media:
        for index, frame in enumerate(media.decode(video=0)):
            if index % EVERY == 0:
                cv2.imwrite(str(folder / f"{name}~{index}.png"), frame.to_ndarray(format="bgr24"))


def _of_clip(name: str, clip: dict[str, Any], boxes: dict[str, list[list[float]]]) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for index in range(0, round(clip["seconds"] * clip["fps"]), EVERY):
        seen = [row for who in clip["people"] for row in who["frames"] if row["frame"] == index]
        found = boxes.get(f"{name}~{index}.png", [])
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


def _opened(build: Path, names: list[str]) -> dict[str, list[str]]:
    """Return the kinds that `vedette replay` opened on each clip, each clip a scene of its own."""
    out = _vedette("replay", *(str(build / f"{name}.mp4") for name in names), "--json-lines", "-")
    kinds: dict[str, set[str]] = {name: set() for name in names}
    for message in map(json.loads, out.splitlines()):
        kinds[Path(message["source"]).stem].add(message["kind"])
    return {name: sorted(found) for name, found in kinds.items()}


def _recall_table(found: dict[str, dict[str, list[int]]]) -> str:
    postures = sorted({posture for counts in found.values() for posture in counts} - {"false"})
    lines = [f"| clip | {' | '.join(postures)} | all | false boxes / pictures |", "|" + "---|" * (len(postures) + 3)]
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, counts in found.items():
        for posture, pair in counts.items():
            total[posture] = [a + b for a, b in zip(total[posture], pair, strict=True)]
        lines.append(_recall_row(name, counts, postures))
    return "\n".join([*lines, _recall_row("**all**", total, postures), ""])


def _recall_row(name: str, counts: dict[str, list[int]], postures: list[str]) -> str:
    cells = [_share(counts.get(posture, [0, 0])) for posture in postures]
    both = [sum(counts.get(posture, [0, 0])[side] for posture in postures) for side in (0, 1)]
    false = counts.get("false", [0, 0])
    return f"| {name} | {' | '.join(cells)} | {_share(both)} | {false[0]} / {false[1]} |"


def _share(pair: list[int]) -> str:
    return f"{100 * pair[0] / pair[1]:.0f} % of {pair[1]}" if pair[1] else ""


def _opened_table(labels: dict[str, dict[str, Any]], opened: dict[str, list[str]]) -> str:
    lines = ["| clip | expects | opened | fall and fire |", "|---|---|---|---|"]
    right = 0
    for name, clip in labels.items():
        wrong = [kind for kind in JUDGED if (kind in clip["expects"]) != (kind in opened[name])]
        verdict = "right" if not wrong else ", ".join(
            f"{kind} {'missed' if kind in clip['expects'] else 'opened wrongly'}" for kind in wrong
        )  # fmt: skip
        right += not wrong
        lines.append(f"| {name} | {', '.join(clip['expects'])} | {', '.join(opened[name])} | {verdict} |")
    return "\n".join([*lines, "", f"{right} of {len(labels)} clips right on {' and '.join(JUDGED)}.", ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
