"""Where a measuring command writes its JSON: a file, or stdout for `-`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from agent.errors import VedetteError


@contextmanager
def open_output(out: str) -> Iterator[TextIO]:
    """Open OUT before the work begins, so that a wrong path costs no work.

    Raises VedetteError when it cannot be written.
    """
    if out == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with Path(out).open("w", encoding="utf-8") as stream:
            yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise VedetteError(f"The results cannot be written to {out}", why=why, cure="Name another file.") from error
