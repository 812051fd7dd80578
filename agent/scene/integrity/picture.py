"""Whether the camera still shows the place it was put up to watch, and as well as it did.

A reference of the place is learned while all is well: which way the edges of its cells run, how sharp they are, its
contrast and its colours. Light changes brightness and contrast, but not which way the edges run; a hand, paint or a
lamp take the edges away, and a camera that was pushed shows as many others. So

- the place's edges are gone, and there are fewer than before, or one shade, or glare instead: `camera_covered`;
- they are gone, and others stay in their place: `camera_moved`;
- they are there, and what was sharp is not, by more than the contrast: `camera_blurred`;
- no pixel differs from the picture before, where parts of it never rested: `camera_frozen`;
- the picture is too dark to show anything, whatever made it so: `camera_dark`.

An infrared filter makes another picture of the same place: where colour comes or goes while edges stay as many, the
place is looked at anew, and each of the two looks is remembered. A camera that stays where it was pushed to has been
accepted after a while; then its new place is learned.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.features.flicker import GREY_COLOUR_FRAC
from agent.scene.evidence import Clue
from agent.scene.integrity.cuts import Cuts
from agent.scene.integrity.edges import Floats, agreement, cells_of, length, shift_gain
from agent.scene.integrity.freezing import Freezing
from agent.types import NS_PER_S, PictureStats, Seen

LEARN_S, REFERENCE_MEMORY_S = 4.0, 30.0
RATE_LLR_PER_S = 2.0
"""A sure sign opens the threshold of 4 after 2 s (the contract: 5 s); what passes before the lens takes less."""

COVERED, MOVED, PLACE_MARGIN = 0.5, 0.3, 0.1
"""Correlation of the edges with those of the reference, against what is usual here. Calm train clips: 0.45 and more,
through rain, dusk and lights off nearly always 0.7 and more; under hands, paint and glare at most 0.4, and at most 0.2
where the camera shows something else."""
SHIFTED, SHIFT_MARGIN = 0.13, 0.08
"""By how much the edges fit better elsewhere. Train clips: after a push by a tenth of the picture 0.17 and more, else
at most 0.03, for a moment 0.1 under headlights and while an infrared filter switches."""
EDGES_GONE = 0.87
"""Length of all edges against the reference: under paint 0.78 and less, after a push 0.94 and more."""
UNEVEN = 0.4
"""Of what has another shade than most of the picture, against the reference: drops of paint have edges, but one shade.
Train clips: under paint 0.3 and less, after a push or a turn 0.5 and more."""
DOUBTFUL, SURE = 0.9, 0.7
"""Below the first, shifts are looked for. From the second on the place is learned; below, that takes twenty times as
long: things grow and are moved."""
SLOWER = 20.0
MORE_EDGES = 1.6
"""With as many more edges as this it is light, noise or drops that make them; another place has 1.5 times and less."""
CUT_S, CUT_SHARP, FITS = 0.25, 0.4, 0.5
"""From one picture to the next, sharp at once (a hand is not), and fitting nowhere (after a push: by 0.54 and more).
Where fewer pictures are looked at, a cut is not told from a push."""
FEW_EDGES = 30.0
"""Length of all edges below which nothing is known of a place: an empty road from above has 25, a square full of people
42, other train clips 55 to 93."""
STEADY_S, STEADY = 1.0, 0.6
"""A camera that was moved shows its new place; what keeps changing is something before the lens."""
GLARE_FRAC = 0.35
BLURRED, BLUR_MARGIN = 0.33, 0.1
"""Of the reference's sharpest edges, both in themselves and against the contrast. Train clips, also dark and soft ones:
under a blur of 1.6 % of the width 0.19 and less, without lamps 0.44 and more."""
SHARP_FRAC = 0.04
DARK_BRIGHTNESS_FRAC, DARK_CONTRAST_FRAC = 0.05, 0.025

COLOURED_FRAC, COLOUR_CHANGE = 0.02, 3.0
"""A picture with colours; a filter makes them come or go by more than this factor."""
SAME_PLACE = 0.15
"""Another look at a place shares at least this much of its edges."""
NO_COLOUR_FRAC, FILTER_EDGES = 0.001, 0.74
"""A camera whose filter is open sends no colour at all. Nothing before a lens does that: what is grey has a tint. The
lamp beside the lens makes edges of its own, so by day there may be fewer: 0.77 and more (train clips), under paint on
grey clips 0.7 and less."""
SWITCH_S, DOUBT_S = 4.0, 1.0
"""A filter takes this long to switch and the exposure to settle; from the second on it must still be the place."""
ACCEPTED_S = 180.0

FROZEN_S = 3.0

_SMOOTH_S = 0.3


class _Look:
    """What a place looks like, by day or in the infrared; the numbers are those of `PictureStats`."""

    __slots__ = (
        "cells", "colour_frac", "contrast_frac", "detail_frac", "even_frac", "grid", "known_s", "sharpness_frac",
        "usual",
    )  # fmt: skip

    def __init__(self, stats: PictureStats, cells: Floats | None) -> None:
        self.contrast_frac, self.sharpness_frac = stats.contrast_frac, stats.sharpness_frac
        self.detail_frac, self.even_frac, self.colour_frac = stats.detail_frac, stats.even_frac, stats.colour_frac
        self.grid = stats.grid
        self.cells = cells
        self.usual = 1.0  # correlation that is usual
        self.known_s = 0.0

    def approach(self, stats: PictureStats, share: float) -> None:
        """Go so far towards what a picture shows."""
        self.contrast_frac += share * (stats.contrast_frac - self.contrast_frac)
        self.sharpness_frac += share * (stats.sharpness_frac - self.sharpness_frac)
        self.detail_frac += share * (stats.detail_frac - self.detail_frac)
        self.even_frac += share * (stats.even_frac - self.even_frac)
        self.colour_frac += share * (stats.colour_frac - self.colour_frac)
        if len(self.grid) == len(stats.grid):
            self.grid = tuple([old + share * (new - old) for old, new in zip(self.grid, stats.grid, strict=True)])
        else:
            self.grid = stats.grid


@dataclass(frozen=True, slots=True)
class _View:
    """One picture against the look of its place."""

    there: float  # share of the usual correlation
    length: float  # of all edges, against the look's
    gain: float  # by which the edges fit better elsewhere


class PictureWatch:
    """The integrity of one camera's picture."""

    def __init__(self) -> None:
        self._looks: dict[bool, _Look] = {}  # by whether there is colour
        self._coloured: bool | None = None
        self._switched_ns: int | None = None
        self._at_ns: int | None = None
        self._there, self._gain = 1.0, -1.0  # smoothed
        self._recent: Floats | None = None  # edges of the newest second
        self._moved_since_ns: int | None = None
        self._cut: Floats | None = None  # the edges after what may be a cut
        self._place_ns: int | None = None  # when the place was last seen
        self.was_cut = False  # whether the newest picture but one was the first of another place
        self.is_elsewhere = False  # whether that picture fits nowhere on the one before it, whatever that showed
        self._cuts = Cuts()
        self._freezing = Freezing()

    def reset(self) -> None:
        """The source was lost: whatever comes back is compared with the reference, but is not a frozen picture."""
        self._at_ns = None
        self._freezing.reset()

    def see(self, seen: Seen) -> Iterator[Clue]:
        """Yield what one picture's statistics say."""
        elapsed_s = 0.0 if self._at_ns is None else min(0.5, max(0.0, (seen.at_ns - self._at_ns) / NS_PER_S))
        self._at_ns, self.was_cut = seen.at_ns, False
        stats, cells = seen.stats, cells_of(seen.stats.edges)
        self.is_elsewhere = self._cuts.see(cells)
        still_s = self._freezing.see(seen.at_ns, stats, elapsed_s)
        llr = min(8.0, 4.5 * still_s / FROZEN_S)
        yield _clue("camera_frozen", "same_picture", seen, llr, "state", {"still_s": still_s})
        dark = stats.brightness_frac < DARK_BRIGHTNESS_FRAC and stats.contrast_frac < DARK_CONTRAST_FRAC
        yield _clue("camera_dark", "brightness", seen, elapsed_s * RATE_LLR_PER_S * (1.0 if dark else -1.0))
        look = self._look(seen, cells, dark=dark)
        if look is None:
            self._looks[bool(self._coloured)] = _Look(stats, cells)
        else:
            yield from self._judge(seen, look, cells, elapsed_s, dark=dark)

    def _look(self, seen: Seen, cells: Floats | None, *, dark: bool) -> _Look | None:
        """Return the look to compare with; None where there is none yet."""
        colour = seen.stats.colour_frac
        if self._coloured is None:
            self._coloured = colour > COLOURED_FRAC
        self._doubt(seen, cells)
        look = self._looks.get(self._coloured)
        if look is None or dark or seen.stats.glare_frac > GLARE_FRAC:
            return look
        usual = look.colour_frac
        came = not self._coloured and colour > max(COLOURED_FRAC, COLOUR_CHANGE * usual)
        went = self._coloured and colour < min(GREY_COLOUR_FRAC, usual / COLOUR_CHANGE)
        if not came and not went:
            return look
        if not _is_same_place(_view(seen.stats, cells, look), seen.stats, look):
            return look
        self._coloured, self._switched_ns = came, seen.at_ns
        self._there, self._gain = 1.0, -1.0
        return self._looks.get(came)

    def _doubt(self, seen: Seen, cells: Floats | None) -> None:
        """Take a switch back where it turns out to be none: a hand of another colour than the place."""
        if self._switched_ns is None or self._coloured is None:
            return
        since_ns = seen.at_ns - self._switched_ns
        before = self._looks.get(not self._coloured)
        if since_ns >= SWITCH_S * NS_PER_S or before is None:
            return
        view, even = _view(seen.stats, cells, before), _is_even(seen.stats, before)  # coloured paint has one shade
        if even or (since_ns >= DOUBT_S * NS_PER_S and not _is_same_place(view, seen.stats, before)):
            self._looks.pop(self._coloured, None)
            self._coloured, self._switched_ns = not self._coloured, None
            self._there, self._gain = view.there, view.gain
            self._place_ns = None

    def _judge(self, seen: Seen, look: _Look, cells: Floats | None, elapsed_s: float, *, dark: bool) -> Iterator[Clue]:
        stats = seen.stats
        view = _view(stats, cells, look)
        glare = stats.glare_frac > GLARE_FRAC
        odd = glare or dark or _is_even(stats, look)
        sharpness = 0.0 if odd else stats.detail_frac / max(1e-3, look.detail_frac)
        if self._is_cut(seen.at_ns, view, cells, sharpness):
            self._looks = {bool(self._coloured): _Look(stats, cells)}
            self._there, self._gain, self.was_cut = 1.0, -1.0, True
            return
        kept = math.exp(-elapsed_s / _SMOOTH_S)
        self._there = kept * self._there + (1.0 - kept) * view.there
        self._gain = kept * self._gain + (1.0 - kept) * view.gain
        gone = view.length < EDGES_GONE or odd
        covered = _sign((COVERED - self._there) / PLACE_MARGIN) if gone else -1.0
        another = (MOVED - self._there) / PLACE_MARGIN if view.length <= MORE_EDGES else -1.0
        elsewhere = max(another, (self._gain - SHIFTED) / SHIFT_MARGIN)
        moved = -1.0 if gone else _sign(elsewhere)
        if max(covered, moved) > 0.0 and not (glare or dark) and _is_bare(look):
            covered = moved = -1.0
        if moved > 0.0 and not self._is_steady(cells):
            moved = 0.0
        self._keep_recent(cells, elapsed_s)
        well = covered < 0.0 and moved < 0.0 and not glare and not dark
        blurred = _blurred(stats, look) if well else -1.0
        if look.known_s >= LEARN_S:
            rate = elapsed_s * RATE_LLR_PER_S
            words: dict[str, str | float] = {"variant": "dazzled"} if glare else {}
            yield _clue("camera_covered", "picture", seen, rate * covered, words=words)
            yield _clue("camera_moved", "edges", seen, rate * moved)
            yield _clue("camera_blurred", "detail", seen, rate * blurred)
            self._accept(seen.at_ns, moved=moved > 0.0)
        settling = self._switched_ns is not None and seen.at_ns - self._switched_ns < SWITCH_S * NS_PER_S
        if settling or (well and blurred <= 0.0):
            slower = 1.0 if view.there >= SURE or look.known_s < LEARN_S else SLOWER
            _learn(look, stats, cells, view, elapsed_s / slower, settling=settling)

    def _is_cut(self, at_ns: int, view: _View, cells: Floats | None, sharpness: float) -> bool:
        """Whether a recording was cut here, or another channel switched to: that is a new place, and nobody moved it.

        The picture before was the place, this is another, both sharp, it fits nowhere, and the next one stays. A camera
        that is turned by hand shows something in between: it takes longer than from one picture to the next.
        """
        cut, self._cut = self._cut, None
        whole = sharpness > CUT_SHARP and view.there < MOVED and view.there + view.gain < FITS
        if cut is not None and whole and cells is not None and agreement(cells, cut) > STEADY:
            return True
        before_ns = self._place_ns
        if view.there >= SURE and sharpness > SURE:
            self._place_ns = at_ns
        if whole and before_ns is not None and at_ns - before_ns <= CUT_S * NS_PER_S:
            self._cut = cells
        return False

    def _is_steady(self, cells: Floats | None) -> bool:
        return cells is None or self._recent is None or agreement(cells, self._recent) > STEADY

    def _keep_recent(self, cells: Floats | None, elapsed_s: float) -> None:
        if cells is None or self._recent is None:
            self._recent = cells
        else:
            self._recent = self._recent + (1.0 - math.exp(-elapsed_s / STEADY_S)) * (cells - self._recent)

    def _accept(self, at_ns: int, *, moved: bool) -> None:
        """Whoever moved a camera and left it there for this long meant to."""
        if not moved:
            self._moved_since_ns = None
        elif self._moved_since_ns is None:
            self._moved_since_ns = at_ns
        elif at_ns - self._moved_since_ns > ACCEPTED_S * NS_PER_S:
            self._looks.clear()
            self._moved_since_ns, self._there, self._gain = None, 1.0, -1.0


