"""How far long work is: a bar on a terminal, plain lines otherwise, always on stderr."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import track

from agent.cli.output import remark, remarks

Item = TypeVar("Item")
_LINES = 10


def progress(items: Iterable[Item], *, count: int, what: str) -> Iterator[Item]:
    """Yield the items; tell on stderr how many of `count` are done."""
    console = remarks()
    if console.is_terminal:
        yield from track(items, description=what, total=count, console=console, transient=True)
        return
    for done, item in enumerate(items, start=1):
        yield item
        if done * _LINES // count > (done - 1) * _LINES // count and count > 1:
            remark(f"{what}: {done} of {count}")
