"""The arrays that a linear hinge-loss elimination consists of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Problems(NamedTuple):
    """The two-class problems of one elimination, each an optimum of its dual.

    Problem k minimises ``beta'K beta / 2 - target'beta`` within ``lower <= beta <= upper``,
    ``sum(beta) = 0``; beta is y * alpha. It takes two runs of the rows, which are sorted by
    class. Arrays are padded to the largest problem.

    Attributes
    ----------
    span : ndarray of shape (n_problems, 3), int
        First row of the first run, first row of the second, length of the first.
    n_rows : ndarray of shape (n_problems,), int
        n_k, the samples of each problem.
    target, lower, upper : ndarray of shape (n_problems, max n_k)
        Class as -1 or +1, and the box of beta.
    beta : ndarray of shape (n_problems, max n_k)
        Exactly on its bound where a sample is not free; zero in the padding.
    bias : ndarray of shape (n_problems,)
    margin : ndarray of shape (n_problems, max n_k)
        ``K beta + bias``; free samples hold their target.
    members : ndarray of shape (n_problems, max free), int
        The free samples, in the order of `inv`.
    slot : ndarray of shape (n_problems, max n_k), int
        Place of a sample in `members`, -1 if it is not free.
    n_free : ndarray of shape (n_problems,), int
        At least one; where all samples sit on bounds, one of them stands in and sets a bias
        that is one of many.
    inv : ndarray of shape (n_problems, max free + 1, max free + 1)
        Inverse of ``[[0, 1'], [1, K_FF]]``.
    bad : ndarray of shape (n_problems,), bool
        Problems that must be settled anew before the next step.
    """

    span: np.ndarray
    n_rows: np.ndarray
    target: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    beta: np.ndarray
    bias: np.ndarray
    margin: np.ndarray
    members: np.ndarray
    slot: np.ndarray
    n_free: np.ndarray
    inv: np.ndarray
    bad: np.ndarray


class Table(NamedTuple):
    """What the features look like, and the kernels of those that are left.

    Attributes
    ----------
    XT : ndarray of shape (n_features, n), or (0, n) for a sparse table
        Features in rows, samples sorted by class, each feature centred.
    held : ndarray of shape (n_features, n_held_out), or (0, n_held_out) for a sparse table
        The held-out rows, shifted alike.
    start, row, value : ndarray of shape (n_features + 1,), (n_entries,), (n_entries,)
        A sparse table in place of `XT`, as a CSR matrix of the same shape and sorted; not
        centred.
    held_start, held_row, held_value : ndarray
        The same in place of `held`.
    K : ndarray of shape (n, n)
        Kernel of the features that are left.
    K_held : ndarray of shape (n_held_out, n)
    first : ndarray of shape (n_units + 1,), int
        Unit u owns ``features[first[u]:first[u + 1]]``.
    features : ndarray of shape (n_features,), int
    """

    XT: np.ndarray
    held: np.ndarray
    start: np.ndarray
    row: np.ndarray
    value: np.ndarray
    held_start: np.ndarray
    held_row: np.ndarray
    held_value: np.ndarray
    K: np.ndarray
    K_held: np.ndarray
    first: np.ndarray
    features: np.ndarray


class Pools(NamedTuple):
    """Units that are left, and two nested pools of those that can be next.

    The value of a unit is the norm of its weights over features and problems. For any positive
    definite S, ``|x'b| <= sqrt(x'inv(S) x) sqrt(b'S b)``: when the betas move by r in the
    metric of S, a value moves by at most r times the unit's own norm in that of inv(S). Pool 0
    (of all that are left) and pool 1 (of pool 0) therefore hold every unit whose value can
    lie below ``cut`` while the betas stay within ``reach`` of where they were.

    S is K as it was some time ago: betas move mostly where K is flat, the features lie where
    it is steep, and so the bound is p / n times sharper than that of plain lengths.

    Attributes
    ----------
    alive : ndarray of shape (n_units,), int
        The units that may leave, in the first ``count[2]`` places.
    norm : ndarray of shape (n_units,)
    ids : ndarray of shape (2, n_units), int
    count : ndarray of shape (3,), int
        Units in pool 0, in pool 1, in `alive`.
    anchor : ndarray of shape (2, n_problems, max n_k)
        The betas when each pool was made.
    reach, cut : ndarray of shape (2,)
    keys : ndarray of shape (n_units,)
        Scratch, with `order`.
    order : ndarray of shape (n_units,), int
    gone : ndarray of shape (n_units,), bool
    metric : ndarray of shape (n, n), or (0, 0) for plain lengths
        S, over the rows of the table.
    """

    alive: np.ndarray
    norm: np.ndarray
    ids: np.ndarray
    count: np.ndarray
    anchor: np.ndarray
    reach: np.ndarray
    cut: np.ndarray
    keys: np.ndarray
    order: np.ndarray
    gone: np.ndarray
    metric: np.ndarray


class Log(NamedTuple):
    """What has happened so far.

    Attributes
    ----------
    order : ndarray of shape (n_units,), int
    criterion : ndarray of shape (n_units,)
    sizes : ndarray of shape (max models,), int
    decisions : ndarray of shape (max models, n_held_out, n_problems)
    done : ndarray of shape (5,), int
        Units removed, models noted, features since the last refresh, breakpoints, refreshes.
    trace : ndarray of shape (2,)
        Trace of K now, and when it was last computed afresh.
    """

    order: np.ndarray
    criterion: np.ndarray
    sizes: np.ndarray
    decisions: np.ndarray
    done: np.ndarray
    trace: np.ndarray
