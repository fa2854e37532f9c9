"""Importance of columns to a black box, against scikit-learn's of the same model."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from onnx import TensorProto, helper
from onnx_graphs import FLOAT, linear_classifier, model_of
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from featprune.extract import onnx_importance
from featprune.progress import listening

X, CODES = make_classification(
    n_samples=200, n_features=5, n_informative=3, n_classes=3, random_state=0, shuffle=False
)
X = X.astype(np.float32)
WORDS = np.array(["ox", "yak", "elk"])[CODES]


def written(y, *, zipmap):
    """A logistic regression, and the same as ONNX."""
    fitted = LogisticRegression().fit(X, y)
    classes = fitted.classes_.tolist()
    return fitted, linear_classifier(fitted.coef_, fitted.intercept_, classes, zipmap=zipmap)


def slow(fitted, X, y, columns, seed, n_repeats):
    """What accuracy loses, repeat by repeat; `columns` are those of each unit."""
    score, losses = fitted.score(X, y), []
    seeds = np.random.RandomState(seed).randint(2**31 - 1, size=len(columns))
    for unit, one in zip(columns, seeds, strict=True):
        rng = np.random.default_rng(one)
        for _ in range(n_repeats):
            mixed = X.copy()
            mixed[:, unit] = X[rng.permutation(len(X))][:, unit]
            losses.append(score - fitted.score(mixed, y))
    return np.reshape(losses, (len(columns), n_repeats))


@pytest.mark.parametrize("zipmap", [False, True], ids=["array", "dicts"])
@pytest.mark.parametrize("y", [CODES, WORDS], ids=["ints", "words"])
def test_losses_are_those_of_the_model_itself(y, zipmap):
    fitted, model = written(y, zipmap=zipmap)
    found = onnx_importance(model, X, y, n_repeats=3, random_state=0)
    expected = slow(fitted, X, y, [[i] for i in range(5)], 0, 3)
    np.testing.assert_allclose(found.importances, expected, atol=1e-12)
    np.testing.assert_allclose(found.importances_mean, expected.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.importances_std, expected.std(axis=1), atol=1e-12)
    assert found.names == ("x0", "x1", "x2", "x3", "x4")
    assert found.score == fitted.score(X, y)


@pytest.mark.parametrize("groups", [{"a": [0, 3], "b": [2]}, {"a": ["c0", "c3"], "b": ["c2"]}])
def test_columns_of_a_group_are_permuted_together(groups):
    fitted, model = written(CODES, zipmap=False)
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(5)])
    rows = X if groups["b"] == [2] else frame
    found = onnx_importance(model, rows, CODES, groups=groups, n_repeats=2, random_state=1)
    assert found.names == ("a", f"{'x' if rows is X else 'c'}1", "b", f"{found.names[1][0]}4")
    expected = slow(fitted, X, CODES, [[0, 3], [1], [2], [4]], 1, 2)
    np.testing.assert_allclose(found.importances, expected, atol=1e-12)


@pytest.mark.parametrize("y", [CODES, WORDS], ids=["ints", "words"])
@pytest.mark.parametrize("zipmap", [False, True], ids=["array", "dicts"])
def test_scores_of_probabilities_are_taken_in_the_order_of_classes(y, zipmap):
    fitted, _ = written(y, zipmap=zipmap)
    turned = fitted.classes_[::-1].tolist()  # as a model may have them
    model = linear_classifier(fitted.coef_[::-1], fitted.intercept_[::-1], turned, zipmap=zipmap)
    options = {} if zipmap else {"classes": turned}
    found = onnx_importance(model, X, y, scoring="neg_log_loss", random_state=0, **options)
    assert found.score == pytest.approx(-log_loss(y, fitted.predict_proba(X)), abs=1e-5)


def test_one_probability_is_that_of_the_second_class():
    weights = np.array([[1], [-2], [0], [0], [0]], dtype=np.float32)
    model = model_of(
        [
            helper.make_node("MatMul", ["x", "weights"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["probability"]),
        ],
        [("x", FLOAT, ["n", 5])],
        [("probability", FLOAT, ["n", 1])],
        {"weights": weights},
    )
    score = (X @ weights).ravel()
    y = np.where(score > 0, "yes", "no")
    found = onnx_importance(model, X, y, random_state=0)
    assert found.score == 1.0
    assert (found.importances_mean > 0).tolist() == [True, True, False, False, False]
    noisy = np.where(np.random.default_rng(0).random(200) < 0.2, "no", y)
    found = onnx_importance(model, X, noisy, scoring="roc_auc", random_state=0)
    assert found.score == pytest.approx(roc_auc_score(noisy, score), abs=1e-6)


def by_columns():
    """A model of an input a column: a number, a vector and a word."""
    return model_of(
        [
            helper.make_node("ReduceSum", ["vector", "axis"], ["sum"], keepdims=1),
            helper.make_node("Equal", ["word", "yes"], ["is yes"]),
            helper.make_node("Cast", ["is yes"], ["one"], to=FLOAT),
            helper.make_node("Add", ["sum", "one"], ["two"]),
            helper.make_node("Add", ["two", "number"], ["three"]),
            helper.make_node("Greater", ["three", "zero"], ["large"]),
            helper.make_node("Cast", ["large"], ["label"], to=TensorProto.INT64),
        ],
        [
            ("vector", FLOAT, ["n", 2]),
            ("number", FLOAT, ["n", 1]),
            ("word", TensorProto.STRING, ["n", 1]),
        ],
        [("label", TensorProto.INT64, ["n", 1])],
        {
            "axis": np.array([1]),
            "yes": np.array(["yes"], dtype=object),
            "zero": np.float32([0]),
        },
        opset=19,
        ir_version=9,
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_model_may_take_an_input_a_column(library):
    rng = np.random.default_rng(0)
    columns = {
        "word": np.where(rng.random(100) < 0.5, "yes", "no").tolist(),
        "vector": list(rng.normal(size=(100, 2))),
        "number": 0.01 * rng.normal(size=100),
    }
    y = (np.stack(columns["vector"]).sum(1) + (np.array(columns["word"]) == "yes")
         + columns["number"] > 0).astype(int)  # fmt: skip
    frame = pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)
    found = onnx_importance(by_columns(), frame, y, random_state=0)
    assert found.score == 1.0
    assert found.names == ("word", "vector", "number")
    word, vector, number = found.importances_mean
    assert vector > word > number >= 0
    with pytest.raises(ValueError, match=r"takes the inputs 'vector', .* X has the columns 'word'"):
        onnx_importance(by_columns(), frame[["word", "number"]], y)


def test_vectors_of_a_frame_stand_side_by_side_in_one_input():
    fitted, model = written(CODES, zipmap=False)
    frame = pd.DataFrame({"vector": list(X[:, :3]), "a": X[:, 3], "b": X[:, 4]})
    found = onnx_importance(model, frame, CODES, n_repeats=2, random_state=0)
    expected = slow(fitted, X, CODES, [[0, 1, 2], [3], [4]], 0, 2)
    np.testing.assert_allclose(found.importances, expected, atol=1e-12)


def test_results_depend_on_nothing_but_the_seed():
    _, model = written(CODES, zipmap=True)
    before = X.copy()
    runs = [
        onnx_importance(model, X, CODES, random_state=seed, batch_size=size, n_jobs=n_jobs)
        for seed, size, n_jobs in [(0, 1024, None), (0, 7, 1), (1, 1024, None)]
    ]
    assert np.array_equal(runs[0].importances, runs[1].importances)
    assert not np.array_equal(runs[0].importances, runs[2].importances)
    assert np.array_equal(X, before)


def test_a_constant_column_loses_nothing():
    _, model = written(CODES, zipmap=False)
    constant = X.copy()
    constant[:, 0] = 1.0
    assert not onnx_importance(model, constant, CODES, random_state=0).importances[0].any()


def test_progress_is_told_by_columns():
    _, model = written(CODES, zipmap=False)
    told = []
    with listening(lambda *one: told.append(one)):
        onnx_importance(model, X, CODES, n_repeats=1)
    assert told == [("onnx_importance: columns", done, 5) for done in range(1, 6)]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_repeats": 0}, "'n_repeats' parameter of onnx_importance must be an int >= 1"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter"),
        ({"verbose": 0}, "'verbose' parameter"),
        ({"classes": [0, 1]}, "'classes' parameter of onnx_importance must have 3.* Got 2"),
        ({"groups": {"a": [9]}}, "names 9, which X does not have"),
        ({"X": X[:, :4]}, r"takes 'x' of shape \(\?, 5\).*of shape \(200, 4\)"),
        ({"X": X[0]}, r"must be of shape \(n_rows, n_columns\). Got \(5,\)"),
        ({"X": X[:0]}, "must have rows and columns"),
        ({"X": pd.DataFrame(X).assign(a="b")}, "'a' is none. Encode or drop"),
        ({"y": CODES[:9]}, "inconsistent numbers of samples"),
        ({"model": b"x"}, "onnx_importance can't load the model"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_used_is_refused(options, match):
    _, model = written(CODES, zipmap=False)
    with pytest.raises(ValueError, match=match):
        onnx_importance(**{"model": model, "X": X, "y": CODES} | options)


def test_a_model_without_probabilities_has_no_score_of_them():
    label = model_of(
        [
            helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        ],
        [("x", FLOAT, ["n", 5])],
        [("label", TensorProto.INT64, ["n"])],
    )
    assert onnx_importance(label, X, X.argmax(axis=1), random_state=0).score == 1.0
    with pytest.raises(ValueError, match=r"returns no probabilities.*Pass scoring='accuracy'"):
        onnx_importance(label, X, X.argmax(axis=1), scoring="neg_log_loss")


def test_a_model_that_is_no_classifier_is_refused():
    model = model_of(
        [helper.make_node("SequenceConstruct", ["x"], ["list"])],
        [("x", FLOAT, ["n", 5])],
        [helper.make_tensor_sequence_value_info("list", FLOAT, None)],
    )
    with pytest.raises(ValueError, match=r"so it is no classifier. Its outputs: 'list'"):
        onnx_importance(model, X, CODES)
