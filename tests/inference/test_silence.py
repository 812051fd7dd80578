"""The runtimes tell nobody that they run: no id in the home folder, no connection."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference import tiny

ROOT = Path(__file__).resolve().parents[2]
# Any attempt to reach the network ends the process with a code that nothing else uses.
WITHOUT_NETWORK = """
import os, socket
def refused(*_, **__): os._exit(97)
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refused
"""


@pytest.mark.parametrize(
    ("module", "opened"),
    [
        ("openvino", "agent.inference.openvino_runtime.OpenVinoRuntime"),
        ("onnxruntime", "agent.inference.onnx_runtime.OnnxRuntime"),
    ],
)
def test_opening_a_graph_writes_nothing_at_home_and_calls_nobody(tmp_path, module, opened):
    if not importlib.util.find_spec(module):
        pytest.skip(f"{module} is not installed")
    home = tmp_path / "home"
    home.mkdir()
    path = tiny.save_hearing(tmp_path / "hearing.onnx")
    package, _, name = opened.rpartition(".")
    script = f"{WITHOUT_NETWORK}\nfrom pathlib import Path\nfrom {package} import {name}\n{name}(Path({str(path)!r}))"
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("XDG_")}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    assert [str(found) for found in home.rglob("*") if found.is_file()] == []
