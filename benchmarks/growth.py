"""How the time of a whole path grows with columns and with rows: a table and a picture."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, NamedTuple

import inputs
import numpy as np
from agree import Verdict, compare_sizes, order_of
from clock import cpu_seconds, say, whole_path
from races import peer_of, prune, timed_steps
from sklearn.svm import SVC, LinearSVC

PICTURE = Path(__file__).with_name("growth.svg")
HEADER = ("path", "ours s", "peer s, extrapolated", "ratio", "same answer")


class Curve(NamedTuple):
    """One line of the picture; the peer is timed on tables of up to `most_cells` numbers."""

    varied: str
    machine: Any
    strict: Any
    shapes: list[tuple[int, int]]
    most_cells: float


HINGE, HINGE_STRICT = SVC(kernel="linear"), SVC(kernel="linear", tol=1e-9)
SQUARED = LinearSVC()
# the faster of its two forms on each kind of table
WIDE_STRICT = LinearSVC(tol=1e-10, dual=True, max_iter=10_000_000, random_state=0)
TALL_STRICT = LinearSVC(tol=1e-10, dual=False, max_iter=10_000)
WIDE = [(100, 1000), (100, 10_000), (100, 100_000)]
TALL = [(1000, 100), (10_000, 100), (100_000, 100), (1_000_000, 100)]
# above 8000 rows there is no matrix of rows by rows, and scikit-learn refits at each step
GRAM = [(500, 100), (1000, 100), (2000, 100), (4000, 100), (8000, 100)]
CURVES = [
    Curve("columns", HINGE, HINGE_STRICT, WIDE, 1e7),
    Curve("columns", SQUARED, WIDE_STRICT, WIDE, 1e6),
    Curve("rows", HINGE, HINGE_STRICT, GRAM, 1e5),
    Curve("rows", SQUARED, TALL_STRICT, TALL, 1e7),
]


def run() -> list[list[str]]:
    """Time all curves, draw the picture and return the rows of the table."""
    rows = []
    lines = []
    for curve in CURVES:
        ours, peers = [], []
        prune(curve.machine, *inputs.drawn(*curve.shapes[0]))  # compiles
        for n, p in curve.shapes:
            own, peer, verdict = _point(curve, n, p)
            ours.append(own)
            peers.append(peer)
            ratio = f"{peer / own:.0f}x" if verdict.same and peer > 0 else "-"
            seconds = [f"{own:.3g}", "-" if np.isnan(peer) else f"{peer:.3g}", ratio]
            rows.append([f"{_name(curve)}, {n}x{p}", *seconds, verdict.text])
            say(f"    {' | '.join(rows[-1])}")
        lines.append((curve, ours, peers))
    draw(lines)
    return rows


def _name(curve: Curve) -> str:
    return "SVC linear" if isinstance(curve.machine, SVC) else "LinearSVC"


def _point(curve: Curve, n: int, p: int) -> tuple[float, float, Verdict]:
    """Return the seconds of our path and of the peer's, NaN where that is not timed."""
    X, y = inputs.drawn(n, p)
    spent, selector = cpu_seconds(lambda: prune(curve.machine, X, y))
    if spent < 20.0:
        again = [cpu_seconds(lambda: prune(curve.machine, X, y))[0] for _ in range(3)]
        spent = statistics.median(again)
    if n * p > curve.most_cells:
        return spent, np.nan, Verdict(True, "-")
    order, peer = order_of(selector), peer_of(curve.strict, X, y)
    times, criteria = timed_steps(order, peer)
    return spent, whole_path(times), compare_sizes(order, criteria, peer.exact)


def draw(lines: list[tuple[Curve, list[float], list[float]]]) -> None:
    """Draw seconds against columns and against rows, both axes logarithmic, into PICTURE."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # the same picture for the same figures: no date, no random names
    with mpl.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        axes = dict(zip(("columns", "rows"), figure.subplots(1, 2), strict=True))
        for curve, ours, peers in lines:
            axis = axes[curve.varied]
            at = [shape[curve.varied == "columns"] for shape in curve.shapes]
            colour = "C0" if isinstance(curve.machine, SVC) else "C1"
            axis.loglog(at, ours, "o-", color=colour, label=f"{_name(curve)}, featprune")
            axis.loglog(at, peers, "s--", color=colour, label=f"{_name(curve)}, RFE extrapolated")
        axes["columns"].set(xlabel="columns (100 rows)", ylabel="CPU seconds of a whole path")
        axes["rows"].set(xlabel="rows (100 columns)")
        for axis in axes.values():
            axis.grid(which="major", alpha=0.3)
        axes["columns"].legend(fontsize="small")
        figure.savefig(PICTURE, metadata={"Date": None})
