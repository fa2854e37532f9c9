"""Neighbours of rows: which they are, and how many of them stay when columns go.

Distances that differ by less than rounding does are equal, and of rows at equal distances the
one further up is the nearer, so that neighbours do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

METRICS = ("euclidean", "cosine")

# numbers of a block of rows by rows that are held at a time
_BLOCK = 2**21
# steps into which the largest distance is divided: far above rounding, far below what matters
_STEPS = 2**44
# neighbours that are listed for each row, as a multiple of those that are asked for: with one
# column less, the nearest are among them, or the row is looked at as a whole
_LISTED = 12
# what a row's own key is, so that no row is its own neighbour
_NEVER = np.iinfo(np.int64).max


def nearest(queries: np.ndarray, base: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Return the `k` rows of `base` that are nearest to each row of `queries`, nearest first.

    Parameters
    ----------
    queries : ndarray of shape (n_queries, n_features), float
    base : ndarray of shape (n_rows, n_features), float
    k : int
        At most n_rows.
    metric : {"euclidean", "cosine"}
        A vector of zeros has the cosine 0 to all others.

    Returns
    -------
    ndarray of shape (n_queries, k), int
    """
    found = np.empty((len(queries), k), dtype=np.intp)
    space = _Space(base, metric)
    for rows in _blocks(len(queries), len(base)):
        keys = space.keys(space.distances(queries[rows]))
        found[rows] = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1) % len(base)
    return found


