"""The central types: what flows between capture, inference, scene and uplink.

All of them are frozen. Inside the agent, times are integer nanoseconds on one monotonic timeline (`at_ns`); wall time
is attached once, in the outbox. Boxes are always in fractions of the original picture. Detections are labelled with
COCO names, sounds with the labels of the hearing model's card. A `drill` marks what a drill plays in place of the
camera or microphone: it goes the same way as the rest, but is judged apart.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from agent.kinds import KINDS as KINDS  # noqa: PLC0414 - offered here too; strict mypy wants it said

Uint8Array: TypeAlias = npt.NDArray[np.uint8]
FloatArray: TypeAlias = npt.NDArray[np.float32]
Corners: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in fractions of a picture."""

NS_PER_S = 1_000_000_000
SOUND_RATE_HZ = 16_000
FUSION_STEPS = 16

Modality = Literal["vision", "sound", "fusion", "rule", "normality", "sensor"]
Severity = Literal["notice", "warning", "critical"]
CloseReason = Literal["quiet", "absorbed", "source_ended", "source_lost", "timeout", "stopped", "disarmed"]
SourceReason: TypeAlias = Literal["not_found", "refused", "login", "codec", "timeout", "ended", "silent"]
BlindReason: TypeAlias = SourceReason | Literal["cut"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class Native(Protocol):
    """The original picture, of which parts can be had at full resolution."""

    def cut(self, corners_frac: Corners, most_width_px: int, most_height_px: int) -> tuple[Uint8Array, Corners]:
        """Return a part, scaled down to fit, as uint8 [height, width, 3] RGB, and the corners it really covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture at analysis size.

    `picture` is uint8 [height, width, 3] RGB, scaled to fit the analysis size with its aspect ratio kept. `width_px`
    and `height_px` are those of the original picture. `index` counts every picture of the source from 0, analysed or
    not. `native` is the original picture, where it is larger.
    """

    camera: str
    at_ns: int
    picture: Uint8Array
    width_px: int
    height_px: int
    index: int = 0
    drill: bool = False
    native: Native | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundBlock:
    """Consecutive mono samples, float32 at 16 kHz, full scale 1; `at_ns` is the time of the first one.

    `gap_before` says that sound is missing between the block before and this one.
    """

    camera: str
    at_ns: int
    samples: FloatArray
    gap_before: bool = False
    drill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in fractions of the original picture; it may reach slightly beyond the edges."""

    left_frac: float
    top_frac: float
    right_frac: float
    bottom_frac: float

    def __post_init__(self) -> None:
        _require(self.left_frac <= self.right_frac and self.top_frac <= self.bottom_frac, "box is inside out")

    @property
    def width_frac(self) -> float:
        return self.right_frac - self.left_frac

    @property
    def height_frac(self) -> float:
        return self.bottom_frac - self.top_frac

    @property
    def foot(self) -> tuple[float, float]:
        """The middle of the lower edge, (x, y): where something that stands touches the ground."""
        return (self.left_frac + self.right_frac) / 2, self.bottom_frac


POSTURES = ("upright", "crouched", "lying")
"""In the order of the graph. Upright: standing, walking, running. Crouched: sitting, squatting, kneeling, bending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One object found in one picture; `label` is a COCO name.

    `posture_probs` are given for people, in the order of `POSTURES`, on the assumption that all three are equally
    common beforehand; None where the graph does not estimate them.
    """

    label: str
    score_prob: float
    box: Box
    posture_probs: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A calibrated probability and the log-likelihood ratio (natural log) it stands for.

    `alarm_llr` is the ratio at which the model's card would raise an alarm on this label alone, None if the card names
    none. For sounds, agent.inference.opinion shifts it according to the embedding of the window.
    """

    label: str
    prob: float
    llr: float
    alarm_llr: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureStats:
    """What sensor integrity needs to know of a picture; measured on its grey values in [0, 1] unless said otherwise."""

    brightness_frac: float  # mean
    contrast_frac: float  # standard deviation
    sharpness_frac: float  # mean absolute Laplacian
    moving_frac: float  # share of cells that changed since the picture before
    grid: tuple[float, ...] = ()  # 8 × 6 cell means, row by row: the coarse look of the place
    differing_frac: float | None = None  # share of pixels that changed; None: there is no picture to compare with
    noise_frac: float | None = None  # the lowest such share among the quarter of the 8 × 6 blocks that changed most
    detail_frac: float = 0.0  # the absolute Laplacian that one pixel in a hundred exceeds, at half size: sharp edges
    glare_frac: float = 0.0  # share of the picture that is as bright as can be
    colour_frac: float = 0.0  # mean distance between the greatest and the least of red, green and blue
    # The direction of the edges in 16 × 9 cells, row by row: a vector (of twice the angle) of two numbers, -9 to 9,
    # for each cell, the longer the more the edges within the cell agree.
    edges: tuple[int, ...] = ()
    even_frac: float = 0.0  # the largest share of the picture within 17 of 255 grey levels
    stirred: int | None = None  # which of the 8 × 6 blocks changed in one pixel of a hundred: bit n is block n


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Optical flow of the cells that move (`agent.features.flow`), out of rows × columns counted row by row.

    `cells` holds four integers for each moving cell: its index, its change in tenths of a grey level, and its velocity
    to the right and downwards in thousandths of the picture's height per second. `changed` holds one integer for each
    of them, the share of its pixels that changed in thousandths; it is empty in old recordings (flow/2).
    """

    rows: int
    columns: int
    cells: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A patch of the picture that changed and has stayed as it is since (`agent.features.standing`)."""

    box: Box
    stood_s: float  # for how long it has looked as it does
    area_frac: float  # of the picture
    new_frac: float  # 1: something is there that was not; -1: something is gone
    unlike_frac: float  # 0: light can do this; 1: it cannot
    known_s: float  # for how long the background there had been known
    ends: bool = False  # it is part of the background from now on


@dataclass(frozen=True, slots=True, kw_only=True)
class Closer:
    """A look at one part of the picture at full resolution: where it was, and what the look at the whole missed."""

    region: Box
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sunken:
    """A closer look at the square around somebody who stood and is low now: where, and whom it shows there."""

    box: Box
    person: Detection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """What a second judge makes of fire and smoke (decision 048): of the whole look, and of the part of the picture
    where most speaks for fire, in its own size, where there was a closer look at it."""

    whole: tuple[Score, ...]
    region: Box | None = None
    part: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Somebody or something that moved for most of a second, and how its silhouette changed meanwhile.

    `legs` and `trunk` are the mean variance of the lower and the upper silhouette's pixels (0 to 0.25), `legs_width`
    and `trunk_width` the standard deviation of their widths (twentieths of a body), `speed` is in bodies a second.
    """

    box: Box
    legs: float
    trunk: float
    legs_width: float
    trunk_width: float
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one picture showed; `detections` is None where the picture stood still and was not analysed.

    `embedding` is the vision graph's description of the whole scene, `motion` the flow since the picture before
    (`agent.features.motion`); either may be empty. `flow` tells where it moves, for learned normality; None where
    there was nothing to compare with, or nobody asked. `standing` is what came or went without a class, None where
    that was not looked for. `flicker` is how restless the edges of what glows are (`agent.features.flicker`), None
    where the picture has colours or was not analysed. `closer` is a second look at a part of it, where there was one;
    what was found there is apart from `detections`, because not all that reads those may read it (decision 027).
    `sunken` is a closer look at somebody who went down, where there was one: for falls alone (decision 038). `burning`
    is a second judge's word on fire and smoke, None where the picture was not analysed or the graph has no such judge.
    `figures` tell how what moves walks (`agent.features.gait`), where `flow` is told.
    """

    camera: str
    at_ns: int
    aspect_ratio: float  # width / height of the original picture
    stats: PictureStats
    detections: tuple[Detection, ...] | None
    scene: tuple[Score, ...] = ()
    drill: bool = False
    embedding: tuple[float, ...] = ()
    motion: tuple[float, ...] = ()
    flow: Flow | None = None
    standing: tuple[Standing, ...] | None = None
    flicker: float | None = None
    closer: Closer | None = None
    sunken: Sunken | None = None
    figures: tuple[Figure, ...] = ()
    burning: Burning | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard in the window of sound from `start_ns` to `at_ns`.

    `tone_bands` gives, for each 20 ms of the newest 0.5 s, the index of the mel band in which a single narrow tone
    stands out, or -1: the alarm patterns T3 and T4 (ISO 8201, ANSI/ASA S3.41) are read from it. `onset_ns` is the
    moment of the sharpest rise in level within the newest step, if there was one. `embedding` is the hearing graph's
    description of the window; it is empty for digital silence. `between` marks an extra window soon after the onset
    it names, between two regular steps: only its scores are news.
    """

    camera: str
    start_ns: int
    at_ns: int
    level_dbfs: float
    peak_dbfs: float
    scores: tuple[Score, ...]
    tone_bands: tuple[int, ...] = ()
    onset_ns: int | None = None
    gap_before: bool = False
    drill: bool = False
    embedding: tuple[float, ...] = ()
    between: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed, and nothing else is known; `wall_offset_ns`, where given, turns `at_ns` into wall time."""

    at_ns: int
    wall_offset_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A source has stopped delivering; its next Seen or Heard ends that.

    The reason `ended` means that the recording is over or the camera was switched off; `cut`, that the camera closed
    the connection.
    """

    camera: str
    at_ns: int
    modality: Literal["vision", "sound"]
    reason: BlindReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """The weight of each half second of one stream (scene, people, sound), oldest first; all streams sum to 1."""

    stream: str
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What the fusion graph makes of the 8 s up to `at_ns`. Made from observations that the scene has, so never late.

    `anomaly_prob` is how unusual the window is as a whole; `attention` says what the graph went by, and when.
    """

    camera: str
    at_ns: int
    scores: tuple[Score, ...]
    anomaly_prob: float = 0.0
    attention: tuple[Attention, ...] = ()
    drill: bool = False


Observation: TypeAlias = Seen | Heard | Fused | Tick | Blind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FusionWindow:
    """The last 8 s of one camera in `FUSION_STEPS` half seconds, oldest first: float32 [16, features] for each stream.

    The masks `…_known` [16] are 1 where the half second holds anything; a stream that never did has no features.
    """

    camera: str
    at_ns: int
    scene: FloatArray
    people: FloatArray
    sound: FloatArray
    scene_known: FloatArray
    people_known: FloatArray
    sound_known: FloatArray
    drill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One object followed over time, as it is at `at_ns`; speeds are in body heights per second."""

    track_id: int
    camera: str
    label: str
    box: Box
    at_ns: int
    since_ns: int
    score_prob: float
    speed_heights_per_s: float
    behaviour: str  # of people: standing, walking, running, crouching, lying; of things: moving, still
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason for an incident: which signal said what, how strongly, and when."""

    signal: str
    modality: Modality
    score: float
    llr: float
    at_ns: int
    track: int | None = None
    box: Box | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident as it is known now; `ordinal` counts from 1 within one scene."""

    ordinal: int
    camera: str
    cameras: tuple[str, ...]
    kind: str
    severity: Severity
    started_ns: int
    at_ns: int
    ended_ns: int | None
    confidence: float
    summary: str
    without_sound: bool
    without_picture: bool
    evidence: tuple[Evidence, ...]
    tracks: tuple[int, ...] = ()
    zones: tuple[str, ...] = ()
    absorbs: tuple[int, ...] = ()
    drill: bool = False
    close_reason: CloseReason | None = None
    escalated: bool = False
    """Whether this change makes the incident severer than it was reported before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An incident begins."""

    incident: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """An open incident is better known than before."""

    incident: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """An incident is over; `incident.close_reason` says why."""

    incident: Incident


IncidentChange: TypeAlias = Opened | Updated | Closed
