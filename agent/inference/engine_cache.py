"""Where TensorRT's compiled engines are kept: one folder per model, version, GPU and precision.

An engine that was built for other bytes, another TensorRT or another GPU may load and then compute
wrongly, so every one of those is part of the folder's name.
"""

import hashlib
import re
from importlib import metadata
from pathlib import Path

from agent.inference.card import ModelFile

_NVIDIA_PROC = Path("/proc/driver/nvidia")
_JETSON_MODEL = Path("/proc/device-tree/model")
_TENSORRT_DISTRIBUTIONS = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")


def engine_key(model_file: ModelFile, *, versions: str, gpu: str) -> str:
    """A folder name that changes with the model's bytes, the versions, the GPU and the precision."""
    together = hashlib.sha256(f"{versions}\n{gpu}".encode()).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9]+", "-", gpu).strip("-").lower() or "gpu"
    return f"{model_file.sha256[:16]}-{readable[:32]}-{model_file.precision}-{together[:16]}"


def engine_folder(cache_folder: Path, model_file: ModelFile, runtime_version: str) -> Path:
    """The folder for this machine's engines of this file; created where it is missing."""
    versions = f"onnxruntime {runtime_version}, tensorrt {_tensorrt_version()}, driver {_driver_version()}"
    folder = cache_folder / "tensorrt" / engine_key(model_file, versions=versions, gpu=gpu_name())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def gpu_name(nvidia_proc: Path = _NVIDIA_PROC, jetson_model: Path = _JETSON_MODEL) -> str:
    """The NVIDIA GPUs as the driver names them, or the Jetson's board; "unknown" where neither can be read."""
    found = []
    for information in sorted(nvidia_proc.glob("gpus/*/information")):
        found += re.findall(r"^Model:\s*(.+)$", _text(information), re.MULTILINE)
    return ", ".join(found) or _text(jetson_model).strip("\0\n ") or "unknown"


def _driver_version() -> str:
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", _text(_NVIDIA_PROC / "version"))
    return found.group(1) if found else "unknown"


def _tensorrt_version() -> str:
    for name in _TENSORRT_DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
