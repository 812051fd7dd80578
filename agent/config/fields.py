"""What keys of the configuration may be: names, points, hours, addresses, each refused in words where it is wrong."""

import re
import zoneinfo
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from agent.config import hours as week
from agent.config.names import IDENTIFIER_PATTERN, LONGEST_NAME, readable
from agent.kinds import KINDS

RESERVED_CAMERA_NAMES = frozenset(
    {"status", "state", "request", "response", "set", "setting", "snapshot", "homeassistant", "gap", "check"}
)


def _known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of incident; there are {', '.join(KINDS)}")
    return kind


def _free_name(name: str) -> str:
    if name in RESERVED_CAMERA_NAMES:
        raise ValueError(f"{name!r} is a topic of Vedette and cannot be a camera's name")
    return name


_LOGIN_CUT = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s\[]*:(?!\d{1,5}(?:[/?#]|$))[^@]*[/?#].*@", re.DOTALL)


def _whole_host(url: str) -> str:
    """Refuse a URL whose host is the beginning of a login: user:pass/word@host. The URL itself is not repeated."""
    if _LOGIN_CUT.match(url):
        raise ValueError(
            "the URL names no host: its login has / ? or # in it",
            "Leave the login out, set `username`, and give the password to `vedette config set-password camera-NAME`.",
        )
    return url


def listening_at(address: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[v6]:port". Raises ValueError."""
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    plain = (bare == host and ":" not in host) or f"[{bare}]" == host
    if not (colon and bare and plain and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{address!r} is no host:port", "For example 127.0.0.1:9797.")
    return bare, int(port)


def _address(text: str) -> str:
    if text:
        listening_at(text)
    return text


def _possible_hours(text: str) -> str:
    week.parsed(text)
    return text


def _known_timezone(name: str) -> str:
    """Refuse a name that the time zones of this machine do not have; empty stands for another setting."""
    try:
        if name:
            zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone that this machine knows",
            "For example Europe/Vienna; `timedatectl list-timezones`.",
        ) from None
    return name


NAME_PATTERN = IDENTIFIER_PATTERN
Name: TypeAlias = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
CameraName: TypeAlias = Annotated[Name, AfterValidator(_free_name)]
ReadableName: TypeAlias = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(readable)]
Kind: TypeAlias = Annotated[str, AfterValidator(_known_kind)]
SourceUrl: TypeAlias = Annotated[str, AfterValidator(_whole_host)]
Fraction: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Point: TypeAlias = tuple[Fraction, Fraction]
Polygon: TypeAlias = Annotated[tuple[Point, ...], Field(min_length=3, max_length=64)]
Polyline: TypeAlias = Annotated[tuple[Point, ...], Field(min_length=2, max_length=64)]
MinScore: TypeAlias = Annotated[float, Field(ge=0.0, le=0.95)]
MinHeight: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
MIN_SCORE_HELP = (
    "Whoever comes counts once the detector is this sure of them, as a mean of the last half second: 0 to 0.95; 0: as "
    "sure as it takes to be followed."
)
MIN_HEIGHT_HELP = (
    "Whoever comes counts once their box is this high, in fractions of the picture's height: what is far or small does "
    "not. 0: of any height."
)
Hours: TypeAlias = Annotated[str, AfterValidator(_possible_hours)]
ListenAddress: TypeAlias = Annotated[str, AfterValidator(_address)]
TimeZone: TypeAlias = Annotated[str, AfterValidator(_known_timezone)]
Sensitivity = Literal["low", "normal", "high"]
ProfileName = Literal["home", "away", "night"]
ZoneRule = Literal["intrusion", "loitering", "crowding", "running", "abandoned_object", "removed_object"]
Direction = Literal["in", "out", "both", "none"]
ClipsKept = Literal["off", "critical", "warning", "all"]
Decoder = Literal["cpu", "auto", "cuda", "vaapi", "qsv"]


class Table(BaseModel):
    """A TOML table: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
