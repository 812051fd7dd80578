"""Falls: a person goes down and stays down; or is found lying without anybody having seen how.

What counts is that the going down was quick (lying down to rest takes longer) and that it lasted: somebody who
ties a shoe comes up again.
"""

from collections.abc import Iterable, Iterator

from agent.scene.evidence import Clue
from agent.scene.following import Followed
from agent.types import NS_PER_S

QUICK_S = 2.0
"""From last upright to lying: falls take 0.5 to 1.5 s, lying down on purpose 3 s and more."""
SEEN_FIRST_LLR, SEEN_LLR_PER_S = 2.6, 3.5
"""Reach the threshold of 4 after 0.4 s of lying; the posture itself is known after 0.2 s (the contract: 0.8 s)."""
FOUND_LLR_PER_S = 1.75
"""Where only the lying was seen: after 2.3 s (the contract: 2.5 s)."""
LONGEST_S = 4.0  # lying on says nothing more after this long
SURE_PROB, UNSURE_PROB = 0.45, 0.15
"""Mean detection score at which a lying person counts in full, and not at all."""


def falls(at_ns: int, present: Iterable[Followed]) -> Iterator[Clue]:
    """What the postures of those who are `present` say at `at_ns`."""
    for followed in present:
        if followed.label != "person":
            continue
        if followed.body.lying_since_ns is None:
            yield from _is_up(at_ns, followed)
        else:
            yield _lies(at_ns, followed, followed.body.lying_since_ns)


def _lies(at_ns: int, followed: Followed, since_ns: int) -> Clue:
    body = followed.body
    lying_s = min(LONGEST_S, (at_ns - since_ns) / NS_PER_S)
    down_s = QUICK_S + 1.0 if body.upright_ns is None else (since_ns - body.upright_ns) / NS_PER_S
    seen = down_s <= QUICK_S
    # Detectors are unsure of lying people; who walked a moment ago is a person all the same.
    prob = max(followed.mean_prob, followed.upright_prob) if seen else followed.mean_prob
    sure = min(1.0, max(0.0, (prob - UNSURE_PROB) / (SURE_PROB - UNSURE_PROB)))
    llr = SEEN_FIRST_LLR + SEEN_LLR_PER_S * lying_s if seen else FOUND_LLR_PER_S * lying_s
    words: dict[str, str | float] = {"lying_s": (at_ns - since_ns) / NS_PER_S, "variant": "fell" if seen else "fallen"}
    if seen:
        words |= {"from": body.upright_behaviour, "down_s": down_s}
    return Clue(
        kind="fall",
        signal="went_down" if seen else "fallen",
        modality="vision",
        adding="state",
        llr=sure * llr,
        score=followed.score_prob,
        since_ns=since_ns,
        begun_ns=body.upright_ns if seen and body.upright_ns is not None else since_ns,
        track=followed.track_id,
        box=followed.box,
        words=words,
    )


def _is_up(at_ns: int, followed: Followed) -> Iterator[Clue]:
    for signal in ("went_down", "fallen"):
        yield Clue(
            kind="fall",
            signal=signal,
            modality="vision",
            adding="state",
            llr=0.0,
            score=0.0,
            since_ns=at_ns,
            track=followed.track_id,
        )
