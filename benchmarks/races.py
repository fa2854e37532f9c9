"""One row of the table of races: what runs against what, and how the two are compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from agree import Criteria, Verdict, compare_paths, compare_sizes, exact_linear, order_of
from clock import (
    MOST_STEP_SECONDS,
    cpu_seconds,
    in_turn,
    sampled_sizes,
    say,
    short_call,
    size_in_a_jump,
    wall_seconds,
    whole_path,
)
from peers import fast_and_exact, linear_step, rbf_path, rbf_step
from sklearn.base import clone
from sklearn.feature_selection import RFE, RFECV
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from featprune import SVMRFE

HEADER = (
    "work",
    "peer s",
    "how",
    "ours s",
    "ratio",
    "same answer",
    "peer at its default tol, 1 run: s, same ranks",
    "at least / aim",
)
LAX = "peer at its default tol"


@dataclass(frozen=True)
class Race:
    """One row.

    Parameters
    ----------
    work : str
        First cell.
    load : callable
        Returns X and y.
    machine : SVC or LinearSVC
        As a user would have it; the peer runs it at a tol where its ranks are the optimum's,
        and as it is.
    goal : str
        Last cell.
    whole : bool
        Whether the peer runs its whole path; otherwise a few steps of ours are timed.
    default : bool
        Whether the peer also runs at its default tol.
    """

    work: str
    load: Callable[[], tuple[Any, np.ndarray]]
    machine: SVC | LinearSVC
    goal: str
    whole: bool = True
    default: bool = True


class Peer(NamedTuple):
    """One way to run the peer on a table: to its end, or one step on some columns."""

    path: Callable[[], np.ndarray]
    step: Criteria
    exact: Criteria


def run_race(race: Race) -> list[str]:
    """Run one row and return its cells, those of HEADER."""
    X, y = race.load()
    machine, strict = _machines(race.machine, X, y)
    _warm_up(machine, X, y)
    say("    warm")
    run = _whole if race.whole else _sampled
    return run(
        race, lambda: order_of(prune(machine, X, y)), peer_of(strict, X, y), peer_of(machine, X, y)
    )


def cells(
    work: str,
    peer: float,
    how: str,
    ours: list[float],
    verdict: Verdict,
    default: str,
    goal: str,
) -> list[str]:
    """Return the cells of a row; there is no ratio where the answers are not the same."""
    median = statistics.median(ours)
    ratio = f"**{peer / median:.0f}x**" if verdict.same else "none"
    spent = f"{median:.3g} ({_runs(ours)})"
    return [work, f"{peer:.3g}", how, spent, ratio, verdict.text, default, goal]


def _machines(machine: Any, X: Any, y: np.ndarray) -> tuple[Any, Any]:
    """Return the machine that ours gets, and the one whose ranks are the optimum's."""
    if isinstance(machine, LinearSVC):
        if machine.dual == "auto":
            say("    choosing the faster form of LinearSVC")
            strict = fast_and_exact(X, y, order_of(prune(machine, X, y)))
            say(f"    {strict}")
            return machine, strict
        return machine, clone(machine).set_params(tol=1e-10, max_iter=10_000)
    if machine.kernel != "linear":
        # gamma of all columns, to the end
        machine = clone(machine).set_params(gamma=1.0 / (X.shape[1] * X.var()))
    return machine, clone(machine).set_params(tol=1e-9)


def peer_of(machine: Any, X: Any, y: np.ndarray) -> Peer:
    if isinstance(machine, SVC) and machine.kernel != "linear":
        return Peer(
            lambda: rbf_path(machine, X, y),
            lambda columns: rbf_step(machine, X, y, columns),
            lambda columns: rbf_step(machine, X, y, columns, exact=True),
        )
    return Peer(
        lambda: order_of(RFE(machine, n_features_to_select=1, step=1).fit(X, y)),
        lambda columns: linear_step(machine, X, y, columns),
        lambda columns: exact_linear(machine, X[:, columns], y),
    )


def prune(machine: Any, X: Any, y: np.ndarray) -> SVMRFE:
    return SVMRFE(machine, n_features_to_select=1, standardize=False, encoder=None).fit(X, y)


