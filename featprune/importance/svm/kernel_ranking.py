"""Which units of a kernel machine leave next: Guyon's criterion, for as few as need be."""

from __future__ import annotations

import numpy as np

from featprune.importance.svm.kernel_exact import delta_of_features, delta_of_unit
from featprune.importance.svm.kernel_functions import Gram
from featprune.importance.svm.kernel_models import Models, flat_kernel
from featprune.importance.svm.kernel_screen import RbfScreen
from featprune.importance.svm.kernel_series import ProductScreen

# A further level of the screen costs about as much as this many pairs in the loops.
_WORTH_A_LEVEL = 20_000
# Rows without a coefficient are dropped once they are more than this share.
_IDLE_SHARE = 0.2


class DeltaJ:
    """Criterion ``(a' H a - a' H(-u) a) / 2`` of each unit, alpha held, summed over problems.

    Parameters
    ----------
    gram : Gram
        The kernel of the features that are left; read at each step.
    unit : ndarray of shape (n_features,), int
    protected : ndarray of shape (n_units,), bool

    Notes
    -----
    H(-u) is the kernel without the unit's features, with the gamma of the step. The criterion
    is signed, as Guyon et al. define it and for all kernels: it is how much the dual cost
    ``a' H a / 2 - sum(a)`` falls when the unit is taken away, and where that is negative the
    unit works against the margin, so it goes first.
    """

    def __init__(self, gram: Gram, unit: np.ndarray, protected: np.ndarray) -> None:
        self.gram = gram
        order = np.argsort(unit, kind="stable")
        ends = np.cumsum(np.bincount(unit, minlength=len(protected)))
        self.features = np.split(order, ends[:-1])
        lengths = np.array([len(members) for members in self.features])
        self.candidate = ~protected
        self.single = lengths == 1
        self.feature = np.array([members[0] for members in self.features], dtype=np.intp)
        self.blocks = np.flatnonzero(self.candidate & ~self.single)
        self.in_use = np.zeros(gram.x.shape[1], dtype=bool)
        self.rows = np.flatnonzero(self.in_use)
        self.room: tuple[np.ndarray, np.ndarray] | None = None
        self.kappa: np.ndarray | None = None
        self.screen: RbfScreen | ProductScreen | None = None

    def each_feature(self, betas: np.ndarray) -> np.ndarray:
        """Return the criterion of each single feature; O(n_samples^2) a feature."""
        models = self._models(betas)
        return delta_of_features(self.gram, self.rows, models, np.arange(len(self.gram.x)))

    def weakest(
        self, betas: np.ndarray, count: int, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the `count` units of smallest criterion, smallest first, and their criteria.

        Parameters
        ----------
        betas : ndarray of shape (n_problems, n_samples)
            Signed coefficients of the step's models.
        count : int
            How many units.
        known : ndarray of shape (n_features,), optional
            Criteria of single features, where they were computed for these models.
        """
        models = self._models(betas)
        singles = self._survivors(models, count) if known is None else self._singles()
        units = np.concatenate([singles, self.blocks])
        n_single = len(units) - len(self.blocks)
        values = np.empty(len(units))
        members = self.feature[units[:n_single]]
        if known is None:
            values[:n_single] = delta_of_features(self.gram, self.rows, models, members)
        else:
            values[:n_single] = known[members]
        for at in range(n_single, len(units)):
            values[at] = delta_of_unit(self.gram, self.rows, models, self.features[units[at]])
        first = np.lexsort((-units, values))[:count]
        return units[first], values[first]

    def drop(self, units: np.ndarray) -> None:
        """Forget units that have left."""
        self.candidate[units] = False
        if len(self.blocks):
            self.blocks = self.blocks[self.candidate[self.blocks]]
        if self.screen is not None:
            self.screen.drop(units)

    def _models(self, betas: np.ndarray) -> Models:
        """Restrict the models to rows with a coefficient, or a few more."""
        gram = self.gram
        used = np.any(betas != 0.0, axis=0)
        n_least = int((1.0 - _IDLE_SHARE) * len(self.rows))
        if np.count_nonzero(used) < max(n_least, 1) or np.any(used & ~self.in_use):
            self._use(used)
        if len(self.rows) == len(used):
            return Models(betas, gram.K, gram.base, self.kappa, self.room)
        block = np.ix_(self.rows, self.rows)
        base = None if gram.base is None else gram.base[block]
        return Models(betas[:, self.rows], gram.K[block], base, self.kappa, self.room)

    def _use(self, used: np.ndarray) -> None:
        """Make these rows, or all where few are idle, those that the criterion is summed over."""
        if not used.any() or np.count_nonzero(used) >= (1.0 - _IDLE_SHARE) * len(used):
            used = np.ones(len(used), dtype=bool)
        self.in_use = used
        self.rows = np.flatnonzero(used)
        self.screen = self.kappa = None
        if self.gram.kernel == "rbf":
            shape = (len(self.rows), len(self.rows))
            self.room = np.zeros(shape), np.zeros(shape, dtype=np.float32)

    def _survivors(self, models: Models, count: int) -> np.ndarray:
        """Return units of one feature among which the weakest of them must be."""
        screen = self._open_screen()
        if screen is None or screen.count <= count:
            return self._singles()
        at: np.ndarray | slice = slice(screen.count)
        names = screen.ids[at]
        score = np.zeros(screen.count)
        n_pairs = models.K.size // 2
        for level in range(screen.n_levels):
            score, error = screen.refine(level, models, at, score)
            ceiling = score + error
            limit = ceiling.min() if count == 1 else np.partition(ceiling, count - 1)[count - 1]
            stay = np.flatnonzero(score - error <= limit)
            at = stay if isinstance(at, slice) else at[stay]
            score = score[stay]
            names = screen.ids[at]
            if len(names) <= count or len(names) * n_pairs < _WORTH_A_LEVEL:
                break
        if self.gram.kernel == "rbf":
            self.kappa = flat_kernel(models.weighed.kernel_sums)
        return names

    def _singles(self) -> np.ndarray:
        """Return the units of one feature that may still leave."""
        return np.flatnonzero(self.candidate & self.single)

    def _open_screen(self) -> RbfScreen | ProductScreen | None:
        """Return the screen of single-feature units, for the rows and the gamma in use."""
        gram = self.gram
        if self.screen is None:
            names = self._singles()
            if callable(gram.kernel) or len(names) == 0:
                return None
            x = gram.x[self.feature[names][:, None], self.rows]
            if gram.kernel == "rbf":
                self.screen = RbfScreen(x, names, gram.gamma)
            else:
                degree = gram.degree if gram.kernel == "poly" else None
                self.screen = ProductScreen(x, names, gram.gamma, degree, gram.coef0)
        if self.screen.gamma != gram.gamma:
            self.screen.expand(gram.gamma)
        return self.screen
