"""Selection by what columns explain of all others: principal components that stay columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from featprune.cut import SCORED_RULES, needs_scores, size_explaining
from featprune.importance.pca.choose import (
    METHODS,
    Order,
    gains_of_units,
    order_units,
    rebuilt_by_units,
)
from featprune.importance.pca.spectrum import Spectrum, spectrum
from featprune.parameters import check_choice, check_flag, check_number
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import weighted_rows
from featprune.selectors.chunked import ChunkedSelector
from featprune.selectors.folds import split
from featprune.selectors.pca_features import Features, features_of
from featprune.table.columns import Table
from featprune.table.encode import TableEncoder
from featprune.table.units import Units


class PCASelector(ChunkedSelector):
    """Keep the columns that explain most of all columns' variance, without being told a target.

    Principal components mix all columns, so that all must be had for good. This keeps columns of
    the table itself, from which the others can be rebuilt by a linear map as well as can be.

    Parameters
    ----------
    n_features_to_select : "reconstruction", int, float, "best" or "one_se", \
            default="reconstruction"
        How many to keep: as few as explain the share `reconstruction`; that many; that share of
        all; or, by `cv`, the size that rebuilds most of held-out rows, or the smallest within
        one standard error of it.
    reconstruction : float, default=0.95
        Share of the variance of all columns, in (0, 1], that those kept must explain.
    method : {"greedy", "qr", "leverage", "pfa", "b2", "b4", "loading"}, default="greedy"
        ``"greedy"``: each time the column that explains most of what those before it leave.
        ``"qr"``: pivots of a QR decomposition of the components' directions. ``"leverage"``: the
        share of each column in the directions of the components. ``"pfa"``: principal feature
        analysis, one column for each cluster of such shares; of as many clusters as
        `n_features_to_select` says if it is an int, otherwise as there are components.
        ``"b2"``, ``"b4"``: Jolliffe's rejection by the last, and choice by the first components.
        ``"loading"``: the largest loadings on the first component; what is often written by hand,
        and worse than choosing at random, as it keeps columns that say the same. It is there to
        be compared with.
    n_components : int, float or None, default=0.95
        How many components `loadings_` has, and the methods other than "greedy", "b2" and
        "loading" look at: that many; as many as make up this share of the variance; or all.
    standardize : bool, default=True
        Whether every column is scaled to variance 1, which the features of one that is encoded
        share, and every dimension of an embedding. Without, columns of large units decide.
    min_features_to_select : int, default=1
        Where the path ends.
    feature_groups, always_keep, encoder, embeddings
        As in :class:`SVMRFE`. Columns of `always_keep` come first, and what they explain need not
        be explained by others.
    cv : int, splitter, iterable or None, default=None
        Folds, each of which selects on its own training rows and is scored on its held-out ones;
        see Notes. None is 5 for "best" and "one_se", and no folds otherwise.
    n_jobs : int, default=None
        How many folds run at a time. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of k-means in ``method="pfa"`` and of the encoding of long texts.
    verbose : bool, default=False
        Show progress on standard error.

    Attributes
    ----------
    support_, ranking_, n_features_, size_, embedding_support_, cv_results_
        As in :class:`SVMRFE`.
    importances_ : ndarray of shape (n_features_in_,)
        What each column explains of all columns' variance beyond those that rank above it; they
        add up to 1.
    path_ : EliminationPath
        All sizes down to the least. ``path_.explained`` is the share of all columns' variance
        that those left explain at each size, on the rows of `fit`.
    loadings_ : ndarray of shape (n_encoded_features, n_components_)
        Directions of the components times their standard deviations; with ``standardize=True``
        the correlations of features and components, where a feature has a variance of 1 for
        itself. A column of numbers is one feature, an embedding as many as it has dimensions,
        other columns, and those with missing values, as many as their encoding.
    loading_columns_ : ndarray of shape (n_encoded_features,), int
        The column that each row of `loadings_` belongs to.
    explained_variance_ratio_ : ndarray of shape (n_components_,)
        The share of the variance that each component makes up.
    n_components_ : int
        How many components there are; no more than have any variance.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    SVMRFE, TreeSelector : Selection for a target.

    Notes
    -----
    Among these methods, the greedy one comes nearest to what the components themselves explain in
    most tables, and how far it can be from the best choice is bounded (Altschuler et al. 2016).

    Missing values become their column's mean, with a feature that says so. `y` is ignored, but by
    an encoder or a `cv` that want it.

    A unit of several features (a group, a category, a whole embedding) explains what all of them
    do together, and counts as one: wide units come first. Other methods than "greedy" place it
    where the best of its features is. After what a method itself chooses, such as one column for
    each component, columns follow by the largest rest of their variance.

    With folds, ``path_.scores`` are the shares of the held-out rows' sum of squares about the
    training mean that the linear map learnt on the training rows rebuilds from the columns kept;
    the baseline, which knows no column, is 0. In-sample figures are higher, most of all where
    there are few rows. Held-out rows of a sparse table are made dense.

    Columns that explain nothing beyond those before them are ranked last from left to right, and
    constant ones behind these. Of equals, the column that stands further left is kept.

    With n rows and p features, the second moments cost n p^2 (for p > n none are made), the
    components p^3 (n^2 p), and the greedy path 2 p^3 in all (2 n p for each column).
    Float32 is multiplied in float32 and added up in float64.

    References
    ----------
    Farahat, A. K., Ghodsi, A., Kamel, M. S. (2013). Efficient greedy feature selection for
    unsupervised learning. Knowledge and Information Systems 35(2), 285-310.
    https://doi.org/10.1007/s10115-012-0538-1

    Boutsidis, C., Mahoney, M. W., Drineas, P. (2009). An improved approximation algorithm for the
    column subset selection problem. SODA 2009, 968-977.
    https://doi.org/10.1137/1.9781611973068.105

    Lu, Y., Cohen, I., Zhou, X. S., Tian, Q. (2007). Feature selection using principal feature
    analysis. ACM Multimedia 2007, 301-304. https://doi.org/10.1145/1291233.1291297

    Jolliffe, I. T. (1972). Discarding variables in a principal component analysis. I: Artificial
    data. Applied Statistics 21(2), 160-173. https://doi.org/10.2307/2346488

    Altschuler, J., Bhaskara, A., Fu, G., Mirrokni, V., Rostamizadeh, A., Zadimoghaddam, M. (2016).
    Greedy column subset selection: new bounds and distributed algorithms. ICML 2016, 2539-2548.
    https://doi.org/10.48550/arXiv.1605.08795

    Examples
    --------
    >>> import numpy as np
    >>> from featprune import PCASelector
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 200))
    >>> X = np.column_stack([a, a + 0.1 * b, b, a - b])
    >>> selector = PCASelector().fit(X)
    >>> selector.n_features_
    2
    >>> selector.path_.explained.round(1).tolist()
    [1.0, 1.0, 1.0, 0.6]
    """

    _words = ("reconstruction", *SCORED_RULES)

    def __init__(
        self,
        n_features_to_select: int | float | str = "reconstruction",
        *,
        reconstruction: float = 0.95,
        method: str = "greedy",
        n_components: int | float | None = 0.95,
        standardize: bool = True,
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        cv: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.reconstruction = reconstruction
        self.method = method
        self.n_components = n_components
        self.standardize = standardize
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        self._chunks = None
        seed = self._seed()
        rows = np.arange(table.n_rows)
        features = self._features(table, units, y, sample_weight, rows, seed)
        path, importances = self._follow(features, units)
        if self.cv is None and not needs_scores(self.n_features_to_select):
            return path, importances
        splits = self._split(table, y, sample_weight, groups)
        task = f"{type(self).__name__}: folds"
        parallel = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")
        calls = (
            joblib.delayed(_one_fold)(self, table, units, y, sample_weight, *split, seed)
            for split in splits
        )
        scores, orders = [], []
        for shares, order in parallel(calls):
            scores.append(shares[path.sizes])
            orders.append(order[::-1][: len(path.order)])
            tell(task, len(scores), len(splits))
        return (
            replace(
                path,
                scores=np.array(scores),
                fold_orders=np.array(orders),
                baseline=np.zeros(len(scores)),
            ),
            importances,
        )

    def _features(
        self,
        table: Table,
        units: Units,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        rows: np.ndarray,
        seed: int,
    ) -> Features:
        """Encode some rows of a table, and find how their features spread."""
        n_all = table.n_rows
        rows, weight = weighted_rows(rows, sample_weight)
        if len(rows) < n_all:
            table, y = table.rows(rows), None if y is None else y[rows]
        encoder = TableEncoder(
            self.encoder,
            standardize=False,
            random_state=seed,
            flag_vectors=self.embeddings == "whole",
        )
        return features_of(table, units, y, weight, encoder, standardize=self.standardize)

    def _follow(self, features: Features, units: Units) -> tuple[EliminationPath, np.ndarray]:
        """Find the path of all rows, and what there is to know of the components."""
        seed = self._seed()
        components = self._components(features, seed)
        order = self._order(features, units, components, seed)
        leading = components.leading(self.n_components)
        self.loadings_ = leading.loadings
        self.loading_columns_ = features.owner
        self.explained_variance_ratio_ = leading.values / leading.total
        self.n_components_ = len(leading.values)
        gains = gains_of_units(order, features.unit)
        n_units, floor = len(units.names), self._floor(units)
        gone, sizes = order.units[::-1][: n_units - floor], np.arange(n_units, floor - 1, -1)
        explained = np.minimum(np.cumsum(gains[order.units]), 1.0)
        path = EliminationPath(
            units.names, gone, gains[gone], sizes, explained=explained[sizes - 1]
        )
        return path, fold(order.gains, features.owner, len(units.first))

    def _components(self, features: Features, seed: int) -> Spectrum:
        """Find the components that `loadings_` and the method need."""
        n_components, name = self.n_components, type(self).__name__
        n_rows, n_features = features.n_rows, len(features.owner)
        most = min(n_rows - 1, n_features)
        if isinstance(n_components, Integral) and n_components > most:
            raise ValueError(
                f"The 'n_components' parameter of {name} is {n_components}, and {n_rows} rows of "
                f"{n_features} features have no more than {most} components. Pass at most {most}, "
                "a share in (0, 1), or more rows."
            )
        every = self.method == "b2"
        return spectrum(features.centred.spread, None if every else n_components, seed)

    def _order(
        self, features: Features, units: Units, components: Spectrum | None, seed: int
    ) -> Order:
        size = self.n_features_to_select
        n_clusters = int(size) if isinstance(size, Integral) else None
        return order_units(
            self.method,
            features.centred.spread,
            components,
            features.unit,
            units.protected,
            n_clusters=n_clusters,
            seed=seed,
            progress=partial(tell, f"{type(self).__name__}: ordering"),
        )

    def _as_size(self, rule: int | float | str) -> int | float | str:
        if rule == "reconstruction":
            check_number(self.reconstruction, "reconstruction", type(self).__name__, 0, 1)
            return size_explaining(self.path_, self.reconstruction)
        return rule

    def _split(
        self, table: Table, y: Any, sample_weight: np.ndarray | None, groups: Any
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return training and held-out rows of the folds; those count where both have weight."""
        splits = split(
            self.cv,
            table,
            y,
            groups,
            classifies=False,
            instead="n_features_to_select='reconstruction' and cv=None, which need none",
        )
        if sample_weight is None:
            return splits
        splits = [fold for fold in splits if all(sample_weight[part].any() for part in fold)]
        if not splits:
            raise ValueError(
                "In each fold, all training or all held-out rows have a sample_weight of 0. Pass "
                "a cv that shuffles, or weights above 0."
            )
        return splits

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_number(self.reconstruction, "reconstruction", name, 0, 1)
        check_choice(self.method, "method", name, METHODS)
        check_flag(self.standardize, "standardize", name)
        number = self.n_components
        if number is not None and (
            isinstance(number, bool)
            or not isinstance(number, Real)
            or not (number >= 1 if isinstance(number, Integral) else 0 < float(number) < 1)
        ):
            kind = ValueError if isinstance(number, (Real, str)) else TypeError
            raise kind(
                f"The 'n_components' parameter of {name} must be an int >= 1, a float in (0, 1) "
                f"or None. Got {number!r} instead."
            )


def _one_fold(
    selector: PCASelector,
    table: Table,
    units: Units,
    y: np.ndarray | None,
    sample_weight: np.ndarray | None,
    train: np.ndarray,
    test: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each size, 0 to all units, on held-out rows, and the order of units."""
    # BLAS rounds otherwise with other numbers of threads, of which workers have fewer
    with threadpool_limits(1, user_api="blas"):
        features = selector._features(table, units, y, sample_weight, train, seed)
        components = None if selector.method == "greedy" else selector._components(features, seed)
        order = selector._order(features, units, components, seed)
        test, weight = weighted_rows(test, sample_weight)
        values = features.values_of(table.rows(test))
        spread = features.centred.spread
        return rebuilt_by_units(order, features.unit, spread, values, weight), order.units
