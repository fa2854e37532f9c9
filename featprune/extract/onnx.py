"""Rows through any ONNX model: its outputs, or tensors inside it, as columns of vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from featprune.extract.base import Batch, by_shape, chunks
from featprune.extract.network import Network, Port, Source, check_source
from featprune.extract.networked import Networked
from featprune.extract.pictures import Plan, check_preprocess, make_plan, normalise, prepare
from featprune.extract.rows import Rows


class OnnxEmbedder(Networked):
    """Run rows through an ONNX model, and return what it, or a part of it, makes of each.

    Parameters
    ----------
    model : str, path or bytes
        An ONNX file, or what stands in one.
    output : str, list of str or None, default=None
        Tensors of the graph, outputs or inner ones: each becomes a column of vectors. None is the
        first output. A name that isn't there is answered by those that are.
    pool : {"auto", "mean", "max", "cls", "spatial", None}, default="auto"
        What becomes of tensors that are no vectors. ``"mean"`` and ``"max"`` of a map are over its
        positions, one number a channel, and so of tokens, one a row each; ``"cls"`` is the first
        token; ``"spatial"`` is the mean over channels, one number a position; None is all numbers
        in one vector. ``"auto"`` is "mean".
    preprocess : dict, callable or None, default=None
        How rows become what the model takes. None: arrays are as they are, pictures are resized
        to the model's input. A dict is for pictures, whose values are 0 to 255:

        - ``size``: int or (height, width), where the model leaves that free;
        - ``mean``, ``scale``: numbers, or one for each channel in the order of `channels`, which
          make ``(value - mean) / scale`` of each value;
        - ``channels``: "RGB", "BGR" or "L" (grey), by default what the model has room for;
        - ``layout``: "NCHW" or "NHWC", where the model's shape doesn't tell.

        A callable takes one row, and returns an array as the model takes it, without the batch's
        dimension, or a dict of arrays for a model of several inputs.
    batch_size : int, default=32
        Rows that the model gets at a time. A model of a fixed batch gets as many as it takes.
    providers : list, default=None
        As in onnxruntime, ``["CUDAExecutionProvider"]``. None is the processor.
    n_jobs : int, default=None
        Threads of onnxruntime. None leaves it to onnxruntime, which takes one for each core.
    errors : {"raise", "skip"}, default="raise"
        What becomes of pictures that can't be read: an error that names the row and the file, or
        missing vectors.
    name : str, default=None
        Name of the column; with several outputs ``name_output``. None: the outputs' names.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    widths_ : dict of str to int
        How long the vectors of each column are.

    See Also
    --------
    ImageEmbedder, TextEmbedder, SpeechEmbedder : For one kind of input, with or without a model.
    ToMatrix : Turns columns of vectors into a matrix, for the model behind.

    Notes
    -----
    `fit` learns nothing: it checks, loads, and tries the first row. `transform` alone does, too.

    X is an array of the model's own shape, with the rows first; a frame of numbers, for a model of
    rows of numbers; or pictures: files, bytes, PIL images, arrays of shape (height, width[,
    channels]), red, green and blue or grey, of differing sizes. An array of the model's own shape
    is not taken apart: what `preprocess` says of values and channels holds for it, too. If the
    model leaves the size free and `preprocess` doesn't say it, each picture keeps its own.

    The result is a frame with a column of float32 vectors for each output: selectors keep or drop
    it as a whole, or, with ``embeddings="dimensions"``, by dimensions. Of an inner tensor, nodes
    that come after it are not run; channels of maps are found by the operators that made them.

    Results don't depend on `batch_size` but for rounding, unless the model was quantized to
    find its scales as it runs (DynamicQuantizeLinear), over the whole batch: then pass
    ``batch_size=1``. It is pickled as the path or the bytes, without what is loaded.

    Examples
    --------
    A network of one layer, made here; yours is a file.

    >>> import numpy as np
    >>> from onnx import TensorProto, helper, numpy_helper
    >>> from featprune.extract import OnnxEmbedder
    >>> weights = numpy_helper.from_array(np.eye(3, 2, dtype=np.float32), "weights")
    >>> graph = helper.make_graph(
    ...     [
    ...         helper.make_node("MatMul", ["x", "weights"], ["hidden"]),
    ...         helper.make_node("Relu", ["hidden"], ["y"]),
    ...     ],
    ...     "layer",
    ...     [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
    ...     [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    ...     [weights],
    ... )
    >>> model = helper.make_model(
    ...     graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ... ).SerializeToString()
    >>> embedder = OnnxEmbedder(model, output=["hidden", "y"])
    >>> embedder.fit_transform(np.array([[1, -2, 3], [-4, 5, -6]]))
            hidden           y
    0  [1.0, -2.0]  [1.0, 0.0]
    1  [-4.0, 5.0]  [0.0, 5.0]
    """

    _row = "a picture or numbers"

    def __init__(
        self,
        model: Source,
        *,
        output: str | Sequence[str] | None = None,
        pool: str | None = "auto",
        preprocess: Mapping[str, Any] | Callable[[Any], Any] | None = None,
        batch_size: int = 32,
        providers: Sequence[Any] | None = None,
        n_jobs: int | None = None,
        errors: str = "raise",
        name: str | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.output = output
        self.pool = pool
        self.preprocess = preprocess
        self.batch_size = batch_size
        self.providers = providers
        self.n_jobs = n_jobs
        self.errors = errors
        self.name = name
        self.verbose = verbose

    def _check_parameters(self) -> None:
        self._check_shared()
        check_source(self.model, type(self).__name__)
        self._check_network()
        check_preprocess(self.preprocess, type(self).__name__)

    def _columns(self) -> list[str]:
        return self._names_of_outputs(self.name)

    def _batches(self, rows: Rows) -> Iterator[Batch]:
        network = self._network()
        if callable(self.preprocess):
            yield from self._by_callable(network, rows, self.preprocess)
            return
        port = self._only_input(network)
        owner = type(self).__name__
        if len(port.shape) != 4 and self.preprocess is not None:
            raise ValueError(
                f"A dict as 'preprocess' of {owner} is for pictures, and the model takes {port}. "
                "Pass None or a callable."
            )
        is_array = isinstance(rows.values, np.ndarray)
        if is_array and port.takes(rows.values.shape[1:]):
            yield from self._as_they_are(network, port, rows.values)
        elif len(port.shape) == 4:
            plan = make_plan(port, self.preprocess, owner)
            yield from self._pictures(network, port, rows, plan)
        else:
            yield from self._as_they_are(network, port, _as_array(rows, port, owner))

    def _as_they_are(self, network: Network, port: Port, values: np.ndarray) -> Iterator[Batch]:
        scaled: Callable[[np.ndarray], np.ndarray] = np.ascontiguousarray
        if isinstance(self.preprocess, Mapping):
            plan = make_plan(port, self.preprocess, type(self).__name__)
            if plan.channels == "BGR":
                values = np.flip(values, axis=3 if plan.channels_last else 1)
            scaled = partial(normalise, plan=plan, channels_last=plan.channels_last)
        for idx in chunks(np.arange(len(values)), self.batch_size):
            part = scaled(values[idx[0] : idx[-1] + 1]).astype(port.dtype, copy=False)
            yield Batch(idx, self._embed(network, {port.name: part}))

    def _pictures(self, network: Network, port: Port, rows: Rows, plan: Plan) -> Iterator[Batch]:
        make = partial(prepare, plan=plan, owner=type(self).__name__)
        for idx in chunks(np.arange(len(rows)), self.batch_size):
            readable, pictures = self._made(rows, idx, make)
            for part, stacked in by_shape(readable, pictures):
                feeds = {port.name: stacked.astype(port.dtype, copy=False)}
                yield Batch(part, self._embed(network, feeds))

    def _by_callable(
        self, network: Network, rows: Rows, preprocess: Callable[[Any], Any]
    ) -> Iterator[Batch]:
        for idx in chunks(np.arange(len(rows)), self.batch_size):
            fed = [self._fed(network, preprocess(rows.values[i])) for i in idx.tolist()]
            shapes = [tuple(one[port.name].shape for port in network.inputs) for one in fed]
            for shape in dict.fromkeys(shapes):
                members = [k for k, other in enumerate(shapes) if other == shape]
                feeds = {
                    port.name: np.stack([fed[k][port.name] for k in members])
                    for port in network.inputs
                }
                yield Batch(idx[members], self._embed(network, feeds))

    def _fed(self, network: Network, made: Any) -> dict[str, np.ndarray]:
        """What a callable made of a row, checked against the model's inputs."""
        names = [port.name for port in network.inputs]
        if not isinstance(made, Mapping):
            made = {self._only_input(network).name: made}
        if set(made) != set(names):
            raise ValueError(
                f"The callable 'preprocess' of {type(self).__name__} must return an array for each "
                f"of the inputs {names}. Got {sorted(made)} instead."
            )
        fed = {port.name: np.asarray(made[port.name], dtype=port.dtype) for port in network.inputs}
        for port in network.inputs:
            self._check_shape(port, fed[port.name].shape)
        return fed


def _as_array(rows: Rows, port: Port, owner: str) -> np.ndarray:
    """Rows that should be numbers, as the array that they are."""
    try:
        values = np.asarray(rows.values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The model of {owner} takes {port}, and the rows of X are no such arrays: {error}. "
            "Pass an array, or a callable 'preprocess'."
        ) from error
    if not port.takes(values.shape[1:]):
        raise ValueError(
            f"The model of {owner} takes {port}, the rows first. Got rows of shape "
            f"{values.shape[1:]}. Pass such an array, or a callable 'preprocess'."
        )
    return values
