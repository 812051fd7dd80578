"""What every backend offers: arrays in, arrays out.

A backend is one small file, the only one that imports its library. It translates that library's
failures into `DeviceError`, so that whoever runs a graph can fall back without knowing the library.
"""

from collections.abc import Mapping
from typing import Protocol

from agent.errors import ModelError
from agent.types import FloatArray


class DeviceError(ModelError):
    """A graph could not be opened or run on the device that was to run it."""


class Runtime(Protocol):
    """One opened graph on one device; not safe for several threads at once."""

    def run(self, inputs: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
        """Run the graph once: float32 arrays by input name → float32 arrays by output name.

        Errors: DeviceError when the device or the library fails.
        """
        ...
