"""Fires without colour, as a camera sees them by night: labelled clips shown in grey, with and without their flicker.

    python -m benchmarks.night                    val clips of fires and calm ones (about two minutes)
    python -m benchmarks.night --split train      what `agent.scene.fires.FLICKER_LLR` was chosen on

The first 20 s of each clip of ../shared/data/video go through the product's own senses and scene with default settings,
every picture turned to grey before (BT.601). A real infrared picture shows flames whiter still and clothes lighter:
this is what can be measured where hardly any film of fires by night is to be had. Found: `fire` opens.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from agent.capture.source import open_media
from agent.errors import SourceError
from agent.scene import Policy, Scene
from agent.service.senses import Senses
from agent.types import NS_PER_S, Frame, Opened, Seen
from benchmarks.clips import Clip, clips_of
from benchmarks.hours import senses_of_default, spec_of

LONGEST_S = 20.0
KINDS = ("fire", "normal")


def seen_in_grey(path: Path, senses: Senses) -> Iterator[Seen]:
    """Yield what is seen of a clip without its colours. Raises SourceError."""
    seer = senses.seer()
    with open_media(replace(spec_of(path, 0.0, senses), want_sound=False)) as media:
        for frame in media.read():
            if isinstance(frame, Frame) and frame.at_ns < LONGEST_S * NS_PER_S:
                grey = cv2.cvtColor(frame.picture, cv2.COLOR_RGB2GRAY)
                yield seer.see(replace(frame, picture=np.repeat(grey[..., None], 3, axis=2)))


def opens_fire(seen: list[Seen], senses: Senses) -> bool:
    """Whether a fire opens in what was seen."""
    scene = Scene(Policy.of(senses.config), lateness_ns=0)
    changes = [change for sight in seen for change in scene.step(sight)]
    return any(isinstance(change, Opened) and change.incident.kind == "fire" for change in changes)


def counted(clips: list[Clip], senses: Senses) -> tuple[int, int, int]:
    """Return how many clips were played, and of how many a fire opens without flicker and with it."""
    played = without = with_flicker = 0
    for clip in clips:
        try:
            seen = list(seen_in_grey(Path(clip.path), senses))
        except SourceError as error:
            print(error.line(), file=sys.stderr)
            continue
        opened = [opens_fire(each, senses) for each in ([replace(s, flicker=None) for s in seen], seen)]
        played, without, with_flicker = played + 1, without + opened[0], with_flicker + opened[1]
        if any(opened):
            print(f"{clip.path}: without flicker, with it: {opened}", file=sys.stderr, flush=True)
    return played, without, with_flicker


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["train", "val"], default="val")
    chosen = parser.parse_args()
    senses = senses_of_default()
    print(f"| {chosen.split}, in grey | clips | fire opens without flicker | with it |\n|---|---|---|---|")
    for kind in KINDS:
        clips = [clip for clip in clips_of("video", chosen.split) if clip.labels == (kind,)]
        played, without, with_flicker = counted(clips, senses)
        print(f"| {kind} | {played} | {without} | {with_flicker} |", flush=True)


if __name__ == "__main__":
    main()
