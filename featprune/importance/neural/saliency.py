"""Attributions of networks for a target and for permuted ones, averaged over seeds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from featprune.importance.neural.attribution import Gradients, attributions
from featprune.importance.neural.train import Network, Sample, Schedule


class Machine(NamedTuple):
    """A network, and how it is made new and read.

    Attributes
    ----------
    network : Network
    fresh : callable
        Takes a seed, returns first weights.
    gradients : Gradients
    """

    network: Network
    fresh: Callable[[int], list[np.ndarray]]
    gradients: Gradients


class Plan(NamedTuple):
    """What is to be done.

    Attributes
    ----------
    method : str
        Of the attributions.
    n_seeds, n_permutations : int
    held_out : float
        Share of the rows.
    schedule : Schedule
        Its deadline is that of all networks.
    seed : int
    progress : callable
        Called with how many networks are trained, and how many there will be.
    """

    method: str
    n_seeds: int
    n_permutations: int
    held_out: float
    schedule: Schedule
    seed: int
    progress: Callable[[int, int], None]


class Found(NamedTuple):
    """What came out.

    Attributes
    ----------
    real : ndarray of shape (n_seeds, n_features)
        Of the seeds that there was time for.
    null : ndarray of shape (n_permutations, n_features)
        Of the permutations that there was time for.
    seed_of : ndarray of shape (n_permutations,), int
    n_epochs : list of int
        To the least loss on held-out rows, for each seed.
    losses : list of lists of float
        On held-out rows after each epoch, for each seed.
    """

    real: np.ndarray
    null: np.ndarray
    seed_of: np.ndarray
    n_epochs: list[int]
    losses: list[list[float]]


def saliency(
    machine: Machine,
    rows: np.ndarray,
    codes: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    plan: Plan,
    classes: np.ndarray | None,
) -> Found:
    """Train networks and find what each input does to their output on held-out rows.

    Parameters
    ----------
    machine : Machine
    rows : ndarray of shape (n_rows, ...), float32
    codes : ndarray of shape (n_rows,), int
        Class of each row; zeros where there are none.
    target : ndarray of shape (n_rows, ...)
        As the loss wants it.
    weight : ndarray of shape (n_rows,), float32
    plan : Plan
    classes : ndarray of shape (n_rows,) or None
        What is to be in training and held-out rows alike.

    Returns
    -------
    Found

    Notes
    -----
    A network for a permuted target has the first weights and the held-out rows of one of the
    seeds, and is trained for as many epochs as that was, so that nothing but the target differs.
    """
    n_networks = plan.n_seeds + plan.n_permutations
    starts, splits, real, n_epochs, losses = [], [], [], [], []
    for i in range(plan.n_seeds):
        if i and plan.schedule.is_late():
            break
        rng = np.random.default_rng([plan.seed, 0, i])
        weights = machine.fresh(int(rng.integers(2**31 - 1)))
        train, held_out = _split(len(rows), plan.held_out, classes, rng)
        sample = Sample(rows, target, weight)
        machine.network.start(weights)
        lengths = machine.network.train(
            sample.take(train),
            sample.take(held_out),
            _share_of_time(plan.schedule, n_networks - i),
            rng,
        )
        real.append(_attributed(machine, rows, codes, weight, held_out, plan.method, rng))
        starts.append(weights)
        splits.append((train, held_out))
        n_epochs.append(lengths[0])
        losses.append(lengths[1])
        plan.progress(i + 1, n_networks)
    null, seed_of = [], []
    for i in range(plan.n_permutations):
        rng, one = np.random.default_rng([plan.seed, 1, i]), i % len(real)
        places = rng.permutation(len(rows))
        train, held_out = splits[one]
        sample = Sample(rows, target[places], weight).take(train)
        machine.network.start(starts[one])
        if not machine.network.train_as_long(sample, n_epochs[one], plan.schedule, rng):
            break
        null.append(_attributed(machine, rows, codes[places], weight, held_out, plan.method, rng))
        seed_of.append(one)
        plan.progress(plan.n_seeds + i + 1, n_networks)
    return Found(
        np.array(real),
        np.array(null).reshape(len(null), len(real[0])),
        np.array(seed_of, dtype=np.intp),
        n_epochs,
        losses,
    )


def _attributed(
    machine: Machine,
    rows: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray,
    idx: np.ndarray,
    method: str,
    rng: np.random.Generator,
) -> np.ndarray:
    return attributions(machine.gradients, rows[idx], codes[idx], weight[idx], method, rng)


def _split(
    n_rows: int, share: float, classes: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return training and held-out rows, of each class alike where there are enough."""
    n_held_out = int(np.ceil(share * n_rows))
    if classes is not None:
        counts = np.unique(classes, return_counts=True)[1]
        if counts.min() < 2 or min(n_held_out, n_rows - n_held_out) < len(counts):
            classes = None
    train, held_out = train_test_split(
        np.arange(n_rows),
        test_size=n_held_out,
        stratify=classes,
        random_state=int(rng.integers(2**31 - 1)),
    )
    return train, held_out


def _share_of_time(schedule: Schedule, n_left: int) -> Schedule:
    """Give a network an equal share of the time that is left."""
    if schedule.deadline is None:
        return schedule
    now = time.monotonic()
    return replace(schedule, deadline=now + (schedule.deadline - now) / n_left)
