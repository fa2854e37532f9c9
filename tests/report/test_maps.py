"""The picture of two maps: what is in it, that both can be compared, and what is refused."""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

from featprune import SVMRFE
from featprune.report import maps, plot_maps

pytest.importorskip("matplotlib")
HAS_OPEN_TSNE = importlib.util.find_spec("openTSNE") is not None


def groups(n_rows=60):
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % 3
    X = rng.normal(size=(n_rows, 6))
    X[:, :3] += 8 * np.eye(3)[y]
    return X, y


def points(figure, i):
    return np.asarray(figure.axes[i].collections[0].get_offsets())


@pytest.mark.parametrize(
    "method",
    [
        "sklearn",
        pytest.param(
            "openTSNE",
            marks=pytest.mark.skipif(not HAS_OPEN_TSNE, reason="openTSNE is not installed"),
        ),
    ],
)
def test_groups_that_stay_lie_where_they_lay(method, tmp_path):
    X, y = groups()
    figure = plot_maps(X, [True] * 3 + [False] * 3, y, method=method)
    before, after = points(figure, 0), points(figure, 1)
    centres = [np.array([part[y == k].mean(axis=0) for k in range(3)]) for part in (before, after)]
    between = np.linalg.norm(centres[0] - np.roll(centres[0], 1, axis=0), axis=1)
    assert np.linalg.norm(centres[0] - centres[1], axis=1).max() < between.min() / 2
    # each as large as the other, about the middle
    for part in (before, after):
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-5)
        assert np.square(part).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)
    figure.savefig(tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 10_000


def test_the_same_seed_draws_the_same_picture():
    X, y = groups(40)
    drawn = [
        plot_maps(X, np.arange(6) < 4, y, method="sklearn", max_rows=30, random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(points(drawn[0], 1), points(drawn[1], 1))
    assert not np.array_equal(points(drawn[0], 1), points(drawn[2], 1))
    assert len(points(drawn[0], 0)) == 30


def test_titles_and_the_note_say_what_is_shown():
    X, _ = groups(40)
    figure = plot_maps(X, np.arange(6) < 4, method="sklearn")
    assert [ax.get_title() for ax in figure.axes] == ["all 6 columns", "4 columns"]
    assert "of the 10 nearest rows kept, trustworthiness 0." in figure.get_supxlabel()
    assert not figure.legends


@pytest.mark.parametrize("kind", ["words", "objects", "many", "numbers", "flags"])
def test_rows_are_coloured_by_class_or_value(kind, monkeypatch):
    monkeypatch.setattr(maps, "_by_sklearn", lambda values, *_: values[:, :2])
    X, y = groups()
    targets = {
        "words": np.array(["ox", "yak", "elk"])[y],
        "objects": np.array(["ox", None, 3], dtype=object)[y],
        "many": np.array([f"k{i}" for i in np.arange(60) // 2]),
        "numbers": X[:, 0],
        "flags": y > 0,
    }
    figure = plot_maps(X, np.arange(6) < 4, targets[kind], method="sklearn")
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    expected = {
        "words": ["elk", "ox", "yak"],
        "objects": ["3", "None", "ox"],
        "numbers": [],
        "flags": ["False", "True"],
    }
    if kind == "many":
        assert labels[-1] == "and 10 more"
        assert len(labels) == 21
    else:
        assert labels == expected[kind]
    assert len(figure.axes) == (3 if kind == "numbers" else 2)  # with a scale


def test_one_column_rows_that_stand_twice_and_a_constant_are_drawn():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.repeat(rng.normal(size=15), 2), np.zeros(30)])
    figure = plot_maps(X, [True, False], method="sklearn")
    assert np.isfinite(points(figure, 1)).all()
    assert np.isfinite(points(plot_maps(X[:, :1], [True], method="sklearn"), 0)).all()


def test_a_map_is_turned_mirrored_and_scaled_onto_another():
    onto = np.random.default_rng(0).normal(size=(20, 2))
    turn = np.array([[0.0, 1.0], [1.0, 0.0]])  # a mirror
    turned = maps._turned(5 * onto @ turn + 3, onto)
    np.testing.assert_allclose(turned, maps._turned(onto, onto), atol=1e-12)


BAD = {
    "method": (dict(method="umap"), ValueError, "'auto' or 'openTSNE' or 'sklearn'. Got 'umap'"),
    "perplexity": (dict(perplexity=1), ValueError, "'perplexity'.*a number above 1. Got 1"),
    "perplexity of words": (dict(perplexity="x"), ValueError, "'perplexity'.*Got 'x'"),
    "no perplexity": (dict(perplexity=None), TypeError, "'perplexity'.*Got None"),
    "mask": (dict(support=[True]), ValueError, "each of the 6 columns"),
    "target": (dict(y=[1, 2]), ValueError, r"each of the 40 rows of X. Got the shape \(2,\)"),
    "rows": (dict(X=np.eye(6)), ValueError, "needs at least 10 rows. Got 6"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_said(change, error, message, monkeypatch):
    monkeypatch.setattr(maps, "_by_sklearn", lambda values, *_: values[:, :2])
    X, y = groups(40)
    arguments = dict(X=X, support=np.arange(6) < 4, y=y, method="sklearn") | change
    with pytest.raises(error, match=message):
        plot_maps(**arguments)


def test_without_open_tsne_it_is_said_or_done_without(monkeypatch):
    monkeypatch.setattr(maps, "find_spec", lambda name: None)
    X, _ = groups(40)
    with pytest.raises(ImportError, match=r"needs the package openTSNE.*or pass method='sklearn'"):
        plot_maps(X, np.arange(6) < 4, method="openTSNE")
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    assert len(plot_maps(X, np.arange(6) < 4).axes) == 2


def test_dimensions_count_as_columns_do_and_lists_are_tables():
    X, y = groups(40)
    frame = pd.DataFrame({"v": list(X), "noise": X[:, 5]})
    selector = SVMRFE(LinearSVC(dual=False), n_features_to_select=3, embeddings="dimensions")
    figure = plot_maps(frame, selector.fit(frame, y), method="sklearn")
    assert [ax.get_title() for ax in figure.axes] == [
        "all 7 columns and dimensions",
        "3 columns and dimensions",
    ]
    listed = plot_maps(X.tolist(), [True] * 5 + [False], y.tolist(), method="sklearn")
    assert listed.axes[1].get_title() == "5 columns"
