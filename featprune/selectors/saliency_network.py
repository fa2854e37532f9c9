"""Where SaliencySelector's networks come from: the caller, or ours, kept once they are compiled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from featprune.importance.neural import attribution
from featprune.importance.neural.attribution import Gradients
from featprune.importance.neural.backend import import_keras
from featprune.importance.neural.models import (
    default_loss,
    loss_of,
    make_model,
    seeded,
    target_of,
)
from featprune.importance.neural.networks import (
    convolutional_network,
    dense_network,
    first_weights,
)
from featprune.importance.neural.saliency import Machine
from featprune.importance.neural.train import Network

# compiled networks of ours, kept for tables of the same width: compiling takes longer than
# training a small one. One set a thread, as a network is trained in place.
_kept = threading.local()
_MOST_KEPT = 4


class Part(NamedTuple):
    """A network and what it is fed.

    Attributes
    ----------
    machine : Machine
    codes : ndarray of shape (n_rows,), int
        The class of each row; zeros for numbers.
    target : ndarray of shape (n_rows, ...)
        As the loss wants it.
    """

    machine: Machine
    codes: np.ndarray
    target: np.ndarray


class NetworkSource(NamedTuple):
    """What networks are made from.

    Attributes
    ----------
    model : "mlp", "cnn", callable or keras.Model
    regresses : bool
        Whether the target is of numbers.
    optimizer : str or keras.optimizers.Optimizer
    learning_rate : float
    image_shape : tuple of int or None
        For builders that want to know.
    owner : str
        The selector's name, for messages.
    """

    model: Any
    regresses: bool
    optimizer: Any
    learning_rate: float
    image_shape: tuple[int, ...] | None
    owner: str

    def part(self, shape: tuple[int, ...], y: np.ndarray, seed: int) -> Part:
        """Return a compiled network for rows of a shape, and what it is fed for `y`."""
        told: dict[str, Any] = {"n_features_in_": int(np.prod(shape))}
        if self.regresses:
            codes, widths, n_units = np.zeros(len(y), dtype=int), [1], 1
            told["n_outputs_"] = 1
        else:
            classes, codes = np.unique(y, return_inverse=True)
            n_units = 1 if len(classes) == 2 else len(classes)
            widths = [1, 2] if len(classes) == 2 else [len(classes)]
            told["n_classes_"] = len(classes)
        told["image_shape"] = self.image_shape
        source, key = self.model, None
        if isinstance(source, str):
            network = convolutional_network if source == "cnn" else dense_network
            source = partial(network, shape=shape, n_units=n_units)
            if isinstance(self.optimizer, str):
                key = (network, shape, n_units, self.regresses, self.optimizer, self.learning_rate)
        build = partial(_build, source, told, shape, widths, self.owner)
        network, gradients, loss, n_units = _once(key, partial(self._compiled, build, seed))
        is_ours = isinstance(self.model, str)
        fresh = partial(first_weights, network.model) if is_ours else partial(_weights, build)
        if self.regresses:
            target = ((y - y.mean()) / y.std()).reshape(-1, 1).astype(np.float32)
        else:
            target = target_of(codes, loss, n_units)
        return Part(Machine(network, fresh, gradients), codes, target)

    def _compiled(
        self, build: Callable[[int], tuple[Any, int]], seed: int
    ) -> tuple[Network, Gradients, str, int]:
        """Return a network, its gradients, the name of its loss, and its number of outputs."""
        model, n_units = build(seed)
        if not model.compiled:
            loss = "mse" if self.regresses else default_loss(model, n_units, self.owner)
            model.compile(optimizer=new_optimizer(self.optimizer, self.learning_rate), loss=loss)
        name, output = self._output(model, n_units)
        return Network(model), Gradients(model, output), name, n_units

    def _output(self, model: Any, n_units: int) -> tuple[str, str]:
        """Return the name of a model's loss, and what its output is."""
        loss, from_logits = loss_of(model)
        if self.regresses:
            return loss, attribution.NUMBERS
        is_logits = from_logits or "hinge" in loss
        if n_units > 1 and loss.startswith("binary"):
            return loss, attribution.EACH_LOGIT if is_logits else attribution.EACH_PROBABILITY
        return loss, attribution.LOGITS if is_logits else attribution.PROBABILITIES


def new_optimizer(optimizer: Any, learning_rate: float) -> Any:
    """Return an optimizer for one model: by its name, or a copy of the one given.

    Raises
    ------
    ValueError
        If Keras has none of that name.
    """
    import keras

    if isinstance(optimizer, str):
        config = {"learning_rate": learning_rate}
        return keras.optimizers.get({"class_name": optimizer, "config": config})
    return type(optimizer).from_config(optimizer.get_config())


def _build(
    source: Any,
    told: dict[str, Any],
    shape: tuple[int, ...],
    widths: list[int],
    owner: str,
    seed: int,
) -> tuple[Any, int]:
    """Return a model whose first weights are those of a seed, and its number of outputs."""
    with seeded(import_keras(owner), seed):
        return make_model(source, {}, told, shape, widths, owner)


def _weights(build: Callable[[int], tuple[Any, int]], seed: int) -> list[np.ndarray]:
    """Return the first weights of a seed."""
    from keras import ops

    model, _ = build(seed)
    return [np.array(ops.convert_to_numpy(variable.value)) for variable in model.variables]


def _once(key: Any, make: Callable[[], Any]) -> Any:
    """Return what was made for the key in this thread, or make it; without a key, make it."""
    if key is None:
        return make()
    made = _kept.__dict__.setdefault("made", {})
    if key not in made:
        if len(made) >= _MOST_KEPT:
            made.pop(next(iter(made)))
        made[key] = make()
    return made[key]
