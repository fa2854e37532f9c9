"""Loading models: which tensors they have, and what is wrong with those that can't be had."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx_graphs import FLOAT, convolution, layers, model_of

from featprune.extract.graph import channels_are_last, expose, tensor_names
from featprune.extract.network import load_network

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def run(model, outputs=None, rows=X):
    network = load_network(model, "Test", outputs=outputs)
    return network.run({network.inputs[0].name: rows})


def test_inner_tensors_come_out_in_the_order_asked_for():
    model, hidden, second = layers()
    y, inner = run(model, ["y", "hidden"])
    np.testing.assert_allclose(inner, hidden(X), atol=1e-6)
    np.testing.assert_allclose(y, hidden(X) @ second, atol=1e-5)


def test_nodes_behind_an_inner_tensor_are_not_run():
    model = onnx.load_model_from_string(layers()[0])
    exposed = expose(model, ["sum"])
    assert [node.op_type for node in exposed.graph.node] == ["MatMul"]
    assert len(model.graph.node) == 3  # it itself stays as it was
    assert tensor_names(model) == ["y", "sum", "hidden"]


def test_what_goes_into_a_branch_is_needed_too():
    def branch(value):
        node = helper.make_node("Add", ["doubled", value], [f"{value} out"])
        return helper.make_graph(
            [node], value, [], [helper.make_tensor_value_info(f"{value} out", FLOAT, None)]
        )

    model = model_of(
        [
            helper.make_node("Add", ["x", "x"], ["doubled"]),
            helper.make_node(
                "If", ["yes"], ["either"], then_branch=branch("x"), else_branch=branch("doubled")
            ),
            helper.make_node("Relu", ["either"], ["y"]),
        ],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
        {"yes": np.array(True)},
    )
    np.testing.assert_allclose(run(model, ["either"])[0], 3 * X, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
def test_a_fixed_batch_gets_as_many_rows_as_it_takes(batch):
    model, hidden, _ = layers(batch=batch)
    network = load_network(model, "Test", outputs=["hidden"])
    assert network.batch == batch
    np.testing.assert_allclose(network.run({"x": X})[0], hidden(X), atol=1e-6)


def test_weights_beside_the_model_are_found(tmp_path):
    made, hidden, _ = layers()
    model = onnx.load_model_from_string(made)
    onnx.save_model(
        model,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    found = run(tmp_path / "model.onnx", ["hidden"])[0]
    np.testing.assert_allclose(found, hidden(X), atol=1e-6)
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(ValueError, match=r"can't load the model '.*model\.onnx'"):
        run(tmp_path / "model.onnx", ["hidden"])


@pytest.mark.parametrize(
    ("shape", "channels_last"), [(("n", 3, 8, 8), False), (("n", 8, 8, 3), True)]
)
def test_the_graph_tells_where_channels_are(shape, channels_last):
    model = onnx.load_model_from_string(convolution(shape, channels_last=channels_last))
    assert channels_are_last(model, "relu") is False
    assert channels_are_last(model, "back" if channels_last else "relu") is channels_last
    assert channels_are_last(onnx.load_model_from_string(layers()[0]), "hidden") is None


@pytest.mark.parametrize("outputs", [None, ["hidden"]], ids=["whole", "inner"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_said_to_be_damaged(share, outputs, tmp_path):
    made = layers()[0]
    file = tmp_path / "short.onnx"
    file.write_bytes(made[: int(share * len(made))])
    with pytest.raises(ValueError, match=r"Test can't load the model '.*short\.onnx': .*whole"):
        run(file, outputs)


@pytest.mark.parametrize("outputs", [None, ["hidden"]], ids=["whole", "inner"])
def test_bytes_that_are_overwritten_never_crash_it(outputs, capfd):
    made, rng = layers()[0], np.random.default_rng(0)
    for _ in range(60):
        damaged = np.frombuffer(made, dtype=np.uint8).copy()
        damaged[rng.integers(0, len(made), 4)] = rng.integers(0, 256, 4)
        try:
            run(damaged.tobytes(), outputs)
        except ValueError as error:
            assert "model" in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        ("nowhere.onnx", FileNotFoundError, "'nowhere.onnx' is not there"),
        (".", FileNotFoundError, "is a folder"),
        (b"", ValueError, "0 bytes"),
        (None, TypeError, "must be the path of an ONNX file, or its bytes. Got None"),
        (layers(opset=99)[0], ValueError, "opset"),
        (layers(ir_version=99)[0], ValueError, "IR version"),
        (
            model_of([], [("x", FLOAT, [1])], []),
            ValueError,
            r"can.t load the model of \d+ bytes: Exception during initialization: \w",
        ),
        (
            model_of([], [], [("y", FLOAT, [1])], {"y": np.ones(1, dtype=np.float32)}),
            ValueError,
            "has 0 inputs and 1 outputs",
        ),
        (b"no model at all", ValueError, "can't load the model of 15 bytes"),
    ],
    ids=[
        "missing",
        "folder",
        "empty",
        "none",
        "opset",
        "ir version",
        "no output",
        "no input",
        "text",
    ],
)
def test_a_model_that_cannot_be_had_is_refused(model, error, match):
    with pytest.raises(error, match=match):
        load_network(model, "Test")


def test_unknown_outputs_are_answered_by_those_that_are_there():
    with pytest.raises(ValueError, match=r"'hiden', which .* most alike first: 'hidden', ") as info:
        run(layers()[0], ["y", "hiden"])
    assert "'y'" in str(info.value)
    assert "'sum'" in str(info.value)


def test_rows_that_the_model_fails_on_are_said_with_their_shape():
    model = load_network(layers()[0], "Test")
    with pytest.raises(ValueError, match=r"fails on a batch of shape 'x' \(5, 2\).*batch_size=1"):
        model.run({"x": X[:, :2]})


@pytest.mark.parametrize(("module", "outputs"), [("onnxruntime", None), ("onnx", ["hidden"])])
def test_a_missing_package_is_answered_by_the_pip_line(module, outputs, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}.*pip install 'featprune\[onnx\]'"):
        load_network(layers()[0], "Test", outputs=outputs)


def test_threads_and_providers_are_passed_on():
    network = load_network(layers()[0], "Test", n_jobs=1, providers=["CPUExecutionProvider"])
    assert isinstance(network._session, onnxruntime.InferenceSession)
    assert network._session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(ValueError, match="can't load the model"):
        load_network(layers()[0], "Test", providers=["NoSuchProvider"])
