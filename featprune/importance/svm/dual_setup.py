"""Setting up the dual of a linear machine: the table, its kernels, the problems at zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.svm.dual_state import (
    ALIVE,
    BAD,
    BORDERED,
    BOX,
    CONSTANT,
    COUNTS,
    FEW,
    HELD,
    HIGH,
    LOW,
    RIDGE,
    SCALARS,
    SLOT,
    Course,
    HeldOut,
    Problems,
    Table,
)
from featprune.importance.svm.problems import Problem

# Features that may leave before the kernel is brought up to date: few rows in compiled loops,
# many in one product.
_REST_OF_FEW, _REST_OF_MANY = 8, 48
# Features that are taken out of a table at a time.
_BLOCK = 512
# Columns that a sketch has room for; no power of two, at which its rows would share cache lines.
_SKETCHED = 2064


def sort_rows(problems: list[Problem], n: int) -> np.ndarray:
    """Return an order of the rows in which each problem takes one or two runs of them."""
    if all(len(problem.rows) == n for problem in problems):
        return np.arange(n)
    taken = np.zeros((n, len(problems)), dtype=bool)
    for k, problem in enumerate(problems):
        taken[problem.rows, k] = True
    return np.argsort(np.unique(taken, axis=0, return_inverse=True)[1].ravel(), kind="stable")


def padded(n: int) -> int:
    """Return how many rows a dense table has: full vectors are multiplied faster.

    The rows added are zero, and no problem takes them.
    """
    return -(-n // 8) * 8


def make_table(X: Any, order: np.ndarray, unit: np.ndarray, *, centred: bool) -> Table:
    """Return the table with its rows in a certain order."""
    features = np.argsort(unit, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(unit))])
    if sparse.issparse(X):
        return _make_sparse(X, order, first, features, centred=centred)
    n = len(order)
    XT = np.zeros((X.shape[1], padded(n)))
    XT[:, :n] = X.T if np.array_equal(order, np.arange(n)) else X.T[:, order]
    mean = np.zeros(len(XT))
    if centred:
        # Taking off the first value beforehand leaves exact zeros of a constant.
        mean = XT[:, 0].copy()
        XT[:, :n] -= mean[:, None]
        rest = XT.sum(axis=1) / n
        XT[:, :n] -= rest[:, None]
        mean += rest
    return Table(XT, *_parts_of(sparse.csr_array((len(XT), 1))), mean, first, features)


def _make_sparse(
    X: Any, order: np.ndarray, first: np.ndarray, features: np.ndarray, *, centred: bool
) -> Table:
    """Return the table of a sparse matrix; only the kernels are dense."""
    n, p = X.shape
    XT = sparse.csr_array(sparse.csr_array(X)[order].T, dtype=np.float64)
    XT.sum_duplicates()
    if centred:
        for at in XT.indptr[np.flatnonzero(np.diff(XT.indptr) == n)]:
            # A constant does nothing that the bias doesn't; centred, it is exactly zero.
            if np.ptp(XT.data[at : at + n]) == 0.0:
                XT.data[at : at + n] = 0.0
        XT.eliminate_zeros()
    return Table(np.zeros((0, n)), *_parts_of(XT), np.zeros(p), first, features)


def _parts_of(entries: sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start, row and value as `Table` has them."""
    starts, rows = entries.indptr.astype(np.int64), entries.indices.astype(np.int64)
    return starts, rows, entries.data.astype(np.float64, copy=False)


def make_held_out(T: Table, held_out: Any, n: int, scale: float) -> HeldOut:
    """Return rows held out, none if `held_out` is None, with the kernel over all features."""
    if held_out is None:
        held_out = np.zeros((0, len(T.mean)))
    XT, entries = np.zeros((0, 0)), sparse.csr_array((len(T.mean), 1))
    if len(T.XT):
        rows = held_out.toarray() if sparse.issparse(held_out) else held_out
        XT = np.array(rows.T, dtype=np.float64, order="C") - T.mean[:, None]
    else:
        entries = sparse.csr_array(sparse.csr_array(held_out).T, dtype=np.float64)
    K = np.zeros((held_out.shape[0], n))
    H = HeldOut(XT, *_parts_of(entries), K)
    H.K[...] = held_kernel(T, H, np.arange(len(T.mean)), n) + scale**2
    return H


def sparse_rows(T: Table, n: int) -> sparse.csr_array:
    """Return a sparse table as a matrix of shape (n_features, n)."""
    return sparse.csr_array((T.value, T.row, T.start), shape=(len(T.mean), n))


