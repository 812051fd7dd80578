"""Where a recording was cut, or another channel switched to: from one picture to the next another place, which stays.

Sensor integrity asks more before it gives up the place that it knows: that the picture before still was that place.
Whoever is followed has no time for that: somebody who walks in one place and somebody who sits in the next are not one
who fell. So here pictures in a row are compared, whatever they show.
"""

from agent.scene.integrity.edges import Floats, agreement, shift_gain

OTHER, FITS, STAYS = 0.3, 0.5, 0.6
"""Correlation of the edges of two pictures in a row that show different places, even where they fit best (a push
shifts them), and of the second with a third that shows the same place. Of 538 joins of training clips 527 are found;
within those 268 clips 11 pictures are taken for a cut, most of them where a camera was torn about."""


class Cuts:
    """The cuts in what one camera shows."""

    def __init__(self) -> None:
        self._before: Floats | None = None
        self._doubted = False  # whether the picture before fits nowhere on the one before it

    def see(self, cells: Floats | None) -> bool:
        """Whether the picture before was the first of another place; `cells` are the newest picture's edges."""
        before, doubted = self._before, self._doubted
        self._before, self._doubted = cells, False
        if cells is None or before is None:
            return False
        alike = agreement(cells, before)
        self._doubted = alike < OTHER and alike + shift_gain(cells, before) < FITS
        return doubted and alike > STAYS
