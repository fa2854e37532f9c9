"""Which columns an ONNX classifier lives on: what its score loses when they are permuted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_consistent_length, check_random_state

from featprune.extract.classifier import NetworkClassifier
from featprune.extract.network import Network, Port, Source, load_network
from featprune.parameters import check_count, check_flag
from featprune.progress import progress_bar, tell
from featprune.table.columns import EMBEDDING, NUMBER, Table, is_frame, quote_some, read
from featprune.table.units import make_units

_NAME = "onnx_importance"


def onnx_importance(
    model: Source,
    X: Any,
    y: Any,
    *,
    groups: Mapping[str, Iterable[Any]] | None = None,
    scoring: Any = "accuracy",
    n_repeats: int = 5,
    random_state: Any = None,
    batch_size: int = 1024,
    classes: Sequence[Any] | None = None,
    providers: Sequence[Any] | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> Bunch:
    """Return what an ONNX classifier loses when columns are permuted.

    The model is a black box: it may come from scikit-learn (skl2onnx), xgboost (onnxmltools),
    Keras, PyTorch or elsewhere.

    Parameters
    ----------
    model : str, path or bytes
        An ONNX file, or what stands in one.
    X : array or frame of shape (n_rows, n_columns)
        Rows that the model was not fitted on. For a model of one input, numbers (and, of a frame,
        vectors, side by side); for one of an input a column, a frame whose columns are called like
        the inputs.
    y : array-like of shape (n_rows,)
        The classes that are right.
    groups : mapping of str to iterables of columns, optional
        Columns, by name or position, that are permuted together. The others are each by itself.
    scoring : str or callable, default="accuracy"
        As in scikit-learn.
    n_repeats : int, default=5
        Permutations of each column.
    random_state : int, RandomState or None, default=None
        Seed of the permutations.
    batch_size : int, default=1024
        Rows that the model gets at a time.
    classes : array-like, optional
        The classes in the order of the model's probabilities. None: as the model says, or the
        sorted ones of `y`, if it has as many probabilities, or else 0, 1, 2 and so on.
    providers, n_jobs
        As in :class:`OnnxEmbedder`.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Returns
    -------
    Bunch
        With ``names``, the columns and groups, in the order of their first column; ``importances``
        of shape (n_names, n_repeats), the score less that with the column permuted;
        ``importances_mean`` and ``importances_std`` of shape (n_names,); and ``score`` without a
        permutation.

    Raises
    ------
    ValueError, TypeError
        For a model that is no classifier of these columns, and parameters that can't be used.

    Notes
    -----
    Breiman's permutation importance, as scikit-learn's ``permutation_importance`` has it. Columns
    that stand for each other both look weak: put them in a group. The permutations depend on the
    seed and the place of the column alone. Cost: ``n_names * n_repeats + 1`` runs over all rows.

    The predicted class is the model's integers or words, if it has such an output, and otherwise
    the largest probability; one probability a row is that of the second of two classes.

    References
    ----------
    Breiman, L. (2001). Random forests. Machine Learning 45, 5-32.
    https://doi.org/10.1023/A:1010933404324

    Examples
    --------
    A classifier by the sign of its second column, made here; yours is a file.

    >>> import numpy as np
    >>> from onnx import TensorProto, helper, numpy_helper
    >>> from featprune.extract import onnx_importance
    >>> weights = numpy_helper.from_array(np.array([[0], [9], [0]], dtype=np.float32), "weights")
    >>> graph = helper.make_graph(
    ...     [
    ...         helper.make_node("MatMul", ["x", "weights"], ["score"]),
    ...         helper.make_node("Sigmoid", ["score"], ["probability"]),
    ...     ],
    ...     "second column",
    ...     [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
    ...     [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1])],
    ...     [weights],
    ... )
    >>> model = helper.make_model(
    ...     graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ... ).SerializeToString()
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> found = onnx_importance(model, X, X[:, 1] > 0, random_state=0)
    >>> found.importances_mean.round(2)
    array([0.  , 0.49, 0.  ])
    """
    check_count(n_repeats, "n_repeats", _NAME)
    check_count(batch_size, "batch_size", _NAME)
    check_flag(verbose, "verbose", _NAME)
    if n_jobs is not None:
        check_count(n_jobs, "n_jobs", _NAME)
    table, y = _read(X), np.asarray(y)
    check_consistent_length(table.native, y)
    network = load_network(model, _NAME, providers=providers, n_jobs=n_jobs)
    units = make_units(table, _NAME, feature_groups=groups, always_keep=None, in_dimensions=False)
    inputs = _inputs(network, table)
    classifier = NetworkClassifier(network, batch_size, classes, _NAME).fit(inputs.feeds(), y)
    scorer = check_scoring(classifier, scoring)
    score = scorer(classifier, inputs.feeds(), y)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(units.names))
    losses = np.empty((len(units.names), n_repeats))
    with progress_bar(verbose):
        for unit, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            columns = np.flatnonzero(units.first == unit)
            for repeat in range(n_repeats):
                mixed = inputs.feeds(columns, rng.permutation(table.n_rows))
                losses[unit, repeat] = score - scorer(classifier, mixed, y)
            tell(f"{_NAME}: columns", unit + 1, len(seeds))
    return Bunch(
        names=units.names,
        importances=losses,
        importances_mean=losses.mean(axis=1),
        importances_std=losses.std(axis=1),
        score=float(score),
    )


class _Inputs:
    """What a network takes of a table, and which of it each of the table's columns is.

    Parameters
    ----------
    arrays : dict of str to ndarray of shape (n_rows, width)
        By the network's inputs.
    places : list of (str, slice)
        Where each column stands.
    """

    def __init__(
        self, arrays: Mapping[str, np.ndarray], places: Sequence[tuple[str, slice]]
    ) -> None:
        self.arrays = arrays
        self.places = places

    def feeds(
        self, columns: Sequence[int] | np.ndarray = (), mixing: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the arrays, the rows of `columns` taken by `mixing`."""
        taken = dict(self.arrays)
        for name in {self.places[i][0] for i in columns}:
            taken[name] = taken[name].copy()
        for i in columns:
            name, place = self.places[i]
            taken[name][:, place] = self.arrays[name][mixing, place]
        return taken


