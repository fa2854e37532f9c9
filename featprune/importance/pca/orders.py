"""Orders of features by their principal components: the methods other than greedy selection."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from featprune.importance.pca.greedy import leftmost_largest
from featprune.importance.pca.rows import DenseRows
from featprune.importance.pca.spectrum import Spectrum
from featprune.importance.pca.spread import Spread


def by_leverage(components: Spectrum) -> np.ndarray:
    """Order features by the length of their rows of the components' directions.

    Parameters
    ----------
    components : Spectrum

    Returns
    -------
    ndarray of shape (n_features,), int
        The first one best, and of equals the one that stands further left.

    References
    ----------
    Boutsidis, C., Mahoney, M. W., Drineas, P. (2009). An improved approximation algorithm for the
    column subset selection problem. SODA 2009, 968-977.
    https://doi.org/10.1137/1.9781611973068.105
    """
    return _strongest_first(np.einsum("ij,ij->i", components.vectors, components.vectors))


def by_loading(components: Spectrum) -> np.ndarray:
    """Order features by the size of their loading on the first component."""
    return _strongest_first(np.abs(components.vectors[:, 0]))


def by_qr(components: Spectrum) -> np.ndarray:
    """Choose one feature for each component by QR with column pivoting on their directions.

    Parameters
    ----------
    components : Spectrum

    Returns
    -------
    ndarray of shape (n_components,), int
        In the order of the pivots: each time the feature whose row lies furthest from those
        chosen; of equals the one that stands further left.

    References
    ----------
    Boutsidis, C., Mahoney, M. W., Drineas, P. (2008). Unsupervised feature selection for
    principal components analysis. KDD 2008, 61-69. https://doi.org/10.1145/1401890.1401903
    """
    rests = _Rests(DenseRows(np.ascontiguousarray(components.vectors.T), 1e-10))
    return rests.pivots()


def by_clusters(components: Spectrum, n_clusters: int, spread: Spread, seed: int) -> np.ndarray:
    """Choose features by principal feature analysis: one for each cluster of features.

    Parameters
    ----------
    components : Spectrum
    n_clusters : int
        How many clusters, and so features.
    spread : Spread
    seed : int
        Of k-means.

    Returns
    -------
    ndarray of shape (n_chosen,), int
        The features whose rows of the directions are nearest to the centres of the clusters of
        such rows, those first that explain more (pivoted Cholesky decomposition). There are
        fewer than `n_clusters` if rows are equal.

    References
    ----------
    Lu, Y., Cohen, I., Zhou, X. S., Tian, Q. (2007). Feature selection using principal feature
    analysis. ACM Multimedia 2007, 301-304. https://doi.org/10.1145/1291233.1291297
    """
    rows = components.vectors
    varies = np.flatnonzero(spread.variances > 0)
    points = rows[varies]
    n_clusters = min(n_clusters, len(np.unique(points.round(12), axis=0)))
    model = KMeans(n_clusters, n_init=10, random_state=seed).fit(points)
    chosen = []
    for i in range(n_clusters):
        members = np.flatnonzero(model.labels_ == i)
        apart = np.square(points[members] - model.cluster_centers_[i]).sum(axis=1)
        nearest = (apart <= apart.min() * (1 + 1e-9) + 1e-15).argmax()
        chosen.append(varies[members[nearest]])
    return _Rests(spread).pivots(np.array(chosen))


def by_b4(components: Spectrum) -> np.ndarray:
    """Choose one feature for each component, the first first: the one that loads most on it.

    Parameters
    ----------
    components : Spectrum

    Returns
    -------
    ndarray of shape (n_components,), int

    References
    ----------
    Jolliffe, I. T. (1972). Discarding variables in a principal component analysis. I: Artificial
    data. Applied Statistics 21(2), 160-173. https://doi.org/10.2307/2346488
    """
    sizes = np.abs(components.vectors)
    chosen = []
    for i in range(sizes.shape[1]):
        chosen.append(leftmost_largest(sizes[:, i]))
        sizes[chosen[-1]] = 0.0
    return np.array(chosen, dtype=np.intp)


def by_b2(components: Spectrum, spread: Spread) -> np.ndarray:
    """Reject one feature for each component, the last first: the one that loads most on it.

    Parameters
    ----------
    components : Spectrum
        All that have variance.
    spread : Spread

    Returns
    -------
    ndarray of shape (rank,), int
        The one rejected last comes first. Components without variance have no direction of their
        own: the features for them are rejected before, those that a pivoted Cholesky
        decomposition finds to be combinations of others. They are left out.

    References
    ----------
    Jolliffe, I. T. (1972), as in `by_b4`.
    """
    n_features, n_components = components.vectors.shape
    basis = _Rests(spread).pivots()[:n_components]
    sizes = np.full((n_features, n_components), -1.0)
    sizes[basis] = np.abs(components.vectors[basis])
    rejected = []
    for i in range(len(basis) - 1, -1, -1):
        column = sizes[:, i]
        # of equals, the one that stands further right is rejected
        rejected.append(n_features - 1 - leftmost_largest(column[::-1]))
        sizes[rejected[-1]] = -1.0
    return np.array(rejected[::-1], dtype=np.intp)


def completed(spread: Spread, chosen: np.ndarray) -> np.ndarray:
    """Order all features: those chosen, then each time the one with the largest rest.

    Parameters
    ----------
    spread : Spread
    chosen : ndarray of shape (n_chosen,), int
        In their order.

    Returns
    -------
    ndarray of shape (n_features,), int
        Features that are combinations of those before them come last, from left to right, and
        constant ones at the very end.
    """
    variances = spread.variances
    chosen = chosen[variances[chosen] > 0]
    if len(chosen) < len(variances):
        rests = _Rests(spread)
        for feature in chosen.tolist():
            rests.take(feature)
        chosen = np.concatenate([chosen, rests.pivots()])
    rest = np.setdiff1d(np.arange(len(variances)), chosen)
    varies = variances[rest] > 0
    return np.concatenate([chosen, rest[varies], rest[~varies]])


class _Rests:
    """A pivoted Cholesky decomposition: what features taken leave of the variance of each."""

    def __init__(self, spread: Spread) -> None:
        self._residual = spread.residual()
        self._rests = spread.variances.copy()
        self._least = spread.rounding * self._rests
        self._tie = max(1e-9, spread.rounding)

    def take(self, feature: int) -> None:
        """Take a feature; costs n_features x 64, where the second moments are a matrix."""
        if self._rests[feature] == 0:
            return
        part = self._residual.part(np.array([feature]), self._least[feature])
        self._rests[feature] = 0.0
        if part.loadings.shape[1]:
            self._rests -= part.loadings[:, 0] ** 2
            self._rests[self._rests <= self._least] = 0.0
            if self._residual.take(part) and self._rests.any():
                self._residual.refresh(self._rests > 0)

    def pivots(self, candidates: np.ndarray | None = None) -> np.ndarray:
        """Take features, each time that with the largest rest, until none has any.

        Parameters
        ----------
        candidates : ndarray of int, optional
            Those to take; all without.

        Returns
        -------
        ndarray of int
            Those taken, in their order.
        """
        allowed = np.ones(len(self._rests), dtype=bool)
        if candidates is not None:
            allowed[:] = False
            allowed[candidates] = True
        taken = []
        while (rests := np.where(allowed, self._rests, 0.0)).any():
            taken.append(leftmost_largest(rests, self._tie))
            self.take(taken[-1])
        return np.array(taken, dtype=np.intp)


def _strongest_first(scores: np.ndarray) -> np.ndarray:
    """Order positions by score, the largest first; of scores equal but for rounding, the left."""
    return np.argsort(-np.round(scores / scores.max(), 9), kind="stable")
