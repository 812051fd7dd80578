"""The drills there are: for each kind of incident a material in which it surely happens, and when.

Pictures are the rendered clips of the demo, sounds are synthesised: nobody was filmed or recorded for them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

from agent.capture.source import SourceSpec, open_media
from agent.config.schema import Analysis
from agent.service.drills.sounds import LEAD_S, sound
from agent.types import NS_PER_S, SOUND_RATE_HZ, Frame, Modality, SoundBlock, Uint8Array

BLOCK_SAMPLES = SOUND_RATE_HZ // 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One drill: what is played, by which sense it must be noticed, and `event_s`, when it happens in what is played.

    A film is played from `from_s` of it on, `times` times.
    """

    sense: Modality
    event_s: float
    clip: str = ""  # a film of agent/service/clips; empty: a sound of this kind is synthesised
    from_s: float = 0.0
    times: int = 1
    with_sound: bool = False  # the film's own sound confirms what it shows
    zone: bool = False  # the kind needs a zone: the drill brings one of the whole picture


PLANS: Mapping[str, Plan] = {
    "fall": Plan(clip="fall.mp4", sense="vision", event_s=3.4, with_sound=True),
    # The fire as it stands in full: how it grows is no part of the proof.
    "fire": Plan(clip="fire.mp4", sense="vision", event_s=0.0, from_s=8.0, times=4),
    "intrusion": Plan(clip="walkby.mp4", sense="vision", event_s=0.5, zone=True),
    "alarm": Plan(sense="sound", event_s=LEAD_S),
    "glass_break": Plan(sense="sound", event_s=LEAD_S),
    "gunshot": Plan(sense="sound", event_s=LEAD_S),
    "scream": Plan(sense="sound", event_s=LEAD_S),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """What goes into the pipeline next, in the material's own time, and the full picture behind a Frame."""

    item: Frame | SoundBlock
    picture: Uint8Array | None = None


def material(kind: str, camera: str, analysis: Analysis) -> Iterator[Piece]:
    """Yield the material of a drill in the order of its time, as fast as it is taken. Raises SourceError."""
    plan = PLANS[kind]
    return _film(plan, camera, analysis) if plan.clip else _sound(kind, camera)


def _film(plan: Plan, camera: str, analysis: Analysis) -> Iterator[Piece]:
    with as_file(files("agent.service") / "clips" / plan.clip) as path:
        spec = SourceSpec(
            camera=camera,
            url=str(path),
            width_px=analysis.width_px,
            height_px=analysis.height_px,
            analysis_fps=analysis.fps,
            want_sound=plan.with_sound,
        )
        begun_ns = 0
        for _ in range(plan.times):
            last_ns = begun_ns
            for piece in _played(spec, plan.from_s):
                last_ns = begun_ns + piece.item.at_ns
                yield replace(piece, item=replace(piece.item, at_ns=last_ns))
            begun_ns = last_ns + NS_PER_S // 10


def _played(spec: SourceSpec, from_s: float) -> Iterator[Piece]:
    """Yield a film from `from_s` on, which is the zero of its time now."""
    from_ns = round(from_s * NS_PER_S)
    with open_media(spec) as media:
        for item in media.read():
            if item.at_ns >= from_ns:
                picture = media.latest_picture() if isinstance(item, Frame) else None
                yield Piece(replace(item, at_ns=item.at_ns - from_ns, drill=True), picture)


def _sound(kind: str, camera: str) -> Iterator[Piece]:
    samples = sound(kind)
    for start in range(0, samples.size, BLOCK_SAMPLES):
        at_ns = start * NS_PER_S // SOUND_RATE_HZ
        block = SoundBlock(camera=camera, at_ns=at_ns, samples=samples[start : start + BLOCK_SAMPLES], drill=True)
        yield Piece(block)
