"""Bends what a process gets from the C library: syncing that takes long, a wall clock that jumps."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("bent_libc.c")


class BentLibc:
    """Compiled for this machine; `environment` is for the process to bend, `bend` acts on it while it runs."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("needs a C compiler (Debian packages gcc, libc6-dev)")
        library = folder / "bent_libc.so"
        made = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip(f"needs a C compiler that works (Debian packages gcc, libc6-dev): {made.stderr[-200:]!r}")
        self._control = folder / "bent"
        self.environment = {"LD_PRELOAD": str(library), "BENT_LIBC": str(self._control)}
        self.bend()

    def bend(self, *, sync_ms: int = 0, offset_s: int = 0, synchronised: bool = True) -> None:
        """Have every sync take longer, and the wall clock be wrong by so much."""
        new = self._control.with_suffix(".new")
        new.write_text(f"{sync_ms} {offset_s} {int(synchronised)}\n")
        new.replace(self._control)
