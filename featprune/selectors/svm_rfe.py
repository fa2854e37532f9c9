"""SVM-RFE: recursive elimination by the weights of a support vector machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from featprune.importance.svm.eliminate import eliminate
from featprune.importance.svm.held_out import guess, score_path
from featprune.importance.svm.trace import Trace
from featprune.selectors.elimination import EliminationSelector, HeldOut, Scores

# a numeric target of more distinct values than this, and than a twentieth of the rows, counts
# as a regression target: an SVM for each pair of its values would run for hours
MANY_CLASSES = 50


class SVMRFE(EliminationSelector):
    """Keep the columns that a support vector machine needs, by recursive elimination.

    Train a linear SVM, let the column of the smallest squared weight go, train again on those
    that are left, and so on (Guyon et al. 2002). The whole path is found once; where it is
    cut is chosen by cross-validation, inside which each fold encodes, scales and eliminates on
    its own training rows.

    Parameters
    ----------
    estimator : SVC or LinearSVC, default=None
        The machine, with a linear kernel; its parameters are used, it is not changed. None is
        ``SVC(kernel="linear")``.
    n_features_to_select : int, float, "best" or "one_se", default="one_se"
        How many to keep: a number; a share in (0, 1), rounded down; the size of the best mean
        cross-validation score; or the smallest size whose mean score is within one standard
        error of the best. Only the last two need, and do, cross-validation. A group of
        `feature_groups` counts as one, and so does each dimension of an embedding with
        ``embeddings="dimensions"``.
    min_features_to_select : int, default=1
        Where the path ends.
    step : int or float, default=1
        How many leave at a time; a float in (0, 1) is a share of all, rounded down.
    standardize : bool, default=True
        Scale every feature to variance 1 (and mean 0, unless X is sparse) over the values that
        the training rows have, for the ranking alone. An SVM's weights depend on units.
    feature_groups : dict of lists of columns, default=None
        Columns that stay or go together, as ``{"size": ["width", "height"]}``. By name for
        frames, by position for arrays.
    always_keep : list of columns, default=None
        Columns that never go. They take part in every model.
    encoder : "auto", transformer or None, default="auto"
        How columns become numbers, for the ranking alone: ``"auto"`` takes numbers as they
        are, vectors dimension by dimension, and everything else through
        :class:`skrub.TableVectorizer`; missing numbers become the mean, and a feature that
        says so joins their column (but not for vectors with ``embeddings="dimensions"``). A
        transformer of your own must make each feature out of one column. None: all columns
        are numbers or vectors and none is missing.
    embeddings : {"whole", "dimensions"}, default="whole"
        Whether a column of vectors stays or goes as a whole, or loses dimensions.
    cv : int, splitter or iterable, default=5
        Folds, as in scikit-learn; used if `n_features_to_select` is "best" or "one_se".
    scoring : str or callable, default=None
        Score of held-out rows, as in scikit-learn; None is accuracy. It may ask for labels and
        decision values, not for probabilities.
    n_jobs : int, default=None
        How many paths are followed at a time. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed for what is random in encoding long texts; nothing else is.
    verbose : bool, default=False
        Show progress on standard error.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        Which columns are kept.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for the columns that are kept, 2 for those that left last, and so on.
    importances_ : ndarray of shape (n_features_in_,)
        Squared weights of the machine of all columns, summed over each column's features.
    n_features_ : int
        Number of columns that are kept.
    size_ : int
        Number of units that are kept: `n_features_`, with a group or a dimension as one.
    path_ : EliminationPath
        The order in which columns left and, with cross-validation, the score at each size.
    cv_results_ : mapping of str to ndarray
        The scores under the keys of :class:`sklearn.feature_selection.RFECV`; only there
        after cross-validation.
    embedding_support_ : dict of str to ndarray
        Which dimensions of embedding columns are kept, with ``embeddings="dimensions"``.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    sklearn.feature_selection.RFE : The same ranking with ``standardize=False``.

    Notes
    -----
    Of columns with equal criteria, the one that stands further left is kept.

    Columns that the encoder turns into several features (a category into its levels) are
    judged by the sum of the squared weights of those features. On standardised features that
    sum is about the variance of the column's share in the decision, so columns of many levels
    and of few can be compared.

    References
    ----------
    Guyon, I., Weston, J., Barnhill, S., Vapnik, V. (2002). Gene selection for cancer
    classification using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from featprune import SVMRFE
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> selector = SVMRFE(n_features_to_select=5).fit(X, y)
    >>> selector.transform(X).columns.tolist()[:3]
    ['mean concavity', 'area error', 'fractal dimension error']
    >>> selector.reselect(2).transform(X).shape
    (569, 2)
    """

    def __init__(
        self,
        estimator: SVC | LinearSVC | None = None,
        *,
        n_features_to_select: int | float | str = "one_se",
        min_features_to_select: int = 1,
        step: int | float = 1,
        standardize: bool = True,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        cv: Any = 5,
        scoring: str | Callable | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.n_features_to_select = n_features_to_select
        self.min_features_to_select = min_features_to_select
        self.step = step
        self.standardize = standardize
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _eliminate(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        *,
        unit: np.ndarray,
        protected: np.ndarray,
        floor: int,
        step: int,
        held_out: HeldOut | None,
        progress: Callable[[int, int], None],
    ) -> tuple[Trace, Scores | None]:
        machine = self._machine()
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"Only one class, {classes.tolist()[0]!r}, is among the training rows of a fold. "
                "Pass a cv that shuffles or stratifies."
            )
        trace = eliminate(
            machine,
            X,
            y,
            sample_weight=sample_weight,
            unit=unit,
            protected=protected,
            floor=floor,
            step=step,
            held_out=None if held_out is None else held_out.X,
            progress=progress,
        )
        if held_out is None or trace.decisions is None:
            return trace, None
        one_vs_one = isinstance(machine, SVC)
        models, baseline = (
            score_path(
                machine,
                decisions,
                classes,
                held_out.X,
                held_out.y,
                sample_weight=held_out.sample_weight,
                scoring=self.scoring,
            )
            for decisions in (
                trace.decisions,
                guess(codes, len(held_out.y), one_vs_one=one_vs_one),
            )
        )
        return trace, Scores(models, float(baseline[0]))

    def _machine(self) -> SVC | LinearSVC:
        return SVC(kernel="linear") if self.estimator is None else self.estimator

    def _check_parameters(self) -> None:
        super()._check_parameters()
        machine = self._machine()
        if not isinstance(machine, (SVC, LinearSVC)):
            raise TypeError(
                "The 'estimator' parameter of SVMRFE must be an SVC with a linear kernel, a "
                f"LinearSVC or None. Got {machine!r} instead."
            )
        if isinstance(machine, SVC) and machine.kernel != "linear":
            raise ValueError(
                "The 'estimator' parameter of SVMRFE must have a linear kernel, as in "
                f"SVC(kernel='linear'): other kernels have no weights. Got kernel="
                f"{machine.kernel!r} instead."
            )

    def _check_target(self, y: Any) -> np.ndarray:
        y = column_or_1d(np.asarray(y), warn=True)
        if _has_missing(y):
            raise ValueError("y has missing values. Drop the rows whose target is missing.")
        classes = np.unique(y)
        many = y.dtype.kind in "iuf" and len(classes) > max(MANY_CLASSES, len(y) / 20)
        if many or type_of_target(y, input_name="y").startswith("continuous"):
            raise ValueError(
                f"Unknown label type: y has {len(classes)} different numbers in {len(y)} rows, "
                "as a regression target has, and SVMRFE ranks columns for classes. Regression "
                "is not supported yet: make classes of it, for example by y > y.median(), or, "
                "if these numbers are classes, pass them as strings."
            )
        check_classification_targets(y)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class, {classes.tolist()[0]!r}, and SVMRFE needs at least 2 classes. "
                "Pass rows of another class, too."
            )
        return y

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


def _has_missing(y: np.ndarray) -> bool:
    if y.dtype == object:
        return any(value is None or value != value for value in y)
    return y.dtype.kind == "f" and bool(np.isnan(y).any())
