"""A camera and what is drawn into its picture: zones, lines, masks. As in `schema`, descriptions explain each key."""

from typing import Literal, Self

from pydantic import Field, model_validator

from agent.config.fields import (
    MIN_HEIGHT_HELP,
    MIN_SCORE_HELP,
    ClipsKept,
    Decoder,
    Direction,
    Hours,
    MinHeight,
    MinScore,
    Name,
    Polygon,
    Polyline,
    ReadableName,
    SourceUrl,
    Table,
    TimeZone,
    ZoneRule,
)

NAME_HELP = (
    'What people are told instead of the identifier in [ ], in any script, such as "Eingang Süd"; topics and files '
    "keep the identifier. Empty: that is told."
)


class Zone(Table):
    """A part of the picture with rules."""

    name: ReadableName = Field("", description=NAME_HELP)
    polygon: Polygon = Field(description="Corners as [x, y] in fractions of the picture, at least three.")
    rules: tuple[ZoneRule, ...] = Field(
        ("intrusion",),
        description="Any of intrusion, loitering, crowding, running, abandoned_object, removed_object; "
        "none: the zone only counts.",
    )
    labels: tuple[str, ...] = Field(("person",), description="COCO names of what counts.")
    min_score: MinScore = Field(0.0, description=MIN_SCORE_HELP)
    min_height: MinHeight = Field(0.0, description=MIN_HEIGHT_HELP)
    intrusion_dwell_s: float = Field(0.5, ge=0, le=3600, description="Seconds inside before it is an intrusion.")
    loitering_dwell_s: float = Field(30.0, ge=1, le=86400, description="Seconds inside before it is loitering.")
    crowding_count: int = Field(5, ge=2, le=1000, description="So many inside at once are a crowd.")
    crowding_dwell_s: float = Field(10.0, ge=0, le=86400, description="Seconds before a crowd is crowding.")
    running_dwell_s: float = Field(1.0, ge=0.2, le=60, description="Seconds of running before it is told.")
    object_labels: tuple[str, ...] = Field(
        ("backpack", "handbag", "suitcase"), description="COCO names of what may be left behind or taken away."
    )
    any_object: bool = Field(
        True,
        description="Whatever comes to stand there or goes may be left or taken, not only what the detector names: "
        "read off the picture itself.",
    )
    abandoned_dwell_s: float = Field(60.0, ge=1, le=86400, description="Seconds a thing is alone before it is told.")
    removed_dwell_s: float = Field(5.0, ge=1, le=86400, description="Seconds a thing is gone before it is told.")
    hours: tuple[Hours, ...] = Field(
        (), description='When the rules hold: "mon-fri 22:00-06:00", "sat,sun" …; none: always.'
    )
    timezone: TimeZone = Field("", description="IANA name, where `hours` are not in node.timezone.")
    enabled: bool = Field(True, description="false: the zone is kept but ignored.")

    @property
    def watches_any_object(self) -> bool:
        """Whether things that have no name are to be told here."""
        return self.any_object and not {"abandoned_object", "removed_object"}.isdisjoint(self.rules)


class Line(Table):
    """A line on the ground that is counted and watched."""

    name: ReadableName = Field("", description=NAME_HELP)
    line: Polyline = Field(description="Points as [x, y] in fractions of the picture, at least two.")
    direction: Direction = Field(
        "both",
        description="Which crossings are told: in, out, both, none (only counted). Who walks from the first point to "
        "the last has `in` on the right hand: with a line drawn from left to right, in is down the picture.",
    )
    labels: tuple[str, ...] = Field(("person",), description="COCO names of what counts.")
    min_score: MinScore = Field(0.0, description=MIN_SCORE_HELP)
    min_height: MinHeight = Field(0.0, description=MIN_HEIGHT_HELP)
    hours: tuple[Hours, ...] = Field(
        (),
        description='When crossings are told: "mon-fri 22:00-06:00", "sat,sun" …; none: always.',
    )
    timezone: TimeZone = Field("", description="IANA name, where `hours` are not in node.timezone.")
    enabled: bool = Field(True, description="false: the line is kept but ignored.")


class Mask(Table):
    """A part of the picture that is blackened before anything looks at it."""

    polygon: Polygon = Field(description="Corners as [x, y] in fractions of the picture, at least three.")


class Camera(Table):
    """One camera and the sound that belongs to it."""

    name: ReadableName = Field("", description=NAME_HELP)
    url: SourceUrl = Field(
        description="rtsp(s)://, http(s)://, /dev/video0 or v4l2:NAME, a file, a folder of pictures, or lavfi:…",
        min_length=1,
    )
    snapshot_url: SourceUrl = Field(
        "",
        description="The main stream of the camera, or its address of a JPEG, where `url` is the sub stream: "
        "snapshots are taken from here. It gets the camera's login if it is on the same host.",
    )
    clips: ClipsKept | Literal[""] = Field(
        "",
        description="off, critical, warning or all: of which incidents of this camera a film is kept; empty: as "
        "[clips] says.",
    )
    username: str = Field("", description="Login name; the password is stored as the credential camera-<name>.")
    sound: SourceUrl = Field(
        "same", description="same: sound of the camera; none; device:NAME; or a URL.", min_length=1
    )
    sound_late_s: float = Field(
        0.0,
        ge=-1.0,
        le=1.0,
        description="Seconds by which sound comes later than the picture (`vedette calibrate av-offset` measures it); "
        "incidents of this box are raised later by the largest of its cameras.",
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="How RTSP carries the media; rtsps is always tcp.")
    tls_verify: bool = Field(True, description="rtsps, https: only from whom a known authority vouches for.")
    tls_ca_file: str = Field(
        "", description="PEM file with the authority that signed the camera, or its certificate; empty: the system's."
    )
    decoder: Decoder | Literal[""] = Field(
        "", description="cpu, auto, cuda, vaapi or qsv: what decodes its pictures; empty: as [analysis] says."
    )
    open_timeout_s: float = Field(10.0, gt=0, le=120, description="Give up opening after this long.")
    stall_timeout_s: float = Field(5.0, gt=0, le=120, description="No picture for this long is a lost source.")
    loop: bool = Field(False, description="Files only: start again at the end.")
    enabled: bool = Field(True, description="false: the camera is kept but not opened.")
    zones: dict[Name, Zone] = Field(default_factory=dict, description="Zones by name.")
    lines: dict[Name, Line] = Field(default_factory=dict, description="Lines by name.")
    masks: dict[Name, Mask] = Field(default_factory=dict, description="Privacy masks by name.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        both = sorted(self.zones.keys() & self.lines.keys())
        if both:
            raise ValueError(f"{both[0]!r} is a zone and a line: incidents could not say which", "Rename one of them.")
        return self
