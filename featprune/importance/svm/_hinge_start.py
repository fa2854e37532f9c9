"""Setting up a linear hinge-loss elimination, and checks on it, in numpy."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse

from featprune.importance.svm._hinge_state import Log, Pools, Problems, Table

# With more samples than this, the sharper metric costs more than what it saves.
_MOST_IN_METRIC = 512


def make_table(
    X: Any, y: np.ndarray, unit: np.ndarray, held_out: Any | None
) -> tuple[Table, np.ndarray]:
    """Return the table with rows sorted by class, and the order of the rows.

    Features are centred, which the bias makes up for: sum(beta) = 0. It keeps the kernel
    small where data have an offset, and makes constant features exactly zero.
    """
    order = np.argsort(y, kind="stable")
    features = np.argsort(unit, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(unit))])
    if sparse.issparse(X):
        return _make_sparse(X, order, held_out, first, features), order
    XT = np.ascontiguousarray(np.take(X.T, order, axis=1))
    # Taking off the first value beforehand leaves exact zeros of a constant.
    shift = XT[:, 0].copy()
    XT -= shift[:, None]
    mean = XT.mean(axis=1)
    XT -= mean[:, None]
    n = XT.shape[1]
    held = np.zeros((len(XT), 0))
    if held_out is not None:
        held_out = held_out.toarray() if sparse.issparse(held_out) else held_out
        held = np.ascontiguousarray(held_out.T - shift[:, None])
        held -= mean[:, None]
    K, K_held = np.empty((n, n)), np.empty((held.shape[1], n))
    np.dot(XT.T, XT, out=K)
    np.dot(held.T, XT, out=K_held)
    none = _arrays(sparse.csr_array((len(XT), 1)))
    return Table(XT, held, *none, *none, K, K_held, first, features), order


def _make_sparse(
    X: Any, order: np.ndarray, held_out: Any | None, first: np.ndarray, features: np.ndarray
) -> Table:
    """Return the table of a sparse matrix; only the kernels are dense."""
    n, p = X.shape
    XT = sparse.csr_array(sparse.csr_array(X)[order].T)
    XT.sum_duplicates()
    full = np.flatnonzero(np.diff(XT.indptr) == n)
    for at in XT.indptr[full]:
        # A constant does nothing that the bias doesn't; centred, it would be exactly zero.
        if np.ptp(XT.data[at : at + n]) == 0.0:
            XT.data[at : at + n] = 0.0
    XT.eliminate_zeros()
    held = sparse.csr_array((p, 0))
    if held_out is not None:
        held = sparse.csr_array(sparse.csr_array(held_out).T)
    m = held.shape[1]
    T = Table(
        np.zeros((0, n)), np.zeros((0, m)), *_arrays(XT), *_arrays(held),
        np.empty((n, n)), np.empty((m, n)), first, features,
    )  # fmt: skip
    T.K[...] = (XT.T @ XT).toarray()
    if m:
        T.K_held[...] = (held.T @ XT).toarray()
    return T


def _arrays(A: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return A.indptr.astype(np.int64), A.indices.astype(np.int64), A.data.astype(float)


def features_by_row(T: Table) -> Any:
    """Return the features as the rows of an array or a CSR array of shape (n_features, n)."""
    if len(T.XT):
        return T.XT
    shape = (len(T.start) - 1, len(T.K))
    return sparse.csr_array((T.value, T.row, T.start), shape=shape)


def compute_kernels(T: Table, L: Pools) -> None:
    """Compute both kernels of the features that are left anew, in place."""
    left = features_left(T, L)
    part = features_by_row(T)[left]
    if sparse.issparse(part):
        T.K[...] = (part.T @ part).toarray()
        if len(T.K_held):
            shape = (len(T.held_start) - 1, len(T.K_held))
            held = sparse.csr_array((T.held_value, T.held_row, T.held_start), shape=shape)
            T.K_held[...] = (held[left].T @ part).toarray()
        return
    np.dot(part.T, part, out=T.K)
    if len(T.K_held):
        np.dot(T.held[left].T, part, out=T.K_held)


def make_problems(y: np.ndarray, box: np.ndarray, n_features: int) -> Problems:
    """Return the one-vs-one problems of sorted classes, at ``beta = 0``."""
    counts = np.bincount(y)
    starts = np.concatenate([[0], np.cumsum(counts)])
    pairs = list(combinations(range(len(counts)), 2))
    span = np.array([[starts[a], starts[b], counts[a]] for a, b in pairs])
    n_rows = np.array([counts[a] + counts[b] for a, b in pairs])
    shape = (len(pairs), int(n_rows.max()))
    target, lower, upper = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    # The first class of a pair is the positive one, except where there are only two.
    sign = -1.0 if len(counts) == 2 else 1.0
    for k, (a, b) in enumerate(pairs):
        cut, n = counts[a], n_rows[k]
        target[k, :cut], target[k, cut:n] = sign, -sign
        rows = np.r_[starts[a] : starts[a + 1], starts[b] : starts[b + 1]]
        upper[k, :n] = np.where(target[k, :n] > 0, box[rows], 0.0)
        lower[k, :n] = np.where(target[k, :n] > 0, 0.0, -box[rows])
    # Centred samples span at most n_features dimensions, and the bias gives one more.
    most = min(shape[1], n_features + 1)
    return Problems(
        span,
        n_rows,
        target,
        lower,
        upper,
        np.zeros(shape),
        np.zeros(len(pairs)),
        np.zeros(shape),
        np.zeros((len(pairs), most), dtype=np.int64),
        np.full(shape, -1),
        np.zeros(len(pairs), dtype=np.int64),
        np.zeros((len(pairs), most + 1, most + 1)),
        np.ones(len(pairs), dtype=bool),
    )


def rows_of(P: Problems, k: int) -> np.ndarray:
    """Return the rows of the sorted table that problem `k` takes."""
    lo, hi, cut = P.span[k]
    return np.r_[lo : lo + cut, hi : hi + P.n_rows[k] - cut]


def first_optimum(
    P: Problems, k: int, K: np.ndarray, tol: float = 1e-3, warm: bool = False
) -> None:
    """Bring problem `k` near its optimum by pairs of samples. In place."""
    from featprune.importance.svm.kernels.smo import smo

    n = P.n_rows[k]
    rows = rows_of(P, k)
    part = K if len(rows) == len(K) else K[np.ix_(rows, rows)]
    sign = P.target[k, :n]
    box = P.upper[k, :n] - P.lower[k, :n]
    alpha = sign * P.beta[k, :n] if warm else np.zeros(n)
    alpha, _, bias, _, _ = smo(part, sign, box, alpha, tol, 200 * int(n) + 20000)
    P.beta[k, :n] = np.clip(sign * alpha, P.lower[k, :n], P.upper[k, :n])
    P.bias[k] = bias
    P.bad[k] = True


def make_pools(T: Table, P: Problems, protected: np.ndarray) -> Pools:
    """Return empty pools over the units that may leave."""
    n_units = len(protected)
    alive = np.flatnonzero(~protected)
    alive = np.concatenate([alive, np.zeros(n_units - len(alive), dtype=alive.dtype)])
    n = len(T.K)
    side = n if len(T.XT) and n <= _MOST_IN_METRIC else 0
    L = Pools(
        alive,
        np.zeros(n_units),
        np.zeros((2, n_units), dtype=np.int64),
        np.array([0, 0, n_units - int(protected.sum())]),
        np.zeros((2, *P.beta.shape)),
        np.zeros(2),
        np.zeros(2),
        np.zeros(n_units),
        np.zeros(n_units, dtype=np.int64),
        np.zeros(n_units, dtype=bool),
        np.zeros((side, side)),
    )
    renew_metric(T, L)
    return L


def renew_metric(T: Table, L: Pools) -> None:
    """Take the present kernel as the metric of the pools' bounds, and empty the pools."""
    n = len(T.K)
    left = features_left(T, L)
    part = features_by_row(T)[left]
    norm = np.zeros(len(T.features))
    if len(L.metric) == 0:
        norm[left] = (part * part).sum(axis=1)
    else:
        L.metric[...] = T.K
        # The ridge makes it definite; the bound holds for any.
        L.metric.flat[:: n + 1] += 1e-7 * np.trace(T.K) / n + 1e-300
        norm[left] = np.einsum("ij,ij->i", part @ np.linalg.inv(L.metric), part)
    # Rounding must not make a bound too small.
    L.norm[:] = (1 + 1e-6) * np.sqrt(np.add.reduceat(norm[T.features], T.first[:-1]).clip(0))
    L.count[:2] = 0


