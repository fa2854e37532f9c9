"""What it costs to prune an embedding: accuracy of a probe and neighbours, at several sizes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import check_cv
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_array

from featprune.importance.neighbours import nearest, shared
from featprune.parameters import check_count
from featprune.progress import tell
from featprune.report.ways import EXTRACTION, RANDOM, TRUNCATION, Fold, fit_ways
from featprune.table import columns as tables
from featprune.table.columns import EMBEDDING, quote_some

if TYPE_CHECKING:
    import pandas as pd

_NAME = "pruning_cost"


class _Measured(NamedTuple):
    """One way at one share in one fold; `draw` counts the draws of a way that is random."""

    way: str
    share: float
    draw: int
    n_dimensions: int
    accuracy: float
    recall: float
    seconds: float


def pruning_cost(
    X: Any,
    y: Any,
    selector: Any,
    *,
    column: Any = None,
    shares: Sequence[float] = (1, 0.5, 0.25, 0.125, 0.0625),
    probe: Any = None,
    cv: Any = 5,
    n_neighbors: int = 10,
    n_random: int = 5,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Measure what pruning the dimensions of an embedding costs, beside other ways to shorten it.

    Parameters
    ----------
    X : array of shape (n_rows, n_dimensions), pandas or polars DataFrame
        The vectors as rows, or a frame with a column of vectors; its other columns are not
        looked at.
    y : array-like of shape (n_rows,)
        Target of the probe and of the selector.
    selector : selector, or dict of str to selectors
        Of this package; cloned, and fitted once in each fold, on the training rows and their
        vectors alone. All sizes are cut from that one path. With a dict, ways are called by its
        keys, otherwise by the selector's class.
    column : str, default=None
        The column of vectors, where a frame has several.
    shares : sequence of float in (0, 1], default=(1, 0.5, 0.25, 0.125, 0.0625)
        Of the dimensions, rounded down, and at least one. 1 is for all of them, and with it all
        ways are the same.
    probe : estimator, default=None
        What is fitted on the dimensions that are left. None is a logistic regression on
        standardised dimensions with ``C=0.03``.
    cv : int, splitter or iterable, default=5
        Folds, as in scikit-learn.
    n_neighbors : int, default=10
        How many neighbours of a row count.
    n_random : int, default=5
        How often dimensions are drawn at random.
    random_state : int, RandomState or None, default=None
        Seed of the draws, and of a selector that has none of its own.
    n_jobs : int, default=None
        How many folds are worked on at a time. Results do not depend on it, but for seconds.

    Returns
    -------
    pandas DataFrame
        One row for each way and share, the index. Ways are the selectors, then

        - ``"random"``: dimensions drawn at random;
        - ``"truncation"``: the first dimensions;
        - ``"PCA"``: no selection, but the vectors rebuilt from that many principal components of
          the training rows. What can be told by so many numbers made of all dimensions is told
          by these: a ceiling for what does not look at the target.

        and columns are

        - ``n_dimensions``: how many were left;
        - ``accuracy``, ``accuracy_sd``: the probe's own score on held-out rows, the mean and the
          standard deviation over folds; for "random" that over the draws, of their means;
        - ``recall``, ``recall_sd``: which share of the nearest training rows of a held-out row,
          by the cosine of the whole vectors, still are its nearest;
        - ``seconds``: of one fold's fit of the way, from which all shares are cut.

    Raises
    ------
    ValueError, TypeError
        For parameters and vectors that can't be used; the message says how to mend them.

    Notes
    -----
    Vectors are compared as they are, neither centred nor scaled, by all dimensions and by those
    left. Of training rows that are equally near, the one further up is the neighbour.

    Cost: a fit of each selector and a decomposition per fold; a fit of the probe and a product
    of held-out by training rows for each way, share and draw.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.svm import LinearSVC
    >>> from featprune import SVMRFE
    >>> from featprune.report import pruning_cost
    >>> X, y = load_digits(n_class=5, return_X_y=True)  # 64 dimensions
    >>> selector = SVMRFE(LinearSVC(dual=False), step=4)
    >>> cost = pruning_cost(X, y, selector, shares=(1, 0.25), cv=3, random_state=0)
    >>> cost["accuracy"].xs(0.25, level="share").round(2).to_dict()
    {'SVMRFE': 0.94, 'random': 0.87, 'truncation': 0.72, 'PCA': 0.96}
    >>> float(cost.loc[("SVMRFE", 1), "accuracy"].round(2))  # with all 64
    0.96
    """
    vectors, y = _read(X, column), np.asarray(y)
    check_consistent_length(vectors, y)
    selectors = _check_selectors(selector)
    sizes = _sizes(shares, vectors.shape[1])
    check_count(n_neighbors, "n_neighbors", _NAME)
    check_count(n_random, "n_random", _NAME)
    random = check_random_state(random_state)
    seed = int(random.randint(2**31 - 1))
    draws = [random.permutation(vectors.shape[1]) for _ in range(n_random)]
    probe = _default_probe() if probe is None else probe
    splits = list(check_cv(cv, y, classifier=is_classifier(probe)).split(vectors, y))
    fewest = min(len(vectors[train]) for train, _ in splits)
    if n_neighbors > fewest:
        raise ValueError(
            f"The 'n_neighbors' parameter of {_NAME} must be at most the {fewest} training rows "
            f"of a fold. Got {n_neighbors} instead."
        )
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    calls = (
        joblib.delayed(_measure_fold)(
            vectors, y, train, test, selectors, sizes, draws, probe, n_neighbors, seed
        )
        for train, test in splits
    )
    measured: list[list[_Measured]] = []
    for fold in parallel(calls):
        measured.append(fold)
        tell(_NAME, len(measured), len(splits))
    return _summarise(measured)


