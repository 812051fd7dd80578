"""What a picture needs for a moment is kept, and in large pages; the rules are of a whole process, so tests that change
them have one of their own."""

import platform
import re
import subprocess
import sys

import pytest

from agent.config.load import of_data
from agent.service import allocator
from agent.service.allocator import keep_freed_memory, use_large_pages
from agent.service.senses import Senses

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps its own rules")

MANY = """
import numpy as np
held = [np.ones(25_000, np.float32) for _ in range(400)]
def large_kb() -> int:
    (line,) = [line for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")]
    return int(line.split()[1])
"""
MAPS = """\
10000000-10500000 rw-p 00000000 00:00 0                                  [heap]
20100000-20900000 rw-p 00000000 00:00 0
30000000-30800000 r--p 00000000 00:00 0
40000000-40800000 rw-s 00000000 00:00 0
50000000-50800000 rw-p 00000000 08:01 77                                 /usr/lib/some thing.so
60000000-60800000 rw-p 00000000 00:00 0                                  [stack]
70000000-701ff000 rw-p 00000000 00:00 0
"""

PICTURES = """
import resource
import numpy as np
def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.ones(260_000, np.float32) for _ in range(6)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def told_by(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_arrays_of_one_picture_are_made_where_those_of_the_one_before_were():
    handed_back = int(told_by(f"{PICTURES}\nprint(faults())"))
    kept = int(
        told_by(
            f"{PICTURES}\nfrom agent.service.allocator import keep_freed_memory\nkeep_freed_memory()\nprint(faults())"
        )
    )
    assert kept < 4_000
    assert handed_back > 3 * kept


def test_loading_the_senses_keeps_it(monkeypatch):
    asked = []
    monkeypatch.setattr("agent.service.senses.keep_freed_memory", lambda: asked.append("kept"))
    monkeypatch.setattr("agent.service.senses.use_large_pages", lambda: asked.append("large"))
    Senses.load(of_data({}, ()))
    assert asked == ["kept", "large"]


def test_a_c_library_without_such_rules_is_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert keep_freed_memory() is False


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """A kernel with large pages of 2 MB, and a process with a few mappings; what is asked of it is noted."""
    asked = []

    class Library:
        class madvise:  # noqa: N801 - as the C library calls it
            argtypes = ()

            def __new__(cls, begin, size, advice):
                asked.append((begin, size, advice))
                return 0

    (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    (tmp_path / "maps").write_text(MAPS)
    monkeypatch.setattr(allocator, "LARGE_PAGES", tmp_path)
    monkeypatch.setattr(allocator, "MAPS", tmp_path / "maps")
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Library)
    return tmp_path, asked


def test_whole_large_pages_of_the_process_own_memory_are_asked_for(kernel):
    asked = kernel[1]
    assert use_large_pages() == 10 * 2**20
    assert {span[:2] for span in asked} == {(0x10000000, 4 * 2**20), (0x20200000, 6 * 2**20)}


@pytest.mark.parametrize(
    ("name", "text"),
    [("enabled", "always madvise [never]"), ("hpage_pmd_size", "33554432"), ("hpage_pmd_size", ""), ("maps", "odd")],
)
def test_no_large_pages_where_they_are_forbidden_too_large_or_not_told_of(kernel, name, text):
    folder, asked = kernel
    (folder / name).write_text(text)
    assert (use_large_pages(), asked) == (0, [])


def test_the_kernel_moves_what_lies_in_memory_to_large_pages():
    try:
        allowed = "[never]" not in (allocator.LARGE_PAGES / "enabled").read_text()
    except OSError:
        allowed = False
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    if not allowed or release < (6, 1):
        pytest.skip("this kernel has no large pages, or moves nothing at once")
    script = "from agent.service.allocator import use_large_pages\nbefore = large_kb()\nuse_large_pages()"
    assert int(told_by(f"{MANY}\n{script}\nprint(large_kb() - before)")) >= 16_000