def features_left(T: Table, L: Pools) -> np.ndarray:
    """Return the features of the units that are left, in their order."""
    owner = np.repeat(np.arange(len(L.gone)), np.diff(T.first))
    return np.sort(T.features[~L.gone[owner]])


def make_log(n_units: int, floor: int, step: int, T: Table, n_problems: int) -> Log:
    """Return the empty log of a path to `floor` units."""
    models = 1 + -(-(n_units - floor) // step)
    return Log(
        np.zeros(n_units, dtype=np.int64),
        np.zeros(n_units),
        np.zeros(models, dtype=np.int64),
        np.zeros((models, len(T.K_held), n_problems)),
        np.zeros(5, dtype=np.int64),
        np.full(2, np.trace(T.K)),
    )


def feature_criteria(T: Table, P: Problems) -> np.ndarray:
    """Return the sum over problems of each feature's squared weight, shape (n_features,)."""
    total = np.zeros(len(T.features))
    XT = features_by_row(T)
    for k in range(len(P.n_rows)):
        lo, hi, cut = P.span[k]
        n = P.n_rows[k]
        w = XT[:, lo : lo + cut] @ P.beta[k, :cut]
        w += XT[:, hi : hi + n - cut] @ P.beta[k, cut:n]
        total += w * w
    return total


def attainable(T: Table, P: Problems, k: int) -> float:
    """Return the violation that rounding of the margins alone can make, at least 1e-11."""
    n, rows = P.n_rows[k], rows_of(P, k)
    size = np.sqrt(np.diagonal(T.K)[rows].clip(0))
    return max(1e-11, 2e-16 * float(size.max() * (size @ np.abs(P.beta[k, :n]))))


def inverse_is_good(T: Table, P: Problems, k: int) -> bool:
    """Say whether the inverse of problem `k` still is one, by one random-free probe."""
    m = P.n_free[k] + 1
    members = rows_of(P, k)[P.members[k, : m - 1]]
    probe = np.cos(np.arange(m))
    image = P.inv[k, :m, :m] @ probe
    back = np.empty(m)
    back[0] = image[1:].sum()
    back[1:] = T.K[np.ix_(members, members)] @ image[1:] + image[0]
    return bool(np.abs(back - probe).max() < 1e-6)


def violation(P: Problems, k: int) -> float:
    """Return the largest violation of optimality of problem `k`, from its margins."""
    n = P.n_rows[k]
    slack = P.target[k, :n] - P.margin[k, :n]
    up = P.beta[k, :n] < P.upper[k, :n]
    down = P.beta[k, :n] > P.lower[k, :n]
    return float(max(slack[up].max(initial=0.0), -slack[down].min(initial=0.0)))
