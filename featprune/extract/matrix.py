"""Columns of vectors, side by side, as the matrix that other models take."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from featprune.table.columns import EMBEDDING, OTHER, is_frame, quote_some, read


class ToMatrix(TransformerMixin, BaseEstimator):
    """Lay columns of vectors, and numbers, side by side as one matrix.

    Behind embedders and selectors, whose tables hold a vector in a cell, and before a model that
    takes numbers only. It has no parameters.

    Attributes
    ----------
    widths_ : dict of str to int
        How many columns of the matrix each column of the table is.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    A vector that is missing is a row of NaN. The columns are called by the vector's name and their
    place in it: ``face[0]``, ``face[1]``; of a vector that was shortened, by the place that is
    left.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from featprune.extract import ToMatrix
    >>> frame = pd.DataFrame({"age": [30, 40], "face": list(np.eye(2))})
    >>> matrix = ToMatrix().fit(frame)
    >>> matrix.transform(frame)
    array([[30.,  1.,  0.],
           [40.,  0.,  1.]])
    >>> matrix.get_feature_names_out().tolist()
    ['age', 'face[0]', 'face[1]']
    """

    widths_: dict[str, int]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find out how long the vectors are.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_rows, n_columns)
            Of numbers and vectors.
        y : ignored

        Raises
        ------
        TypeError, ValueError
            If it is no frame, or has columns of another kind.
        """
        self._read(X, reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the matrix.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows, n_features_out), float64
        """
        check_is_fitted(self, "widths_")
        return np.hstack(self._read(X, reset=False))

    def _read(self, X: Any, *, reset: bool) -> list[np.ndarray]:
        owner = type(self).__name__
        if not is_frame(X):
            raise TypeError(
                f"X must be a pandas or polars DataFrame. Got {type(X).__name__} instead: an array "
                f"is a matrix already, and needs no {owner}."
            )
        table = read(X)
        kinds = dict(zip(table.names, table.kinds, strict=True))
        others = [name for name, kind in kinds.items() if kind == OTHER]
        if others:
            raise ValueError(
                f"{owner} takes numbers and vectors, and {quote_some(others)} "
                f"{'is neither' if len(others) == 1 else 'are neither'}. Encode or drop them."
            )
        validate_data(self, X, reset=reset, skip_check_array=True)
        widths: dict[str, int] = {} if reset else self.widths_
        parts = [
            table.vectors(i, widths.get(name)) if kind == EMBEDDING else table.numbers([i])
            for i, (name, kind) in enumerate(kinds.items())
        ]
        if reset:
            self.widths_ = {name: part.shape[1] for name, part in zip(kinds, parts, strict=True)}
            self._are_vectors = [kind == EMBEDDING for kind in kinds.values()]
        return parts

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the matrix's columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "widths_")
        names: list[str] = []
        for (name, width), is_vector in zip(self.widths_.items(), self._are_vectors, strict=True):
            names += [f"{name}[{k}]" for k in range(width)] if is_vector else [name]
        return np.array(names, dtype=object)
