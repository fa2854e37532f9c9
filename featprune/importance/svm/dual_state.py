"""The arrays that following the dual of a linear machine consists of, and names in them.

Here and not beside the compiled loops that use them, because importing those loads numba.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Up to so many rows, each step may cost O(n^2) beside what the solution needs.
FEW = 512
# Rows of `Problems.V`, v for one problem: coefficient; decision value plus ridge times it; where
# the loss begins on either side; bound of the coefficient; what the loss adds to the diagonal of
# the kernel
BETA, MARGIN, LOW, HIGH, BOX, RIDGE = range(6)
SCALARS = 6
# Places of ``v[SCALARS]``: the bias, what a penalised bias adds to each entry of the kernel, and by
# how much rounding in the inverse has grown
BIAS, CONSTANT, WEAR = range(3)
# Rows of `Problems.S`, s for one problem: where a sample is (0 at zero, 1 or -1 between zero and
# its bound of that sign, and so in the free set, 2 or -2 at its bound); its place in the free set
# or -1; the free set
STATE, SLOT, MEMBER, COUNTS = range(4)
# Places of ``s[COUNTS]``: samples in the free set; whether the bias is a free variable; whether
# arithmetic gave out, or the problem was not solved yet; how many vectors the inverse holds back
FREE, BORDERED, BAD, PENDING = range(4)
# How many it may hold back.
HELD = 8
# Places of `Course.count`: features whose kernel is still to be taken off; units listed, how many
# of them are near, and of those in the sketch; looks for the next unit since the near ones were
# gathered; criteria computed; breakpoints; features of a sparse table that are left
RESTING, LISTED, NEAR, SKETCHED, LOOKS, SEEN, BREAKPOINTS, ALIVE = range(8)
# Places of `Course.way`: how far the weights went since the units were listed, as a bound, and
# until the near ones were gathered; the length of the coefficients when the sketch was looked at;
# the way and the value up to which the near units are all that count; a bound on the rounding of
# values; how much of the kernel's trace may still go before it is computed anew
TRAVEL, GATHERED, SIZE, REACH, LEVEL, SLOP, SPARE = range(7)


class Table(NamedTuple):
    """The features, which never change.

    Attributes
    ----------
    XT : ndarray of shape (n_features, n), or (0, n) for a sparse table
        Features in rows, centred where the bias is a free variable: it makes up for that.
    start, row, value : ndarray of shape (n_features + 1,), (n_entries,), (n_entries,)
        A sparse table in place of `XT`, as a CSR matrix of the same shape, not centred.
    mean : ndarray of shape (n_features,)
        What was taken off the features.
    first : ndarray of shape (n_units + 1,), int
        Unit u owns ``features[first[u]:first[u + 1]]``.
    features : ndarray of shape (n_features,), int
    """

    XT: np.ndarray
    start: np.ndarray
    row: np.ndarray
    value: np.ndarray
    mean: np.ndarray
    first: np.ndarray
    features: np.ndarray


class Problems(NamedTuple):
    """Each problem of the machine, at the optimum of its dual.

    Rows of the table are sorted so that each problem takes one or two runs of them.

    Attributes
    ----------
    V : ndarray of shape (n_problems, 7, n)
        Coefficients, margins (decision value plus ridge times coefficient), where the loss
        begins below and above, box, ridge, and the bias among some scalars. Coefficients of
        rows not taken are zero.
    S : ndarray of shape (n_problems, 4, n), int
        State of each row, its place among the free ones or -1, the free ones, and counts.
    inv : ndarray of shape (n_problems, most free + 1 + HELD, most free + 2)
        Inverse of ``[[0, 1'], [1, K_FF + ridge]]`` for the free rows F, without the border
        where the bias is penalised; the last rows and the last column see `dual_free`.
    spans : ndarray of shape (n_problems, 4), int
        The two runs of rows, the second one empty or not.
    """

    V: np.ndarray
    S: np.ndarray
    inv: np.ndarray
    spans: np.ndarray


class HeldOut(NamedTuple):
    """Rows that no problem takes, and whose decision values are wanted.

    Attributes
    ----------
    XT, start, row, value : ndarray
        Their features, as in `Table`: ``XT`` of shape (n_features, n_held_out) or (0, 0).
    K : ndarray of shape (n_held_out, n)
        Their kernel with the other rows, of the features that are left.
    """

    XT: np.ndarray
    start: np.ndarray
    row: np.ndarray
    value: np.ndarray
    K: np.ndarray


class Course(NamedTuple):
    """The kernel, the units that are left, and which of them can be next.

    For any positive definite M, ``|x'b| <= sqrt(x' inv(M) x) sqrt(b' M b)``: when the betas
    move by r in the metric M, a unit's value (the norm of its weights) moves by at most r times
    the unit's own norm in that of inv(M). M is K as it was some time ago: betas move mostly
    where K is flat, the features lie where it is steep, which makes the bound much sharper
    than that of plain lengths. For many rows this costs more than it saves: there r is the
    way of the weights themselves, and each norm is 1.

    Attributes
    ----------
    K : ndarray of shape (n, n)
        Kernel of the features that are left and of those in `rest`; a penalised bias included.
    rest : ndarray of shape (most, n)
        Features that left, but are still in K: the first ``count[RESTING]`` rows. Those of a
        sparse table are taken off K at once.
    alive : ndarray of shape (n_features,) or (0,), int
        Of a sparse table, the features that are left, ascending: ``count[ALIVE]`` of them.
    metric : ndarray of shape (n, n) or (0, 0)
        M.
    anchor : ndarray of shape (n_problems, n)
        The betas when the near units were gathered, from where ``way[TRAVEL]`` goes on in a
        straight line; without a sketch, those of the last step.
    gone : ndarray of shape (n_units,), bool
    order : ndarray of shape (n_units,), int
        The units that may leave, in no order: the first ``count[LISTED]`` places. As long as
        ``way[TRAVEL]`` is at most ``way[REACH]``, the values of all but the first
        ``count[NEAR]`` of them are above ``way[LEVEL]``.
    bound, slope : ndarray of shape (n_units,)
        The value of ``order[a]`` is at least ``bound[a] - slope[a] * way[TRAVEL]``.
    sketch : ndarray of shape (n, most), float32
        Where each unit is a column of a dense table, those of the first ``count[SKETCHED]``
        places, each divided by its length.
    hints : ndarray of shape (most,)
        Criteria by the sketch when it was last looked at.
    halves : ndarray of shape (most,), float32
        Scratch.
    length : ndarray of shape (n_units,)
        Length of the column of ``order[a]`` where there is a sketch.
    lengths : ndarray of shape (n_features,)
        Of all columns of a dense table.
    norm : ndarray of shape (n_units,)
        Norm of each unit.
    count : ndarray of shape (8,), int
    way : ndarray of shape (7,)
        Their places have names above.
    """

    K: np.ndarray
    rest: np.ndarray
    alive: np.ndarray
    metric: np.ndarray
    anchor: np.ndarray
    gone: np.ndarray
    order: np.ndarray
    bound: np.ndarray
    slope: np.ndarray
    sketch: np.ndarray
    hints: np.ndarray
    halves: np.ndarray
    length: np.ndarray
    lengths: np.ndarray
    norm: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # numba needs no tuple method of this name
    way: np.ndarray