def _read(X: Any) -> Table:
    if not is_frame(X):
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(
                f"X of {_NAME} must be of shape (n_rows, n_columns). Got {X.shape} instead. "
                "Reshape it, and pass a frame of vectors for an input of vectors."
            )
    if 0 in X.shape:
        raise ValueError(f"X of {_NAME} must have rows and columns. Got the shape {X.shape}.")
    return read(X)


def _inputs(network: Network, table: Table) -> _Inputs:
    """Lay the columns out as the network takes them."""
    names = [port.name for port in network.inputs]
    if len(names) == 1 and (len(table.names) > 1 or names[0] not in table.names):
        return _one_input(network.inputs[0], table)
    if set(names) != set(table.names):
        raise ValueError(
            f"The model {network.name} takes the inputs {quote_some(names)}, and X has the columns "
            f"{quote_some(table.names)}. Pass a frame with a column for each input."
        )
    arrays = {port.name: _column(table, port) for port in network.inputs}
    return _Inputs(arrays, [(name, slice(None)) for name in table.names])


def _column(table: Table, port: Port) -> np.ndarray:
    i = table.names.index(port.name)
    if port.dtype is not object and table.kinds[i] in (NUMBER, EMBEDDING):
        return _fed(_numbers(table, i), port)
    return _fed(np.asarray(table.take([i]), dtype=object), port)


def _one_input(port: Port, table: Table) -> _Inputs:
    if port.dtype is object:  # words
        widths, values = [1] * len(table.names), np.asarray(table.native, dtype=object)
    else:
        kinds = zip(table.names, table.kinds, strict=True)
        others = [name for name, kind in kinds if kind not in (NUMBER, EMBEDDING)]
        if others:
            raise ValueError(
                f"The model of {_NAME} takes numbers, {port}, and {quote_some(others)} "
                f"{'is none' if len(others) == 1 else 'are none'}. Encode or drop them."
            )
        parts = [_numbers(table, i) for i in range(len(table.names))]
        widths, values = [part.shape[1] for part in parts], np.hstack(parts)
    ends = np.cumsum(widths).tolist()
    places = [(port.name, slice(end - width, end)) for end, width in zip(ends, widths, strict=True)]
    return _Inputs({port.name: _fed(values, port)}, places)


def _numbers(table: Table, i: int) -> np.ndarray:
    return table.vectors(i) if table.kinds[i] == EMBEDDING else table.numbers([i])


def _fed(values: np.ndarray, port: Port) -> np.ndarray:
    fed = values.astype(str).astype(object) if port.dtype is object else values.astype(port.dtype)
    if not port.takes(fed.shape[1:]):
        raise ValueError(
            f"The model of {_NAME} takes {port}, the rows first. The columns of X are of shape "
            f"{fed.shape}. Pass the columns that the model was fitted on."
        )
    return fed
