"""Thresholds of this place: from people's verdicts, and from recordings in which nothing happened.

An incident's confidence tells by how much its evidence passed the threshold; with the margin that the threshold had
then, that is its excess over the threshold without any margin, in llr. An incident that was false would not have opened
with a margin above its excess; one that was true must keep its place. The margin of a kind is the smallest that costs
least, where losing a true incident costs `MISS_COST` false ones.
What was missed is in no history, so a margin from verdicts never lowers a threshold.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.schema import Config
from agent.errors import SourceError
from agent.service.recordings.replay import DEFAULT_CAMERA, Outputs, Replayer, Settings
from agent.service.senses import Senses
from agent.types import NS_PER_S

MISS_COST = 4.0
MOST_MARGIN_LLR = 4.0
"""Beyond this the cure is another zone, mask or place of the camera: the threshold would hide what is true."""
_ABOVE_LLR = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One incident and whether it was true; `excess_llr` is by how much it passed the threshold without margin."""

    kind: str
    excess_llr: float
    true: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a kind's threshold is raised by, and what that does to the incidents it rests on."""

    kind: str
    before_llr: float
    after_llr: float
    true: int
    true_kept: int
    false: int
    false_kept: int


def excess_llr(confidence: float) -> float:
    """By how much the peak of an incident of this confidence passed its threshold: the log odds of it."""
    bounded = min(max(confidence, 1e-6), 1.0 - 1e-6)
    return math.log(bounded / (1.0 - bounded))


def from_history(
    messages: Sequence[Mapping[str, Any]], verdicts: Mapping[str, bool], margin_then: Callable[[str, str], float]
) -> list[Judged]:
    """The incidents (newest message of each) that somebody gave a verdict on; drills are none.

    `margin_then` tells, by kind and RFC 3339 time, the margin that the threshold had.
    """
    return [
        Judged(
            kind=message["kind"],
            excess_llr=excess_llr(message["confidence"]) + margin_then(message["kind"], message["started_at"]),
            true=verdicts[message["id"]],
        )
        for message in messages
        if message["id"] in verdicts and not message["drill"]
    ]


def from_ordinary(recordings: Sequence[str], config: Config) -> tuple[list[Judged], float]:
    """What opens in recordings in which nothing happened, all of it false, and their hours.

    Raises SourceError where one cannot be played.
    """
    peaks: dict[str, tuple[str, float]] = {}
    sources: dict[str, int] = {}

    def take(message: dict[str, Any]) -> None:
        if message["kind"] != "source_lost":
            peaks[message["id"]] = (message["kind"], message["confidence"])

    camera = next(iter(config.cameras)) if len(config.cameras) == 1 else DEFAULT_CAMERA
    senses = Senses.load(config)
    replayer = Replayer(
        Settings(config=config, camera=camera),
        senses.seer,
        senses.listener,
        senses.model_versions(),
        Outputs(message=take),
    )
    for source in recordings:
        scene = replayer.scene(source)
        ended_ns = replayer.play(source, scene)
        scene.end(ended_ns)
        sources[source] = ended_ns
    if not any(sources.values()):
        raise SourceError("the recordings are empty", fault="ended", cure="Give recordings of ordinary hours.")
    held = config.policy.margin_llr
    judged = [
        Judged(kind=kind, excess_llr=excess_llr(sure) + held.get(kind, 0.0), true=False)
        for kind, sure in peaks.values()
    ]
    return judged, sum(sources.values()) / NS_PER_S / 3600.0


def margins(judged: Sequence[Judged], before_llr: Mapping[str, float]) -> list[Margin]:
    """The margin of each kind that was judged, the kinds in alphabetical order.

    `before_llr` holds the margins of today; none sinks.
    """
    return [
        _margin(kind, [one for one in judged if one.kind == kind], before_llr.get(kind, 0.0))
        for kind in sorted({one.kind for one in judged})
    ]


def _margin(kind: str, judged: Sequence[Judged], before_llr: float) -> Margin:
    raises = [before_llr, *(one.excess_llr + _ABOVE_LLR for one in judged if not one.true)]
    bounded = [max(before_llr, min(raised, MOST_MARGIN_LLR)) for raised in raises]
    chosen = min(bounded, key=lambda raised: (_cost(judged, raised), raised))
    kept = [one for one in judged if one.excess_llr >= chosen]
    return Margin(
        kind=kind,
        before_llr=before_llr,
        after_llr=round(chosen, 2),
        true=sum(one.true for one in judged),
        true_kept=sum(one.true for one in kept),
        false=sum(not one.true for one in judged),
        false_kept=sum(not one.true for one in kept),
    )


def _cost(judged: Sequence[Judged], raised_llr: float) -> float:
    missed = sum(one.true and one.excess_llr < raised_llr for one in judged)
    false = sum(not one.true and one.excess_llr >= raised_llr for one in judged)
    return MISS_COST * missed + false
