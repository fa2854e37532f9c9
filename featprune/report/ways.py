"""Ways to shorten vectors: by a selector, at random, by truncation, by principal components."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA

RANDOM, TRUNCATION, EXTRACTION = "random", "truncation", "PCA"


class Fold(NamedTuple):
    """The vectors and labels of a fold, and the neighbours of its held-out rows."""

    X: np.ndarray
    y: np.ndarray
    others: np.ndarray
    labels: np.ndarray
    neighbours: np.ndarray


# a way, once fitted: training and held-out vectors with so many dimensions
Shorten = Callable[[int], tuple[np.ndarray, np.ndarray]]


def fit_ways(
    fold: Fold,
    selectors: Mapping[str, Any],
    draws: list[np.ndarray],
    fewer: list[int],
    seed: int,
) -> Iterator[tuple[str, int, float, Shorten]]:
    """Fit each way on the training rows: its name, draw, seconds, and what shortens by it."""
    for name, selector in selectors.items():
        started, fitted = time.perf_counter(), None
        if fewer:
            fitted = _prepared(selector, min(fewer), seed).fit(fold.X, fold.y)
        yield name, 0, time.perf_counter() - started, _by_selector(fold, fitted)
    for draw, order in enumerate(draws):
        yield RANDOM, draw, 0.0, _by_order(fold, order)
    yield TRUNCATION, 0, 0.0, _by_order(fold, np.arange(fold.X.shape[1]))
    started = time.perf_counter()
    shorten = _by_components(fold, max(fewer, default=1))
    yield EXTRACTION, 0, time.perf_counter() - started, shorten


def _prepared(selector: Any, smallest: int, seed: int) -> Any:
    """A clone whose path reaches down to the smallest size, and no further."""
    prepared = clone(selector)
    parameters = prepared.get_params(deep=False)
    wanted = {"n_features_to_select": smallest, "min_features_to_select": smallest}
    if parameters.get("random_state", 0) is None:
        wanted["random_state"] = seed
    return prepared.set_params(**{k: v for k, v in wanted.items() if k in parameters})


def _by_selector(fold: Fold, fitted: Any) -> Shorten:
    def shorten(size: int) -> tuple[np.ndarray, np.ndarray]:
        mask = fitted.reselect(size).support_
        return fold.X[:, mask], fold.others[:, mask]

    return shorten


def _by_order(fold: Fold, order: np.ndarray) -> Shorten:
    def shorten(size: int) -> tuple[np.ndarray, np.ndarray]:
        kept = np.sort(order[:size])
        return fold.X[:, kept], fold.others[:, kept]

    return shorten


def _by_components(fold: Fold, most: int) -> Shorten:
    """Rebuild vectors from their first components, so that their scale stays what it was.

    A probe that standardises would blow up the scores of the last components to the size of
    the first.
    """
    pca = PCA(min(most, *fold.X.shape), svd_solver="full").fit(fold.X)
    scores, others = pca.transform(fold.X), pca.transform(fold.others)

    def shorten(size: int) -> tuple[np.ndarray, np.ndarray]:
        axes = pca.components_[:size]
        rebuilt = [part[:, :size] @ axes + pca.mean_ for part in (scores, others)]
        return rebuilt[0], rebuilt[1]

    return shorten
