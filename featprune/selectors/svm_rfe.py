"""SVM-RFE: recursive elimination by the weights of a support vector machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.svm import SVC

from featprune.importance.svm.eliminate import eliminate
from featprune.importance.svm.held_out import guess, guess_mean, score_path
from featprune.importance.svm.machine import Machine, check_criterion, check_machine, is_regressor
from featprune.importance.trace import Trace
from featprune.parameters import check_choice, check_flag, check_step, step_size
from featprune.selectors.elimination import EliminationSelector, HeldOut, Scores
from featprune.selectors.target import check_classes, check_numbers
from featprune.table.encode import Encoded, TableEncoder

_MEND_CLASSES = (
    "If classes are unbalanced, try class_weight='balanced' in the estimator and "
    "scoring='balanced_accuracy'."
)
_MEND_NUMBERS = (
    "In the estimator, C and epsilon go by the target's units, and LinearSVR penalises its "
    "intercept: centre and scale the target, take its logarithm, or raise C."
)


class SVMRFE(EliminationSelector):
    """Keep the columns that a support vector machine needs, by recursive elimination.

    Train an SVM, let the column go without which it changes least, train again on those that
    are left, and so on (Guyon et al. 2002). For a linear machine that is the column of the
    smallest squared weight. The whole path is found once; where it is
    cut is chosen by cross-validation, inside which each fold encodes, scales and eliminates on
    its own training rows.

    Parameters
    ----------
    estimator : SVC, LinearSVC, SVR, LinearSVR or None, default=None
        The machine; its parameters are used, it is not changed. A regressor ranks columns for
        a target of numbers. None is ``SVC(kernel="linear")``. Taken are all kernels but
        "precomputed", and all of scikit-learn's losses with the L2 penalty.
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
    criterion : {"delta_j", "pseudo_samples"}, default="delta_j"
        What a column is worth: how much the machine's objective changes without it, all else
        held (Guyon et al. 2002), the squared weight of a linear one; or, for SVC and SVR, how
        much the decision moves while the column runs through its range and all others stand
        at their means (Sanz et al. 2018).
    rescale_gamma : bool, default=False
        Whether a kernel's ``gamma="scale"`` is set anew on the features that are left at each
        step. Otherwise gamma is that of all features to the end, as in the literature. True
        finds more of the columns that matter only together, see benchmarks/RESULTS.md.
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
        Score of held-out rows, as in scikit-learn; None is accuracy, for regressors R2. It may
        ask for labels and decision values, not for probabilities.
    time_limit : float, default=None
        Seconds for the whole fit, shared by the paths of all rows and of the folds. If they
        run out, the path is used as far as it came, with a warning that says how far; a model
        that has begun is finished, and without a model there is a TimeoutError.
    n_jobs : int, default=None
        How many paths are followed at a time. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed for what is random in encoding long texts; nothing else is.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_ : ndarray of shape (n_features_in_,), bool
        Which columns are kept.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for the columns that are kept, 2 for those that left last, and so on.
    importances_ : ndarray of shape (n_features_in_,)
        Squared weights of the machine of all columns, summed over each column's features; for
        a kernel, the criterion, which can be negative where a column does harm.
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

    Each model is the optimum, not a solver's approximation of it: `tol` and `max_iter` of the
    estimator do not count, except that SVC, SVR and the losses of LinearSVC and LinearSVR that
    are not squared are refitted by scikit-learn where a linear machine has more than 8000
    rows, because the path needs a matrix of rows by rows. A kernel machine always has such a
    matrix, a few of them, and a sparse table is made dense for it.

    Columns that the encoder turns into several features (a category into its levels) are
    judged by the sum of the squared weights of those features. On standardised features that
    sum is about the variance of the column's share in the decision, so columns of many levels
    and of few can be compared.

    References
    ----------
    Guyon, I., Weston, J., Barnhill, S., Vapnik, V. (2002). Gene selection for cancer
    classification using support vector machines. Machine Learning 46, 389-422.
    https://doi.org/10.1023/A:1012487302797

    Sanz, H., Valim, C., Vegas, E., Oller, J. M., Reverter, F. (2018). SVM-RFE: selection and
    visualization of the most relevant features through non-linear kernels. BMC Bioinformatics
    19:432. https://doi.org/10.1186/s12859-018-2451-4

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
        estimator: Machine | None = None,
        *,
        n_features_to_select: int | float | str = "one_se",
        min_features_to_select: int = 1,
        step: int | float = 1,
        criterion: str = "delta_j",
        rescale_gamma: bool = False,
        standardize: bool = True,
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
        self.n_features_to_select = n_features_to_select
        self.min_features_to_select = min_features_to_select
        self.step = step
        self.criterion = criterion
        self.rescale_gamma = rescale_gamma
        self.standardize = standardize
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

    def _encoder(self, seed: int) -> TableEncoder:
        return TableEncoder(
            self.encoder,
            standardize=self.standardize,
            random_state=seed,
            flag_vectors=self.embeddings == "whole",
        )

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
        machine = self._machine()
        classes = None if is_regressor(machine) else _classes(y)
        trace = eliminate(
            machine,
            encoded.values,
            y,
            sample_weight=sample_weight,
            criterion=self.criterion,
            rescale_gamma=self.rescale_gamma,
            unit=unit,
            protected=protected,
            floor=floor,
            step=step_size(self.step, len(protected)),
            held_out=None if held_out is None else held_out.X,
            progress=progress,
            deadline=deadline,
        )
        if held_out is None or trace.decisions is None:
            return trace, None
        n_rows = len(held_out.y)
        if classes is None:
            guesses = guess_mean(y, n_rows, sample_weight=sample_weight)
        else:
            codes = np.searchsorted(classes, y)
            guesses = guess(codes, n_rows, one_vs_one=isinstance(machine, SVC))
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
            for decisions in (trace.decisions, guesses)
        )
        return trace, Scores(models, float(baseline[0]))

    def _machine(self) -> Machine:
        return SVC(kernel="linear") if self.estimator is None else self.estimator

    def _is_classifier(self) -> bool:
        return not is_regressor(self._machine())

    def _mend_guessing(self) -> str:
        return _MEND_CLASSES if self._is_classifier() else _MEND_NUMBERS

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_step(self.step, name)
        check_flag(self.standardize, "standardize", name)
        check_choice(self.criterion, "criterion", name, ("delta_j", "pseudo_samples"))
        check_flag(self.rescale_gamma, "rescale_gamma", name)
        check_machine(self._machine(), name)
        check_criterion(self._machine(), self.criterion, self.rescale_gamma, name)

    def _check_target(self, y: Any) -> np.ndarray:
        check = check_numbers if is_regressor(self._machine()) else check_classes
        return check(y, type(self).__name__)

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


def _classes(y: np.ndarray) -> np.ndarray:
    """Classes of a path's training rows, or an error if there is but one."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            f"Only one class, {classes.tolist()[0]!r}, is among the training rows of a fold. "
            "Pass a cv that shuffles or stratifies."
        )
    return classes
