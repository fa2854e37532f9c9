"""A Keras model as a scikit-learn regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from featprune.keras.base import KerasEstimator

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


class KerasRegressor(RegressorMixin, KerasEstimator):
    """Train a Keras model as a scikit-learn regressor.

    Parameters
    ----------
    model : callable or keras.Model
        A function that builds the model. It is told `n_features_in_` and `n_outputs_` by keyword,
        those of them that its signature has, and `model_kwargs`. Or a model that serves as a
        pattern, as in `KerasClassifier`. What is not compiled is compiled with Adam and the mean
        squared error.
    epochs : int, default=1
        Passes over the rows.
    batch_size : int, default=None
        Rows per step in training and prediction; None is Keras's 32.
    validation_split : float, default=0.0
        Share of the rows held out of training for the `val_` entries of `history_`, drawn at
        random (Keras's own takes the last rows).
    callbacks : list of keras.callbacks.Callback, a callback or callable, default=None
        Each fit works with deep copies, or with what the callable, called without arguments,
        returns.
    fit_kwargs : dict, default=None
        Further arguments of ``keras.Model.fit``.
    model_kwargs : dict, default=None
        Further arguments of the builder.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, dropout, shuffling and the held-out rows; None leaves Keras to its global
        state.
    verbose : {0, 1, 2, "auto"}, default=0
        Keras's verbosity in training.

    Attributes
    ----------
    model_ : keras.Model
        The trained model.
    history_ : dict of str to list of float
        Loss and metrics after each epoch.
    n_outputs_ : int
        Number of columns of y.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it had any that are all strings.

    Notes
    -----
    The model ends in `n_outputs_` units. y is trained on as it is: wrap the regressor in
    ``sklearn.compose.TransformedTargetRegressor`` to scale it. The notes of `KerasClassifier` on
    seeds, metrics' names and pickling hold here too.

    Examples
    --------
    >>> import keras
    >>> from sklearn.datasets import make_regression
    >>> from featprune.keras import KerasRegressor
    >>> def build_linear(n_outputs_):
    ...     model = keras.Sequential([keras.layers.Dense(n_outputs_)])
    ...     model.compile(keras.optimizers.SGD(0.1), "mse")
    ...     return model
    >>> X, y = make_regression(n_features=4, random_state=0)
    >>> model = KerasRegressor(build_linear, epochs=20, random_state=0).fit(X, y)
    >>> model.predict(X).shape, bool(model.score(X, y) > 0.9)
    ((100,), True)
    """

    _y_options = {"multi_output": True, "y_numeric": True}  # noqa: RUF012 - read only

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict the targets of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features_in_)
            Finite numbers.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs_)
            Predictions, with as many dimensions as the y given to fit.
        """
        raw = self._raw(X)
        return raw[:, 0] if self._flat else raw

    def _learn_y(self, y: Any) -> NDArray[np.float32]:
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1).astype(np.float32)
        self.n_outputs_ = y.shape[1]
        return y

    def _expect(self) -> tuple[dict[str, int], list[int]]:
        told = {"n_features_in_": self.n_features_in_, "n_outputs_": self.n_outputs_}
        return told, [self.n_outputs_]

    def _default_loss(self, keras: Any, model: keras.Model, n_units: int) -> str:
        return "mean_squared_error"

    def _make_target(self, model: keras.Model, n_units: int, codes: Any) -> NDArray[np.float32]:
        return codes

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
