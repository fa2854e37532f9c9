"""Pictures of tables that the reports return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from featprune.report.ways import EXTRACTION, RANDOM, TRUNCATION

if TYPE_CHECKING:
    import pandas as pd


def plot_pruning_cost(table: pd.DataFrame) -> np.ndarray:
    """Draw what :func:`pruning_cost` measured: accuracy and recall against dimensions.

    Parameters
    ----------
    table : pandas DataFrame
        As :func:`pruning_cost` returns it.

    Returns
    -------
    ndarray of shape (2,)
        The matplotlib axes. Bars are standard deviations; matplotlib is needed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.svm import LinearSVC
    >>> from featprune import SVMRFE
    >>> from featprune.report import plot_pruning_cost, pruning_cost
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> selector = SVMRFE(LinearSVC(dual=False), step=4)
    >>> axes = plot_pruning_cost(pruning_cost(X, y, selector, cv=2, n_random=2, random_state=0))
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    others = (RANDOM, TRUNCATION, EXTRACTION)
    sizes = np.sort(table["n_dimensions"].unique())
    for ax, measure in zip(axes, ("accuracy", "recall"), strict=True):
        for way, rows in table.groupby(level="way", sort=False):
            style: dict[str, Any] = dict(linewidth=2)
            if way in others:
                grey = ("0.65", "0.65", "0.2")[others.index(way)]
                style = dict(linewidth=1, color=grey, linestyle=("-", ":", "--")[others.index(way)])
            ax.errorbar(
                rows["n_dimensions"],
                rows[measure],
                rows[f"{measure}_sd"],
                label=way,
                marker="o",
                markersize=4,
                capsize=2,
                **style,
            )
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("dimensions left")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("score of the probe")
    axes[1].set_ylabel("recall of the nearest neighbours")
    axes[0].legend(frameon=False)
    return axes
