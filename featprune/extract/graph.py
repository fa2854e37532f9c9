"""The graph of an ONNX model: which tensors it has, and a copy that returns some inner ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

# operators whose tensors have their channels first by ONNX's own rules
_CHANNELS_FIRST = frozenset(
    {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool"}
    | {"GlobalMaxPool", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"}
)
# after these, dimensions are no longer where they were
_MOVES = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Gather", "Einsum"})


def tensor_names(model: Any) -> list[str]:
    """Return the names of all tensors that the graph's nodes make, its outputs first."""
    names = [output.name for output in model.graph.output]
    names += [name for node in model.graph.node for name in node.output if name]
    return list(dict.fromkeys(names))


def expose(model: Any, outputs: Sequence[str]) -> Any:
    """Return a model whose outputs are `outputs` alone, without the nodes that these don't need.

    Parameters
    ----------
    model : onnx.ModelProto
        Not changed.
    outputs : sequence of str
        Tensors of the graph.

    Notes
    -----
    Backwards through the nodes, once: what makes a needed tensor is needed, with all that goes in,
    also into graphs within it. onnxruntime finds out types and shapes of the new outputs itself.
    """
    import onnx

    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed.update(_inputs(node))
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.node[:], exposed.graph.output[:]
    exposed.graph.node.extend(reversed(nodes))
    declared = {output.name: output for output in model.graph.output}
    exposed.graph.output.extend(
        declared.get(name, onnx.ValueInfoProto(name=name)) for name in outputs
    )
    return exposed


def channels_are_last(model: Any, tensor: str) -> bool | None:
    """Return whether an inner tensor of a convolutional network has its channels last.

    None if the graph doesn't tell.

    Notes
    -----
    ONNX's convolutions and poolings have channels first. Networks from Keras and TensorFlow turn
    their images over before and after each. So back from the tensor: what it is made of first, by
    operators that leave dimensions in place, decides.
    """
    maker = {name: node for node in model.graph.node for name in node.output}
    while tensor in maker:
        node = maker[tensor]
        if node.op_type in _CHANNELS_FIRST:
            return False
        if node.op_type == "Transpose":
            turns = [list(one.ints) for one in node.attribute if one.name == "perm"]
            return {(0, 2, 3, 1): True, (0, 3, 1, 2): False}.get(tuple(turns[0]) if turns else ())
        if node.op_type in _MOVES:
            return None
        made = [name for name in node.input if name in maker]
        if not made:
            return None
        tensor = made[0]
    return None


def _inputs(node: Any) -> Iterator[str]:
    """All that goes into a node, into the graphs of its loops and branches, too."""
    yield from node.input
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        for graph in graphs:
            for inner in graph.node:
                yield from _inputs(inner)