def resemblance(first: Sequence[float], second: Sequence[float]) -> float:
    """Correlation of two grids of cell means; 0 where one is flat, 1 where there is nothing to compare."""
    if not first or len(first) != len(second):
        return 1.0
    mean_first, mean_second = sum(first) / len(first), sum(second) / len(second)
    product = sum((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    spread = math.sqrt(sum((a - mean_first) ** 2 for a in first) * sum((b - mean_second) ** 2 for b in second))
    return product / spread if spread > 1e-9 else 0.0


def _sign(value: float) -> float:
    return min(1.0, max(-1.0, value))


def _view(stats: PictureStats, cells: Floats | None, look: _Look) -> _View:
    """Compare one picture with a look.

    Where no edges were measured (a recording of an older version), the coarse look and the sharpness stand for them.
    """
    if cells is None or look.cells is None:
        sharpness = stats.sharpness_frac / max(1e-4, look.sharpness_frac)
        return _View(resemblance(stats.grid, look.grid), sharpness, -1.0)
    there = agreement(cells, look.cells) / max(0.5, look.usual)
    gain = shift_gain(cells, look.cells) if there < DOUBTFUL else -1.0
    return _View(there, length(cells) / max(1e-9, length(look.cells)), gain)


def _is_same_place(view: _View, stats: PictureStats, look: _Look) -> bool:
    """Whether a picture with colours, or without, shows the place of the look without them, or with.

    Fog or water by day, and lit from the camera by night, share nothing that could be compared: there it is enough that
    all colour went, as only a filter does it, and that edges did not.
    """
    if stats.colour_frac < NO_COLOUR_FRAC and look.colour_frac > COLOURED_FRAC:
        return view.length >= EDGES_GONE and not _is_even(stats, look)
    least = FILTER_EDGES if look.colour_frac < NO_COLOUR_FRAC else EDGES_GONE
    return view.length >= least and view.there >= SAME_PLACE


def _is_bare(look: _Look) -> bool:
    """Whether there are too few edges to know a place by."""
    return look.cells is not None and length(look.cells) < FEW_EDGES


def _is_even(stats: PictureStats, look: _Look) -> bool:
    """Whether nearly all of a picture has one shade where it had many."""
    return 1.0 - stats.even_frac < UNEVEN * (1.0 - look.even_frac)


def _blurred(stats: PictureStats, look: _Look) -> float:
    """From -1 (sharp) to 1 (blurred); a place that was never sharp cannot be."""
    if look.detail_frac < SHARP_FRAC:
        return -1.0
    detail = stats.detail_frac / look.detail_frac
    contrast = stats.contrast_frac / max(1e-3, look.contrast_frac)
    return _sign((BLURRED - max(detail, detail / max(1e-3, contrast))) / BLUR_MARGIN)


def _learn(
    look: _Look, stats: PictureStats, cells: Floats | None, view: _View, elapsed_s: float, *, settling: bool
) -> None:
    look.known_s = 0.0 if settling else look.known_s + elapsed_s
    memory_s = 0.5 if settling else min(REFERENCE_MEMORY_S, max(elapsed_s, look.known_s))
    share = min(1.0, elapsed_s / memory_s) if elapsed_s else 0.0
    look.approach(stats, share)
    look.cells = cells if cells is None or look.cells is None else look.cells + share * (cells - look.cells)
    look.usual += share * (view.there * max(0.5, look.usual) - look.usual)


def _clue(
    kind: str,
    signal: str,
    seen: Seen,
    llr: float,
    adding: str = "rate",
    words: dict[str, str | float] | None = None,
) -> Clue:
    return Clue(
        kind=kind,
        signal=signal,
        modality="sensor",
        adding="state" if adding == "state" else "rate",
        llr=llr,
        score=seen.stats.brightness_frac,
        since_ns=seen.at_ns,
        words=words or {},
    )
