"""What the live agent hears in whole clips, kept: every window's logits and embeddings, as serving cuts windows.

Windows end every half second, again after onsets (`AGAIN_S`) and after the end (`AFTER_END_S`). A part is heard once
(ten minutes for `train`, three for the others) and lies below build/hearing/heard until a graph or the way of hearing
changes.
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent.features.logmel import RATE_HZ
from agent.inference.calibrated import scores_of
from agent.inference.card import load_card
from agent.inference.device import Inputs
from agent.inference.hear import AFTER_END_S, AGAIN_S, Listener
from agent.inference.hearing import HearingModel
from agent.inference.verifier import ASKED_FROM_LLR
from agent.types import FloatArray, Heard, SoundBlock
from models.hearing import data
from models.hearing.labels import VERIFIED

KEPT = data.BUILD / "heard"
AGENT = Path(__file__).resolve().parents[2] / "agent"
HEARS = (
    "features/logmel.py", "features/finemel.py", "features/level.py", "features/tones.py", "features/windows.py",
    "inference/hear.py", "inference/verifier.py",
)  # fmt: skip
"""What of the agent decides, besides the graph, what is heard."""
BLOCK = RATE_HZ // 10


Verifying = Callable[[NDArray[np.float16]], NDArray[np.float32]]
"""The verifier's upper blocks: maps [n, 32, 8, 13] to logits [n, labels]."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One clip as it was heard: `heard` without scores, and of each its logits [n, L], embedding [n, 128], silence.

    `asked` names the windows of which the verifier is asked; of those `maps` are what its lower blocks make of them,
    [asked, 32, 8, 13] where they were asked for: its upper ones may change without anything being heard again.
    `verified` [asked, labels] are the shipped verifier's logits.
    """

    heard: tuple[Heard, ...]
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    is_silent: NDArray[np.bool_]
    asked: NDArray[np.int64]
    maps: NDArray[np.float16]
    verified: NDArray[np.float32] | None

    def outputs(self, verifying: Verifying | None = None) -> list[Inputs]:
        """The bare outputs of every window; the verifier's logits by other upper blocks, if given.

        Those of the shipped ones are not kept on the disk.
        """
        logits = self.verified if verifying is None else verifying(self.maps)
        assert logits is not None
        said = dict(zip(self.asked.tolist(), logits, strict=True))
        return [
            {"logits": logits[None], "embedding": embedding[None].astype(np.float32)}
            | ({"verifier_logits": said[row][None]} if row in said else {})
            for row, (logits, embedding) in enumerate(zip(self.logits, self.embeddings, strict=True))
        ]

    def scored(self, model: HearingModel, verifying: Verifying | None = None) -> tuple[Heard, ...]:
        """As the agent tells it, with the scores of the model's card."""
        columns = zip(self.heard, self.outputs(verifying), self.is_silent, strict=True)
        return tuple(
            replace(one, scores=model.silence() if is_silent else model.scores(outputs))
            for one, outputs, is_silent in columns
        )


class Noting(HearingModel):
    """The sound model, writing down every bare output while somebody asks for them."""

    noted: list[Inputs] | None = None
    lower: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None
    """The verifier's lower blocks (models.hearing.maps), where their maps are to be noted."""

    def run(self, samples: FloatArray, picture: FloatArray) -> Inputs:
        outputs = super().run(samples, picture)
        if self.noted is not None:
            own = scores_of(self.card, self.card.labels, outputs["logits"][0])
            is_asked = any(score.llr >= ASKED_FROM_LLR and score.label in VERIFIED for score in own)
            more = {"map": self.lower(samples)[0][None]} if is_asked and self.lower else {}
            self.noted.append({**outputs, **more, "asked": np.array(is_asked)})
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
    is_asked = [bool(outputs["asked"]) for outputs in noted]
    told = [outputs for outputs, asked in zip(noted, is_asked, strict=True) if asked]
    maps = [outputs["map"] for outputs in told if "map" in outputs]
    verified = [outputs["verifier_logits"] for outputs in told if "verifier_logits" in outputs]
    return Take(
        tuple(replace(one, scores=(), embedding=()) for one in heard),
        logits,
        embeddings,
        is_silent,
        np.flatnonzero(~is_silent)[is_asked],
        np.concatenate(maps or [np.zeros((0, 32, 8, 13), np.float32)]).astype(np.float16),
        np.concatenate(verified or [np.zeros((0, len(VERIFIED)), np.float32)]),
    )


def takes(name: str, clips: Sequence[NDArray[np.int16]], model: Noting) -> list[Take]:
    """The takes of a part in the order of its clips, from the disk where they lie there."""
    from models.hearing.maps import Lower  # noqa: PLC0415 - needs torch, the rest does not

    model.lower = lower = Lower()
    path = KEPT / f"{name}-{sha_of(clips, lower.sha)[:16]}.pkl"
    if path.is_file():
        kept: list[Take] = pickle.loads(path.read_bytes())  # our own, from build/
        return kept
    heard = (take(np.asarray(samples), model) for samples in tqdm(clips, desc=f"hearing {name}"))
    made = [replace(one, verified=None) for one in heard]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_bytes(pickle.dumps(made))
    partial.rename(path)
    return made


def sha_of(clips: Sequence[NDArray[np.int16]], lower_sha: str) -> str:
    """What decides what is heard in clips: the graph, the verifier's lower blocks, the agent's code, the clips."""
    total = hashlib.sha256(lower_sha.encode())
    for file in load_card("hearing").files:
        total.update(file.sha256.encode())
    for name in HEARS:
        total.update((AGENT / name).read_bytes())
    for samples in clips:
        total.update(len(samples).to_bytes(8, "little") + np.asarray(samples).tobytes())
    return total.hexdigest()
