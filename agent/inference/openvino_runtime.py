"""OpenVINO: Intel and AMD CPUs, Intel GPUs and NPUs, arm64 CPUs.

Importing it sends an event to Google Analytics through the package openvino-telemetry, and leaves an id in the
home folder. A sentry tells nobody but its broker: without that package, which it does not need, OpenVINO is silent.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it now fails, as if not installed

import openvino  # noqa: E402

from agent.inference.runtime import DeviceError  # noqa: E402
from agent.types import FloatArray  # noqa: E402


class OpenVinoRuntime:
    """One ONNX file compiled for one device ("CPU", "GPU", "NPU").

    On the CPU the precision hint is f32: without it OpenVINO computes in BF16 on CPUs that have it,
    silently, and figures differ from machine to machine. GPUs and NPUs compute in f16.
    """

    def __init__(
        self,
        path: Path,
        *,
        core: openvino.Core | None = None,
        device: str = "CPU",
        threads: int = 1,
        cache_folder: Path | None = None,
    ) -> None:
        options: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        if device == "CPU":
            options |= {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        if device == "NPU":
            del options["NUM_STREAMS"]
        if cache_folder is not None:
            options["CACHE_DIR"] = str(cache_folder)
        try:
            compiled = (core or openvino.Core()).compile_model(str(path), device, options)
            self._request = compiled.create_infer_request()
        except (RuntimeError, ValueError) as error:
            raise _failure(f"OpenVINO cannot open {path.name} on {device}", error) from error
        self._outputs = [output.get_any_name() for output in compiled.outputs]

    def run(self, inputs: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
        """See `Runtime.run`."""
        try:
            self._request.infer(dict(inputs))
            # Copied: the request reuses its memory at the next run.
            return {
                name: np.array(self._request.get_output_tensor(index).data, np.float32)
                for index, name in enumerate(self._outputs)
            }
        except (RuntimeError, ValueError) as error:
            raise _failure("OpenVINO failed", error) from error


def devices(core: openvino.Core) -> tuple[str, ...]:
    """What OpenVINO finds on this machine, without numbers behind: "CPU", "GPU", "NPU"."""
    try:
        found = core.available_devices
    except RuntimeError:
        return ()
    return tuple(dict.fromkeys(name.split(".")[0] for name in found))


def version() -> str:
    """The version of OpenVINO."""
    return str(openvino.__version__).split("-", maxsplit=1)[0]


def _failure(what: str, error: BaseException) -> DeviceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return DeviceError(what, why=lines[-1] if lines else type(error).__name__)
