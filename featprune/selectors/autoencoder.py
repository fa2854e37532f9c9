"""Selection of the columns from which a network rebuilds all others."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from featprune.cut import size_explaining
from featprune.importance.neural.backend import import_keras
from featprune.importance.neural.concrete import concrete_choice, resolved
from featprune.importance.neural.group_lasso import lasso_leaving
from featprune.importance.neural.parts import by_unit, order_of_chosen
from featprune.importance.neural.steps import Training
from featprune.importance.pca.explained import gains_along
from featprune.importance.pca.greedy import greedy_order
from featprune.importance.pca.spread import Spread
from featprune.parameters import check_choice, check_count, check_flag
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import BaseSelector, weighted_rows
from featprune.selectors.pca_features import Features, features_of
from featprune.selectors.time_limit import check_time_limit
from featprune.table.columns import Table
from featprune.table.encode import TableEncoder
from featprune.table.units import Units


class AutoencoderSelector(BaseSelector):
    """Keep the columns from which an autoencoder rebuilds all others; no target is needed.

    Parameters
    ----------
    n_features_to_select : int, float or "reconstruction", default="reconstruction"
        How many to keep: a number, a share of all, or the smallest size that explains
        `reconstruction` of all columns' variance.
    reconstruction : float, default=0.95
        In (0, 1]; for ``n_features_to_select="reconstruction"``.
    method : {"concrete", "group_lasso"}, default="concrete"
        ``"concrete"``: as many neurons as there are columns to select each look at a random
        mixture of columns, which becomes one column as a temperature falls (Balın et al. 2019).
        It is made for one size. ``"group_lasso"``: the first layer loses one column after the
        other as a penalty on them grows; it orders all of them.
    hidden : sequence of int, default=(64,)
        Units of the layers between the first one and the output. ``()`` rebuilds linearly.
    epochs : int, default=200
        Passes over the rows, at most: concrete neurons that have all made up their minds stop.
    batch_size : int, default=64
        Rows in a step.
    learning_rate : float, default=0.003
        Of Adam.
    temperature : tuple of two floats, default=(10, 0.01)
        Of the first step and of the last, for "concrete".
    standardize : bool, default=True
        Whether every feature is scaled to variance 1. Without, columns of large units decide.
    min_features_to_select : int, default=1
        Where the path ends.
    feature_groups, always_keep, encoder, embeddings
        As in :class:`PCASelector`. Columns of `always_keep` come first, and the network sees them
        in any case.
    time_limit : float, default=None
        Seconds after which no epoch begins, but for the first; what is known then decides.
    random_state : int, RandomState or None, default=None
        Seed of first weights, noise and batches, and of the encoding of long texts.
    verbose : bool, default=False
        Show progress on standard error.

    Attributes
    ----------
    support_, ranking_, n_features_, size_, embedding_support_
        As in :class:`SVMRFE`. The path has no scores: `reselect` takes numbers, shares and
        "reconstruction".
    importances_ : ndarray of shape (n_features_in_,)
        By "concrete", the mean over the neurons of the probability that they look at the column;
        by "group_lasso", the largest penalty under which it was still in use. Columns of
        `always_keep` have the largest importance.
    path_ : EliminationPath
        All sizes down to the least. ``path_.explained`` is the share of all columns' variance
        that those left explain linearly at each size, on the rows of `fit`: comparable with
        that of :class:`PCASelector`.
    losses_ : ndarray of shape (n_epochs_,)
        Share of the variance that the network did not rebuild, mean over the batches of each
        epoch; with the noise of the time.
    n_epochs_ : int
        Epochs done.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    PCASelector : The same aim without a network, to the same bits in a fraction of the time.

    Notes
    -----
    It needs Keras and one of its backends: ``pip install "featprune[keras]" jax``.

    What is known: as a lone importance this is unstable and weak. On one set of prostate tumours
    the best F1 was 0.974 with columns from SVM-RFE, 0.807 from a random forest, and 0.703 from an
    autoencoder; another seed, another choice. It has its place as one voice of an ensemble, or
    where there is no target and columns depend on each other in curves. Where the dependence is
    linear, :class:`PCASelector` explains more with as many columns; compare ``path_.explained``.

    By "concrete", the k columns that the neurons look at are kept; two neurons that look at one
    column get the likeliest that is free for the less sure one. Where k is "reconstruction", there
    are as many neurons as :class:`PCASelector` would keep columns, and if these don't suffice
    the next ones are added. The path orders the k by what they explain linearly, one beyond the
    other, and all others by the mean probability that a neuron looks at them, which says little
    when the temperature has fallen. Ask for another k by another fit.

    By "group_lasso", a column is worth the penalty that it withstands, divided by how much it is
    used (adaptive group lasso); equals are ordered by the length of their weights.

    What leaves as a whole is chosen as a whole: a neuron that looks at a category sees all of its
    features, of an embedding or a group of more than 16 features the first 16 components. Every
    column counts as a variance of 1 that is to be rebuilt, whatever its number of features, an
    embedding as many as it has dimensions. Missing values become their column's mean, with a
    feature that says so. Constant columns come last. Of equals, the column that stands further
    left is kept. `y` is ignored, but by an encoder that wants it.

    The network sees the table dense and in single precision, a sparse one too: 4 bytes for each
    entry, twice for "concrete". The same `random_state` gives the same bits on one machine and
    backend; backends round differently.

    An epoch costs about 6 n p (k + h) multiplications for n rows, p features, k neurons and h
    units in the last hidden layer; ``path_.explained`` p^3 / 3.

    References
    ----------
    Balın, M. F., Abid, A., Zou, J. (2019). Concrete autoencoders: differentiable feature selection
    and reconstruction. ICML 2019, PMLR 97, 444-453. https://doi.org/10.48550/arXiv.1901.09346

    Yuan, M., Lin, Y. (2006). Model selection and estimation in regression with grouped variables.
    Journal of the Royal Statistical Society B 68(1), 49-67.
    https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Wang, H., Leng, C. (2008). A note on adaptive group lasso. Computational Statistics & Data
    Analysis 52(12), 5277-5286. https://doi.org/10.1016/j.csda.2008.05.006

    Examples
    --------
    >>> import numpy as np
    >>> from featprune.selectors.autoencoder import AutoencoderSelector
    >>> rng = np.random.default_rng(0)
    >>> sources = rng.normal(size=(200, 3))
    >>> X = np.repeat(sources, 2, axis=1) + 0.1 * rng.normal(size=(200, 6))
    >>> selector = AutoencoderSelector(3, random_state=0).fit(X)
    >>> (selector.support_.nonzero()[0] // 2).tolist()
    [0, 1, 2]
    >>> bool(selector.path_.explained[-3] > 0.95)
    True
    """

    _words = ("reconstruction",)

    def __init__(
        self,
        n_features_to_select: int | float | str = "reconstruction",
        *,
        reconstruction: float = 0.95,
        method: str = "concrete",
        hidden: Sequence[int] = (64,),
        epochs: int = 200,
        batch_size: int = 64,
        learning_rate: float = 0.003,
        temperature: tuple[float, float] = (10.0, 0.01),
        standardize: bool = True,
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        time_limit: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_features_to_select = n_features_to_select
        self.reconstruction = reconstruction
        self.method = method
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.temperature = temperature
        self.standardize = standardize
        self.min_features_to_select = min_features_to_select
        self.feature_groups = feature_groups
        self.always_keep = always_keep
        self.encoder = encoder
        self.embeddings = embeddings
        self.time_limit = time_limit
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
        training = self._training()
        rows, weight = weighted_rows(np.arange(table.n_rows), sample_weight)
        if len(rows) < table.n_rows:
            table, y = table.rows(rows), None if y is None else y[rows]
        encoder = TableEncoder(
            self.encoder,
            standardize=False,
            random_state=training.seed,
            flag_vectors=self.embeddings == "whole",
        )
        features = features_of(table, units, y, weight, encoder, standardize=self.standardize)
        values = features.values_of(table)
        # so that a step is as long whatever the units
        values = (values / np.sqrt(np.mean(features.centred.spread.variances))).astype(np.float32)
        weight = np.ones(len(values)) if weight is None else weight / weight.mean()
        find = self._by_concrete if self.method == "concrete" else self._by_lasso
        order, importances = find(values, weight.astype(np.float32), features, units, training)
        path = _make_path(order, importances, features, units, self._floor(units))
        return path, -units.column_ranking(-importances)

    def _by_concrete(
        self,
        values: np.ndarray,
        weight: np.ndarray,
        features: Features,
        units: Units,
        training: Training,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the units, the best one first, and what each is worth."""
        unit, n_units = features.unit, len(units.names)
        varies = fold(features.centred.spread.variances, unit, n_units) > 0
        first = np.flatnonzero(units.protected)
        free = np.flatnonzero(varies & ~units.protected)
        worth = np.zeros(n_units)
        chosen = np.empty(0, dtype=np.intp)
        if len(free):
            n_neurons = self._n_neurons(features.centred.spread, units, unit) - len(first)
            choice = concrete_choice(
                values,
                by_unit(values, unit, free),
                values[:, units.protected[unit]],
                weight,
                n_neurons=min(max(1, n_neurons), len(free)),
                temperature=self.temperature,
                training=training,
            )
            self._note(choice.losses, choice.is_settled)
            worth[free] = choice.probabilities.mean(axis=0)
            worth[first] = max(worth.max(), 1 / len(choice.probabilities))
            chosen = free[resolved(choice.probabilities)]
        else:
            self._note(np.empty(0), True)
            worth[first] = 1.0
        best = order_of_chosen(values, weight, unit, np.append(first, chosen), len(first))
        rest = np.setdiff1d(np.arange(n_units), best)
        rest = rest[np.lexsort((-worth[rest], ~varies[rest]))]
        return np.append(best, rest), worth

    def _by_lasso(
        self,
        values: np.ndarray,
        weight: np.ndarray,
        features: Features,
        units: Units,
        training: Training,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the units, the best one first, and what each is worth."""
        leaving = lasso_leaving(values, features.unit, units.protected, weight, training)
        self._note(leaving.losses, leaving.is_settled)
        worth = leaving.penalties.copy()
        worth[units.protected] = max(worth.max(), 1.0 if worth.max() == 0 else 0.0)
        return leaving.order, worth

    def _n_neurons(self, spread: Spread, units: Units, unit: np.ndarray) -> int:
        """How many units are to be selected."""
        asked, n_units = self.n_features_to_select, len(units.names)
        if not isinstance(asked, str):
            size = int(asked) if isinstance(asked, Integral) else int(n_units * asked)
            return max(size, self._floor(units))
        order = greedy_order(spread, unit, units.protected)
        explained = np.cumsum(_gains(order, unit, spread)[order])
        return int(np.searchsorted(explained, self.reconstruction - 1e-12)) + 1

    def _note(self, losses: np.ndarray, is_settled: bool) -> None:
        """Keep how the training went; say so if the time didn't suffice."""
        self.losses_, self.n_epochs_ = losses, len(losses)
        if not np.isfinite(losses).all():
            raise ValueError(
                f"The network of {type(self).__name__} became NaN or infinite in training. Lower "
                f"learning_rate={self.learning_rate:g}, or pass standardize=True."
            )
        if not is_settled:
            warnings.warn(
                f"{type(self).__name__} ran out of time_limit={self.time_limit:g} seconds after "
                f"{len(losses)} of epochs={self.epochs}, before it had settled on a choice. Give "
                "it more time, fewer epochs or fewer rows.",
                UserWarning,
                stacklevel=5,
            )

    def _training(self) -> Training:
        return Training(
            tuple(int(width) for width in self.hidden),
            self.epochs,
            self.batch_size,
            self.learning_rate,
            int(check_random_state(self.random_state).randint(2**31 - 1)),
            None if self.time_limit is None else time.monotonic() + self.time_limit,
            partial(tell, f"{type(self).__name__}: epochs"),
        )

    def _cut_at(self, rule: int | float | str) -> None:
        if rule == "reconstruction":
            self._check_reconstruction()
            rule = size_explaining(self.path_, self.reconstruction)
        super()._cut_at(rule)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        self._check_reconstruction()
        check_choice(self.method, "method", name, ("concrete", "group_lasso"))
        check_count(self.epochs, "epochs", name)
        check_count(self.batch_size, "batch_size", name)
        check_flag(self.standardize, "standardize", name)
        check_time_limit(self.time_limit, name)
        hidden, ends = self.hidden, self.temperature
        if not _is_list_of(hidden, Integral) or any(width < 1 for width in hidden):
            self._refuse("hidden", "a tuple of ints >= 1, or ()", hidden)
        if not _is_list_of(ends, Real) or len(ends) != 2 or not ends[0] >= ends[1] > 0:
            self._refuse("temperature", "two numbers, the first >= the second > 0", ends)
        rate = self.learning_rate
        if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 < float(rate) < np.inf:
            self._refuse("learning_rate", "a number > 0", rate)
        import_keras(name)

    def _check_reconstruction(self) -> None:
        share = self.reconstruction
        is_number = isinstance(share, Real) and not isinstance(share, bool)
        if not is_number or not 0 < float(share) <= 1:
            self._refuse("reconstruction", "a number in (0, 1]", share)

    def _refuse(self, parameter: str, expected: str, value: Any) -> None:
        """Raise because a parameter is not what was expected."""
        raise (ValueError if isinstance(value, (Real, str, tuple, list)) else TypeError)(
            f"The {parameter!r} parameter of {type(self).__name__} must be {expected}. "
            f"Got {value!r} instead."
        )

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _make_path(
    order: np.ndarray, worth: np.ndarray, features: Features, units: Units, floor: int
) -> EliminationPath:
    """Let units go, the last of the order first, until `floor` are left."""
    n_units = len(order)
    gains = _gains(order, features.unit, features.centred.spread)
    explained = np.minimum(np.cumsum(gains[order]), 1.0)
    gone, sizes = order[::-1][: n_units - floor], np.arange(n_units, floor - 1, -1)
    return EliminationPath(units.names, gone, worth[gone], sizes, explained=explained[sizes - 1])


def _gains(order: np.ndarray, unit: np.ndarray, spread: Spread) -> np.ndarray:
    """Return what each unit explains of all beyond those before it, shape (n_units,)."""
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    features = np.argsort(place[unit], kind="stable")
    return fold(gains_along(spread, features), unit, len(order))


def _is_list_of(values: Any, kind: Any) -> bool:
    """Whether it is a tuple or list of numbers of a kind."""
    return isinstance(values, (tuple, list)) and all(
        isinstance(value, kind) and not isinstance(value, bool) for value in values
    )
