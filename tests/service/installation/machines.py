"""A computer to install on that is none: files in a folder, commands noted, and a Vedette of one line."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from agent.errors import VedetteError


class NotedMachine:
    """Runs `venv` and `pip` for real, notes everything else; `refused` are the commands that fail."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.users: set[str] = set()
        self.groups: set[str] = {"video", "audio"}
        self.active = False
        self.refused: set[str] = set()

    def run(self, *command: str | Path) -> str:
        words = [str(word) for word in command]
        if Path(words[0]).name not in ("systemctl", "useradd", "userdel", "groupadd", "journalctl"):
            done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
            if done.returncode:
                raise VedetteError(f"{words} failed", why=done.stderr)
            return done.stdout
        line = " ".join(words)
        self.noted.append(line)
        if line in self.refused:
            raise VedetteError(f"`{line}` failed", why="refused by the test")
        self._take(words)
        return "systemd 252 (252.39)\n" if "--version" in words else ""

    def succeeds(self, *command: str | Path) -> bool:
        if "is-active" in command:
            return self.active
        try:
            self.run(*command)
        except VedetteError:
            return False
        return True

    def has_user(self, name: str) -> bool:
        return name in self.users

    def group_id(self, name: str) -> int | None:
        return os.getgid() if name in self.groups else None

    def _take(self, words: list[str]) -> None:
        match words[0]:
            case "useradd":
                self.users.add(words[-1])
            case "userdel":
                self.users.discard(words[-1])
            case "groupadd":
                self.groups.add(words[-1])
            case "systemctl" if words[1] in ("restart", "disable"):
                self.active = words[1] == "restart"


def tiny_wheel(folder: Path, body: str = "print('vedette 0.0')", *, version: str = "0.0") -> Path:
    """Write a wheel named vedette whose command runs the Python statements of `body`."""
    info = f"vedette-{version}.dist-info"
    members = {
        "vedette_of_the_test.py": f"def run():\n    {body}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: vedette\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nvedette = vedette_of_the_test:run\n",
    }
    rows = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    path = folder / f"vedette-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in members.items():
            wheel.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def plain_python() -> Path:
    """Return a Python of this version outside of homes, if there is one, else the one that runs this."""
    usual = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    here = Path(os.path.realpath(sys.executable))
    return usual if str(here).startswith(("/root/", "/home/")) and usual.exists() else here
