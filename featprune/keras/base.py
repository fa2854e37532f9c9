"""What the classifier and the regressor share: parameters, weights, training, tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from types import NoneType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from featprune.keras.models import import_keras, make_callbacks, make_model, seeded

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike, NDArray

# Arguments of keras.Model.fit that fit gives itself.
_OWN = frozenset(
    {"x", "y", "epochs", "batch_size", "validation_split", "validation_data"}
    | {"callbacks", "verbose", "class_weight", "sample_weight"}
)
# For each parameter: its types, what a value must satisfy, and both in words.
_RULES: dict[str, tuple[Any, Callable[[Any], bool], str]] = {
    "model": (Callable, lambda v: True, "a function that builds a keras.Model, or such a model"),
    "epochs": (Integral, lambda v: v >= 1, "an int >= 1"),
    "batch_size": (Integral | NoneType, lambda v: v is None or v >= 1, "an int >= 1 or None"),
    "validation_split": (Real, lambda v: 0 <= v < 1, "a float in [0, 1)"),
    "class_weight": (
        str | Mapping | NoneType,
        lambda v: not isinstance(v, str) or v == "balanced",
        "'balanced', a dict {label: weight} or None",
    ),
    "fit_kwargs": (
        Mapping | NoneType,
        lambda v: not _OWN & set(v or ()),
        f"a dict for keras.Model.fit without {', '.join(sorted(_OWN))}, or None",
    ),
    "model_kwargs": (Mapping | NoneType, lambda v: True, "a dict for the builder or None"),
    "verbose": (Integral | str, lambda v: v in (0, 1, 2, "auto"), "0, 1, 2 or 'auto'"),
}


class KerasEstimator(BaseEstimator):
    """Base of both estimators; a subclass codes y and says which output layer fits it."""

    _y_options: Mapping[str, bool] = {}

    def __init__(
        self,
        model: keras.Model | Callable[..., keras.Model],
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        callbacks: Any = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.fit_kwargs = fit_kwargs
        self.model_kwargs = model_kwargs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Build a fresh model for the width of X and train it.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Finite numbers, cast to float32. A sparse matrix is made dense, here and in prediction,
            which takes 4 * n_samples * n_features bytes: prune first.
        y : array-like of shape (n_samples,), or (n_samples, n_outputs) for a regressor
            Labels of any kind for a classifier, numbers for a regressor.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0. Rows of weight 0 are left out and the others' weights scaled to mean 1,
            so that their size does not act as a learning rate.

        Returns
        -------
        self : estimator
            The fitted estimator. If fit raises, it stays what it was.

        Raises
        ------
        ValueError
            If a parameter has a wrong value, X or y can't be used, the model does not take
            n_features inputs or has not the outputs that y needs, or its weights became NaN.
        TypeError
            If a parameter has the wrong type, or the builder returns no keras.Model.
        ImportError
            If Keras or its backend can't be imported.
        """
        before = self.__dict__.copy()
        try:
            self._fit(X, y, sample_weight)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        keras, owner = import_keras(), type(self).__name__
        self._check_parameters(keras)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32, **self._y_options)
        X, y, weight = self._weigh(X, y, sample_weight)
        X = X.toarray() if sparse.issparse(X) else X
        codes = self._learn_y(y)
        told, widths = self._expect()
        rng = check_random_state(self.random_state)
        seed = None if self.random_state is None else int(rng.randint(2**31 - 1))
        with seeded(keras, seed):
            model, n_units = make_model(self.model, self.model_kwargs, told, widths, owner)
            if not model.compiled:
                model.compile(optimizer="adam", loss=self._default_loss(keras, model, n_units))
            target = self._make_target(model, n_units, codes)
            train = [X, target] if weight is None else [X, target, weight]
            options = dict(self.fit_kwargs or {})
            if self.validation_split:
                parts = train_test_split(
                    *train,
                    test_size=self.validation_split,
                    stratify=codes if is_classifier(self) else None,
                    random_state=rng,
                )
                train, options["validation_data"] = parts[::2], tuple(parts[1::2])
            history = model.fit(
                *train[:2],
                sample_weight=None if weight is None else train[2],
                epochs=self.epochs,
                batch_size=self.batch_size,
                callbacks=make_callbacks(self.callbacks, owner),
                verbose=self.verbose,
                **options,
            ).history
        weights = [keras.ops.convert_to_numpy(variable.value) for variable in model.weights]
        if not all(np.isfinite(array).all() for array in weights):
            raise ValueError(
                f"The weights of the model in {owner} became NaN or infinite in training. Scale X "
                "(StandardScaler) or lower the learning rate."
            )
        self.model_ = model
        self.history_ = {name: [float(v) for v in values] for name, values in history.items()}

    def _check_parameters(self, keras: Any) -> None:
        for name, (types, holds, expected) in _RULES.items():
            value = getattr(self, name, None)  # only a classifier has class_weight
            # True is an Integral; only for verbose it is a number that makes sense
            right_type = isinstance(value, types) and (name == "verbose" or value is not True)
            if not right_type or not holds(value):
                raise (ValueError if right_type else TypeError)(
                    f"The {name!r} parameter of {type(self).__name__} must be {expected}. "
                    f"Got {value!r} instead."
                )
        if isinstance(self.model, keras.Model) and self.model_kwargs:
            raise ValueError(
                f"The 'model_kwargs' parameter of {type(self).__name__} must be None when 'model' "
                f"is no function. Got {self.model_kwargs!r} instead."
            )

    def _weigh(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Drop the rows of weight 0; return the others and their weights of mean 1, or None."""
        weight, class_weight = None, getattr(self, "class_weight", None)
        if sample_weight is not None:
            weight = check_array(
                sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
            )
            if weight.shape != (X.shape[0],) or (weight < 0).any() or not weight.any():
                raise ValueError(
                    f"sample_weight must have shape ({X.shape[0]},), no negative weights and not "
                    f"only zeros. Got shape {weight.shape} with a minimum of {weight.min():g} and "
                    f"a maximum of {weight.max():g}."
                )
            kept = weight > 0
            X, y, weight = X[kept], y[kept], weight[kept]
        if class_weight is not None:
            per_class = compute_sample_weight(class_weight, y)
            weight = per_class if weight is None else per_class * weight
        return X, y, None if weight is None else (weight / weight.mean()).astype(np.float32)

    def _learn_y(self, y: Any) -> NDArray[Any]:
        """Set what is learnt from y and return it coded, one row a sample."""
        raise NotImplementedError

    def _expect(self) -> tuple[dict[str, int], list[int]]:
        """Return what a builder is told, and the numbers of output units that fit y."""
        raise NotImplementedError

    def _default_loss(self, keras: Any, model: keras.Model, n_units: int) -> Any:
        """Return the loss for a model that is not compiled."""
        raise NotImplementedError

    def _make_target(self, model: keras.Model, n_units: int, codes: Any) -> NDArray[Any]:
        """Return y as the model's loss wants it."""
        raise NotImplementedError

    def _raw(self, X: Any) -> NDArray[np.float64]:
        """Return the model's output, of shape (n_samples, n_units)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=False)
        X = X.toarray() if sparse.issparse(X) else X
        raw = self.model_.predict(X, batch_size=self.batch_size, verbose=0)
        return np.asarray(raw, dtype=np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
