"""Person and 12-class average precision of `vedette detect`, run as an outside script runs it, by pycocotools.

    python -m benchmarks.detection                 the val pictures that are not thermal

The data lies in ../shared/data/vision (or $VEDETTE_SHARED/data/vision); the command shows each picture to the 416×416
export five times, whole and in four overlapping parts. What one look finds stands in the card (`ap50_stretched`).
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.clips import SHARED

FOLDER = SHARED / "data" / "vision"
PERSON = 1


def selected(annotations: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    """Return the val pictures that are not thermal; `complete`: only those with all 12 classes labelled."""
    kept = [
        image
        for image in annotations["images"]
        if image["split"] == "val"
        and image["complete_classes"] != ["person", "car", "bicycle"]
        and (image["complete_classes"] == "all" or not complete)
    ]
    ids = {image["id"] for image in kept}
    boxes = [box for box in annotations["annotations"] if box["image_id"] in ids]
    return {**annotations, "images": kept, "annotations": boxes}


def evaluated(truth: dict[str, Any], found: list[dict[str, Any]], categories: list[int]) -> tuple[float, float]:
    """Return AP50 and AP over `categories`."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "truth.json"
        path.write_text(json.dumps(truth), encoding="utf-8")
        coco = COCO(str(path))
        ids = set(coco.getImgIds())
        scored = COCOeval(coco, coco.loadRes([box for box in found if box["image_id"] in ids]), "bbox")
        scored.params.catIds = categories
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return float(scored.stats[1]), float(scored.stats[0])


def main() -> None:
    """Run from the command line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    everything = json.loads((FOLDER / "annotations.json").read_text("utf-8"))
    truth = selected(everything, complete=False)
    with tempfile.TemporaryDirectory() as folder:
        listed, out = Path(folder) / "listed.json", Path(folder) / "found.json"
        listed.write_text(json.dumps(truth), encoding="utf-8")
        command = [sys.executable, "-m", "agent.cli.main", "detect", str(FOLDER / "images"), "--annotations"]
        subprocess.run([*command, str(listed), "--out", str(out)], check=True)
        found = json.loads(out.read_text("utf-8"))
    person = evaluated(truth, found, [PERSON])
    complete = selected(everything, complete=True)
    twelve = evaluated(complete, found, [category["id"] for category in complete["categories"]])
    print("| val, not thermal, 416×416 int8, whole and in four parts | pictures | AP50 | AP |\n|---|---|---|---|")
    print(f"| person | {len(truth['images'])} | {person[0]:.3f} | {person[1]:.3f} |")
    print(f"| 12 classes | {len(complete['images'])} | {twelve[0]:.3f} | {twelve[1]:.3f} |")


if __name__ == "__main__":
    main()
