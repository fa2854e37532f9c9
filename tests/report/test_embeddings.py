"""What pruning an embedding costs, against the same measured step by step."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from featprune import SVMRFE, TreeSelector
from featprune.progress import listening
from featprune.report import plot_pruning_cost, pruning_cost

SVM = SVMRFE(LinearSVC(dual=False))
PROBE = LogisticRegression(max_iter=1000)
WAYS = ["SVMRFE", "random", "truncation", "PCA"]


def planted(n_rows=120, n_dimensions=8):
    """Dimensions 5 and 6 decide the class."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_dimensions))
    return X, (X[:, 5] + X[:, 6] + 0.3 * rng.normal(size=n_rows) > 0).astype(int)


def cost(X=None, y=None, selector=SVM, **options):
    if X is None:
        X, y = planted()
    defaults = dict(shares=(1, 0.25), probe=PROBE, cv=3, n_random=2, random_state=0)
    return pruning_cost(X, y, selector, **defaults | options)


def slow_recall(X, others, short, short_others, k):
    """Share of each row's k nearest training rows by cosine that stay the nearest."""

    def nearest(base, query):
        cosines = base @ query / np.linalg.norm(base, axis=1) / np.linalg.norm(query)
        return set(np.argsort(-cosines, kind="stable")[:k])

    return np.mean(
        [
            len(nearest(X, a) & nearest(short, b)) / k
            for a, b in zip(others, short_others, strict=True)
        ]
    )


def test_accuracy_and_recall_are_those_of_each_fold_by_itself():
    X, y = planted()
    table = cost(n_neighbors=7)
    expected = {way: [] for way in ("whole", "SVMRFE", "truncation", "PCA")}
    for train, test in StratifiedKFold(3).split(X, y):
        A, B = X[train], X[test]
        chosen = SVMRFE(LinearSVC(dual=False), n_features_to_select=2).fit(A, y[train]).support_
        mean = A.mean(axis=0)
        axes = np.linalg.svd(A - mean, full_matrices=False)[2][:2]
        shorten = {
            "whole": lambda part: part,
            "SVMRFE": lambda part, chosen=chosen: part[:, chosen],
            "truncation": lambda part: part[:, :2],
            "PCA": lambda part, mean=mean, axes=axes: (part - mean) @ axes.T @ axes + mean,
        }
        for way, values in expected.items():
            a, b = shorten[way](A), shorten[way](B)
            accuracy = LogisticRegression(max_iter=1000).fit(a, y[train]).score(b, y[test])
            values.append([accuracy, slow_recall(A, B, a, b, 7)])
    for way in ("SVMRFE", "truncation", "PCA"):
        found = table.loc[(way, 0.25)]
        assert found["n_dimensions"] == 2
        np.testing.assert_allclose(
            found[["accuracy", "recall"]].tolist(), np.mean(expected[way], axis=0), atol=1e-12
        )
        np.testing.assert_allclose(
            found[["accuracy_sd", "recall_sd"]].tolist(),
            np.std(expected[way], axis=0, ddof=1),
            atol=1e-12,
        )
    for way in WAYS:
        whole = table.loc[(way, 1.0)]
        assert whole["accuracy"] == pytest.approx(np.mean(expected["whole"], axis=0)[0])
        assert (whole["recall"], whole["n_dimensions"]) == (1, 8)


def test_random_is_the_mean_of_its_draws_with_their_spread():
    X, y = planted()
    table = cost(n_random=4).loc[("random", 0.25)]
    random = np.random.RandomState(0)
    random.randint(2**31 - 1)
    means = []
    for _ in range(4):
        drawn = random.permutation(8)[:2]
        scores = [
            LogisticRegression().fit(X[train][:, drawn], y[train]).score(X[test][:, drawn], y[test])
            for train, test in StratifiedKFold(3).split(X, y)
        ]
        means.append(np.mean(scores))
    assert table["accuracy"] == pytest.approx(np.mean(means))
    assert table["accuracy_sd"] == pytest.approx(np.std(means, ddof=1))


