"""Scores of folds under the keys of scikit-learn's ``RFECV.cv_results_``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from featprune.path.marks import ranking_at, support_at


class CVResults(Mapping):
    """Scores under scikit-learn's keys; the wide arrays are made when asked for.

    Parameters
    ----------
    sizes : ndarray of shape (n_sizes,), int
        Descending, as all else here.
    n_units : int
    scores : ndarray of shape (n_folds, n_sizes)
    orders : ndarray of shape (n_folds, n_removed), int
    """

    def __init__(
        self, sizes: np.ndarray, n_units: int, scores: np.ndarray, orders: np.ndarray
    ) -> None:
        self._sizes = sizes
        self._n_units = n_units
        self._scores = scores
        self._orders = orders

    def __getitem__(self, key: str) -> np.ndarray:
        if key == "n_features":
            return self._sizes[::-1].copy()
        if key == "mean_test_score":
            return self._scores.mean(axis=0)[::-1]
        if key == "std_test_score":
            return self._scores.std(axis=0)[::-1]
        for scores, order, name in zip(self._scores, self._orders, self._splits(), strict=True):
            if key == f"{name}_test_score":
                return scores[::-1].copy()
            if key == f"{name}_ranking":
                rows = [ranking_at(order, self._sizes, self._n_units, k) for k in self._sizes[::-1]]
                return np.array(rows)
            if key == f"{name}_support":
                return np.array([support_at(order, self._n_units, k) for k in self._sizes[::-1]])
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        yield from ("mean_test_score", "std_test_score")
        for part in ("test_score", "ranking", "support"):
            yield from (f"{name}_{part}" for name in self._splits())
        yield "n_features"

    def __len__(self) -> int:
        return 3 + 3 * len(self._scores)

    def __repr__(self) -> str:
        return f"CVResults({', '.join(self)})"

    def _splits(self) -> list[str]:
        return [f"split{i}" for i in range(len(self._scores))]
