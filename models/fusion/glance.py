"""A glance at the whole picture: what its embedding alone says of a fight, by one weight a feature and held down.

A network that looks at the picture's embedding learns training's places by heart, which is why people and sound are all
that members look at since 0.6.0. But people entangled look like people entangled anywhere: a linear probe on the mean
embedding of a clip, pulled hard towards nothing, knows fights of other collections better than the members do
(README.md, "A glance at the picture"), and what it says is added to their logit of a fight, counted in its standard
deviations over the training clips.
"""

from collections.abc import Sequence

import numpy as np
import torch

from models.fusion.net import EMBEDDING, Member
from models.fusion.probe import judged, probe
from models.fusion.windows import PAST, Sequence16

PULL = 100.0
GLANCE = 1.0
"""Standard deviations; that of the members' own logits of a clip is 2.1. At 1.5 fewer of the shared fights open."""


@torch.no_grad()
def fit_glance(member: Member, clips: Sequence[Sequence16], share: float) -> None:
    """Fit a trained member's glance to the fights and calm clips that it learned from; nothing where `share` is 0."""
    if not share:
        return
    told = [one for one in clips if one.clip.kind in ("fight", "normal") and one.known["scene"].any()]
    rows = np.stack([_mean(one) for one in told])
    with torch.enable_grad():
        weights, offset = probe(rows, np.array([one.clip.kind == "fight" for one in told]), PULL)
    said = judged((weights, offset), rows)
    scale = share / float(said.std())
    middle = float(said.mean())
    member.glance.copy_(torch.from_numpy(np.append(weights * scale, (offset - middle) * scale).astype(np.float32)))


def _mean(one: Sequence16) -> np.ndarray:
    """The mean embedding of what is known of a clip's first eight seconds: [128]."""
    known = one.known["scene"] > 0
    return np.asarray(one.rows["scene"][known][:PAST, :EMBEDDING].mean(axis=0), np.float32)
