"""A virtual machine with a camera (vivid) and a sound card (snd-aloop), for machines that have neither.

QEMU without KVM boots Debian's kernel, shows it this machine's files read-only, and runs a script there with our
own interpreter. By hand: `tests/guest/build.sh build/guest`, then `python -m tests.guest.guest build/guest`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NO_KERNEL = 3
BOOT_S = 540.0
_PROGRAMS = ("qemu-system-x86_64", "busybox", "depmod", "modprobe", "apt-get", "dpkg-deb")


def require_guest(folder: Path) -> None:
    """Build what the machine boots from into `folder`; skip the test where that cannot be had."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian: qemu-system-x86, busybox-static, kmod)")
    built = subprocess.run(["sh", str(HERE / "build.sh"), str(folder)], capture_output=True, text=True, check=False)
    if built.returncode == NO_KERNEL:
        pytest.skip(f"needs Debian's kernel: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr


def run_guest(folder: Path, script: Path) -> str:
    """Boot, run `script` (of this repository) in the virtual machine, and return all that it printed."""
    words = {"guest.python": sys.executable, "guest.script": script, "guest.root": ROOT}
    command_line = " ".join(["console=ttyS0 quiet panic=-1", *(f"{key}={value}" for key, value in words.items())])
    machine = [
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp", "1"),
        *("-display", "none", "-serial", "stdio", "-no-reboot", "-nic", "none"),
        *("-kernel", str(folder / "kernel"), "-initrd", str(folder / "initrd.gz"), "-append", command_line),
        *("-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"),
    ]
    ran = subprocess.run(
        machine, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=BOOT_S, check=False
    )
    return ran.stdout + ran.stderr


if __name__ == "__main__":
    sys.stdout.write(run_guest(Path(sys.argv[1]), HERE / "look.py"))