def kernel(T: Table, features: np.ndarray, n: int) -> np.ndarray:
    """Return the kernel over some features, (n, n). O(n^2 n_features)."""
    if len(T.XT):
        return _sum((rows.T @ rows for _, rows in blocks(T, features)), (n, n))
    part = sparse_rows(T, n)[features]
    return (part.T @ part).toarray()


def held_kernel(T: Table, H: HeldOut, features: np.ndarray, n: int) -> np.ndarray:
    """Return the kernel of rows held out with the others over some features, (n_held_out, n)."""
    if len(T.XT):
        return _sum((H.XT[part].T @ rows for part, rows in blocks(T, features)), H.K.shape)
    shape = (len(T.mean), len(H.K))
    held = sparse.csr_array((H.value, H.row, H.start), shape=shape)
    return (held[features].T @ sparse_rows(T, n)[features]).toarray()


def blocks(T: Table, features: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield some features of a dense table, in ascending order, and their values, (n_part, n).

    The values are not to be changed.
    """
    features = np.sort(features)
    for at in range(0, len(features), _BLOCK):
        part = features[at : at + _BLOCK]
        is_run = part[-1] - part[0] == len(part) - 1
        yield part, T.XT[part[0] : part[-1] + 1] if is_run else T.XT[part]


def _sum(products: Iterator[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    total = next(products, np.zeros(shape))
    for product in products:
        total += product
    return total


def make_problems(
    problems: list[Problem], order: np.ndarray, n: int, n_features: int, scale: float | None
) -> Problems:
    """Return the problems on n rows of the table at zero, to be settled; `scale` as in `Dual`."""
    bordered, scale = scale is None, scale or 0.0
    V = np.zeros((len(problems), 7, n))
    S = np.zeros((len(problems), 4, n), dtype=np.int64)
    spans = np.zeros((len(problems), 4), dtype=np.int64)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    for k, problem in enumerate(problems):
        at = place[problem.rows]
        for name, values in zip((LOW, HIGH, BOX, RIDGE), problem[1:], strict=True):
            V[k, name, at] = values
        taken = np.zeros(n + 2, dtype=int)
        taken[at + 1] = 1
        edges = np.flatnonzero(np.diff(taken))
        spans[k, : len(edges)] = edges
        spans[k, len(edges) :] = edges[-1]
    S[:, SLOT] = -1
    most = int((spans[:, 1] - spans[:, 0] + spans[:, 3] - spans[:, 2]).max())
    if not V[:, RIDGE].any():
        # without a ridge, free rows are independent: as many as there are dimensions
        most = min(most, n_features + (scale != 0.0) + 1)
    S[:, COUNTS, BORDERED], S[:, COUNTS, BAD] = bordered, True
    V[:, SCALARS, CONSTANT] = scale**2
    return Problems(V, S, np.zeros((len(problems), most + 1 + HELD, most + 2)), spans)


def make_course(T: Table, P: Problems, scale: float) -> Course:
    """Return the course before the first step, nothing listed."""
    is_sparse = not len(T.XT)
    n_units, n_problems, n = len(T.first) - 1, len(P.V), P.V.shape[2]
    K = kernel(T, np.arange(len(T.features)), n)
    K += scale**2
    count = np.zeros(8, dtype=np.int64)
    count[ALIVE] = len(T.features) if is_sparse else 0
    # groups and sparse tables have no sketch
    width = min(_SKETCHED, n_units) if len(T.XT) == n_units else 0
    return Course(
        K=K,
        rest=np.zeros((_REST_OF_FEW if n <= FEW or is_sparse else _REST_OF_MANY, n)),
        alive=np.arange(len(T.features) if is_sparse else 0),
        metric=np.zeros((0, 0)),
        anchor=np.zeros((n_problems, n)),
        gone=np.zeros(n_units, dtype=bool),
        order=np.zeros(n_units, dtype=np.int64),
        bound=np.zeros(n_units),
        slope=np.ones(n_units),
        sketch=np.zeros((n, width), dtype=np.float32),
        hints=np.zeros(width),
        halves=np.zeros(width, dtype=np.float32),
        length=np.zeros(n_units),
        lengths=np.sqrt(np.einsum("ij,ij->i", T.XT, T.XT)),
        norm=np.ones(n_units),
        count=count,
        way=np.zeros(7),
    )
