"""Small networks, written down node by node, and two of the true size with random weights."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def model_of(nodes, inputs, outputs, weights=None, *, opset=17, ir_version=8, domains=()):
    """Return the bytes of a model; inputs and outputs are (name, type, shape)."""
    weights = weights or {}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) if isinstance(one, tuple) else one for one in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(*one) for one in domains)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    return made.SerializeToString()


def layers(n_in=3, *, batch="n", seed=0, **options):
    """x -> hidden -> y, and the function that it is."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(n_in, 4)).astype(np.float32)
    second = rng.normal(size=(4, 2)).astype(np.float32)
    made = model_of(
        [
            helper.make_node("MatMul", ["x", "first"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["hidden"]),
            helper.make_node("MatMul", ["hidden", "second"], ["y"]),
        ],
        [("x", FLOAT, [batch, n_in])],
        [("y", FLOAT, [batch, 2])],
        {"first": first, "second": second},
        **options,
    )
    return made, lambda X: np.maximum(np.asarray(X, dtype=np.float32) @ first, 0), second


def convolution(shape=("n", 3, 8, 8), *, channels_last=False, n_out=5, input_type=FLOAT):
    """One convolution, with its map as output; of channels last, turned over before and after."""
    n_in = shape[3 if channels_last else 1]
    kernel = np.random.default_rng(0).normal(size=(n_out, n_in, 3, 3)).astype(np.float32)
    nodes, last = [], "image"
    if input_type != FLOAT:
        nodes.append(helper.make_node("Cast", [last], ["floats"], to=FLOAT))
        last = "floats"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [last], ["turned"], perm=[0, 3, 1, 2]))
        last = "turned"
    nodes += [
        helper.make_node("Conv", [last, "kernel"], ["sums"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["sums"], ["relu"]),
        helper.make_node("Transpose", ["relu"], ["back"], perm=[0, 2, 3, 1]),
    ]
    output = "back" if channels_last else "relu"
    return model_of(
        nodes, [("image", input_type, shape)], [(output, FLOAT, None)], {"kernel": kernel}
    )


def encoder(n_words, width=3, *, names=("input_ids", "attention_mask")):
    """Tokens' own vectors, (n, n_tokens, width), and the table of them."""
    table = np.random.default_rng(0).normal(size=(n_words, width)).astype(np.float32)
    made = model_of(
        [
            helper.make_node("Gather", ["table", names[0]], ["vectors"]),
            # a model has to use all that it takes
            *(helper.make_node("Shape", [name], [f"shape of {name}"]) for name in names[1:]),
        ],
        [(name, TensorProto.INT64, ["n", "t"]) for name in names],
        [("vectors", FLOAT, ["n", "t", width])],
        {"table": table},
    )
    return made, table


def linear_classifier(coefficients, intercepts, classes, *, zipmap):
    """As skl2onnx writes a logistic regression: labels, and probabilities as dicts or an array."""
    words = isinstance(classes[0], str)
    kind = "classlabels_strings" if words else "classlabels_ints"
    label_type = TensorProto.STRING if words else TensorProto.INT64
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            coefficients=np.ravel(coefficients).tolist(),
            intercepts=np.ravel(intercepts).tolist(),
            post_transform="SOFTMAX",
            **{kind: list(classes)},
        )
    ]
    outputs = [("label", label_type, ["n"])]
    if not zipmap:
        outputs.append(("scores", FLOAT, ["n", len(classes)]))
    else:
        kind = "classlabels_strings" if words else "classlabels_int64s"
        nodes.append(
            helper.make_node(
                "ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", **{kind: list(classes)}
            )
        )
    made = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", FLOAT, ["n", np.shape(coefficients)[1]])],
        [helper.make_tensor_value_info(*one) for one in outputs],
    )
    if zipmap:
        key = helper.make_tensor_type_proto(FLOAT, None)
        dicts = helper.make_sequence_type_proto(helper.make_map_type_proto(label_type, key))
        made.output.append(helper.make_value_info("maps", dicts))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()


def pyramid(stages=(3, 4, 6, 3), *, levels=("p3", "p4", "p5", "p6", "p7"), channels=256):
    """ResNet-50 with a feature pyramid of five levels, as torchvision's FCOS has it.

    Tensors have the names that torchvision's export gives them. Normalisation is folded into the
    convolutions, as exporters do; weights are random.
    """
    rng = np.random.default_rng(0)
    nodes, weights = [], {}

    def conv(x, y, n_in, n_out, size, stride=1):
        scale = np.float32(np.sqrt(1.0 / (n_in * size * size)))
        kernel = rng.standard_normal((n_out, n_in, size, size), dtype=np.float32) * scale
        weights[f"{y}.weight"], weights[f"{y}.bias"] = kernel, np.zeros(n_out, dtype=np.float32)
        nodes.append(
            helper.make_node(
                "Conv",
                [x, f"{y}.weight", f"{y}.bias"],
                [y],
                pads=[size // 2] * 4,
                strides=[stride] * 2,
            )
        )
        return y

    def node(kind, inputs, y, **attributes):
        nodes.append(helper.make_node(kind, inputs, [y], **attributes))
        return y

    x = node("Relu", [conv("image", "/body/conv1/Conv", 3, 64, 7, 2)], "/body/relu/Relu")
    x = node("MaxPool", [x], "/body/maxpool", kernel_shape=[3] * 2, strides=[2] * 2, pads=[1] * 4)
    n_in, ends = 64, []
    for stage, n_blocks in enumerate(stages, start=1):
        width = 32 * 2**stage
        for block in range(n_blocks):
            at = f"/body/layer{stage}/layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = node("Relu", [conv(x, f"{at}/conv1", n_in, width, 1)], f"{at}/relu")
            y = node("Relu", [conv(y, f"{at}/conv2", width, width, 3, stride)], f"{at}/relu_1")
            y = conv(y, f"{at}/conv3", width, 4 * width, 1)
            if block == 0:
                x = conv(x, f"{at}/downsample", n_in, 4 * width, 1, stride)
            x = node("Relu", [node("Add", [y, x], f"{at}/Add_output_0")], f"{at}/relu_2")
            n_in = 4 * width
        ends.append((x, n_in))
    weights["scales"] = np.array([1, 1, 2, 2], dtype=np.float32)
    above = None
    for level, (end, n_end) in reversed(list(zip(levels, ends[1:], strict=False))):
        inner = conv(end, f"/fpn/inner/{level}", n_end, channels, 1)
        if above is not None:
            larger = node("Resize", [above, "", "scales"], f"/fpn/Resize/{level}", mode="nearest")
            inner = node("Add", [inner, larger], f"/fpn/Add/{level}")
        above = inner
        conv(inner, level, channels, channels, 3)
    conv(levels[2], levels[3], channels, channels, 3, 2)
    conv(node("Relu", [levels[3]], "/fpn/Relu"), levels[4], channels, channels, 3, 2)
    outputs = [(level, FLOAT, None) for level in levels]
    return model_of(nodes, [("image", FLOAT, ["n", 3, None, None])], outputs, weights)
