"""What the live agent hears in whole clips, kept: every window's logits and embedding, as serving cuts windows.

Windows end every half second, again after onsets (`AGAIN_S`) and after the end (`AFTER_END_S`). A part is heard once
(eight minutes for `train`, two for the others) and lies below build/hearing/heard until the graph or the way of hearing
changes.
"""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.features.logmel import RATE_HZ
from agent.inference.device import Inputs
from agent.inference.hear import AFTER_END_S, AGAIN_S, Listener
from agent.inference.hearing import HearingModel
from agent.types import FloatArray, Heard, SoundBlock
from models.hearing import data

KEPT = data.BUILD / "heard"
AGENT = Path(__file__).resolve().parents[2] / "agent"
HEARS = ("features/logmel.py", "features/level.py", "features/tones.py", "features/windows.py", "inference/hear.py")
"""What of the agent decides, besides the graph, what is heard."""
BLOCK = RATE_HZ // 10


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One clip as it was heard: `heard` without scores, and of each its logits [n, L], embedding [n, 128], silence."""

    heard: tuple[Heard, ...]
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    is_silent: NDArray[np.bool_]

    def scored(self, model: HearingModel) -> tuple[Heard, ...]:
        """As the agent tells it, with the scores of the model's card."""
        columns = zip(self.heard, self.logits, self.embeddings, self.is_silent, strict=True)
        return tuple(
            replace(
                one,
                scores=model.silence()
                if is_silent
                else model.scores({"logits": logits[None], "embedding": embedding[None].astype(np.float32)}),
            )
            for one, logits, embedding, is_silent in columns
        )


class Noting(HearingModel):
    """The sound model, writing down every bare output while somebody asks for them."""

    noted: list[Inputs] | None = None

    def run(self, tensor: FloatArray) -> Inputs:
        outputs = super().run(tensor)
        if self.noted is not None:
            self.noted.append(outputs)
        return outputs


def take(samples: NDArray[np.int16], model: Noting) -> Take:
    """Hear a clip to its end as the live agent does."""
    nothing = model.silence()
    noted = model.noted = list[Inputs]()
    listener, heard = Listener(model, again_s=AGAIN_S, after_end_s=AFTER_END_S), list[Heard]()
    sound = samples.astype(np.float32) / 32768.0
    for first in range(0, len(sound), BLOCK):
        at_ns = first * (1_000_000_000 // RATE_HZ)
        heard += listener.hear(SoundBlock(camera="dev", at_ns=at_ns, samples=sound[first : first + BLOCK]))
    heard += listener.finish()
    model.noted = None
    is_silent = np.array([one.scores is nothing for one in heard], bool)
    logits = np.zeros((len(heard), len(model.card.labels)), np.float32)
    embeddings = np.zeros((len(heard), 128), np.float16)
    if noted:
        logits[~is_silent] = np.concatenate([outputs["logits"] for outputs in noted])
        embeddings[~is_silent] = np.concatenate([outputs["embedding"] for outputs in noted])
    return Take(tuple(replace(one, scores=(), embedding=()) for one in heard), logits, embeddings, is_silent)


def takes(name: str, clips: Sequence[NDArray[np.int16]], model: Noting) -> list[Take]:
    """The takes of a part in the order of its clips, from the disk where they lie there."""
    path = KEPT / f"{name}-{_sha(clips, model)[:16]}.pkl"
    if path.is_file():
        kept: list[Take] = pickle.loads(path.read_bytes())  # our own, from build/
        return kept
    made = [take(np.asarray(samples), model) for samples in tqdm(clips, desc=f"hearing {name}")]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(pickle.dumps(made))
    partial.rename(path)
    return made


def _sha(clips: Sequence[NDArray[np.int16]], model: HearingModel) -> str:
    total = hashlib.sha256(model.chosen[0].file.encode())
    for file in model.card.files:
        total.update(file.sha256.encode())
    for name in HEARS:
        total.update((AGENT / name).read_bytes())
    for samples in clips:
        total.update(len(samples).to_bytes(8, "little") + np.asarray(samples).tobytes())
    return total.hexdigest()
