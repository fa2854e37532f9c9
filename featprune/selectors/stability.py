"""Selection of what is selected again and again: stability selection by complementary pairs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
from sklearn.utils import get_tags

from featprune.importance.stability import false_selections, least_count, stability
from featprune.parameters import check_count, check_number
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.selectors.base import BaseSelector
from featprune.selectors.consensus import rows_of_classes
from featprune.selectors.members import Answer, Rows, ask, check_member, takes_sparse
from featprune.selectors.target import check_either
from featprune.table.columns import Table
from featprune.table.units import Units


class StabilitySelector(BaseSelector):
    """Keep the columns that a selector selects on most of many half-samples.

    The selector is fitted on pairs of samples that have no row in common, again and again, and how
    often each column is among those it keeps is counted. What it keeps by chance on some rows, it
    does not keep on most; and the expected number of such columns among those kept is bounded,
    whatever the selector is.

    Parameters
    ----------
    selector : selector
        Of this package, or of scikit-learn (anything with `fit` and `get_support`); cloned, not
        changed. How many columns it keeps is up to it: few make a strict bound.
    n_resamples : int, default=50
        Complementary pairs (B in Shah & Samworth, who advise 50). The selector is fitted twice as
        many times.
    sample_fraction : float, default=0.5
        Share of the rows in each sample, in (0, 0.5]. The two of a pair have no row in common.
    threshold : float, default=0.6
        Kept is what is selected in at least this share of the samples, in (0.5, 1].
    min_features_to_select : int, default=1
        How many to keep at least. If fewer reach the threshold, those that come next are kept,
        with a warning.
    feature_groups, always_keep, embeddings
        As in :class:`SVMRFE`, handed on to the selector.
    encoder : "auto", transformer or None, default="auto"
        As in :class:`SVMRFE`; for a selector that has none of its own.
    n_jobs : int, default=None
        How many samples are selected on at a time. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the samples, and of the selector if it has none of its own.
    verbose : bool, default=False
        Show progress on standard error, with the time that is left.

    Attributes
    ----------
    support_, n_features_, size_, embedding_support_
        As in :class:`SVMRFE`.
    ranking_ : ndarray of shape (n_features_in_,), int
        1 for those that are kept, then the others by how often they were selected.
    importances_, selection_frequencies_ : ndarray of shape (n_features_in_,)
        Share of the samples in which the column was selected.
    mean_selected_ : float
        How many the selector kept on average, less those of `always_keep`.
    expected_false_selections_ : dict of str to float
        Bounds on the expected number of columns kept at `threshold` that have no more than an
        average chance to be selected; see Notes. ``"worst_case"``, ``"unimodal"`` and
        ``"r_concave"`` by what is assumed.
    stability_ : float
        Nogueira's measure of how alike the selections are: 1 if all are the same, about 0 if they
        are as alike as random ones of their sizes; NaN if they hold nothing or everything.
    stability_interval_ : tuple of float
        Its 95 % confidence interval.
    path_ : EliminationPath
        All columns by how often they were selected, which is the criterion, the rarest first. It
        has no scores: `reselect` takes numbers and shares, and moves neither `threshold` nor the
        bounds.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError, TypeError
        In `fit`, for a selector that can't be used or says of no column that it keeps it, for
        fewer than two rows in a sample, and as in the selector.

    Warns
    -----
    UserWarning
        If fewer columns than `min_features_to_select` reach the threshold.

    See Also
    --------
    RankEnsemble : Several selectors on the same rows.

    Notes
    -----
    The bounds are on columns whose chance to be selected of a sample is at most q / p, that of a
    selector which draws its q columns out of p at random. They bound false selections as far as
    all columns without relation to the target are such. "worst_case", q^2 / (p (2 threshold - 1)),
    assumes nothing. "unimodal" and "r_concave" assume of the share of pairs in both of which such
    a column is selected that it has one mode, or nearly a log-concave distribution, which the
    authors found to hold in their examples, of 50 pairs. A bound near q says nothing.

    They need samples that are drawn at random. Here each class is halved by itself, so that none
    is missing; the row of a class of one is in all samples. Rows that belong together (`groups`)
    are not kept together, but are handed on to the selector for its own folds.

    The measure of stability and its interval are made for independent samples. Two of a pair are
    drawn from what the other left, which makes selections a little less alike.

    Of columns that were selected equally often, the one of the better mean rank in the samples is
    kept, if the selector tells ranks, then the one further left.

    Cost: ``2 * n_resamples`` fits of the selector on the share of the rows.

    References
    ----------
    Meinshausen, N., Bühlmann, P. (2010). Stability selection. Journal of the Royal Statistical
    Society B 72(4), 417-473. https://doi.org/10.1111/j.1467-9868.2010.00740.x

    Shah, R. D., Samworth, R. J. (2013). Variable selection with error control: another look at
    stability selection. Journal of the Royal Statistical Society B 75(1), 55-80.
    https://doi.org/10.1111/j.1467-9868.2011.01034.x

    Nogueira, S., Sechidis, K., Brown, G. (2018). On the stability of feature selection algorithms.
    Journal of Machine Learning Research 18(174), 1-54. https://jmlr.org/papers/v18/17-514.html

    Examples
    --------
    >>> import numpy as np
    >>> from featprune import SVMRFE
    >>> from featprune.selectors.stability import StabilitySelector
    >>> X = np.random.default_rng(0).normal(size=(200, 20))
    >>> y = X[:, 1] + X[:, 4] > 0
    >>> inner = SVMRFE(n_features_to_select=3)
    >>> selector = StabilitySelector(inner, n_resamples=20, random_state=0).fit(X, y)
    >>> selector.support_.nonzero()[0].tolist()
    [1, 4]
    >>> round(selector.expected_false_selections_["r_concave"], 2)
    0.74
    """

    _words = ()  # its samples have no scores

    def __init__(
        self,
        selector: Any,
        *,
        n_resamples: int = 50,
        sample_fraction: float = 0.5,
        threshold: float = 0.6,
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.selector = selector
        self.n_resamples = n_resamples
        self.sample_fraction = sample_fraction
        self.threshold = threshold
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _find_path(
        self,
        table: Table,
        units: Units,
        y: Any,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        seed = self._seed()
        rows = Rows(table, units, y, sample_weight, None if groups is None else np.asarray(groups))
        rows = rows.take(np.arange(table.n_rows))
        selections, ranks = self._select(rows, seed)
        frequency = selections.mean(axis=0)
        left = np.arange(len(units.names))
        # the last key counts most
        order = np.lexsort((-left, -ranks, frequency))
        order = order[~units.protected[order]][: len(left) - self._floor(units)]
        path = EliminationPath(
            units.names,
            order=order,
            criterion=frequency[order],
            sizes=len(left) - np.arange(len(order) + 1),
        )
        self._set_outcome(selections, frequency, units)
        self._n_kept = self._count_kept(frequency, units)
        return path, self.selection_frequencies_

    def _select(self, rows: Rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which units each sample's selection holds, and their mean ranks, if any."""
        n_fits = 2 * self.n_resamples
        parallel = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")
        calls = (
            joblib.delayed(_one_sample)(self, rows, idx, sample_seed)
            for i in range(self.n_resamples)
            for idx, sample_seed in self._pair(rows, seed, i)
        )
        answers: list[Answer] = []
        for answer in parallel(calls):
            answers.append(answer)
            tell(f"{type(self).__name__}: samples", len(answers), n_fits)
        n_units = len(rows.units.names)
        ranks = [answer.ranks for answer in answers if answer.ranks is not None]
        mean = np.mean(ranks, axis=0) if ranks else np.zeros(n_units)
        # rounding must not part what is equal but for the order of the sum
        return np.array([answer.support for answer in answers]), np.round(mean, 9)

    def _pair(self, rows: Rows, seed: int, i: int) -> list[tuple[np.ndarray, int]]:
        """Draw two samples without a row in common; each with a seed."""
        sequence = np.random.SeedSequence((seed, i))
        rng, n_rows = np.random.default_rng(sequence), rows.table.n_rows
        parts = [np.arange(n_rows)]
        if rows.y is not None and not self._regresses:
            parts = rows_of_classes(rows.y)
        halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for part in parts:
            drawn = rng.permutation(part)
            size = int(self.sample_fraction * len(drawn))
            # of a class too small to be halved, either sample has a row
            first = drawn[: max(size, 1)]
            second = drawn[len(drawn) - max(size, 1) :]
            halves[0].append(first)
            halves[1].append(second)
        seeds = sequence.generate_state(2)
        return [
            (np.sort(np.concatenate(half)), int(one))
            for half, one in zip(halves, seeds, strict=True)
        ]

    def _set_outcome(self, selections: np.ndarray, frequency: np.ndarray, units: Units) -> None:
        """Say how often columns were selected, how alike selections are, and the bounds."""
        self.selection_frequencies_ = -units.column_ranking(-frequency)
        # what never goes is neither chosen nor chosen by chance
        chosen = selections[:, ~units.protected]
        self.mean_selected_ = float(chosen.sum(axis=1).mean())
        bounds = false_selections(
            self.threshold, self.mean_selected_, chosen.shape[1], self.n_resamples
        )
        self.expected_false_selections_ = bounds._asdict()
        found = stability(chosen)
        self.stability_ = found.value
        self.stability_interval_ = (found.low, found.high)

    def _count_kept(self, frequency: np.ndarray, units: Units) -> int:
        """How many units are kept; say so if too few reach the threshold."""
        n_fits = 2 * self.n_resamples
        reach = frequency * n_fits >= least_count(self.threshold, n_fits) - 1e-9
        n_kept, floor = int((reach | units.protected).sum()), self._floor(units)
        if n_kept < floor:
            passed = "Nothing" if n_kept == 0 else f"No more than {n_kept}"
            warnings.warn(
                f"{passed} of {len(units.names)} was selected in threshold={self.threshold:g} of "
                f"the {n_fits} samples; the largest share is {frequency.max():.2g}. Because of "
                f"min_features_to_select={self.min_features_to_select}, {floor} are kept, those "
                "selected most often. Let the selector keep more, or lower the threshold.",
                UserWarning,
                stacklevel=4,
            )
        return max(n_kept, floor)

    def _first_cut(self, path: EliminationPath) -> int:
        return self._n_kept

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_member(self.selector, "The 'selector' parameter", self)
        check_count(self.n_resamples, "n_resamples", name)
        check_number(self.sample_fraction, "sample_fraction", name, 0, 0.5)
        check_number(self.threshold, "threshold", name, 0.5, 1)

    def _check_target(self, y: Any) -> np.ndarray | None:
        self._regresses = True
        if y is None:
            return None
        if not _needs_target(self.selector):
            return np.asarray(y)
        target, self._regresses = check_either(y, type(self).__name__)
        return target

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: what goes into the selector."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = _needs_target(self.selector)
        tags.input_tags.sparse = takes_sparse(self.selector)
        return tags


def _one_sample(owner: StabilitySelector, rows: Rows, idx: np.ndarray, seed: int) -> Answer:
    if len(idx) < 2:
        raise ValueError(
            f"{type(owner).__name__} needs at least 2 rows in a sample, and "
            f"sample_fraction={owner.sample_fraction:g} of {rows.table.n_rows} rows are {len(idx)}."
            " Pass more rows."
        )
    called = "The 'selector' parameter"
    answer = ask(owner.selector, called, owner, rows.take(idx), None, seed, whole_path=False)
    if answer.support is None:
        raise ValueError(
            f"{called} of {type(owner).__name__} must say what it keeps, and "
            f"{type(owner.selector).__name__} has no get_support. Wrap it, as in "
            "SelectFromModel(estimator)."
        )
    return answer


def _needs_target(selector: Any) -> bool:
    return not hasattr(selector, "__sklearn_tags__") or get_tags(selector).target_tags.required