def _default_probe() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))


def _measure_fold(
    vectors: np.ndarray,
    y: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    selectors: Mapping[str, Any],
    sizes: Mapping[float, int],
    draws: list[np.ndarray],
    probe: Any,
    n_neighbors: int,
    seed: int,
) -> list[_Measured]:
    X, others = vectors[train], vectors[test]
    neighbours = nearest(others, X, n_neighbors, "cosine")
    fold = Fold(X, y[train], others, y[test], neighbours)
    n_dimensions = X.shape[1]
    fewer = [size for size in sizes.values() if size < n_dimensions]
    # what all ways are before anything is dropped
    whole = _accuracy(probe, fold, X, others) if len(fewer) < len(sizes) else np.nan
    measured = []
    for way, draw, seconds, shorten in fit_ways(fold, selectors, draws, fewer, seed):
        for share, size in sizes.items():
            if size == n_dimensions:
                measured.append(_Measured(way, share, draw, size, whole, 1.0, seconds))
                continue
            short, short_others = shorten(size)
            recall = shared(neighbours, nearest(short_others, short, n_neighbors, "cosine"))
            accuracy = _accuracy(probe, fold, short, short_others)
            one = _Measured(way, share, draw, size, accuracy, float(recall.mean()), seconds)
            measured.append(one)
    return measured


def _accuracy(probe: Any, fold: Fold, X: np.ndarray, others: np.ndarray) -> float:
    return float(clone(probe).fit(X, fold.y).score(others, fold.labels))


def _summarise(folds: list[list[_Measured]]) -> pd.DataFrame:
    import pandas as pd

    every = pd.DataFrame([one for fold in folds for one in fold])
    every["fold"] = np.repeat(np.arange(len(folds)), [len(fold) for fold in folds])
    keys = ["way", "share"]
    grouped = every.groupby(keys, sort=False)
    table = grouped[["n_dimensions"]].first()
    is_random = table.index.get_level_values("way") == RANDOM
    for measure in ("accuracy", "recall"):
        table[measure] = grouped[measure].mean()
        over = {
            by: every.groupby([*keys, by], sort=False)[measure].mean().groupby(keys).std(ddof=1)
            for by in ("fold", "draw")
        }
        spread = over["fold"].where(~pd.Series(is_random, table.index), over["draw"])
        table[f"{measure}_sd"] = spread.fillna(0.0)
    table["seconds"] = grouped["seconds"].mean()
    return table


def _read(X: Any, column: Any) -> np.ndarray:
    """Return the vectors as a matrix of floats without gaps."""
    if not tables.is_frame(X):
        tables.refuse_other_frames(X)
        if column is not None:
            raise ValueError(
                f"The 'column' parameter of {_NAME} is for frames; all columns of an array are "
                f"dimensions. Got {column!r} instead of None."
            )
        return check_array(X, dtype=(np.float64, np.float32), input_name="X")
    table = tables.read(X)
    positions = {table.names[i]: i for i in table.of_kind(EMBEDDING)}
    if column is None and len(positions) == 1:
        column = next(iter(positions))
    if str(column) not in positions:
        found = quote_some(list(positions)) if positions else "none"
        raise ValueError(
            f"The 'column' parameter of {_NAME} must name a column of vectors. Got {column!r}, "
            f"and X has {found}. To take ordinary columns for dimensions, pass them as an array."
        )
    vectors = table.vectors(positions[str(column)])
    missing = int(np.isnan(vectors).any(axis=1).sum())
    if missing or np.isinf(vectors).any():
        raise ValueError(
            f"Column {column!r} has missing or infinite values in the vectors of "
            f"{missing or int(np.isinf(vectors).any(axis=1).sum())} row(s). Drop those rows."
        )
    return vectors


def _sizes(shares: Any, n_dimensions: int) -> dict[float, int]:
    """How many dimensions each share is, largest first."""
    is_list = isinstance(shares, Sequence | np.ndarray)
    listed = list(shares) if is_list and not isinstance(shares, str) else []
    if not listed or not all(isinstance(one, Real) and 0 < float(one) <= 1 for one in listed):
        raise (ValueError if is_list or isinstance(shares, Real) else TypeError)(
            f"The 'shares' parameter of {_NAME} must list numbers in (0, 1]. Got {shares!r} "
            "instead."
        )
    ordered = sorted({float(one) for one in listed}, reverse=True)
    return {share: max(1, int(share * n_dimensions)) for share in ordered}


def _check_selectors(selector: Any) -> dict[str, Any]:
    selectors = selector if isinstance(selector, Mapping) else {type(selector).__name__: selector}
    for name, one in selectors.items():
        if inspect.isclass(one) or not hasattr(one, "reselect"):
            raise TypeError(
                f"The 'selector' parameter of {_NAME} must be a selector of featprune, such as "
                f"SVMRFE(), or a dict of them: sizes are cut from its path. Got {one!r} instead."
            )
        if name in (RANDOM, TRUNCATION, EXTRACTION):
            raise ValueError(
                f"{name!r} is the name of a way that is always measured. Give the selector "
                "another name."
            )
    return dict(selectors)
