"""Whether rows that were alike are still alike when columns have gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from featprune.importance.neighbours import METRICS, preserved, preserved_without
from featprune.parameters import check_choice, check_count, check_flag
from featprune.report.pruned import Pruned, read_pruned

if TYPE_CHECKING:
    import pandas as pd

_NAME = "neighbourhood_preservation"


@dataclass(frozen=True, eq=False)
class Preservation:
    """How well the neighbours of rows are kept when columns go.

    Parameters
    ----------
    trustworthiness : float
        1 less a penalty for rows that have become neighbours and were far; 1 is best.
    recall : float
        Share of each row's neighbours that still are its neighbours; the mean over rows.
    columns : pandas DataFrame or None
        One row for each column (or dimension of an embedding) that was dropped, by its name and
        in the order of the table: `trustworthiness` and `recall` if it alone were dropped. None
        if it was not asked for.
    n_rows : int
        How many rows were looked at.
    """

    trustworthiness: float
    recall: float
    columns: pd.DataFrame | None
    n_rows: int


def neighbourhood_preservation(
    X: Any,
    support: Any,
    *,
    n_neighbors: int = 10,
    metric: str = "euclidean",
    per_column: bool = True,
    standardize: bool = True,
    max_rows: int = 2000,
    random_state: Any = 0,
) -> Preservation:
    """Measure how well pruning keeps the neighbours of rows.

    Parameters
    ----------
    X : array, sparse matrix, pandas or polars DataFrame of shape (n_rows, n_columns)
        The table before pruning, encoded as :class:`featprune.SVMRFE` encodes it. A sparse
        matrix is made dense, of the rows that are looked at.
    support : array-like of shape (n_columns,), bool, or a fitted selector
        Which columns stay. Of a selector that shortens embeddings, the dimensions that stay.
    n_neighbors : int, default=10
        How many neighbours of a row count; fewer than half of the rows.
    metric : {"euclidean", "cosine"}, default="euclidean"
        By what rows are near each other.
    per_column : bool, default=True
        Whether to look at each dropped column by itself, too.
    standardize : bool, default=True
        Whether features are scaled to mean 0 and variance 1 first (sparse ones not centred).
        False is for vectors that are compared as they are.
    max_rows : int, default=2000
        Of more rows, so many are drawn at random; the cost grows by the square.
    random_state : int, RandomState or None, default=0
        Seed of that, and of the encoding of long texts.

    Returns
    -------
    Preservation

    Raises
    ------
    ValueError, TypeError
        If a parameter can't be used, or the mask does not fit the table.

    See Also
    --------
    plot_maps : The picture that goes with it.

    Notes
    -----
    Trustworthiness is that of Venna and Kaski, with all columns in the role of the original
    space. Of rows that are equally far, the one further up is the nearer neighbour.

    Cost: for n rows and p features, 2 n² p for the mask. For each dropped column its part is
    taken out of the squared distances, d² - (x - x')², of the 12 `n_neighbors` nearest rows,
    and of all rows where others might come nearer.

    References
    ----------
    Venna, J., Kaski, S. (2001). Neighborhood preservation in nonlinear projection methods: an
    experimental study. ICANN 2001, 485-491. https://doi.org/10.1007/3-540-44668-0_68

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from featprune import SVMRFE
    >>> from featprune.report import neighbourhood_preservation
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> selector = SVMRFE(n_features_to_select=15).fit(X, y)
    >>> kept = neighbourhood_preservation(X, selector)
    >>> round(kept.trustworthiness, 2), round(kept.recall, 2)
    (0.99, 0.62)
    >>> kept.columns["recall"].idxmin()  # the one of the dropped that is missed most
    'mean symmetry'
    """
    check_count(n_neighbors, "n_neighbors", _NAME)
    check_choice(metric, "metric", _NAME, METRICS)
    check_flag(per_column, "per_column", _NAME)
    check_flag(standardize, "standardize", _NAME)
    check_count(max_rows, "max_rows", _NAME, least=3)
    pruned = read_pruned(
        X,
        support,
        _NAME,
        standardize=standardize,
        max_rows=max_rows,
        random_state=random_state,
    )
    n_rows = len(pruned.rows)
    if 2 * n_neighbors >= n_rows:
        raise ValueError(
            f"The 'n_neighbors' parameter of {_NAME} must be less than half of the {n_rows} rows. "
            f"Got {n_neighbors} instead."
        )
    trustworthiness, recall = preserved(pruned.values, pruned.after, n_neighbors, metric)
    columns = _of_each(pruned, n_neighbors, metric) if per_column else None
    return Preservation(trustworthiness, recall, columns, n_rows)


def _of_each(pruned: Pruned, n_neighbors: int, metric: str) -> pd.DataFrame:
    import pandas as pd

    dropped = np.flatnonzero(~pruned.is_kept)
    units = [np.flatnonzero(pruned.unit == unit) for unit in dropped]
    measures = preserved_without(pruned.values, units, n_neighbors, metric)
    return pd.DataFrame(
        measures,
        index=pd.Index([pruned.names[unit] for unit in dropped], name="column", dtype=object),
        columns=["trustworthiness", "recall"],
        dtype=float,
    )
