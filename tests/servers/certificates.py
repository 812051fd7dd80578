"""Authorities and certificates of a test's own, by openssl."""

import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def require_openssl() -> None:
    """Skip the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")


class Authority:
    """Signs certificates; `file` is what those name who trust it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.file = folder / f"{name}.pem"
        _openssl(folder, "req", "-x509", *_KEY, "-days", "2", "-keyout", f"{name}.key", "-out", self.file.name,
                 "-subj", f"/CN={name}")  # fmt: skip

    def certificate(self, name: str, names: str, *, days: int = 2) -> Path:
        """Return a PEM file with a certificate for `names` (as subjectAltName has them) and its key."""
        folder, both = self._folder, self._folder / f"{name}.both.pem"
        (folder / "names").write_text(f"subjectAltName={names}\n")
        _openssl(folder, "req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", self.file.name, "-CAkey", f"{self._name}.key",
                 "-CAcreateserial", "-days", str(days), "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip
        both.write_text((folder / f"{name}.pem").read_text() + (folder / f"{name}.key").read_text())
        return both


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
