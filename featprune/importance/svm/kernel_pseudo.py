"""Which units of a kernel machine leave next: how much its output moves with each feature."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernel_functions import Gram, kernel_values

# Values that a feature runs through.
_N_VALUES = 50
# Kernel entries held at a time.
_ROOM = 2_000_000


class PseudoSamples:
    """Spread of the decision values while one feature runs through its range.

    For each feature, pseudo-samples: `n_values` values at equal distances from the feature's
    smallest to its largest, every other feature at its mean. The criterion is the median
    absolute deviation of their decision values from the median (without the factor 1.4826,
    which changes no order), summed over the problems, and over the features of a unit.

    Parameters
    ----------
    gram : Gram
        The kernel of the features that are left; read at each step.
    unit : ndarray of shape (n_features,), int
    protected : ndarray of shape (n_units,), bool
    n_values : int
        Pseudo-samples a feature.

    Notes
    -----
    O(n_values n_support n_problems) a feature; a callable is called once for each feature.
    A feature that acts only together with others, all standing at their means, is not seen.

    References
    ----------
    Sanz, H., Valim, C., Vegas, E., Oller, J. M., Reverter, F. (2018). SVM-RFE: selection and
    visualization of the most relevant features through non-linear kernels. BMC Bioinformatics
    19:432. https://doi.org/10.1186/s12859-018-2451-4
    """

    def __init__(
        self, gram: Gram, unit: np.ndarray, protected: np.ndarray, n_values: int = _N_VALUES
    ) -> None:
        self.gram = gram
        self.unit = unit
        ends = np.cumsum(np.bincount(unit, minlength=len(protected)))
        self.features = np.split(np.argsort(unit, kind="stable"), ends[:-1])
        self.candidate = ~protected
        # Centred features have their means at 0.
        self.means = np.zeros_like(gram.means) if gram.kernel == "rbf" else gram.means
        share = np.linspace(0.0, 1.0, n_values)
        lowest = gram.x.min(axis=1)[:, None]
        highest = gram.x.max(axis=1)[:, None]
        # In this form a constant feature stays constant to the last bit.
        self.values = lowest + (highest - lowest) * share

    def each_feature(self, betas: np.ndarray) -> np.ndarray:
        """Return the criterion of each feature, shape (n_features,); 0 where it has left."""
        spreads = np.zeros(len(self.unit))
        used = np.flatnonzero(np.any(betas != 0.0, axis=0))
        features = np.flatnonzero(self.gram.left)
        at_once = max(1, _ROOM // (self.values.shape[1] * max(len(used), 1)))
        for start in range(0, len(features), at_once):
            block = features[start : start + at_once]
            decisions = self._pseudo_kernel(block, used) @ betas[:, used].T
            away = np.abs(decisions - np.median(decisions, axis=1, keepdims=True))
            spreads[block] = np.median(away, axis=1).sum(axis=1)
        return spreads

    def weakest(
        self, betas: np.ndarray, count: int, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the `count` units of smallest criterion and their criteria; as in `DeltaJ`."""
        spreads = self.each_feature(betas) if known is None else known
        units = np.flatnonzero(self.candidate)
        values = np.bincount(self.unit, weights=spreads, minlength=len(self.candidate))[units]
        first = np.lexsort((-units, values))[:count]
        return units[first], values[first]

    def drop(self, units: np.ndarray) -> None:
        """Forget units that have left."""
        self.candidate[units] = False

    def _pseudo_kernel(self, block: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Kernel of the pseudo-samples with these rows, (n_block, n_values, n_used)."""
        gram = self.gram
        x = gram.x[:, used]
        left = np.flatnonzero(gram.left)
        shape = (len(block), self.values.shape[1], len(used))
        if callable(gram.kernel):
            rows = np.ascontiguousarray(x[left].T)
            kernels = np.empty(shape)
            for i, feature in enumerate(block):
                pseudo = np.tile(self.means[left], (shape[1], 1))
                pseudo[:, np.searchsorted(left, feature)] = self.values[feature]
                kernels[i] = gram.kernel(pseudo, rows)
            return kernels
        own = x[block][:, None, :]
        values = self.values[block][:, :, None]
        if gram.kernel == "rbf":
            of_others = np.square(x[left]).sum(axis=0) - np.square(own)
            base = np.maximum(of_others, 0.0) + np.square(values - own)
        else:
            means = self.means[block][:, None, None]
            base = self.means[left] @ x[left] + (values - means) * own
        flat = base.reshape(-1, len(used))
        return kernel_values(gram, flat, None).reshape(shape)
