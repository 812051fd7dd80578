"""What a support bundle holds, and how every secret is taken out of it.

Two nets, one behind the other: texts are redacted by their form (logins in addresses, values of keys that are
called a password), and every secret that can be read on this box is looked for by its value in every file.
Pictures, sounds and the sentences of incidents are never collected.
"""

import importlib.metadata
import io
import json
import os
import platform
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from agent import __version__
from agent.config.credentials import folder
from agent.config.load import load
from agent.config.places import config_path
from agent.errors import ConfigError, StoreError, VedetteError, redacted
from agent.inference.card import card_names, load_card
from agent.service.installation import distribution
from agent.service.installation.machine import UNIT, Machine, Places
from agent.service.installation.status import service_status
from agent.uplink.history.history import Query, find
from agent.uplink.storage.store import open_for_reading
from agent.uplink.uplink import DATABASE

LOG_LINES = 1000
WHOLE_WORD_BELOW = 6  # a shorter password may be a part of any word
_LOGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://[^/\s\"']*?:([^/\s\"']+)@")
_SECRET_LINE = re.compile(r"(?im)^(?P<key>[^=\n]*(?:pass|pwd|secret|token)[^=\n]*=).*$")  # in a file of TOML
_SECRET_VALUE = re.compile(r"(?i)(?P<key>(?:pass|pwd|secret|token)[\w.-]*[\"']?\s*[=:]\s*)(?:\"[^\"\n]*\"|[^\s\"',]+)")
_QUERY_SECRET = re.compile(r"(?i)[?&](?:pass(?:word|wd)?|pwd|token|secret|key|auth)=([^&\s'\"]+)")
_REMARK = re.compile(r"(?m)(?:^|\s)#.*$")


class Scrubber:
    """Takes secrets out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spelt = {form for secret in secrets if secret for form in _spellings(secret)}
        self._patterns = [_pattern(form) for form in sorted(spelt, key=len, reverse=True)]

    def clean(self, text: str) -> str:
        """Return `text` with "…" for every secret."""
        text = _SECRET_VALUE.sub(r"\g<key>…", redacted(text))
        for pattern in self._patterns:
            text = pattern.sub("…", text)
        return text


def _spellings(secret: str) -> set[str]:
    """Return how a secret may stand in a file: as it is, in a URL, in JSON or TOML, in a Python error."""
    return {
        secret,
        unquote(secret),
        quote(secret),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }


def _pattern(secret: str) -> re.Pattern[str]:
    exact = re.escape(secret)
    return re.compile(exact if len(secret) >= WHOLE_WORD_BELOW else rf"(?<!\w){exact}(?!\w)")


def known_secrets(file: Path | None) -> list[str]:
    """Return every password that can be read here: kept credentials, and logins in the configuration."""
    place = config_path(file)
    found = [text.rstrip("\r\n") for text in _texts(folder(file))]
    for text in _texts(place.parent, place.name):
        found += _LOGIN.findall(text) + _QUERY_SECRET.findall(text)
    return found


def _texts(place: Path, pattern: str = "*") -> list[str]:
    try:
        return [path.read_text(encoding="utf-8", errors="replace") for path in place.glob(pattern) if path.is_file()]
    except OSError:
        return []


def collected(file: Path | None, state: Path, machine: Machine) -> dict[str, str]:
    """Return the bundle's texts by file name, not yet scrubbed; what could not be collected says why."""
    return {
        "versions.json": _json(_versions()),
        "config.json": _config(file),
        "service.json": _guarded(lambda: service_status(machine)),
        "state.json": _guarded(lambda: _state(state)),
        "models.json": _guarded(_models),
        "unit.txt": _unit(Places()),
        "log.txt": _log(machine),
    }


def write(place: Path, texts: Mapping[str, str], scrubber: Scrubber, *, at_s: float) -> None:
    """Write the texts, scrubbed, as a tar.gz that only its owner can read. Raises VedetteError."""
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            os.fchmod(file.fileno(), 0o600)
            for name, text in texts.items():
                content = scrubber.clean(text).encode(errors="replace")
                member = tarfile.TarInfo(f"vedette-support/{name}")
                member.size, member.mode, member.mtime = len(content), 0o600, round(at_s)
                archive.addfile(member, io.BytesIO(content))
    except OSError as error:
        raise VedetteError(f"{place} cannot be written", why=error.strerror or "", cure="Name another file.") from error


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _guarded(collect: Any) -> str:
    """Return what `collect` found as JSON; a failure is worth knowing, too."""
    try:
        return _json(collect())
    except (VedetteError, OSError) as error:
        return _json({"not_collected": error.line() if isinstance(error, VedetteError) else str(error)})


def _versions() -> dict[str, Any]:
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        system = ""
    return {
        "vedette": __version__,
        "python": platform.python_version(),
        "system": system,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "packages": {package: _version_of(package) for package in _requirements()},
    }


def _requirements() -> list[str]:
    try:
        lines = importlib.metadata.requires(distribution.NAME) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if "extra ==" not in line or "openvino" in line)
    return sorted({name.group() for name in names if name})


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _config(file: Path | None) -> str:
    """Return the configuration as it holds; of a broken one the error, and its lines without remarks."""
    place = config_path(file)
    try:
        return _json({"file": str(place), "config": load(file).model_dump(mode="json")})
    except ConfigError as error:
        text = "".join(_texts(place.parent, place.name))
        lines = _REMARK.sub("", _SECRET_LINE.sub(r"\g<key> …", text)).splitlines()
        return _json({"file": str(place), "error": error.line(), "lines": [line for line in lines if line.strip()]})


def _state(state: Path) -> dict[str, Any]:
    """Return names and sizes of the state's files, and how many incidents of which kind there are."""
    files = {str(path.relative_to(state)): path.stat().st_size for path in sorted(state.rglob("*")) if path.is_file()}
    try:
        store = open_for_reading(state / DATABASE)
        try:
            messages = find(store, Query())
        finally:
            store.close()
    except StoreError as error:
        return {"folder": str(state), "file_bytes": files, "incidents": error.line()}
    counts = Counter(f"{message['kind']} {message['phase']}" for message in messages)
    newest = messages[0]["started_at"] if messages else None
    return {"folder": str(state), "file_bytes": files, "incidents": dict(counts), "newest": newest}


def _models() -> list[dict[str, Any]]:
    cards = [load_card(name) for name in card_names()]
    return [
        {"name": card.name, "version": card.version, "files": {file.file: file.sha256 for file in card.files}}
        for card in cards
    ]


def _unit(places: Places) -> str:
    """Return the unit and its drop-ins."""
    parts = [places.unit, *sorted(places.drop_ins.glob("*.conf"))]
    return "\n".join(f"# {part}\n{text}" for part in parts for text in _texts(part.parent, part.name))


def _log(machine: Machine) -> str:
    try:
        return machine.run(
            "journalctl", "--unit", UNIT, "--lines", str(LOG_LINES), "--no-pager", "--output", "short-iso"
        )
    except VedetteError as error:
        return error.line() + "\n"
