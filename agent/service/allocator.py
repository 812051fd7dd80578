"""How memory is asked of the kernel: what was used for a picture is kept for the next, and lies in large pages.

Every picture makes and drops a dozen arrays of up to 2 MB. By its own rules the C library gives such memory back each
time, and the kernel then clears every page of it anew: a twentieth of all that a camera costs. And weights and buffers
of the graphs lie on thousands of pages, more than the processor keeps the places of: looking them up is another
twentieth. Neither changes a number.
"""

import ctypes
import logging
from pathlib import Path

KEPT_BYTES = 16 * 2**20
"""More than all arrays of one picture together; at most so much lies unused, in each thread that ever needed it."""
LARGEST_PAGE_BYTES = 4 * 2**20
"""Where large pages are larger (32 MB on some arm64 kernels), too much of each would lie unused."""
LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")
MAPS = Path("/proc/self/maps")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25  # of <linux/mman.h>; the second since Linux 6.1, before it takes minutes

_LOG = logging.getLogger(__name__)


def keep_freed_memory() -> bool:
    """Tell the C library to keep up to `KEPT_BYTES` of what is freed; whether it understood (glibc does)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES)) and bool(mallopt(_MMAP_THRESHOLD, KEPT_BYTES))


def use_large_pages() -> int:
    """Ask the kernel to move what lies in memory now, models above all, to large pages; returns for how many bytes.

    0 where there are none, where they are too large, or where whoever runs the machine forbids them.
    """
    try:
        page_bytes = int((LARGE_PAGES / "hpage_pmd_size").read_text("ascii"))
        if "[never]" in (LARGE_PAGES / "enabled").read_text("ascii") or page_bytes > LARGEST_PAGE_BYTES:
            return 0
        spans = _spans(MAPS.read_text("utf-8", errors="replace"), page_bytes)
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (AttributeError, OSError, TypeError, ValueError):  # no Linux, or nothing is told of its memory
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for begin, size in spans:
        if madvise(begin, size, _MADV_HUGEPAGE) == 0:
            madvise(begin, size, _MADV_COLLAPSE)  # where it fails, the kernel comes by itself, later
    asked = sum(size for _, size in spans)
    _LOG.debug("asked for large pages for %d bytes", asked)
    return asked


def _spans(maps: str, page_bytes: int) -> list[tuple[int, int]]:
    """Begin and size of all whole large pages in private, writable memory that is of no file."""
    spans = []
    for line in maps.splitlines():
        place, rights, _, _, inode, *name = line.split(maxsplit=5)
        begin, end = (int(edge, 16) for edge in place.split("-"))
        begin, end = -(-begin // page_bytes) * page_bytes, end // page_bytes * page_bytes
        if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]) and begin < end:
            spans.append((begin, end - begin))
    return spans
