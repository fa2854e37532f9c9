"""Second moments of rows that come in chunks: weights, means and products, added up."""

from __future__ import annotations

import numpy as np

from featprune.importance.pca.rows import DenseRows
from featprune.importance.pca.spread import Centred, Scatter, is_constant, scale_of
from featprune.importance.pca.sums import NotFiniteError, Sums, Total

# Rows multiplied at a time: few enough to stay in the cache while they are centred, and enough
# that adding p x p products up costs little; in wide tables as many as columns, for the same.
_BLOCK = 4096


class Moments:
    """The weight, mean and centred products of rows that are added chunk by chunk.

    Rows are taken in blocks of fixed length, counted from the first row on, so the sums are the
    same however the rows were cut into chunks. A block of float32 is multiplied in float32, and
    added up in float64. Until there are as many rows as columns (and 4096), the rows themselves
    are held, which is less than their products would be.

    Parameters
    ----------
    n_features : int

    Attributes
    ----------
    n_rows : int
        Rows added so far.

    References
    ----------
    Chan, T. F., Golub, G. H., LeVeque, R. J. (1983). Algorithms for computing the sample
    variance. The American Statistician 37(3), 242-247.
    https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self.n_rows = 0
        self._length = max(_BLOCK, n_features)
        self._held: list[tuple[np.ndarray, np.ndarray]] = []
        self._n_held = 0
        self._sums = Sums()

    def add(self, X: np.ndarray, weight: np.ndarray | None = None, *, copy: bool = True) -> None:
        """Add rows.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features), float32 or float64
        weight : ndarray of shape (n_rows,), optional
            Above 0.
        copy : bool, default=True
            Whether rows that are held are copied. Without, `X` must not change afterwards.

        Raises
        ------
        NotFiniteError
            If there is a number that is not finite; the moments are then of no use.
        """
        if weight is None:
            weight = np.ones(len(X))
        start, n_rows = 0, len(X)
        self.n_rows += n_rows
        if self._n_held:
            start = min(self._length - self._n_held, n_rows)
            self._hold(X[:start], weight[:start], copy)
            if self._n_held == self._length:
                self._sums.add(*self._joined())
                self._held, self._n_held = [], 0
        while n_rows - start >= self._length:
            stop = start + self._length
            self._sums.add(X[start:stop], weight[start:stop])
            start = stop
        if start < n_rows:
            self._hold(X[start:], weight[start:], copy)

    def centred(self, *, standardize: bool, sharing: np.ndarray | None = None) -> Centred:
        """Return the spread of the rows so far around their mean; more rows may follow.

        Parameters
        ----------
        standardize : bool
            Whether every feature is scaled to variance 1.
        sharing : ndarray of shape (n_features,), optional
            How many features share that variance of 1, for each of them.
        """
        if self.n_rows < self.n_features:
            return _of_rows(*self._joined(), standardize, sharing)
        total, dtype = self._sums.total(), self._sums.dtype
        if self._n_held:
            rest = Sums()
            rest.add(*self._joined())
            of_rest = rest.total()
            assert of_rest is not None
            total, dtype = of_rest.plus(total), min(dtype, rest.dtype)
        assert total is not None
        return _of_total(total, dtype, standardize, sharing)

    def _hold(self, X: np.ndarray, weight: np.ndarray, copy: bool) -> None:
        if not np.isfinite(X).all():
            raise NotFiniteError
        self._held.append((X.copy(), weight.copy()) if copy else (X, weight))
        self._n_held += len(X)

    def _joined(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self._held) > 1:
            X, weight = zip(*self._held, strict=True)
            self._held = [(np.concatenate(X), np.concatenate(weight))]
        return self._held[0]


def _of_total(
    total: Total, dtype: np.dtype, standardize: bool, sharing: np.ndarray | None
) -> Centred:
    """Return the second moments around the mean, shape (p, p)."""
    matrix = total.products / total.weight
    variances = matrix.diagonal().copy()
    variances[is_constant(variances, total.mean, dtype)] = 0.0
    scale = scale_of(variances, standardize, sharing)
    matrix /= scale
    matrix /= scale[:, None]
    matrix[variances == 0] = 0.0
    matrix[:, variances == 0] = 0.0
    return Centred(Scatter(matrix, _rounding(dtype)), total.mean, scale)


def _of_rows(
    X: np.ndarray, weight: np.ndarray, standardize: bool, sharing: np.ndarray | None
) -> Centred:
    """Return centred rows, scaled so that their products are the second moments."""
    share = weight / weight.sum()
    mean = (share.astype(X.dtype) @ X).astype(np.float64)
    Z = X - mean
    # once more: the rounding of the first mean may be large beside what is left
    rest = share @ Z
    mean += rest
    for row, root in zip(Z, np.sqrt(share), strict=True):
        row -= rest
        row *= root
    variances = np.einsum("ij,ij->j", Z, Z)
    variances[is_constant(variances, mean, X.dtype)] = 0.0
    scale = scale_of(variances, standardize, sharing)
    Z *= np.where(variances > 0, 1.0 / scale, 0.0)
    return Centred(DenseRows(Z, _rounding(X.dtype)), mean, scale)


def _rounding(dtype: np.dtype) -> float:
    """The share of its own variance below which what is left of a feature is rounding."""
    return 1e-10 if dtype == np.float64 else 1e-6
