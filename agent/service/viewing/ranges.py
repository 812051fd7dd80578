"""The part of a file that a browser asks for with `Range`, so that a film can be sought in (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_MOST_DIGITS = 18  # longer numbers are no place in a file


class UnsatisfiableError(ValueError):
    """Nothing of the file lies there."""


def asked_part(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return (first, last) byte, both included, or None for the whole: without a range, or one that is not understood.

    Several ranges at once are not understood: the whole file is a right answer to them. Raises UnsatisfiableError.
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]) or max(map(len, found.groups())) > _MOST_DIGITS:
        return None
    if not found[1]:  # the last so many
        first, last = max(0, size_bytes - int(found[2])), size_bytes - 1
        if int(found[2]) == 0:
            raise UnsatisfiableError
    else:
        first, last = int(found[1]), min(int(found[2] or size_bytes), size_bytes - 1)
        if found[2] and int(found[2]) < first:
            return None
    if first > last:
        raise UnsatisfiableError
    return first, last
