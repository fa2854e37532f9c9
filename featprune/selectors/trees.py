"""Selection by tree ensembles: their importances once, or recursively."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from featprune.importance.trace import Trace
from featprune.importance.trees.eliminate import Measure, eliminate
from featprune.importance.trees.family import Family, check_importance, family_of
from featprune.importance.trees.model import Fitted, Rows, Trees, as_taken
from featprune.parameters import check_count, check_flag, check_step
from featprune.path.sizes import path_sizes
from featprune.selectors.elimination import EliminationSelector, HeldOut, Scores
from featprune.selectors.tree_based import TreeBased
from featprune.table.encode import Encoded

# Parts of the training rows, one of which is kept out of a fit that needs rows to stop by or to
# permute.
_N_PARTS = 4


class TreeSelector(TreeBased, EliminationSelector):
    """Keep the columns that a tree ensemble needs, by its importances.

    A booster of xgboost (default) or LightGBM, or one of scikit-learn's tree ensembles, is fitted
    on all columns, and the columns go in the order of their importance; with ``recursive=True``
    it is fitted anew, and importances are taken anew, at each size. With cross-validation, each
    fold does so on its own training rows, and the size is chosen by the scores of the models on
    the held-out rows.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The trees; cloned, not changed. None is ``XGBClassifier(max_bin=64)`` or
        ``XGBRegressor(max_bin=64)``, by the target: a quarter of xgboost's bins rank columns as
        well, in less than half the time. A booster with `early_stopping_rounds` stops
        by the score of a quarter of the training rows, which it is not fitted on.
    importance : str, default="auto"
        What a column is worth.

        - ``"shap"``: mean size of its share in the predictions of up to 1000 training rows, drawn
          at random (boosters by themselves, scikit-learn's trees by the package shap);
        - ``"permutation"``: what the score loses with the column permuted, on each quarter of
          the training rows, by a model of the other three;
        - ``"null"``: how far its gain stands above the gains it has for permuted targets, in
          their standard deviations;
        - ``"total_gain"``, ``"gain"``, ``"weight"``, ``"cover"``: what boosters count of its
          splits; ``"impurity"``: what scikit-learn's trees count.

        ``"auto"`` is "shap" for boosters, where it costs little, and "permutation" for
        scikit-learn's trees. Counts of splits favour columns of many values, even of noise.
    recursive : bool, default=False
        Whether importances are taken anew at each size.
    n_repeats : int, default=5
        Permutations of each column with "permutation"; "null" takes ten times as many.
    step : int, float or "auto", default="auto"
        How many columns leave at a time: a number, a share of all in (0, 1), or a fifth of those
        that are left. Each size costs a fit.
    n_features_to_select : int, float, "best" or "one_se", default="one_se"
        As in :class:`SVMRFE`.
    min_features_to_select, feature_groups, always_keep, embeddings, cv, time_limit
        As in :class:`SVMRFE`.
    encoder : "auto", transformer or None, default="auto"
        How columns become features, for the trees alone. ``"auto"``: numbers as they are, with
        their gaps where the trees take them; categories and words as they are for boosters (for
        HistGradientBoosting up to 255 levels), through :class:`skrub.TableVectorizer` for
        others; dates always through that.
    scoring : str or callable, default=None
        Score of held-out rows, and of permuted ones; None is the estimator's own.
    n_jobs : int, default=None
        How many paths are followed at a time. The estimator's own `n_jobs` is kept, and is 1
        where it is None. Results do not depend on either.
    random_state : int, RandomState or None, default=None
        Seed of an estimator that has none of its own, of permutations, and of the rows kept out.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, ranking_, n_features_, size_, path_, cv_results_, embedding_support_
        As in :class:`SVMRFE`.
    importances_ : ndarray of shape (n_features_in_,)
        Of the model of all columns. "permutation" can be negative, where a column does harm.
    p_values_ : ndarray of shape (n_features_in_,)
        With ``importance="null"``: how likely a target without relation gives as much gain.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    sklearn.feature_selection.RFECV : The same with ``recursive=True``, on columns of numbers.

    Notes
    -----
    Of columns with equal importances, the one that stands further left is kept. The features of
    a column that is encoded as several, and the columns of a group, add up.

    A booster that leaves no column to chance does not miss columns that stand in none of its
    splits: while only such columns leave, its model is kept and not fitted anew.

    xgboost takes what a sparse matrix does not store for missing; so that zeros are zeros, it is
    made dense for it, in single precision.

    Cost: a fit for each size and fold, and one without cross-validation and `recursive`; five in
    place of one wherever importances are taken by "permutation".

    References
    ----------
    Lundberg, S. M., Erion, G., Chen, H., et al. (2020). From local explanations to global
    understanding with explainable AI for trees. Nature Machine Intelligence 2, 56-67.
    https://doi.org/10.1038/s42256-019-0138-9

    Strobl, C., Boulesteix, A.-L., Zeileis, A., Hothorn, T. (2007). Bias in random forest variable
    importance measures. BMC Bioinformatics 8:25. https://doi.org/10.1186/1471-2105-8-25

    Altmann, A., Tolosi, L., Sander, O., Lengauer, T. (2010). Permutation importance: a
    corrected feature importance measure. Bioinformatics 26, 1340-1347.
    https://doi.org/10.1093/bioinformatics/btq134

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from featprune import TreeSelector
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> selector = TreeSelector(n_features_to_select=5, random_state=0).fit(X, y)
    >>> selector.transform(X).shape
    (569, 5)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        importance: str = "auto",
        recursive: bool = False,
        n_repeats: int = 5,
        step: int | float | str = "auto",
        n_features_to_select: int | float | str = "one_se",
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        cv: Any = 5,
        scoring: str | Callable | None = None,
        time_limit: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.importance = importance
        self.recursive = recursive
        self.n_repeats = n_repeats
        self.step = step
        self.n_features_to_select = n_features_to_select
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.cv = cv
        self.scoring = scoring
        self.time_limit = time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @property
    def p_values_(self) -> np.ndarray:
        """Altmann's p-value of each column, with ``importance="null"``; shape (n_features_in_,).

        The chance that a target without any relation gives the column, or its group, as much
        gain: that of a normal variable to be as many standard deviations above its mean. 0.5
        stands for all that are not above.
        """
        check_is_fitted(self)
        if self.importance != "null":
            raise AttributeError(
                f"p_values_ are there with importance='null' only, and this {type(self).__name__} "
                f"has importance={self.importance!r}."
            )
        first = self._units.first
        return stats.norm.sf(np.bincount(first, self.importances_)[first])

    def _eliminate(
        self,
        encoded: Encoded,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        *,
        unit: np.ndarray,
        protected: np.ndarray,
        floor: int,
        held_out: HeldOut | None,
        seed: int,
        progress: Callable[[int, int], None],
        deadline: float | None,
    ) -> tuple[Trace, Scores | None]:
        estimator = self._estimator
        family, importance = self._check_trees(estimator)
        levels = np.zeros(len(unit), dtype=int) if encoded.levels is None else encoded.levels
        trees = Trees(estimator, family, levels, seed)
        rows, spare = Rows(as_taken(encoded.values, family), y, sample_weight), None
        parts: list[tuple[Rows, Rows]] = []
        if trees.stops_early:
            rows, spare = self._parts(rows, seed)[0]
        if importance == "permutation":
            parts = self._parts(rows, seed)
        scorer = check_scoring(estimator, scoring=self.scoring)
        score = None
        if held_out is not None:
            test = Rows(as_taken(held_out.X, family), held_out.y, held_out.sample_weight)
            score = _Score(scorer, test)
        trace, scores = eliminate(
            trees,
            rows,
            spare,
            parts,
            Measure(importance, scorer, self.n_repeats * (10 if importance == "null" else 1), seed),
            unit=unit,
            protected=protected,
            sizes=path_sizes(len(protected), floor, self.step),
            recursive=self.recursive,
            score=score,
            progress=progress,
            deadline=deadline,
        )
        if score is None or scores is None:
            return trace, None
        dummy = DummyClassifier() if self._is_classifier() else DummyRegressor()
        dummy.fit(np.zeros((len(y), 1)), y, sample_weight=sample_weight)
        return trace, Scores(scores, score.of(dummy, score.rows.X[:, :1]))

    def _parts(self, rows: Rows, seed: int) -> list[tuple[Rows, Rows]]:
        """Divide rows into those to fit on and others, each row being in the others once."""
        options: dict[str, Any] = dict(n_splits=_N_PARTS, shuffle=True, random_state=seed)
        folds: Any = KFold(**options)
        if self._is_classifier() and rows.y.ndim == 1:
            rarest = np.unique(rows.y, return_counts=True)[1].min()
            folds = StratifiedKFold(**options) if rarest >= _N_PARTS else folds
        if len(rows.y) < _N_PARTS:
            raise ValueError(
                f"{type(self).__name__} needs at least {_N_PARTS} training rows to keep some of "
                f"them out of a fit. Got {len(rows.y)}."
            )
        return [(rows.take(fit), rows.take(others)) for fit, others in folds.split(rows.y, rows.y)]

    def _is_classifier(self) -> bool:
        return bool(is_classifier(self._estimator))

    def _mend_guessing(self) -> str:
        return "Try scoring='roc_auc' if classes are unbalanced, or an estimator of fewer leaves."

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        if self.step != "auto":
            check_step(self.step, name)
        check_flag(self.recursive, "recursive", name)
        check_count(self.n_repeats, "n_repeats", name)

    def _check_trees(self, estimator: Any) -> tuple[Family, str]:
        name = type(self).__name__
        family = family_of(estimator, name)
        return family, check_importance(self.importance, estimator, family, name)

    def _default_estimator(self, *, regresses: bool) -> Any:
        from xgboost import XGBClassifier, XGBRegressor

        return (XGBRegressor if regresses else XGBClassifier)(max_bin=64)


class _Score:
    """Scores models on held-out rows."""

    def __init__(self, scorer: Callable[..., float], rows: Rows) -> None:
        self.scorer, self.rows = scorer, rows

    def __call__(self, fitted: Fitted) -> float:
        return self.of(fitted.as_estimator(), self.rows.X[:, fitted.features])

    def of(self, model: Any, X: Any) -> float:
        weights = {} if self.rows.weight is None else {"sample_weight": self.rows.weight}
        return float(self.scorer(model, X, self.rows.y, **weights))
