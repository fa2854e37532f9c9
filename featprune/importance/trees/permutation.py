"""What a fitted tree ensemble's score loses with features permuted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier

from featprune.importance.trees.answers import Answers, AnswersOfClasses
from featprune.importance.trees.family import LIGHTGBM, XGBOOST
from featprune.importance.trees.flat import Flat, flatten
from featprune.importance.trees.model import Fitted, Rows

# Flattened trees must say what the model says, up to this share of the sizes of all their leaves;
# a class that leads by less may owe it to rounding, and the model itself is asked.
_ALIKE = 1e-6


def of_permutations(
    fitted: Fitted,
    rows: Rows,
    unit: np.ndarray,
    scorer: Callable[..., float],
    *,
    n_repeats: int,
    seed: int,
) -> np.ndarray:
    """Return how much of its score the model loses with each unit's features permuted.

    Parameters
    ----------
    fitted : Fitted
    rows : Rows
        Held out from the fit, with the model's own features.
    unit : ndarray of shape (k,), int
        The unit of each feature; features of one unit are permuted together.
    scorer : callable
        As scikit-learn's ``scorer(estimator, X, y, sample_weight=...)``.
    n_repeats : int
        Permutations of each unit, of which the mean is taken.
    seed : int
        Each unit draws from its own stream, whatever other units there are.

    Returns
    -------
    ndarray of shape (k,)
        The unit's loss, in equal shares for its features. Can be negative.

    Notes
    -----
    A row's path through a tree changes only at splits by permuted features. Where the trees can
    be flattened (see `flat.py`), and say what the model says, only the rows that turn off there
    are followed from there on; this takes 8 bytes a row and tree. Labels are the model's own,
    probabilities and values are its own up to the rounding of sums, which can make and break
    ties. Otherwise, and for sparse rows, there is one prediction of all rows a unit and repeat.

    References
    ----------
    Breiman, L. (2001). Random forests. Machine Learning 45, 5-32.
    https://doi.org/10.1023/A:1010933404324
    """

    def draw(one: int) -> np.ndarray:
        rng = np.random.default_rng([seed, one])
        return np.stack([rng.permutation(rows.X.shape[0]) for _ in range(n_repeats)])

    return losses(fitted, rows, unit, scorer, draw)


def losses(
    fitted: Fitted,
    rows: Rows,
    unit: np.ndarray,
    scorer: Callable[..., float],
    draw: Callable[[int], np.ndarray],
) -> np.ndarray:
    """Return what `of_permutations` does, for given permutations.

    Parameters
    ----------
    fitted, rows, unit, scorer
        As there.
    draw : callable
        Returns the permutations of a unit, (n_repeats, n_rows).
    """
    weights = {} if rows.weight is None else {"sample_weight": rows.weight}
    model = fitted.as_estimator()
    score = scorer(model, rows.X, rows.y, **weights)
    X = sparse.csc_array(rows.X) if sparse.issparse(rows.X) else np.array(rows.X, order="F")
    diverted = _diverted(fitted, rows.X, unit)
    asked = model if diverted is None else diverted.answers(X)
    lost = np.zeros(len(unit))
    for one in np.unique(unit):
        features = np.flatnonzero(unit == one)
        if diverted is not None and not diverted.uses(one):
            continue
        mixings = draw(int(one))
        outputs = None if diverted is None else diverted.outputs(one, features, mixings)
        before = X[:, features].copy()
        worse = 0.0
        for repeat, mixing in enumerate(mixings):
            mixed = before[mixing]
            if sparse.issparse(X):
                worse -= scorer(model, _exchanged(X, features, mixed), rows.y, **weights)
                continue
            X[:, features] = mixed
            if outputs is not None:
                asked.outputs = outputs[repeat]
            worse -= scorer(asked, X, rows.y, **weights)
        if not sparse.issparse(X):
            X[:, features] = before
        lost[features] = (score + worse / len(mixings)) / len(features)
    # scores are sums: what rounding makes of equal losses must not order them
    return np.round(lost, 12)


def _exchanged(X: Any, features: np.ndarray, columns: Any) -> sparse.csr_matrix:
    """A sparse matrix with other columns in place of some of its own."""
    others = np.setdiff1d(np.arange(X.shape[1]), features)
    place = np.argsort(np.concatenate([others, features]))
    return sparse.csr_matrix(sparse.hstack([X[:, others], columns], format="csc")[:, place])


def _diverted(fitted: Fitted, X: Any, unit: np.ndarray) -> _Diverted | None:
    """Flattened trees with rows in them; None where the model must be asked itself."""
    if sparse.issparse(X) or X.dtype.kind not in "fiu":
        return None
    try:
        flat = flatten(fitted)
    except (KeyError, IndexError):
        # a version of the library that writes its trees in another way
        return None
    if flat is None:
        return None
    diverted = _Diverted(fitted, flat, X, unit)
    return diverted if diverted.is_alike else None


class _Diverted:
    """Rows in flattened trees, and where they go with a unit permuted.

    Attributes
    ----------
    is_alike : bool
        Whether the trees say what the model says of the rows.
    """

    def __init__(self, fitted: Fitted, flat: Flat, X: np.ndarray, unit: np.ndarray) -> None:
        from featprune.importance.jit import telling_of_compiling
        from featprune.importance.trees.walk import settle

        self.model, self.flat = fitted.as_estimator(), flat
        self.X = np.ascontiguousarray(X, dtype=flat.threshold.dtype)
        # in which xgboost's probabilities come
        self.is_single = fitted.family is XGBOOST
        n, n_trees = len(X), len(flat.column)
        self.rows = np.empty((n_trees, n), dtype=np.int32)
        self.leaf = np.empty((n_trees, n), dtype=np.int32)
        self.start = np.zeros(len(flat.feature), dtype=np.int32)
        self.stop = np.zeros(len(flat.feature), dtype=np.int32)
        with telling_of_compiling():
            settle(
                self.X, *flat.splits, flat.first_node, self.rows, self.leaf, self.start, self.stop
            )
        self.sums, sizes = np.zeros((2, n, flat.n_outputs))
        for tree, column in enumerate(flat.column):
            values = flat.value[self.leaf[tree]]
            outputs = slice(column, column + values.shape[1])
            self.sums[self.rows[tree], outputs] += values
            sizes[self.rows[tree], outputs] += np.abs(values)
        self.scale = max(1.0, float(sizes.max()))
        # sums of whole numbers are exact: a class that leads by nothing is a tie to the model too
        leaves = flat.value[flat.feature < 0]
        self.is_exact = flat.link == "mean" and bool((leaves == np.round(leaves)).all())
        self.is_alike = self._start(fitted, X)
        inside = np.flatnonzero(flat.feature >= 0)
        owner = unit[flat.feature[inside]]
        self.nodes = inside[np.argsort(owner, kind="stable")].astype(np.int32)
        self.bounds = np.searchsorted(np.sort(owner), np.arange(unit.max() + 2))

    def _start(self, fitted: Fitted, X: np.ndarray) -> bool:
        """Find what the model adds to the sums, and say if they are then alike."""
        own = _outputs(fitted, X)
        if self.flat.link == "mean":
            own = own * len(self.flat.column)
        if own.shape != self.sums.shape:
            return False
        apart = own - self.sums
        self.constant = np.zeros(self.flat.n_outputs)
        if self.flat.link != "mean":
            self.constant = np.median(apart, axis=0)
        apart -= self.constant
        return bool(np.abs(apart).max() <= _ALIKE * self.scale)

    def uses(self, one: int) -> bool:
        """Whether a unit stands in a split."""
        return bool(self.bounds[one + 1] > self.bounds[one])

    def outputs(self, one: int, features: np.ndarray, mixings: np.ndarray) -> np.ndarray:
        """Return the sums with a unit's features permuted, (n_repeats, n_rows, n_outputs)."""
        from featprune.importance.trees.walk import divert

        flat = self.flat
        nodes = self.nodes[self.bounds[one] : self.bounds[one + 1]]
        tree_of = np.searchsorted(flat.first_node, nodes, side="right") - 1
        slot = np.full(self.X.shape[1], -1, dtype=np.int32)
        slot[features] = np.arange(len(features))
        mixed = np.ascontiguousarray(self.X.T[features][:, mixings.T])
        sums = np.repeat(self.sums[None], len(mixings), axis=0)
        divert(
            self.X,
            mixed,
            slot,
            nodes,
            tree_of.astype(np.int32),
            *flat.splits,
            flat.value,
            flat.column,
            self.rows,
            self.leaf,
            self.start,
            self.stop,
            sums,
        )
        sums += self.constant
        return sums

    def answers(self, X: np.ndarray) -> Answers:
        """Return what a scorer may ask about `X`."""
        kind = AnswersOfClasses if is_classifier(self.model) else Answers
        least = 0.0 if self.is_exact else _ALIKE * self.scale
        return kind(self.model, self.flat, X, least, self.is_single)


def _outputs(fitted: Fitted, X: np.ndarray) -> np.ndarray:
    """The model's own outputs, before the link, (n_rows, n_outputs)."""
    model = fitted.model
    if fitted.family is XGBOOST:
        own = model.predict(X, output_margin=True)
    elif fitted.family is LIGHTGBM:
        own = model.booster_.predict(X, raw_score=True)
    elif hasattr(model, "decision_function"):
        own = model.decision_function(X)
    else:
        own = model.predict_proba(X) if is_classifier(model) else model.predict(X)
    return np.array(own, dtype=np.float64).reshape(len(X), -1)
