"""Make the scenes: `python -m models.scenes list`, `render NAME…|all`, `gallery`.

Needs the extra `render` (bpy, anny, mujoco). Clips, labels and contact sheets go to build/scenes; what is there
already is left alone, so a broken-off run goes on where it stopped (`--again` renders anew). Empty rooms are rendered
once by Blender and kept in build/scenes/rooms.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from models.scenes import gallery
from models.scenes.catalogue import SCENES
from models.scenes.scene import Scene, label, render, resound
from models.scenes.shows import SHOWS

BUILD = Path("build/scenes")
GALLERY = Path("docs/images/scenes.jpg")


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m models.scenes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every scene, what it expects, and whether it is rendered")
    making = commands.add_parser("render", help="render scenes")
    making.add_argument("names", nargs="+", metavar="NAME|all")
    making.add_argument("--again", action="store_true", help="even if it is rendered already")
    making.add_argument("--build", type=Path, default=BUILD)
    sounding = commands.add_parser("sound", help="give rendered scenes the sound they would get now, pictures kept")
    sounding.add_argument("names", nargs="+", metavar="NAME|all")
    sounding.add_argument("--build", type=Path, default=BUILD)
    labelling = commands.add_parser("label", help="write the joints of rendered scenes into their labels anew")
    labelling.add_argument("names", nargs="+", metavar="NAME|all")
    labelling.add_argument("--build", type=Path, default=BUILD)
    showing = commands.add_parser("gallery", help=f"write one picture of each rendered clip to {GALLERY}")
    showing.add_argument("--build", type=Path, default=BUILD)
    showing.add_argument("--out", type=Path, default=GALLERY)
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        return _list()
    if chosen.command == "gallery":
        gallery.write(list(SCENES), chosen.build, chosen.out)
        return 0
    names = list(SCENES) if chosen.names == ["all"] else chosen.names
    unknown = sorted(set(names) - set(SCENES))
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)}; `python -m models.scenes list` names them")
    chosen.build.mkdir(parents=True, exist_ok=True)
    if chosen.command in ("sound", "label"):
        return _again(names, chosen.build, resound if chosen.command == "sound" else label)
    for name in names:
        if chosen.again or not (chosen.build / f"{name}.mp4").is_file():
            begun_s = time.monotonic()
            render(name, SCENES[name](), chosen.build)
            print(f"  in {time.monotonic() - begun_s:.0f} s", flush=True)
    return 0


def _again(names: list[str], build: Path, make: Callable[[str, Scene, Path], None]) -> int:
    """Make something of rendered scenes anew; 1 where one of them cannot be, which is said."""
    status = 0
    for name in names:
        if (build / f"{name}.mp4").is_file():
            try:
                make(name, SCENES[name](), build)
            except ValueError as error:
                print(error, file=sys.stderr)
                status = 1
    return status


def _list() -> int:
    for name, make in SCENES.items():
        scene = make()
        done = "rendered" if (BUILD / f"{name}.mp4").is_file() else ""
        where = f"{scene.room} {scene.lighting} {scene.camera}"
        kinds = " ".join(sorted(scene.expects)) or "nothing"
        print(f"{name:16} {scene.seconds:5.1f} s  {where:22} {kinds:24} {done:8}  {SHOWS[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
