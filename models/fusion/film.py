"""Film on which nothing happens, to learn calm from and to count on: the development half of benchmarks/footage.csv.

    python -m benchmarks.footage fetch DIR     # brings the film out of git directories
    python -m benchmarks.hours --part dev      # once: looks at it (models.fusion.train asks only for what was seen)

The labelled calm clips are mostly of the cameras of the fights, seconds before or after one. Film of other places holds
what they lack: people who come and go for minutes. What is counted only (`held`) never comes in here.
"""

import pickle
from collections.abc import Iterator

from agent.errors import SourceError
from agent.service.senses import Senses
from agent.types import Seen
from benchmarks.footage import Recording, normal
from benchmarks.hours import observed
from models.fusion.clips import BUILD, Clip, folders
from models.fusion.windows import FILM, Sequence16, from_windows, windows_of

LEAST_STEPS = 4


def load_film(senses: Senses) -> list[Sequence16]:
    """The steps of each dev film with people's motion in it, without its sound; kept beside the steps of the clips.

    Raises FileNotFoundError where the film was not brought.
    """
    places = folders(senses)
    kept = BUILD / "steps" / f"{places['seen'].name}-{places['heard'].name}" / "film.pickle"
    if not kept.exists():
        found = list(_made(senses))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(found))
    film: list[Sequence16] = pickle.loads(kept.read_bytes())  # our own, from build/
    return film


def _made(senses: Senses) -> Iterator[Sequence16]:
    for one in normal("dev"):
        if one.medium == "sound":
            continue
        if not one.file.exists():
            raise FileNotFoundError(f"{one.file}: python -m benchmarks.footage fetch DIR")
        try:
            seen = [each for each in observed(one.file, one.sha256, one.fps, senses) if isinstance(each, Seen)]
        except SourceError:  # `benchmarks.hours` says which and why
            continue
        steps = from_windows(_clip(one), 0, windows_of(seen))
        if steps is not None and steps.length >= LEAST_STEPS:
            yield steps


def _clip(one: Recording) -> Clip:
    return Clip(
        name=one.sha256[:16],
        path=one.file,
        kind=FILM,
        events=(),
        repo=one.repository,
        licence=one.licence,
        group=f"{FILM} {one.group}",
        split="train",
        duration_s=one.seconds,
        has_sound=False,
    )