def test_the_table_has_a_row_for_each_way_and_share():
    table = cost(shares=(0.5, 1, 0.01, 0.5))
    assert table.index.names == ["way", "share"]
    assert table.index.tolist() == [(way, share) for way in WAYS for share in (1.0, 0.5, 0.01)]
    assert table["n_dimensions"].tolist() == [8, 4, 1] * 4
    assert table.columns.tolist() == [
        "n_dimensions",
        "accuracy",
        "accuracy_sd",
        "recall",
        "recall_sd",
        "seconds",
    ]
    assert not table.isna().any().any()
    assert (table.loc["SVMRFE", "seconds"] > 0).all()
    assert (table.loc["truncation", "seconds"] == 0).all()


def test_a_selector_that_knows_the_target_beats_those_that_do_not():
    accuracy = cost()["accuracy"].xs(0.25, level="share")
    assert accuracy["SVMRFE"] > accuracy.drop("SVMRFE").max() + 0.1


def test_each_selector_is_fitted_once_a_fold_on_training_rows():
    fits = []

    class Counting(SVMRFE):
        def fit(self, X, y=None, **options):
            fits.append((X.shape, self.n_features_to_select, self.embeddings))
            return super().fit(X, y, **options)

    selector = Counting(LinearSVC(dual=False))
    table = cost(selector=selector, shares=(1, 0.5, 0.25, 0.125))
    assert fits == [((80, 8), 1, "whole")] * 3
    assert not hasattr(selector, "support_")
    assert "Counting" in table.index.get_level_values("way")


def test_several_selectors_go_by_their_keys():
    trees = TreeSelector(XGBClassifier(n_estimators=10, max_depth=3))
    table = cost(selector={"svm": SVM, "trees": trees}, n_random=1)
    assert table.index.get_level_values("way").unique().tolist() == [
        "svm",
        "trees",
        "random",
        "truncation",
        "PCA",
    ]
    assert table.loc[("trees", 0.25), "accuracy"] > 0.85
    assert (table.loc["random", "accuracy_sd"] == 0).all()  # of one draw


def stored(kind):
    X, y = planted()
    if kind == "pandas":
        return pd.DataFrame({"name": "x", "v": list(X), "w": list(X[:, :3])}), y
    if kind == "polars":
        return pl.DataFrame({"v": X, "age": np.arange(120)}), y
    return X.astype(kind), y


@pytest.mark.parametrize("kind", ["pandas", "polars", "float32", "float16"])
def test_vectors_are_taken_as_they_are_stored(kind):
    X, y = stored(kind)
    table = cost(X, y, column="v" if kind == "pandas" else None)
    expected = cost(*planted()) if kind != "float16" else cost(X.astype(float), y)
    np.testing.assert_allclose(table["accuracy"], expected["accuracy"], atol=1e-12)
    np.testing.assert_allclose(table["recall"], expected["recall"], atol=2e-3)


def test_results_do_not_depend_on_n_jobs_and_come_again_with_the_seed():
    one, two, other = (
        cost(n_jobs=n_jobs, random_state=seed).drop(columns="seconds")
        for n_jobs, seed in [(1, 0), (2, 0), (1, 1)]
    )
    assert one.equals(two)
    assert not one.loc["random"].equals(other.loc["random"])
    assert one.loc["SVMRFE"].equals(other.loc["SVMRFE"])


def test_the_default_probe_is_a_logistic_regression_on_standardised_dimensions():
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
    ours, theirs = (cost(probe=one)["accuracy"] for one in (None, probe))
    assert ours.equals(theirs)


def test_a_probe_of_numbers_and_folds_of_ones_own():
    X, _ = planted()
    y = X[:, 5] - X[:, 6]
    table = cost(X, y, TreeSelector(random_state=0), probe=Ridge(), cv=KFold(2), shares=(1, 0.25))
    assert table.loc[("TreeSelector", 1.0), "accuracy"] > 0.99  # R2
    assert table.loc[("truncation", 0.25), "accuracy"] < 0.2


def test_only_the_whole_needs_no_fit_of_a_selector():
    table = cost(shares=[1])
    assert table["accuracy"].nunique() == 1
    assert (table["recall"] == 1).all()


