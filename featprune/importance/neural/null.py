"""Which attributions stand above those of networks that were trained for permuted targets."""

from __future__ import annotations

import numpy as np


def null_test(
    real: np.ndarray, null: np.ndarray, seed_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare attributions for the target with those for permuted ones.

    Parameters
    ----------
    real : ndarray of shape (n_seeds, n_units)
        For the target, one row a seed. Not negative.
    null : ndarray of shape (n_permutations, n_units)
        For permuted targets.
    seed_of : ndarray of shape (n_permutations,), int
        The seed that each permutation shares first weights and held-out rows with.

    Returns
    -------
    p_values : ndarray of shape (n_units,)
        Corrected for the number of units: the share of permutations in which any unit is as high
        as this one, with one more counted on both sides. At least 1 / (n_permutations + 1).
    heights : ndarray of shape (n_units,)
        How high each unit stands: 1 is what it has in any network.

    Notes
    -----
    Each network's attributions are divided by their lower quartile, as networks that learn more
    have steeper outputs in all inputs, those without a meaning, too: taken as they are, six of six
    tables with three strong columns had others confirmed. Then each unit's is divided by its mean
    over all networks of the seed, the one for the target among them: weights and places in a
    network favour some units from the start. Where nothing is related to the target, all networks
    of a seed are exchangeable, so that the largest over all units bounds the rate at which any
    unit is wrongly taken (Westfall and Young 1993). For the target the mean over the seeds counts,
    which varies less than one network, so the rate is smaller than that.

    References
    ----------
    Westfall, P. H., Young, S. S. (1993). Resampling-based multiple testing. Wiley.

    Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical
    Applications in Genetics and Molecular Biology 9, 39. https://doi.org/10.2202/1544-6115.1585
    """
    real, null = _relative(real), _relative(null)
    heights, highest = np.zeros(real.shape), np.zeros(len(null))
    for seed in range(len(real)):
        mine = seed_of == seed
        mean = (real[seed] + null[mine].sum(axis=0)) / (1 + mine.sum())
        heights[seed] = _ratio(real[seed], mean)
        highest[mine] = _ratio(null[mine], mean).max(axis=1, initial=0.0)
    height = heights.mean(axis=0)
    as_high = (highest[:, None] >= height - 1e-9).sum(axis=0)
    return (1 + as_high) / (1 + len(null)), height


def _relative(values: np.ndarray) -> np.ndarray:
    """Return each row over the lower quartile of what is above 0 in it."""
    positive = np.where(values > 0, values, np.inf)
    n_positive = (values > 0).sum(axis=1)
    place = (n_positive - 1).clip(0) // 4
    quartile = np.sort(positive, axis=1)[np.arange(len(values)), place]
    return _ratio(values, np.where(n_positive > 0, quartile, 0.0)[:, None])


def _ratio(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return a quotient, 0 where there is nothing to divide by."""
    of = np.broadcast_to(of, values.shape)
    return np.divide(values, of, out=np.zeros(values.shape), where=of > 0)
