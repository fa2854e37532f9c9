"""A Keras model as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from featprune.keras.base import KerasEstimator
from featprune.keras.models import last_activation, loss_of

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


class KerasClassifier(ClassifierMixin, KerasEstimator):
    """Train a Keras model as a scikit-learn classifier.

    Parameters
    ----------
    model : callable or keras.Model
        A function that builds the model. It is told `n_features_in_` and `n_classes_` by keyword,
        those of them that its signature has, and `model_kwargs`. Or a model that serves as a
        pattern: each fit trains a copy with fresh weights (adapted or pretrained weights are not
        taken over, use a function for them) and the same optimizer, loss and metrics. What is not
        compiled is compiled with Adam and the cross-entropy that fits its last layer.
    epochs : int, default=1
        Passes over the rows.
    batch_size : int, default=None
        Rows per step in training and prediction; None is Keras's 32.
    validation_split : float, default=0.0
        Share of the rows held out of training for the `val_` entries of `history_`, drawn at
        random within each class (Keras's own takes the last rows).
    callbacks : list of keras.callbacks.Callback, a callback or callable, default=None
        Each fit works with deep copies, or with what the callable, called without arguments,
        returns.
    class_weight : dict {label: weight} or "balanced", default=None
        As in scikit-learn; multiplied into `sample_weight`.
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
    classes_ : ndarray of shape (n_classes_,)
        The labels, sorted.
    n_classes_ : int
        Number of labels.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if it had any that are all strings.

    Notes
    -----
    The model ends in `n_classes_` units, or in one unit for two classes. y reaches the loss as 0.0
    and 1.0 for one unit, as integer codes if the loss's name starts with "sparse", and one-hot
    otherwise. The output counts as logits if the loss has ``from_logits=True`` or is a hinge, and
    as probabilities otherwise; a cross-entropy that contradicts the last activation is an error.

    With `random_state` set, the global states of Python and numpy are put back after fit; Keras and
    its backend can't be read, and are seeded anew from Python's. Fits in parallel threads share
    these states: use processes for runs that repeat. Metrics without a name are numbered by Keras
    (auc, auc_1, ...) from fit to fit: name the one that a callback monitors.

    The builder must make a new model at each call. Pickling stores the model in Keras's own format,
    so custom layers and losses must be importable or registered with Keras.

    Examples
    --------
    >>> import keras
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from featprune.keras import KerasClassifier
    >>> def build_mlp(n_features_in_, n_classes_):
    ...     return keras.Sequential([
    ...         keras.Input((n_features_in_,)),
    ...         keras.layers.Dense(16, activation="relu"),
    ...         keras.layers.Dense(n_classes_, activation="softmax"),
    ...     ])
    >>> X, y = load_wine(return_X_y=True)
    >>> mlp = KerasClassifier(build_mlp, epochs=30, random_state=0)
    >>> pipe = make_pipeline(StandardScaler(), mlp).fit(X, y)
    >>> pipe.predict_proba(X).shape
    (178, 3)
    >>> bool(pipe.score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        model: keras.Model | Callable[..., keras.Model],
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_split: float = 0.0,
        callbacks: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int | str = 0,
    ) -> None:
        super().__init__(
            model,
            epochs=epochs,
            batch_size=batch_size,
            validation_split=validation_split,
            callbacks=callbacks,
            fit_kwargs=fit_kwargs,
            model_kwargs=model_kwargs,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the likeliest label of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features_in_)
            Finite numbers.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels; of equally likely ones, the first in `classes_`.
        """
        scores = self.decision_function(X)
        codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the probability of each label.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features_in_)
            Finite numbers.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes_)
            Rows sum to 1, columns as in `classes_`. After a hinge loss they are not calibrated.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return special.expit(np.column_stack([-scores, scores]))
        return special.softmax(scores, axis=1)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the log-odds of each row, or the logits of each label.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features_in_)
            Finite numbers.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes_)
            For two classes, the log-odds of ``classes_[1]``; for more, logits or log-probabilities,
            whose softmax is `predict_proba`.
        """
        raw = self._raw(X)
        tiny, below_1 = float(np.finfo(np.float32).tiny), 1 - 2.0**-25
        if raw.shape[1] == 1:
            scores = raw[:, 0] if self._logits else special.logit(raw[:, 0].clip(tiny, below_1))
        else:
            scores = raw if self._logits else np.log(raw.clip(tiny))
            if self._logits and self._one_against_rest:
                scores = special.log_expit(raw)
            scores = scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores
        return scores

    def _learn_y(self, y: Any) -> NDArray[np.int64]:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_classes_ = len(self.classes_)
        if self.n_classes_ < 2:
            raise ValueError(
                "KerasClassifier needs a y with at least two classes. Got one class, "
                f"{self.classes_.tolist()[0]!r}, in {len(y)} samples of weight above 0."
            )
        return codes

    def _expect(self) -> tuple[dict[str, int], list[int]]:
        told = {"n_features_in_": self.n_features_in_, "n_classes_": self.n_classes_}
        return told, [1, 2] if self.n_classes_ == 2 else [self.n_classes_]

    def _default_loss(self, keras: Any, model: keras.Model, n_units: int) -> Any:
        activation = last_activation(model)
        if activation not in ("linear", "sigmoid", "softmax"):
            raise ValueError(
                "The model in KerasClassifier must be compiled, as the loss can't be chosen from "
                f"its last activation. Got {activation or 'an unknown one'!r}. Call model.compile "
                "in the builder."
            )
        if n_units == 1 or activation == "sigmoid":
            return keras.losses.BinaryCrossentropy(from_logits=activation == "linear")
        return keras.losses.SparseCategoricalCrossentropy(from_logits=activation == "linear")

    def _make_target(self, model: keras.Model, n_units: int, codes: Any) -> NDArray[Any]:
        loss, from_logits = loss_of(model)
        self._logits = from_logits or "hinge" in loss
        self._one_against_rest = loss.startswith("binary")
        activation = last_activation(model)
        if n_units == 1 and ("categorical" in loss or activation == "softmax"):
            raise ValueError(
                "The model in KerasClassifier must not end in one unit with a softmax or a "
                f"categorical loss: it can't learn. Got the loss {model.loss!r} and the activation "
                f"{activation!r}. Use 'sigmoid' and 'binary_crossentropy', or two units."
            )
        clash = ("sigmoid", "softmax") if self._logits else ("linear",)
        if "crossentropy" in loss and activation in clash:
            raise ValueError(
                f"The loss in KerasClassifier must agree with the last activation, {activation!r}. "
                f"Got {model.loss!r} with from_logits={self._logits}. Use 'sigmoid' or 'softmax' "
                "with from_logits=False, or no activation with from_logits=True."
            )
        if n_units == 1:
            return codes.reshape(-1, 1).astype(np.float32)
        if loss.startswith("sparse"):
            return codes.astype(np.int32)
        return np.eye(n_units, dtype=np.float32)[codes]
