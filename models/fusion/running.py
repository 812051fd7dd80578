"""Training clips as a camera sees them that has been running: not for learning, but recipes are chosen by them.

    python -m models.fusion.clips --long --kinds fight,normal    # once: clips played to and fro for ten seconds
    python -m models.fusion.ablation --only shipped 0.4.0        # what recipes make of them; the card's threshold too

A clip as it is is a recording that begins with it. Most last two seconds, so a network may learn what tells that a
recording began. Three other ways to show the same clips, fights and calm ones alike:

- *to and fro*: its pictures forward, backward and forward again for ten seconds, so that it goes on;
- *after calm*: behind eight seconds and more of calm clips of the same fold and other groups, through the scene, whose
  tracks, clutter and motion go on over the cut;
- both together.

What is judged are the windows that end in the clip or up to a second behind it.
"""

import pickle
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from agent.scene.rolling_window import STEP_NS
from agent.service.senses import Senses
from agent.types import NS_PER_S, Seen
from models.fusion.clips import BUILD, LONG, Clip, folders, read, trainable
from models.fusion.net import Member
from models.fusion.to_and_fro import LONG_S
from models.fusion.train import Told, fold_of, held_out_logits
from models.fusion.windows import Sequence16, from_windows, windows_of

WAYS = ("to and fro", "after calm", "to and fro after calm")
CALM_S, ECHO_NS = 8.0, NS_PER_S
PICTURE_NS = NS_PER_S // 10
"""From the last picture of a clip to the first of the next."""
SEED = 11

Running = tuple[Sequence16, int]
"""Steps, and the first one whose window is judged: what is before is past."""


def load_running(senses: Senses) -> dict[str, list[Running]]:
    """By `WAYS`: the steps of each training clip of fights and calm, and the first one whose window is judged.

    Kept beside the steps of the clips. Raises FileNotFoundError where the clips were not played to and fro yet.
    """
    places = folders(senses)
    kept = BUILD / "steps" / f"{places['seen'].name}-{places['heard'].name}" / "running.pickle"
    if not kept.exists():
        chosen = [clip for clip in trainable() if clip.kind in ("fight", "normal")]
        short = [clip for clip in chosen if clip.duration_s < LONG_S]
        found = {
            "to and fro": [one for clip in short for one in _made(clip, shown(clip, places), 0)],
            "after calm": after_calm(chosen, {clip.name: shown(clip, places, as_is=True) for clip in chosen}),
            "to and fro after calm": after_calm(chosen, {clip.name: shown(clip, places) for clip in chosen}),
        }
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(found))
    running: dict[str, list[Running]] = pickle.loads(kept.read_bytes())  # our own, from build/
    return running


def shown(clip: Clip, places: Mapping[str, Path], *, as_is: bool = False) -> list[Seen]:
    """What was seen in a clip, played to and fro if it is short, of a long one the first ten seconds."""
    variant = LONG if clip.duration_s < LONG_S and not as_is else 0
    found = [one for one in read(clip, variant, places) if isinstance(one, Seen) and one.at_ns < LONG_S * NS_PER_S]
    if not found:
        raise FileNotFoundError("python -m models.fusion.clips --long --kinds fight,normal")
    return found


def after_calm(clips: Sequence[Clip], seen: Mapping[str, Sequence[Seen]]) -> list[Running]:
    """Each clip behind calm ones of its fold and of other groups, and before another second of such."""
    chance, found = random.Random(SEED), []
    for clip in tqdm(clips, desc="behind calm", leave=False, mininterval=10.0):
        fold = fold_of(clip.group)
        calm = [one for one in clips if one.kind == "normal" and fold_of(one.group) == fold and one.group != clip.group]
        joined: list[Seen] = []
        end_ns = round(chance.random() * STEP_NS)  # no clip begins on the grid of steps but by chance
        while end_ns < CALM_S * NS_PER_S:
            end_ns = _append(joined, seen[chance.choice(calm).name], end_ns)
        begins_ns, end_ns = end_ns, _append(joined, seen[clip.name], end_ns)
        _append(joined, [one for one in seen[chance.choice(calm).name] if one.at_ns <= ECHO_NS], end_ns)
        found += _made(clip, joined, begins_ns)
    return found


def _append(joined: list[Seen], part: Sequence[Seen], at_ns: int) -> int:
    joined += [replace(one, at_ns=one.at_ns + at_ns) for one in part]
    return joined[-1].at_ns + PICTURE_NS


def _made(clip: Clip, seen: Sequence[Seen], begins_ns: int) -> list[Running]:
    """The steps, if any window comes due; a fight lasts from where the clip begins to the end."""
    spans = ((begins_ns / NS_PER_S, seen[-1].at_ns / NS_PER_S, "fight"),) if clip.kind == "fight" else ()
    made = from_windows(replace(clip, events=spans), 0, windows_of(seen))
    return [] if made is None else [(made, begins_ns // STEP_NS)]


def held_out_running(members: Sequence[Member], running: Sequence[Running]) -> Told:
    """The fight logits of each clip's own windows, by the member that never saw its group nor the calm before it."""
    lasting = [(one, begins) for one, begins in running if one.length > begins]
    told = held_out_logits(members, [one for one, _ in lasting])
    begin = {id(one): begins for one, begins in lasting}
    return [(one, z[begin[id(one)] :]) for one, z in told]
