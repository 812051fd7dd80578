"""The error tree: every failure a user can meet, with its exit code and its cure.

    VedetteError            1  the work failed
    ├── ConfigError         3  the configuration is wrong (does not heal by restarting)
    ├── SourceError         4  a camera, microphone or file could not be opened or read
    ├── UplinkError         5  the broker could not be reached or refused us
    ├── ModelError          6  a model file or card is missing, wrong or refused
    ├── StoreError          1  the state folder or its database failed
    └── WorkerError         1  a worker thread died too often

The class carries the exit code and whether the failure is transient (worth a retry); the instance
carries `what` happened, `why`, and the `cure`. Nothing in them may hold a secret: see `redacted`.
"""

import re
from typing import ClassVar, Literal

SourceFault = Literal["not_found", "refused", "login", "codec", "timeout", "ended"]

# A colon that begins no port begins a password, and that may hold a raw slash: then all up to the last @ goes.
_URL_LOGIN = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.\-]*://)(?:[^/\s@\[]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"]*|[^/\s]*)@"
)
_QUERY_SECRET = re.compile(r"(?i)(?P<key>[?&](?:pass(?:word|wd)?|pwd|token|secret|key|auth)=)[^&\s'\"]+")
# Cheap recorders take the login in the path: /user=admin_password=x_channel=1_stream=0.sdp, also with & for _.
_PATH_SECRET = re.compile(
    r"(?i)(?P<key>/user(?:name)?=[^\s'\"/]*?[_&]pass(?:word|wd)?=)[^\s'\"]*?(?=[_&]channel=|[\s'\"]|$)"
)
_SECRETS = ((_URL_LOGIN, r"\g<scheme>…@"), (_QUERY_SECRET, r"\g<key>…"), (_PATH_SECRET, r"\g<key>…"))


def redacted(text: str) -> str:
    """Return `text` without logins in URLs (before the host or in the path) and secret-looking query values."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


class VedetteError(Exception):
    """A failure that a person can understand: what happened, why, and what to do."""

    exit_code: ClassVar[int] = 1
    transient: bool = False

    def __init__(self, what: str, *, why: str = "", cure: str = "") -> None:
        self.what = redacted(what)
        self.why = redacted(why)
        self.cure = redacted(cure)
        super().__init__(self.line())

    def line(self) -> str:
        """Return one line: what, why, cure."""
        sentence = f"{self.what}: {self.why}" if self.why else self.what
        return f"{sentence}. {self.cure}" if self.cure else sentence


class ConfigError(VedetteError):
    """The configuration cannot be used."""

    exit_code = 3


class SourceError(VedetteError):
    """A source failed; `fault` says how, and a fault other than a login or codec may heal."""

    exit_code = 4

    def __init__(self, what: str, *, fault: SourceFault, why: str = "", cure: str = "") -> None:
        super().__init__(what, why=why, cure=cure)
        self.fault: SourceFault = fault
        self.transient = fault not in ("login", "codec")


class UplinkError(VedetteError):
    """The broker cannot be reached or refuses us."""

    exit_code = 5
    transient = True


class ModelError(VedetteError):
    """A model or its card is missing, changed or refused."""

    exit_code = 6


class StoreError(VedetteError):
    """The state folder or its database failed."""

    transient = True


class WorkerError(VedetteError):
    """A worker died more often than the supervisor tolerates."""
