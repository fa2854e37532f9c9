"""Selection by what the inputs of a network do to its output."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from featprune.importance.neural.attribution import METHODS
from featprune.importance.neural.backend import import_keras
from featprune.importance.neural.null import null_test
from featprune.importance.neural.saliency import Found, Plan, saliency
from featprune.importance.neural.train import Schedule
from featprune.parameters import check_choice, check_count, check_flag
from featprune.path import EliminationPath
from featprune.progress import tell
from featprune.ranking import fold
from featprune.selectors.base import BaseSelector, weighted_rows
from featprune.selectors.saliency_network import NetworkSource, new_optimizer
from featprune.selectors.target import check_either
from featprune.selectors.time_limit import check_time_limit
from featprune.table.columns import EMBEDDING, Table
from featprune.table.encode import TableEncoder
from featprune.table.units import Units

_LEAST_ROWS = 4


class SaliencySelector(BaseSelector):
    """Keep the columns that a neural network looks at, told from those it looks at by chance.

    A network is trained on part of the rows, and on the others each input's attribution is found:
    how much it does to the output. The same is done for permuted targets, and columns are kept
    that stand above what any column has there.

    Parameters
    ----------
    model : None, "mlp", "cnn", callable or keras.Model, default=None
        The network. A function that builds one is told `n_features_in_` (of the encoded table),
        `n_classes_` or `n_outputs_`, and `image_shape`, those of them that its signature has. A
        model is a pattern: copies with fresh weights are trained. What is compiled keeps its
        optimizer and loss. None is "cnn" for images (`image_shape`) and for a table that is
        one embedding column, and "mlp" otherwise; see Notes.
    attribution : {"gradient_input", "integrated_gradients", "smoothgrad"}, default="gradient_input"
        The derivative of a row's output by its inputs times the inputs; the same with the mean
        derivative on the way from the mean row; or the mean derivative under noise. The output
        is the predicted number, or the log-odds of the row's own class.
    optimizer : str or keras.optimizers.Optimizer, default="adagrad"
        For models that are not compiled.
    learning_rate : float, default=0.05
        For an optimizer that is given by its name.
    null : bool, default=True
        Whether networks are trained for permuted targets, too.
    n_permutations : int, default=20
        How many. At least ``1 / alpha - 1``.
    alpha : float, default=0.05
        In (0, 1): the chance at which any column is taken to stand above the null, where none is
        related to the target.
    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of images whose numbers are the columns, row
        by row, channels last.
    n_seeds : int, default=3
        Networks for the target, each with first weights and held-out rows of its own, over which
        attributions are averaged.
    epochs : int, default=100
        Passes over the training rows, at most.
    batch_size : int, default=32
        Rows in a step.
    validation_fraction : float, default=0.25
        In (0, 1): share of the rows held out, for the attributions and to end training by.
    patience : int, default=10
        Training ends after so many epochs without a smaller loss on held-out rows, and goes back
        to the least.
    n_features_to_select : int, float or "null", default="null"
        How many to keep: a number, a share of all, or those that stand above the null.
    min_features_to_select : int, default=1
        How many to keep at least. If fewer stand above the null, those that come next are kept,
        with a warning.
    feature_groups, always_keep, embeddings
        As in :class:`SVMRFE`. The attributions of a unit's features are added up.
    encoder : "auto", transformer or None, default="auto"
        As in :class:`SVMRFE`. Features are centred and scaled to variance 1; images are centred,
        and scaled as a whole.
    time_limit : float, default=None
        Seconds after which no epoch begins, but for the first of the first network.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, held-out rows, permutations and noise.
    verbose : bool, default=False
        Show progress on standard error.

    Attributes
    ----------
    support_, ranking_, n_features_, size_, path_, embedding_support_
        As in :class:`SVMRFE`. The path has no scores: `reselect` takes numbers, shares and "null".
        Columns above the null come first.
    importances_ : ndarray of shape (n_features_in_,)
        Share of all attributions, mean over the seeds.
    attributions_ : ndarray of shape (n_seeds, n_features_in_)
        The shares of each seed.
    above_null_ : ndarray of shape (n_features_in_,), bool, or None
        Which columns stand above the null; None without it.
    p_values_ : ndarray of shape (n_features_in_,), or None
        Corrected for the number of columns: the share of permutations in which any column
        stands as high, with one more counted on both sides.
    null_heights_ : ndarray of shape (n_features_in_,), or None
        How high columns stand: 1 is a column's mean in networks for permuted targets and in that
        for the target.
    n_epochs_ : list of int
        Epochs to the least loss on held-out rows, for each seed.
    losses_ : list of lists of float
        Loss on held-out rows after each epoch, for each seed.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    See Also
    --------
    ShadowSelector : The same question to trees, in a fraction of the time.

    Notes
    -----
    It needs Keras and one of its backends: ``pip install "featprune[keras]" jax``. A custom layer
    must be of ``keras.ops``.

    A target of many different numbers is a regression target, and is scaled to variance 1; pass
    classes as strings otherwise.

    "mlp" is two dense layers of 64 and 32 units; "cnn" two convolutions of 16 filters, along one
    axis or, for images, two, and a dense layer of 32. Convolutions suit columns that have
    neighbours, such as pixels, spectra and time.

    The test. Attributions of a network are divided by their lower quartile, then each column's by
    its mean over the networks of the same seed, and compared with the largest over all columns in
    each permutation (Westfall and Young 1993). On a table without any relation to the target,
    columns are kept with a chance of at most `alpha`. It is made to be sure rather than to find
    all: where more than three quarters of the columns matter there is nothing quiet to
    compare with and few or none stand above; of columns that say the same, the network may
    look at one; and a column that matters little beside others is missed. With one column
    there is nothing to compare, and none stands above.

    Cost: ``n_seeds + n_permutations`` trainings of one compiled network, and a gradient a held-out
    row (32 for integrated gradients, 16 for SmoothGrad). A sparse table is made dense in single
    precision: 4 bytes for each entry, and 8 more while it is encoded.

    Of equal attributions, the column that stands further left ranks higher. The same
    `random_state` gives the same bits on one machine and backend.

    References
    ----------
    Sundararajan, M., Taly, A., Yan, Q. (2017). Axiomatic attribution for deep networks. ICML 2017,
    PMLR 70, 3319-3328. https://doi.org/10.48550/arXiv.1703.01365

    Smilkov, D., Thorat, N., Kim, B., Viégas, F., Wattenberg, M. (2017). SmoothGrad: removing noise
    by adding noise. https://doi.org/10.48550/arXiv.1706.03825

    Duchi, J., Hazan, E., Singer, Y. (2011). Adaptive subgradient methods for online learning and
    stochastic optimization. Journal of Machine Learning Research 12, 2121-2159.

    Westfall, P. H., Young, S. S. (1993). Resampling-based multiple testing. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from featprune.selectors.saliency import SaliencySelector
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> y = X[:, 1] + X[:, 4] > 0
    >>> selector = SaliencySelector(epochs=20, random_state=0).fit(X, y)
    >>> selector.above_null_.nonzero()[0].tolist()
    [1, 4]
    >>> selector.transform(X).shape
    (200, 2)
    """

    _words = ("null",)

    def __init__(
        self,
        model: Any = None,
        *,
        attribution: str = "gradient_input",
        optimizer: Any = "adagrad",
        learning_rate: float = 0.05,
        null: bool = True,
        n_permutations: int = 20,
        alpha: float = 0.05,
        image_shape: tuple[int, ...] | None = None,
        n_seeds: int = 3,
        epochs: int = 100,
        batch_size: int = 32,
        validation_fraction: float = 0.25,
        patience: int = 10,
        n_features_to_select: int | float | str = "null",
        min_features_to_select: int = 1,
        feature_groups: Mapping[str, Iterable[Any]] | None = None,
        always_keep: Iterable[Any] | None = None,
        encoder: Any = "auto",
        embeddings: str = "whole",
        time_limit: float | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.attribution = attribution
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.null = null
        self.n_permutations = n_permutations
        self.alpha = alpha
        self.image_shape = image_shape
        self.n_seeds = n_seeds
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.n_features_to_select = n_features_to_select
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
        y: Any,
        sample_weight: np.ndarray | None,
        groups: Any,
    ) -> tuple[EliminationPath, np.ndarray]:
        end = None if self.time_limit is None else time.monotonic() + self.time_limit
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rows, weight = weighted_rows(np.arange(table.n_rows), sample_weight)
        if len(rows) < table.n_rows:
            table, y = table.rows(rows), y[rows]
        self._check_rows(table.n_rows, y)
        encoder = TableEncoder(
            self.encoder,
            standardize=self.image_shape is None,
            random_state=seed,
            flag_vectors=self.embeddings == "whole",
        )
        encoded = encoder.fit_transform(table, y, weight)
        values = self._shaped(encoded.values, weight)
        weight = np.ones(len(values)) if weight is None else weight / weight.mean()
        part = self._network(table).part(values.shape[1:], y, seed)
        plan = Plan(
            self.attribution,
            self.n_seeds,
            self.n_permutations if self.null else 0,
            self.validation_fraction,
            Schedule(self.epochs, self.batch_size, self.patience, end),
            seed,
            partial(tell, f"{type(self).__name__}: networks"),
        )
        classes = None if self._regresses else part.codes
        task = (part.machine, values, part.codes, part.target, weight.astype(np.float32))
        try:
            found = saliency(*task, plan, classes)
        except FloatingPointError as error:
            raise ValueError(
                f"The network of {type(self).__name__} became NaN or infinite in training. Lower "
                f"learning_rate={self.learning_rate!r}, or its own if it is compiled."
            ) from error
        return self._ranked(found, units, units.of_features(encoded), encoded.owner)

    def _network(self, table: Table) -> NetworkSource:
        """Return where networks for the table come from."""
        model = self.model
        if model is None:
            has_order = self.image_shape is not None or table.kinds == (EMBEDDING,)
            model = "cnn" if has_order else "mlp"
        return NetworkSource(
            model,
            self._regresses,
            self.optimizer,
            float(self.learning_rate),
            self.image_shape,
            type(self).__name__,
        )

    def _ranked(
        self, found: Found, units: Units, unit: np.ndarray, owner: np.ndarray
    ) -> tuple[EliminationPath, np.ndarray]:
        """Note what was found, and rank the units by it."""
        n_units, n_columns, floor = len(units.names), len(units.first), self._floor(units)
        real, null = _folded(found.real, unit, n_units), _folded(found.null, unit, n_units)
        shares = real / np.maximum(real.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        worth, above = shares.mean(axis=0), np.zeros(n_units, dtype=bool)
        self.above_null_ = self.p_values_ = self.null_heights_ = None
        if self.null:
            p_values, heights = null_test(real, null, found.seed_of)
            above = p_values <= self.alpha
            self.above_null_ = units.columns(above)
            self.p_values_ = _of_columns(units, p_values, -1)
            self.null_heights_ = _of_columns(units, heights, 1)
        self.n_epochs_, self.losses_ = found.n_epochs, found.losses
        of_columns = _folded(found.real, owner, n_columns)
        self.attributions_ = of_columns / np.maximum(
            of_columns.sum(axis=1, keepdims=True), np.finfo(float).tiny
        )
        self._n_above = max(int((above | units.protected).sum()), floor)
        self._say(found, int((above | units.protected).sum()), floor)
        tier = np.where(units.protected, 2, above)
        order = np.lexsort((-np.arange(n_units), worth, tier))[: n_units - floor]
        sizes = np.arange(n_units, floor - 1, -1)
        path = EliminationPath(units.names, order, worth[order], sizes)
        return path, self.attributions_.mean(axis=0)

    def _say(self, found: Found, n_above: int, floor: int) -> None:
        """Warn if the time or the test didn't suffice."""
        name, n_null = type(self).__name__, self.n_permutations if self.null else 0
        if len(found.real) < self.n_seeds or len(found.null) < n_null:
            warnings.warn(
                f"{name} ran out of time_limit={self.time_limit:g} seconds after "
                f"{len(found.real)} of n_seeds={self.n_seeds} networks for the target"
                + (f" and {len(found.null)} of {n_null} for permuted ones. " if n_null else ". ")
                + "Give it more time, fewer epochs or fewer rows.",
                UserWarning,
                stacklevel=5,
            )
        if self.n_features_to_select == "null" and n_above < floor:
            stands = "Nothing stands" if n_above == 0 else f"No more than {n_above} stand"
            warnings.warn(
                f"{stands} above the null of {len(found.null)} permuted targets. Because of "
                f"min_features_to_select={self.min_features_to_select}, {floor} are kept, those "
                "with the largest attributions. More rows may help, or another network.",
                UserWarning,
                stacklevel=5,
            )

    def _shaped(self, values: Any, weight: np.ndarray | None) -> np.ndarray:
        """Return encoded rows, dense and centred, as the network takes them."""
        if sparse.issparse(values):
            values = values.toarray()
        values = values - np.average(values, axis=0, weights=weight)
        if self.image_shape is not None:
            shape = tuple(int(size) for size in self.image_shape)
            shape = shape if len(shape) == 3 else (*shape, 1)
            if np.prod(shape) != values.shape[1]:
                raise ValueError(
                    f"The 'image_shape' parameter of {type(self).__name__} is {self.image_shape}, "
                    f"which makes {np.prod(shape)} numbers, and X has {values.shape[1]} features. "
                    "Pass images of that shape as rows of numbers, none missing in all of a column."
                )
            values = values.reshape(len(values), *shape) / (values.std() or 1.0)
        return values.astype(np.float32)

    def _cut_at(self, rule: int | float | str) -> None:
        if rule == "null":
            if not self.null:
                raise ValueError(
                    f"{type(self).__name__} was fitted with null=False, so it doesn't know what "
                    "stands above the null. Pass a number or a share, or fit with null=True."
                )
            rule = self._n_above
        super()._cut_at(rule)

    def _check_target(self, y: Any) -> np.ndarray:
        y, self._regresses = check_either(y, type(self).__name__)
        return y

    def _check_rows(self, n_rows: int, y: np.ndarray) -> None:
        """Raise if there are too few rows, or those of weight above 0 have one target."""
        name = type(self).__name__
        if n_rows < _LEAST_ROWS:
            raise ValueError(
                f"{name} holds out some of the rows and trains on the others, and {n_rows} rows "
                f"(of weight above 0) are too few. Pass at least {_LEAST_ROWS}."
            )
        if (y == y[0]).all():
            raise ValueError(
                f"y has one value, {y[0]!s}, in all rows of weight above 0, and {name} needs at "
                "least 2 classes. Pass rows of another value, too."
            )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = type(self).__name__
        check_choice(self.attribution, "attribution", name, METHODS)
        check_flag(self.null, "null", name)
        for parameter in ("n_permutations", "n_seeds", "epochs", "batch_size", "patience"):
            check_count(getattr(self, parameter), parameter, name)
        for parameter in ("alpha", "validation_fraction"):
            value = getattr(self, parameter)
            if not _is_number(value) or not 0 < value < 1:
                self._refuse(parameter, "a number in (0, 1)")
        rate = self.learning_rate
        if not _is_number(rate) or not 0 < rate < np.inf:
            self._refuse("learning_rate", "a number > 0")
        check_time_limit(self.time_limit, name)
        least = int(np.ceil(1 / self.alpha - 1 - 1e-9))
        if self.null and self.n_permutations < least:
            self._refuse(
                "n_permutations", f"at least {least} for alpha={self.alpha:g}, as no p-value is "
                "below 1 / (n_permutations + 1)"
            )  # fmt: skip
        if self.n_features_to_select == "null" and not self.null:
            self._refuse("n_features_to_select", "a number or a share where null=False")
        shape = self.image_shape
        if shape is not None and not (
            isinstance(shape, (tuple, list))
            and len(shape) in (2, 3)
            and all(isinstance(n, Integral) and not isinstance(n, bool) and n >= 1 for n in shape)
        ):
            self._refuse("image_shape", "(height, width) or (height, width, channels), ints >= 1")
        self._check_network(import_keras(name))

    def _check_network(self, keras: Any) -> None:
        """Raise unless there is a model and an optimizer that can be used."""
        model, optimizer = self.model, self.optimizer
        is_word = model is None or (isinstance(model, str) and model in ("mlp", "cnn"))
        if not is_word and (isinstance(model, str) or not callable(model)):
            self._refuse("model", "None, 'mlp', 'cnn', a function that builds a model, or a model")
        if isinstance(optimizer, str):
            try:
                new_optimizer(optimizer, float(self.learning_rate))
            except (ValueError, TypeError):
                self._refuse("optimizer", "the name of an optimizer of Keras, as 'adagrad'")
        elif not isinstance(optimizer, keras.optimizers.Optimizer):
            self._refuse("optimizer", "a name or a keras.optimizers.Optimizer")

    def _refuse(self, parameter: str, expected: str) -> None:
        """Raise because a parameter is not what was expected."""
        value = getattr(self, parameter)
        raise (ValueError if isinstance(value, (Real, str, tuple, list)) else TypeError)(
            f"The {parameter!r} parameter of {type(self).__name__} must be {expected}. "
            f"Got {value!r} instead."
        )

    def __sklearn_tags__(self) -> Any:
        """Say what goes in: a target is needed, sparse matrices are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


def _folded(values: np.ndarray, owner: np.ndarray, n_owners: int) -> np.ndarray:
    """Fold the features of each row."""
    return np.array([fold(row, owner, n_owners) for row in values]).reshape(-1, n_owners)


def _of_columns(units: Units, values: np.ndarray, sign: int) -> np.ndarray:
    """Return each column's value: that of its unit, or the best of its dimensions'."""
    return -sign * units.column_ranking(-sign * values)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