def _warm_up(machine: Any, X: Any, y: np.ndarray) -> None:
    """Compile or load what the timed calls need, which is a row of its own, on a smaller table."""
    # rows may be sorted by class
    rows = np.arange(0, len(y), 1 if len(y) < 500 else max(5, len(y) // 2000))
    prune(machine, X[rows][:, : max(50, X.shape[1] // 10)], y[rows])


def _whole(race: Race, ours: Callable[[], np.ndarray], strict: Peer, default: Peer) -> list[str]:
    """Run the peer's path to its end."""
    calls = {"ours": ours, "peer": strict.path}
    if race.default:
        calls[LAX] = default.path
    seconds, orders = in_turn(calls, once=LAX)
    verdict = compare_paths(orders["ours"], orders["peer"], strict.step, strict.exact)
    beside = "-"
    if race.default:
        share = (orders[LAX] == orders["ours"]).mean()
        beside = f"{seconds[LAX][0]:.3g}, {share:.0%}"
    peer = statistics.median(seconds["peer"])
    how = f"whole path, {_runs(seconds['peer'])}"
    return cells(race.work, peer, how, seconds["ours"], verdict, beside, race.goal)


def _sampled(race: Race, ours: Callable[[], np.ndarray], strict: Peer, default: Peer) -> list[str]:
    """Time a few of the peer's steps, on the columns that our path has left."""
    seconds, orders = in_turn({"ours": ours})
    order = orders["ours"]
    times, criteria = timed_steps(order, strict)
    verdict = compare_sizes(order, criteria, strict.exact)
    beside = "-"
    if race.default:
        lax_times, lax = timed_steps(order, default)
        same = sum(np.sort(order[-size:])[np.argmin(lax[size])] == order[-size] for size in lax)
        beside = f"{whole_path(lax_times):.3g}, {same} of {len(lax)} steps"
    how = f"extrapolated from fits at {len(times)} sizes"
    if min(times) > 2:
        how += f"; below {min(times)} columns, where fits take longer, not counted"
    return cells(race.work, whole_path(times), how, seconds["ours"], verdict, beside, race.goal)


def timed_steps(order: np.ndarray, peer: Peer) -> tuple[dict[int, float], dict[int, np.ndarray]]:
    """Return seconds and criteria of the peer's step at a few sizes of our path, from the top.

    They end with a step that takes over MOST_STEP_SECONDS; where smaller sizes take far longer
    than larger ones, sizes between are added.
    """
    times: dict[int, float] = {}
    criteria: dict[int, np.ndarray] = {}

    def time_at(size: int) -> None:
        columns = np.sort(order[-size:])
        times[size], criteria[size] = short_call(lambda: peer.step(columns))
        say(f"    peer at {size} columns: {times[size]:.3g} s")

    for size in sampled_sizes(len(order)):
        time_at(size)
        if times[size] > MOST_STEP_SECONDS:
            break
    while (between := size_in_a_jump(times)) is not None:
        time_at(between)
    return times, criteria


def _runs(seconds: list[float]) -> str:
    return f"{len(seconds)} run{'s' if len(seconds) > 1 else ''}"


def run_cv(
    work: str,
    load: Callable[[], tuple[np.ndarray, np.ndarray]],
    goal: str,
    *,
    n_jobs: int | None = None,
) -> list[str]:
    """Run RFECV against SVMRFE with the score at every size; in wall seconds with `n_jobs`."""
    X, y = load()
    machine = SVC(kernel="linear")
    folds = {"cv": 5, "scoring": "accuracy", "n_jobs": n_jobs}

    def ours() -> Any:
        options = dict(n_features_to_select="best", standardize=False, encoder=None)
        return SVMRFE(machine, **options, **folds).fit(X, y)

    def peer(**options: Any) -> Any:
        return RFECV(clone(machine).set_params(**options), step=1, **folds).fit(X, y)

    calls = {"ours": ours, "peer": lambda: peer(tol=1e-9)}
    if n_jobs is None:
        calls[LAX] = peer
    # the first call compiles, and starts the processes if there are to be any
    ours()
    seconds, results = in_turn(calls, wall_seconds if n_jobs else cpu_seconds, once=LAX)
    verdict = _same_scores(X, y, results["ours"], results["peer"])
    beside = "-"
    if n_jobs is None:
        lax = results[LAX].cv_results_["mean_test_score"]
        share = np.isclose(lax, results["ours"].cv_results_["mean_test_score"]).mean()
        spent = seconds[LAX][0]
        beside = f"{spent:.3g}, {share:.0%} of the means"
    how = f"whole paths, {_runs(seconds['peer'])}" + (", wall" if n_jobs else "")
    return cells(
        work, statistics.median(seconds["peer"]), how, seconds["ours"], verdict, beside, goal
    )


def _same_scores(X: np.ndarray, y: np.ndarray, ours: Any, peer: Any) -> Verdict:
    """Compare the mean score at every size, and the paths of the folds where they differ."""
    means = np.isclose(
        ours.cv_results_["mean_test_score"], peer.cv_results_["mean_test_score"], rtol=1e-12
    )
    text = f"{means.sum()} of {len(means)} mean scores"
    text += ", " + ("the same best size" if ours.n_features_ == peer.n_features_ else "OTHER SIZE")
    if means.all():
        return Verdict(True, text)
    same = True
    for i, (rows, _) in enumerate(StratifiedKFold(5).split(X, y)):
        strict = peer_of(SVC(kernel="linear", tol=1e-9), X[rows], y[rows])
        rankings = (each.cv_results_[f"split{i}_ranking"][0] for each in (ours, peer))
        paths = [np.argsort(-ranking, kind="stable") for ranking in rankings]
        fold = compare_paths(*paths, strict.step, strict.exact)
        same &= fold.same
        text += f"; fold {i}: {fold.text}"
    return Verdict(same, text)
