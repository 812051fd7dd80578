"""A packed file says what it said before, in half the bytes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.packing import halve, shorten


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    weights = [("a very long name of weights/first", (64, 32)), ("a very long name of weights/second", (32, 4))]
    nodes = [
        helper.make_node("MatMul", ["x", weights[0][0]], ["a very long name of something hidden"], name="first"),
        helper.make_node("Relu", ["a very long name of something hidden"], ["bent"], name="bent"),
        helper.make_node("MatMul", ["bent", weights[1][0]], ["y"], name="second"),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 64]), ("y", [1, 4]))
    ]
    constants = [numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in weights]
    made = helper.make_graph(nodes, "small", values[:1], values[1:], constants)
    path = tmp_path / "graph.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def said(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(2).normal(size=(1, 64)).astype(np.float32)
    return session.run(["y"], {"x": x})[0]


def test_short_names_change_no_number_and_keep_inputs_and_outputs(graph: Path) -> None:
    before, size = said(graph), graph.stat().st_size
    shorten(graph)
    assert np.array_equal(said(graph), before)
    assert graph.stat().st_size < size - 100


def test_halved_weights_take_half_the_room_and_say_nearly_the_same(graph: Path, tmp_path: Path) -> None:
    halve(graph, tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").stat().st_size < 0.65 * graph.stat().st_size
    assert said(tmp_path / "half.onnx") == pytest.approx(said(graph), abs=0.05)
    assert not np.array_equal(said(tmp_path / "half.onnx"), said(graph))
