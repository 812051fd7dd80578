"""All that one camera's normality knows, and its form as arrays: what is kept on the disk, in less than 2 MB."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agent.scene.normality.exemplars import Exemplars
from agent.scene.normality.field import DIRECTIONS, Field
from agent.scene.normality.gauge import BINS, MARGIN, Gauge
from agent.scene.normality.looks import MOST as MOST_LOOKS
from agent.scene.normality.looks import MOST_AXES, Looks
from agent.scene.normality.things import Things
from agent.scene.normality.walking import AXES as WALKING_AXES
from agent.scene.normality.walking import Walking

SCHEMA = "vedette.normality/5"
STREAMS = ("motion", "direction", "things", "scene", "sound", "kind")
BEFORE = {"vedette.normality/4": STREAMS, "vedette.normality/3": STREAMS[:-1]}
"""The same without gait, and without the last stream: both are learned from then on."""
MARGINS = {"direction": 2.0, "scene": 2.0, "sound": 2.0}
"""Which way people go, what a place looks and sounds like, depends on hour, weather and who comes by: some minutes of
one day show little of it."""
MOST_CELLS = 48 * 192
FADE_EVERY = 512
"""Looks; fading is slow, so it is done now and then."""

Arrays = Mapping[str, NDArray[np.generic]]


class Knowledge:
    """What was learned; `given` where it comes from recordings that a person chose."""

    def __init__(self) -> None:
        self.watched_s = 0.0
        self.given = False
        self.field: Field | None = None
        self.things = Things()
        self.walking = Walking()
        self.scene, self.sound = Looks(), Looks()
        self.gauges = {stream: Gauge(MARGINS.get(stream, MARGIN)) for stream in STREAMS}
        self.hours: NDArray[np.float32] = np.zeros((24, 2), np.float32)
        self._looks = 0

    def field_of(self, shape: tuple[int, ...]) -> Field:
        """The statistics of the cells; begun anew where the picture has another shape."""
        if self.field is None or self.field.shape != shape:
            self.field = Field(shape[0], shape[1])
        return self.field

    def count(self, stream: str, nats: float) -> None:
        """Count the highest surprise of one picture in one stream."""
        gauge = self.gauges.get(stream)
        if gauge is not None:
            gauge.learn(nats)

    def fade_to(self, share: float) -> None:
        """One more look: forget by `share` of what was known a look ago."""
        self._looks += 1
        if self._looks % FADE_EVERY:
            return
        whole = share**FADE_EVERY
        for counted in (self.field, *self.gauges.values(), self.things.exemplars, self.walking):
            if counted is not None:
                counted.fade(whole)
        for looks in (self.scene, self.sound):
            if looks.exemplars is not None:
                looks.exemplars.fade(whole)
        self.hours *= np.float32(whole)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Copies of all that is to be kept."""
        kept: dict[str, NDArray[np.generic]] = {
            "schema": np.array(SCHEMA),
            "watched_s": np.array(self.watched_s, np.float64),
            "given": np.array(self.given),
            "hours": self.hours.copy(),
            "walking": self.walking.products.copy(),
            "gauges": np.stack([self.gauges[stream].counts for stream in STREAMS]),
        }
        if self.field is not None:
            kept |= {name: getattr(self.field, name).copy() for name in ("looks", "sums", "squares", "directions")}
        named = {"things": self.things.exemplars, "scene": self.scene.exemplars, "sound": self.sound.exemplars}
        for name, exemplars in named.items():
            if exemplars is not None:
                kept |= {f"{name}_means": exemplars.means.copy(), f"{name}_weights": exemplars.weights.copy()}
        return kept

    @classmethod
    def of(cls, arrays: Arrays) -> "Knowledge":
        """What `arrays` tell; ValueError or KeyError where they are not whole."""
        schema = str(arrays["schema"])
        streams = {SCHEMA: STREAMS, **BEFORE}.get(schema)
        if streams is None:
            raise ValueError(f"its schema is {schema[:40]!r}, not {SCHEMA!r}")
        known = cls()
        known.watched_s, known.given = float(_counts(arrays["watched_s"], ())), bool(arrays["given"])
        known.hours = _counts(arrays["hours"], (24, 2))
        for stream, counts in zip(streams, _counts(arrays["gauges"], (len(streams), BINS)), strict=True):
            known.gauges[stream].counts = counts
        if "looks" in arrays:
            known.field = _field(arrays)
        if schema == SCHEMA:
            known.walking.products = _products(arrays["walking"])
        known.things.exemplars = _exemplars(arrays, "things", known.things.exemplars.means.shape)
        for name, looks in (("scene", known.scene), ("sound", known.sound)):
            if f"{name}_means" in arrays:
                axes = arrays[f"{name}_means"].shape[-1]
                if axes > MOST_AXES:
                    raise ValueError("more axes than there are")
                looks.exemplars = _exemplars(arrays, name, (1, MOST_LOOKS, axes))
        return known


def _field(arrays: Arrays) -> Field:
    looks = arrays["looks"]
    if looks.ndim != 2 or not 0 < looks.size <= MOST_CELLS:
        raise ValueError("its cells are not those of a picture")
    field = Field(looks.shape[0], looks.shape[1])
    field.looks = _counts(looks, looks.shape)
    field.sums = _floats(arrays["sums"], (3, *looks.shape))
    field.squares = _counts(arrays["squares"], (3, *looks.shape))
    field.directions = _counts(arrays["directions"], (DIRECTIONS, *looks.shape))
    return field


def _products(array: NDArray[np.generic]) -> NDArray[np.float64]:
    _counts(array.diagonal() if array.ndim == 2 else array, (WALKING_AXES,))  # sums of squares
    if array.shape != (WALKING_AXES, WALKING_AXES) or not np.isfinite(array.astype(np.float64)).all():
        raise ValueError("the sums of how figures walk are not whole")
    return array.astype(np.float64)


def _exemplars(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Exemplars:
    exemplars = Exemplars(groups=shape[0], most=shape[1], axes=shape[2])
    exemplars.means = _floats(arrays[f"{name}_means"], shape)
    exemplars.weights = _counts(arrays[f"{name}_weights"], shape[:2])
    return exemplars


def _floats(array: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if array.shape != shape:
        raise ValueError(f"an array has the shape {array.shape}, not {shape}")
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a number in it is not finite")
    return values


def _counts(array: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = _floats(array, shape)
    if (values < 0.0).any():
        raise ValueError("a count in it is negative")
    return values