def shared(neighbours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which share of its `neighbours` each row has among its `others`, too.

    Parameters
    ----------
    neighbours, others : ndarray of shape (n_rows, k), int

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    return (neighbours[:, :, np.newaxis] == others[:, np.newaxis, :]).sum(axis=(1, 2)) / (
        neighbours.shape[1]
    )


def preserved(X: np.ndarray, Z: np.ndarray, k: int, metric: str) -> tuple[float, float]:
    """Return how well the neighbours in `X` are kept in `Z`.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float
    Z : ndarray of shape (n_rows, n_others), float
        The same rows.
    k : int
        How many neighbours of each row count; fewer than half of the rows.
    metric : {"euclidean", "cosine"}

    Returns
    -------
    trustworthiness : float
        1 less a penalty for neighbours in `Z` that are none in `X`, by how far they are down
        in the order of all rows (Venna & Kaski 2001); 1 is best.
    recall : float
        Share of the neighbours in `X` that are neighbours in `Z`.

    Notes
    -----
    Two products of n × n × n_features, and n² for each neighbour; a block of rows at a time.
    """
    n_rows = len(X)
    before, after = _Space(X, metric), _Space(Z, metric)
    tally = np.zeros(2, dtype=np.int64)
    for rows in _blocks(n_rows, n_rows):
        full = before.own_keys(before.own_distances(rows), rows)
        less = after.own_keys(after.own_distances(rows), rows)
        tally += _compare(full, _kth(full, k), less, k)
    return _measures(tally, n_rows, k)


def preserved_without(
    X: np.ndarray, units: Sequence[np.ndarray], k: int, metric: str
) -> list[tuple[float, float]]:
    """Return trustworthiness and recall for each unit, that unit alone left out.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float
    units : sequence of ndarray of int
        The features of each unit.
    k : int
    metric : {"euclidean", "cosine"}

    Returns
    -------
    list of (trustworthiness, recall)
        As :func:`preserved` has them.

    Notes
    -----
    The features of a unit are taken out of distances that are known, d² - (x - x')², and by no
    more than the unit's range allows. So only a list of the nearest of each row is looked at,
    n × 12k for a unit, unless a row that is not in the list might come nearer; then all are.
    """
    n_rows = len(X)
    space = _Space(X, metric)
    tallies = np.zeros((len(units), 2), dtype=np.int64)
    for rows in _blocks(n_rows, n_rows):
        part = _Part(space, rows, k)
        for tally, unit in zip(tallies, units, strict=True):
            tally += part.without(unit)
    return [_measures(tally, n_rows, k) for tally in tallies]


class _Space:
    """Rows, and the order of all of them by their distance from others."""

    def __init__(self, base: np.ndarray, metric: str) -> None:
        self.metric, self.is_cosine = metric, metric == "cosine"
        # distances do not change if all rows are moved; their rounding does
        self.centre = 0.0 if self.is_cosine else base.mean(axis=0)
        self.base = self._placed(base)
        self.squares = np.square(self.base).sum(axis=1)
        # the largest distance there can be between two rows
        self.largest = 2.0 if self.is_cosine else 4 * float(self.squares.max(initial=0.0)) or 1.0
        # key and row number have to fit into 63 bits
        self.steps = min(_STEPS, 2 ** (61 - len(base).bit_length()))

    def distances(self, queries: np.ndarray) -> np.ndarray:
        """Squared Euclidean distances, or 1 less the cosine, shape (n_queries, n_rows)."""
        placed = self._placed(queries)
        return self._between(placed, np.square(placed).sum(axis=1))

    def own_distances(self, rows: np.ndarray) -> np.ndarray:
        """The same of own `rows` from all."""
        return self._between(self.base[rows], self.squares[rows])

    def _placed(self, values: np.ndarray) -> np.ndarray:
        """Moved by the centre, or of length 1 if lengths do not count; zeros stay zeros."""
        if not self.is_cosine:
            return values - self.centre
        lengths = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
        return values / np.where(lengths > 0, lengths, 1.0)

    def _between(self, placed: np.ndarray, squares: np.ndarray) -> np.ndarray:
        products = placed @ self.base.T
        if self.is_cosine:
            return 1 - products
        products *= -2
        products += self.squares
        products += squares[:, np.newaxis]
        return products

    def keys(self, distances: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """Whole numbers, no two alike, in the order of the distances and then of the rows."""
        scaled = np.maximum(distances, 0.0)
        scaled *= self.steps / self.largest
        # queries from elsewhere may be further away than rows are from each other
        np.minimum(scaled, 2.0 * self.steps, out=scaled)
        keys = np.rint(scaled, out=scaled).astype(np.int64)
        keys *= len(self.base)
        keys += np.arange(len(self.base)) if columns is None else columns
        return keys

    def own_keys(self, distances: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The keys of own `rows`, each row being the last of all for itself."""
        keys = self.keys(distances)
        keys[np.arange(len(rows)), rows] = _NEVER
        return keys


class _Part:
    """Some of the rows, with what the neighbours of all units are counted by."""

    def __init__(self, space: _Space, rows: np.ndarray, k: int) -> None:
        self.space, self.rows, self.k = space, rows, k
        n_rows = len(space.base)
        self.whole = space.own_distances(rows)
        self.full = space.own_keys(self.whole, rows)
        self.kth = _kth(self.full, k)
        n_listed = min(_LISTED * k, n_rows - 1)
        self.is_whole = n_listed == n_rows - 1
        listed = np.sort(np.partition(self.full, n_listed - 1, axis=1)[:, :n_listed], axis=1)
        self.listed = listed % n_rows
        self.distances = np.take_along_axis(self.whole, self.listed, axis=1)

    def without(self, unit: np.ndarray) -> np.ndarray:
        """Count as `_compare` does, a unit's features left out."""
        space, k = self.space, self.k
        values = space.base[:, unit]
        less, bound = self._cosine(values) if space.is_cosine else self._euclidean(values)
        keys = space.keys(less, self.listed)
        places = np.argpartition(keys, k - 1, axis=1)[:, :k]
        reach = np.take_along_axis(less, places, axis=1).max(axis=1)
        reach += 2 * space.largest / space.steps
        is_open = reach >= bound
        far = np.empty((0, len(space.base)), dtype=np.int64)
        if is_open.any():
            some = np.flatnonzero(is_open)
            if space.is_cosine:
                left = _Space(np.delete(space.base, unit, axis=1), space.metric)
                far = left.own_keys(left.own_distances(self.rows[some]), self.rows[some])
            else:
                far, some = self._with_others(some, values, reach[some])
                is_open = np.isin(np.arange(len(self.rows)), some)
        # a place in the list is the rank in the order of all columns, counted from 0
        beyond = places[~is_open] - (k - 1)
        tally = np.array([(beyond <= 0).sum(), beyond[beyond > 0].sum()])
        return tally + _compare(self.full[is_open], self.kth[is_open], far, k)

    def _with_others(
        self, some: np.ndarray, values: np.ndarray, reach: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keys of all rows, less a unit's values, for those of `some` that have others in reach.

        Others are rows that are not listed. Returns the keys, and whose they are.
        """
        less = self.whole[some]
        for feature in values.T:
            gap = np.subtract.outer(feature[self.rows[some]], feature)
            less -= np.square(gap, out=gap)
        listed = np.take_along_axis(less, self.listed[some], axis=1)
        np.put_along_axis(less, self.listed[some], np.inf, axis=1)
        less[np.arange(len(some)), self.rows[some]] = np.inf
        is_reached = less.min(axis=1) <= reach
        some, less = some[is_reached], less[is_reached]
        np.put_along_axis(less, self.listed[some], listed[is_reached], axis=1)
        return self.space.own_keys(less, self.rows[some]), some

    def _euclidean(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances to the listed rows less a unit's values, and a bound of those to others."""
        less, most = self.distances.copy(), np.zeros(len(self.rows))
        for feature in values.T:
            own = feature[self.rows]
            less -= np.square(own[:, np.newaxis] - feature[self.listed])
            most += np.square(np.maximum(own - feature.min(), feature.max() - own))
        bound = self.distances[:, -1] - most
        return less, np.full_like(bound, np.inf) if self.is_whole else bound

    def _cosine(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same: cosines of what is left, u·v - u'v' over the lengths that are left."""
        squares = np.square(values).sum(axis=1)
        if squares.max() > 0.5:  # too little would be left of some row to be told from rounding
            return self.distances, np.full(len(self.rows), -np.inf)
        left = np.sqrt(1 - squares)
        less = 1 - self.distances
        for feature in values.T:
            less -= feature[self.rows][:, np.newaxis] * feature[self.listed]
        less /= left[self.rows][:, np.newaxis] * left[self.listed]
        own, most = np.sqrt(squares[self.rows]), np.sqrt(squares.max())
        highest = np.maximum(1 - self.distances[:, -1] + own * most, 0.0)
        bound = 1 - highest / (left[self.rows] * np.sqrt(1 - squares.max()))
        return 1 - less, np.full_like(bound, np.inf) if self.is_whole else bound


def _compare(full: np.ndarray, kth: np.ndarray, less: np.ndarray, k: int) -> np.ndarray:
    """Count neighbours by `less` that are neighbours by `full`, and sum up how far others are off.

    Parameters
    ----------
    full, less : ndarray of shape (n_some, n_rows), int
        Keys of the same rows, by all columns and by those left.
    kth : ndarray of shape (n_some, 1), int
        The key of the last neighbour by `full`.
    k : int

    Returns
    -------
    ndarray of shape (2,), int
        The neighbours in common; the ranks by which the others come after the k-th.
    """
    chosen = np.argpartition(less, k - 1, axis=1)[:, :k]
    keys = np.take_along_axis(full, chosen, axis=1)
    is_far = keys > kth
    row, place = np.nonzero(is_far)
    beyond = 0
    for part in _blocks(len(row), full.shape[1]):
        far = keys[row[part], place[part]]
        beyond += int((full[row[part]] <= far[:, np.newaxis]).sum()) - k * len(part)
    return np.array([is_far.size - len(row), beyond])


def _kth(keys: np.ndarray, k: int) -> np.ndarray:
    """The k-th smallest key of each row, shape (n_some, 1)."""
    return np.partition(keys, k - 1, axis=1)[:, k - 1 : k]


def _measures(tally: np.ndarray, n_rows: int, k: int) -> tuple[float, float]:
    """Trustworthiness and recall."""
    common, beyond = tally.tolist()
    worst = n_rows * k * (2 * n_rows - 3 * k - 1) / 2
    return 1 - beyond / worst, common / (n_rows * k)


def _blocks(n_rows: int, n_columns: int) -> Iterator[np.ndarray]:
    size = max(1, _BLOCK // n_columns)
    for start in range(0, n_rows, size):
        yield np.arange(start, min(start + size, n_rows))
