"""t-SNE maps of the rows before and after pruning, side by side."""

from __future__ import annotations

from importlib.util import find_spec
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from featprune.importance.neighbours import preserved
from featprune.parameters import check_choice, check_count, check_flag
from featprune.report.pruned import Pruned, read_pruned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = "plot_maps"
# classes that colours can still tell apart
_MOST_CLASSES = 20
# neighbours that the titles are about
_N_NEIGHBOURS = 10


def plot_maps(
    X: Any,
    support: Any,
    y: Any = None,
    *,
    method: str = "auto",
    perplexity: float = 30.0,
    standardize: bool = True,
    max_rows: int = 2000,
    random_state: Any = 0,
) -> Figure:
    """Draw the t-SNE map of the rows by all columns, and beside it the one by those left.

    Parameters
    ----------
    X : array, sparse matrix, pandas or polars DataFrame of shape (n_rows, n_columns)
        The table before pruning, encoded as :class:`featprune.SVMRFE` encodes it.
    support : array-like of shape (n_columns,), bool, or a fitted selector
        Which columns stay. Of a selector that shortens embeddings, the dimensions that stay.
    y : array-like of shape (n_rows,), optional
        Colours the rows: by class where there are up to 20, otherwise by value.
    method : {"auto", "openTSNE", "sklearn"}, default="auto"
        Who computes the map; "auto" is openTSNE where it is installed.
    perplexity : float, default=30.0
        About how many neighbours of a row count. On few rows it is a third of them.
    standardize : bool, default=True
        Whether features are scaled to mean 0 and variance 1 first (sparse ones not centred).
    max_rows : int, default=2000
        Of more rows, so many are drawn at random.
    random_state : int, RandomState or None, default=0
        Seed of all that is random; both maps have the same.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown; ``figure.savefig("maps.png")`` writes it, a notebook draws it.

    Raises
    ------
    ImportError
        If matplotlib, or the package that `method` asks for, is not installed.
    ValueError, TypeError
        If a parameter can't be used, or the mask does not fit the table.

    See Also
    --------
    neighbourhood_preservation : The same question, answered in numbers.

    Notes
    -----
    What t-SNE is for, and what not: it cannot choose columns. Its map has no loadings, so that
    no column has a share in it; it has no rule by which new rows would be put onto it, so that
    nothing learned from it can be applied; and its distances between groups, and the groups'
    sizes, mean little. What it is good for is to look: at whether the groups that were there
    are there still when columns have gone. Whether single rows keep their neighbours is what
    the figures below the maps say, measured on the features and not on the map.

    So that the eye can compare, the first map starts from the first two principal components,
    the second from the first map, both shrunk to almost a point, and the second is then turned,
    mirrored and scaled to lie on the first (Procrustes). Groups then tend to stay where
    they were; whether they hold together is up to the columns.

    References
    ----------
    van der Maaten, L., Hinton, G. (2008). Visualizing data using t-SNE. Journal of Machine
    Learning Research 9, 2579-2605. https://www.jmlr.org/papers/v9/vandermaaten08a.html

    Kobak, D., Berens, P. (2019). The art of using t-SNE for single-cell transcriptomics. Nature
    Communications 10:5416. https://doi.org/10.1038/s41467-019-13056-x

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from featprune.report import plot_maps
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> figure = plot_maps(X, X.var(axis=0) > 20, y, method="sklearn", max_rows=200)
    >>> [ax.get_title() for ax in figure.axes]
    ['all 64 columns', '30 columns']
    """
    check_choice(method, "method", _NAME, ("auto", "openTSNE", "sklearn"))
    check_flag(standardize, "standardize", _NAME)
    check_count(max_rows, "max_rows", _NAME, least=10)
    _check_perplexity(perplexity)
    random = check_random_state(random_state)
    pruned = read_pruned(
        X, support, _NAME, standardize=standardize, max_rows=max_rows, random_state=random
    )
    if len(pruned.rows) < 10:
        raise ValueError(f"{_NAME} needs at least 10 rows. Got {len(pruned.rows)}.")
    colours = _colours(y, pruned)
    seed = int(random.randint(2**31 - 1))
    draw = _by_open_tsne if _takes_open_tsne(method) else _by_sklearn
    perplexity = min(float(perplexity), (len(pruned.rows) - 1) / 3)
    before = draw(pruned.values, _components(pruned.values, seed), perplexity, seed)
    after = draw(pruned.after, _small(before), perplexity, seed)
    n_units, n_kept = len(pruned.names), int(pruned.is_kept.sum())
    unit = "columns and dimensions" if pruned.in_dimensions else "columns"
    k = min(_N_NEIGHBOURS, (len(pruned.rows) - 1) // 2)
    trustworthiness, recall = preserved(pruned.values, pruned.after, k, "euclidean")
    note = f"{recall:.0%} of the {k} nearest rows kept, trustworthiness {trustworthiness:.3f}"
    titles = (f"all {n_units} {unit}", f"{n_kept} {unit}")
    return _picture((_turned(before, before), _turned(after, before)), titles, note, colours)


def _check_perplexity(perplexity: Any) -> None:
    is_number = isinstance(perplexity, Real) and not isinstance(perplexity, bool)
    if not is_number or not float(perplexity) > 1:
        raise (ValueError if isinstance(perplexity, Real | str) else TypeError)(
            f"The 'perplexity' parameter of {_NAME} must be a number above 1. Got {perplexity!r} "
            "instead."
        )


def _colours(y: Any, pruned: Pruned) -> np.ndarray | None:
    """What the rows that are drawn are coloured by."""
    if y is None:
        return None
    y = np.asarray(y)
    if y.shape != (pruned.n_all_rows,):
        raise ValueError(
            f"The 'y' of {_NAME} must have one value for each of the {pruned.n_all_rows} rows of "
            f"X. Got the shape {y.shape} instead."
        )
    return y[pruned.rows]


def _takes_open_tsne(method: str) -> bool:
    is_there = find_spec("openTSNE") is not None
    if method == "openTSNE" and not is_there:
        raise ImportError(
            "method='openTSNE' needs the package openTSNE. Install it by 'pip install openTSNE', "
            "or pass method='sklearn'."
        )
    return is_there and method != "sklearn"


def _components(values: np.ndarray, seed: int) -> np.ndarray:
    """Where rows stand at first: their first two principal components."""
    n_components = min(2, *values.shape)
    start = np.zeros((len(values), 2))
    pca = PCA(n_components, svd_solver="full")
    start[:, :n_components] = pca.fit_transform(values)
    # rows that are alike would stand on each other and never part
    start += np.random.default_rng(seed).normal(scale=1e-3 * start.std(), size=start.shape)
    return _small(start)


def _small(points: np.ndarray) -> np.ndarray:
    """Shrink points to the size from which t-SNE is usually started."""
    return (points / points[:, 0].std() * 1e-4).astype(np.float32)


def _by_open_tsne(
    values: np.ndarray, start: np.ndarray, perplexity: float, seed: int
) -> np.ndarray:
    from openTSNE import TSNE

    tsne = TSNE(perplexity=perplexity, initialization=start.astype(float), random_state=seed)
    return np.asarray(tsne.fit(values))


def _by_sklearn(values: np.ndarray, start: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(values)


def _turned(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Move, turn, mirror and scale `points` to lie on `onto` as well as they can, at size 1."""
    points, onto = (part - part.mean(axis=0) for part in (points, onto))
    points, onto = (part / np.sqrt(np.square(part).sum(axis=1).mean()) for part in (points, onto))
    return points @ orthogonal_procrustes(points, onto)[0]


def _picture(
    maps: tuple[np.ndarray, np.ndarray],
    titles: tuple[str, str],
    note: str,
    y: np.ndarray | None,
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    size = float(np.clip(12000 / len(maps[0]), 4, 30))
    edge = 1.05 * max(np.abs(points).max() for points in maps)
    for ax, points, title in zip(axes, maps, titles, strict=True):
        _scatter(ax, points, y, size)
        ax.set_title(title)
        ax.set(aspect="equal", xticks=[], yticks=[], xlim=(-edge, edge), ylim=(-edge, edge))
        ax.spines[:].set_color("0.8")
    if y is not None:
        _explain(figure, axes, y)
    figure.supxlabel(note, fontsize="medium")
    return figure


def _scatter(ax: Any, points: np.ndarray, y: np.ndarray | None, size: float) -> None:
    if y is None:
        ax.scatter(*points.T, s=size, color="0.3", alpha=0.6, linewidths=0)
    elif _is_classes(y):
        # all classes in one go, so that none lies on top of the others
        ax.scatter(*points.T, s=size, c=_palette(y)[0], alpha=0.75, linewidths=0)
    else:
        ax.scatter(*points.T, s=size, c=y.astype(float), cmap="viridis", alpha=0.75, linewidths=0)


def _explain(figure: Any, axes: Any, y: np.ndarray) -> None:
    """Say what the colours are: a legend of classes, or a scale."""
    if not _is_classes(y):
        figure.colorbar(axes[1].collections[0], ax=axes, shrink=0.6, pad=0.01)
        return
    from matplotlib.lines import Line2D

    _, names, colours = _palette(y)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=name)
        for name, colour in zip(names[:_MOST_CLASSES], colours, strict=False)
    ]
    if len(names) > _MOST_CLASSES:
        label = f"and {len(names) - _MOST_CLASSES} more"
        handles.append(Line2D([], [], linestyle="", label=label))
    figure.legend(handles=handles, loc="outside right center", frameon=False)


def _palette(y: np.ndarray) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Colour of each row; the classes' names; the classes' colours."""
    from matplotlib import colormaps

    classes, codes = np.unique(y.astype(str) if y.dtype == object else y, return_inverse=True)
    colours = colormaps["tab10" if len(classes) <= 10 else "tab20"]
    every = np.asarray(colours(np.arange(len(classes)) % _MOST_CLASSES))
    return every[codes], [str(one) for one in classes], every


def _is_classes(y: np.ndarray) -> bool:
    if y.dtype.kind in "OUSb":
        return True
    return type_of_target(y) != "continuous" and len(np.unique(y)) <= _MOST_CLASSES
