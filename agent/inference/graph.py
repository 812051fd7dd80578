"""A graph that survives its device: when that fails in service, the same model goes on on the CPU."""

import logging
from dataclasses import replace

import numpy as np

from agent.config.schema import Models
from agent.inference.card import Card
from agent.inference.device import TRUSTED, Chosen, Inputs, Machine, choose, on_trusted_cpu
from agent.inference.runtime import DeviceError

logger = logging.getLogger(__name__)


class Graph:
    """One graph of a card on the place that `models` asks for; for one thread at a time.

    `reason` is why it runs there, where it is not the configuration that asks for the place.
    Errors at opening: ModelError, see `choose`.
    """

    def __init__(
        self,
        models: Models,
        card: Card,
        probe: Inputs,
        machine: Machine,
        *,
        size_px: tuple[int, int] = (0, 0),
        reason: str = "",
    ) -> None:
        self._models, self._card, self._probe, self._machine, self._size_px = models, card, probe, machine, size_px
        found = choose(models, card, probe, machine, size_px=size_px)
        self._chosen = replace(found, reason=reason) if reason else found
        logger.info("%s runs on %s: %s", self._chosen.file, self._chosen.place, self._chosen.reason)

    @property
    def chosen(self) -> Chosen:
        """Where it runs now, why, and whether that is worse than it should be."""
        return self._chosen

    def run(self, inputs: Inputs) -> Inputs:
        """Run the graph; a failing device is left for the CPU, once and for good.

        Errors: DeviceError when ONNX Runtime on the CPU fails too.
        """
        try:
            return _finite(self._chosen.runtime.run(inputs))
        except DeviceError as error:
            if self._chosen.place == TRUSTED:
                raise
            self._fall_back(error)
            return _finite(self._chosen.runtime.run(inputs))

    def _fall_back(self, error: DeviceError) -> None:
        reason = f"{self._chosen.place} failed in service ({error.what}{': ' + error.why if error.why else ''})"
        logger.warning("%s: %s; going on on the CPU", self._chosen.file, reason)
        fallen = on_trusted_cpu(self._models, self._card, self._probe, self._machine, size_px=self._size_px)
        self._chosen = replace(fallen, reason=reason, degraded=True)


def _finite(outputs: Inputs) -> Inputs:
    for name, values in outputs.items():
        # The sum is finite only if every value is, and costs a fraction of looking at each. Large ones overflow it.
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise DeviceError("The graph gives wrong numbers", why=f"{name} is not finite")
    return outputs
