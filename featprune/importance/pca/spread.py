"""How features spread around their mean: the second moments, with what is asked of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from featprune.importance.pca.residual import Residual, ScatterResidual


class Spread(Protocol):
    """The p x p second moments of centred features, or rows whose products they are."""

    @property
    def rounding(self) -> float:
        """The share of a feature's variance below which what is left of it is rounding."""
        ...

    @property
    def variances(self) -> np.ndarray:
        """Variance of each feature, shape (n_features,)."""
        ...

    def residual(self) -> Residual:
        """Return what is left to explain, which is everything."""
        ...


class Scatter(NamedTuple):
    """The second moments themselves.

    Attributes
    ----------
    matrix : ndarray of shape (n_features, n_features)
    rounding : float
    """

    matrix: np.ndarray
    rounding: float

    @property
    def variances(self) -> np.ndarray:
        """Variance of each feature, shape (n_features,)."""
        return self.matrix.diagonal()

    def residual(self) -> Residual:
        """Return what is left to explain, which is everything."""
        return ScatterResidual(self.matrix)


class Centred(NamedTuple):
    """A spread, and how a table's values become the features that it is of.

    Attributes
    ----------
    spread : Spread
    mean : ndarray of shape (n_features,)
    scale : ndarray of shape (n_features,)
        What centred values are divided by: their standard deviations, 1 for constant ones.
    """

    spread: Spread
    mean: np.ndarray
    scale: np.ndarray


def scale_of(
    variances: np.ndarray, standardize: bool, sharing: np.ndarray | None = None
) -> np.ndarray:
    """Return what features are divided by, 1 for those that are constant.

    With `sharing`, how many features share a variance of 1, that is what each of them gets of it.
    """
    if not standardize:
        return np.ones(len(variances))
    if sharing is not None:
        variances = variances * sharing
    return np.sqrt(np.where(variances > 0, variances, 1.0))


def is_constant(variances: np.ndarray, mean: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Whether features differ from their mean by no more than rounding, shape (n_features,)."""
    return np.sqrt(variances) <= 8 * np.finfo(dtype).eps * np.abs(mean)