def test_more_components_than_training_rows_are_not_asked_for():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 40)), np.arange(24) % 2
    table = cost(X, y, shares=(0.75,), n_neighbors=3)
    assert table.loc[("PCA", 0.75), "n_dimensions"] == 30
    assert table.loc[("PCA", 0.75), "recall"] > table.loc[("random", 0.75), "recall"]


def test_it_says_how_far_it_is():
    told = []
    with listening(lambda *what: told.append(what)):
        cost(n_random=1)
    assert [one for one in told if one[0] == "pruning_cost"] == [
        ("pruning_cost", done, 3) for done in (1, 2, 3)
    ]


def test_the_vectors_stay_as_they_were():
    X, y = planted()
    frame = pd.DataFrame({"v": list(X.copy())})
    cost(frame, y)
    assert np.array_equal(np.stack(frame["v"]), X)


FRAME = pd.DataFrame({"v": list(np.eye(120)), "w": list(np.eye(120)), "age": 1.0})
GAPS = pd.DataFrame({"v": [None, *np.eye(119)]})
BAD = {
    "class": (dict(selector=SVMRFE), TypeError, "must be a selector of featprune"),
    "RFE": (dict(selector=RFE(PROBE)), TypeError, "sizes are cut from its path. Got RFE"),
    "taken name": (dict(selector={"PCA": SVM}), ValueError, "'PCA' is the name of a way"),
    "share": (dict(shares=(1, 1.5)), ValueError, r"must list numbers in \(0, 1\]. Got \(1, 1.5\)"),
    "no share": (dict(shares=()), ValueError, "must list numbers"),
    "one number": (dict(shares=0.5), ValueError, "must list numbers"),
    "nothing": (dict(shares=None), TypeError, "must list numbers"),
    "words": (dict(shares="half"), ValueError, "must list numbers"),
    "neighbours": (dict(n_neighbors=81), ValueError, "at most the 80 training rows of a fold"),
    "draws": (dict(n_random=0), ValueError, "'n_random'.*an int >= 1"),
    "two columns": (dict(X=FRAME), ValueError, "Got None, and X has 'v', 'w'. To take ordinary"),
    "no vectors": (dict(X=FRAME, column="age"), ValueError, "must name a column of vectors"),
    "no such column": (dict(X=FRAME[["age"]]), ValueError, "Got None, and X has none"),
    "column of an array": (dict(column="v"), ValueError, "is for frames"),
    "gaps": (dict(X=GAPS), ValueError, r"'v' has missing or infinite.*of 1 row\(s\). Drop those"),
    "NaN": (dict(X=np.full((120, 3), np.nan)), ValueError, "contains NaN"),
    "target": (dict(y=[0, 1]), ValueError, "inconsistent numbers of samples"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_said(change, error, message):
    X, y = planted()
    with pytest.raises(error, match=message):
        cost(**dict(X=X, y=y) | change)


def test_the_picture_has_a_line_for_each_way(tmp_path):
    pytest.importorskip("matplotlib")
    table = cost(shares=(1, 0.5, 0.25))
    axes = plot_pruning_cost(table)
    assert axes.shape == (2,)
    for ax in axes:
        assert ax.get_legend_handles_labels()[1] == WAYS
        assert [text.get_text() for text in ax.get_xticklabels()] == ["2", "4", "8"]
    line = axes[1].containers[0].lines[0]
    assert line.get_ydata().tolist() == table.loc["SVMRFE", "recall"].tolist()
    axes[0].figure.savefig(tmp_path / "cost.png")


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, featprune.report;"
        "heavy = {'sklearn', 'pandas', 'numpy', 'matplotlib', 'openTSNE'};"
        "print(sorted(heavy & set(sys.modules)), sorted(featprune.report.__all__)[0]);"
        "featprune.report.pruning_cost; featprune.report.plot_maps;"
        "print({'matplotlib', 'openTSNE'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[] Preservation", "set()"]


def test_an_unknown_name_is_no_part_of_the_room():
    import featprune.report

    assert set(featprune.report.__all__) <= set(dir(featprune.report))
    with pytest.raises(AttributeError, match="has no attribute 'plot'"):
        _ = featprune.report.plot
