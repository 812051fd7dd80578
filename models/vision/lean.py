"""Makes the published int8 graphs leaner: the same numbers from fewer, and better fed, kernels.

    python -m models.vision.lean            # the int8 graphs of models/zoo, their card, and that of fusion; last of all

ONNX Runtime leaves the eight-bit form wherever channels are shuffled, joined or cut between rounding and convolution:
each such place cost a pass through float, and two through another order in memory. Here (decision 054)

- roundings move ahead of what only rearranges channels, so that bytes are rearranged. What a unit of the body keeps of
  its input stays where it is, in cuts of the tensors it came from; readers have their weights in the order of the cuts;
- channels are filled up with nothing to multiples of 16, for which kernels are two to three times as fast;
- the first convolution, whose products are whole numbers that float holds exactly, runs in float, and the largest of
  its neighbours is taken before rounding instead of after it: the same, for rounding keeps the order.

All of that is exact. What reads the body's channels in float (scene head, second judge, scene embedding) adds them up
in another order: `scene`, `scene_map`, `scene_judged` and `scene_embedding` may move by some 1e-6. Scores and boxes
are the same to the last bit, and so are postures where their head reads no body.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from agent.features.letterbox import to_tensor
from agent.inference.vision import JUDGED, probe_picture
from models.vision.export import entry
from models.vision.judging import LEAN, is_lean, require_plain
from models.vision.lean_blocks import fill, float_stem
from models.vision.lean_cuts import regroup
from models.vision.lean_graph import Graph
from models.vision.teachers import session

ZOO = Path(__file__).resolve().parents[1] / "zoo"
TOLERANCE = 1e-4
"""How far sums in another order may be off: those of all that reads the body's channels in float."""
EXACT = ("scores", "sides")
"""What stays the same to the last bit."""


def leaner(model: ModelProto) -> ModelProto:
    """A graph that gives what this one gives. Raises ValueError where it has no judge, is lean, or built otherwise."""
    require_plain(model)
    if JUDGED not in {output.name for output in model.graph.output}:
        raise ValueError("the graph has no second judge: that is written first (models.vision.judge)")
    lean = ModelProto()
    lean.CopyFrom(model)
    graph = Graph(lean)
    regroup(graph)
    float_stem(graph)
    fill(graph)
    graph.write()
    lean.metadata_props.add(key=LEAN, value="yes")
    onnx.checker.check_model(lean, full_check=True)
    _require_same(model, lean)
    return lean


def _require_same(model: ModelProto, lean: ModelProto) -> None:
    names = [output.name for output in model.graph.output]
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[2:])
    runs = [session(one.SerializeToString()) for one in (model, lean)]
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    for picture in (probe_picture(width, height), noise):
        before, after = (run.run(names, {"image": to_tensor(picture)}) for run in runs)
        for name, one, other in zip(names, before, after, strict=True):
            if np.abs(one - other).max() > (0.0 if name in EXACT else TOLERANCE):
                raise ValueError(f"{name} is no longer the same")


def _tell(card: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    """What was measured on a graph holds for its leaner one; the card says on which it was measured."""
    measured = card.get("measured", {})
    if measured.get("files", {}).get(before["file"]) == before["sha256"]:
        measured["files"][before["file"]] = after["sha256"]
        lean = measured.setdefault("made_leaner_since", {"command": "python -m models.vision.lean", "files": {}})
        lean["files"][before["file"]] = before["sha256"]


def write(zoo: Path = ZOO) -> None:
    """Make the int8 graphs of a folder leaner, and tell their card and fusion's; those that are stay."""
    card, fused = (json.loads((zoo / name).read_text("utf-8")) for name in ("vision.json", "fusion.json"))
    new = {}
    for number, before in enumerate(card["files"]):
        path = zoo / before["file"]
        if before["precision"] != "int8" or is_lean(model := onnx.load(str(path))):
            continue
        path.write_bytes(leaner(model).SerializeToString())
        after = card["files"][number] = entry(path, before["precision"], before["width_px"], before["height_px"])
        new[before["sha256"]] = after["sha256"]
        _tell(card, before, after)
        print(path.name, before["bytes"], "->", after["bytes"], "bytes")
    # What the fusion graph reads of them is rounded to four digits, and moves by less.
    fused["needs"] |= {"vision": [new.get(sha256, sha256) for sha256 in fused["needs"]["vision"]]}
    for name, content in (("vision.json", card), ("fusion.json", fused)):
        (zoo / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=ZOO)
    write(parser.parse_args().zoo)


if __name__ == "__main__":
    main()
