"""Embedding columns as a user has them, pruned dimension by dimension by every kind of selector."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from featprune import SVMRFE, PrunePlan, ShadowSelector, TreeSelector

TREES = XGBClassifier(n_estimators=15, max_depth=3, max_bin=16)
SELECTORS = {
    "SVMRFE": SVMRFE(LinearSVC(dual=False), n_features_to_select=3),
    "TreeSelector": TreeSelector(TREES, n_features_to_select=3, cv=None, random_state=0),
    "ShadowSelector": ShadowSelector(TREES, n_iter=15, random_state=0, tentative="rough_fix"),
}
every_selector = pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS.keys())

N = 150
# the dimensions that decide the target
TRUE = [1, 4]
WIDTH = 7


def planted(seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(N, WIDTH)).astype(np.float32)
    y = (vectors[:, TRUE].sum(axis=1) + 0.2 * rng.normal(size=N) > 0).astype(int)
    return vectors, y


def of_arrow(dtype):
    def column(vectors):
        rows = [None if np.isnan(v).all() else v.tolist() for v in vectors]
        return pd.DataFrame({"v": pd.Series(rows, dtype=pd.ArrowDtype(dtype))})

    return column


def rows_of(vectors, as_one):
    return [None if np.isnan(v).all() else as_one(v) for v in vectors]


def of_polars(dtype):
    return lambda vectors: pl.DataFrame(
        {"v": pl.Series("v", rows_of(vectors, np.ndarray.tolist), dtype=dtype)}
    )


STORED = {
    "pandas arrays": lambda v: pd.DataFrame({"v": pd.Series(rows_of(v, np.copy), dtype=object)}),
    "pandas lists": lambda v: pd.DataFrame(
        {"v": pd.Series(rows_of(v, np.ndarray.tolist), dtype=object)}
    ),
    "arrow fixed": of_arrow(pa.list_(pa.float32(), WIDTH)),
    "arrow list": of_arrow(pa.list_(pa.float32())),
    "polars array": of_polars(pl.Array(pl.Float32, WIDTH)),
    "polars list": of_polars(pl.List(pl.Float32)),
}
every_storage = pytest.mark.parametrize("store", STORED.values(), ids=STORED.keys())


def to_matrix(column):
    return np.array([np.full(0, np.nan) if v is None else np.asarray(v) for v in column])


def in_dimensions(selector, **parameters):
    return clone(selector).set_params(embeddings="dimensions", **parameters)


@every_selector
@every_storage
def test_every_storage_loses_the_same_dimensions_and_keeps_its_type(selector, store):
    vectors, y = planted()
    frame = store(vectors)
    fitted = in_dimensions(selector).fit(frame, y)
    kept = fitted.embedding_support_["v"]
    assert kept[TRUE].all()
    assert kept.sum() < WIDTH
    # the same dimensions as if each were a column
    matrix = clone(selector).fit(vectors.astype(float), y)
    assert np.array_equal(kept, matrix.support_)
    out = fitted.transform(frame)
    assert type(out) is type(frame)
    column = out["v"]
    assert np.array_equal(to_matrix(column), vectors[:, kept])
    if "fixed" in str(frame["v"].dtype) or isinstance(frame["v"].dtype, pl.Array):
        size = int(kept.sum())
        assert str(column.dtype) == str(frame["v"].dtype).replace(f"{WIDTH}", f"{size}")
    else:
        assert column.dtype == frame["v"].dtype
    if isinstance(column.iloc[0] if hasattr(column, "iloc") else column[0], np.ndarray):
        assert column.iloc[0].dtype == np.float32


@every_selector
@every_storage
def test_the_plan_shortens_as_the_selector_does(selector, store, tmp_path):
    vectors, y = planted()
    frame = store(vectors)
    fitted = in_dimensions(selector).fit(frame, y)
    fitted.to_plan().save(tmp_path / "plan.json")
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert np.array_equal(plan.masks["v"], fitted.embedding_support_["v"])
    later = store(planted(seed=1)[0])
    assert np.array_equal(
        to_matrix(plan.apply(later)["v"]), to_matrix(fitted.transform(later)["v"])
    )


@every_selector
@every_storage
def test_missing_vectors_are_learned_around_and_stay_missing(selector, store):
    vectors, y = planted()
    vectors[::10] = np.nan
    frame = store(vectors)
    fitted = in_dimensions(selector).fit(frame, y)
    kept = fitted.embedding_support_["v"]
    assert kept[TRUE].all()
    out = list(fitted.transform(frame)["v"])
    for i, vector in enumerate(out):
        if i % 10 == 0:
            assert vector is None or vector is pd.NA or np.all(pd.isna(vector))
        else:
            assert np.array_equal(np.asarray(vector), vectors[i, kept])
    later = fitted.transform(store(vectors[:1]))["v"]
    assert len(later) == 1


@every_selector
@every_storage
@pytest.mark.parametrize("width", [WIDTH - 1, WIDTH + 2], ids=["shorter", "longer"])
def test_vectors_of_another_length_are_refused_at_transform(selector, store, width):
    vectors, y = planted()
    fitted = in_dimensions(selector).fit(store(vectors), y)
    arrays = pd.DataFrame({"v": list(np.ones((3, width)))})
    lists = pl.DataFrame({"v": [[1.0] * width] * 3})
    for other in (arrays, lists):
        with pytest.raises(
            ValueError, match=rf"'v' has vectors of length {width}, and had {WIDTH} in fit"
        ):
            fitted.transform(other)
    with pytest.raises(
        ValueError, match=r"'v' must hold vectors of one length. Got lengths 1 to 2"
    ):
        fitted.transform(pl.DataFrame({"v": [[1.0], [1.0, 2.0]]}))


@every_selector
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_several_embeddings_beside_ordinary_columns(selector, library):
    rng = np.random.default_rng(0)
    vectors, y = planted()
    noise = rng.normal(size=(N, 3))
    town = np.where(rng.random(N) < 0.15, 1 - y, y)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=N),
            "text": list(vectors),
            "town": np.array(["oslo", "bern"])[town],
            "image": list(noise),
            "voice": list(vectors[:, ::-1].copy()),
        }
    )
    if library == "polars":
        frame = pl.DataFrame({name: frame[name].to_list() for name in frame})
    size = {} if isinstance(selector, ShadowSelector) else {"n_features_to_select": 5}
    fitted = in_dimensions(selector, **size).fit(frame, y)
    support = dict(zip(frame.columns, fitted.support_.tolist(), strict=True))
    assert support["text"] or support["voice"]
    assert set(fitted.embedding_support_) == {"text", "image", "voice"}
    for name, mask in fitted.embedding_support_.items():
        assert mask.any() == support[name]
    out = fitted.transform(frame)
    assert list(out.columns) == [name for name in frame.columns if support[name]]
    assert list(out.columns) == fitted.get_feature_names_out().tolist()
    for name in out.columns:
        if name in fitted.embedding_support_:
            whole = np.stack([np.asarray(v) for v in frame[name]])
            mask = fitted.embedding_support_[name]
            assert np.array_equal(to_matrix(out[name]), whole[:, mask])
        else:
            assert out[name].equals(frame[name])
    # a unit for each dimension, one for each other column
    assert len(fitted.path_.names) == WIDTH + 3 + WIDTH + 2
    again = fitted.to_plan().apply(frame)
    for name in out.columns:
        assert all(np.array_equal(a, b) for a, b in zip(again[name], out[name], strict=True))


@every_selector
def test_a_matrix_is_pruned_column_by_column_in_its_own_type(selector):
    vectors, y = planted()
    fitted = in_dimensions(selector).fit(vectors, y)
    assert fitted.support_[TRUE].all()
    out = fitted.transform(vectors)
    assert out.dtype == np.float32
    assert np.array_equal(out, vectors[:, fitted.support_])
    assert fitted.embedding_support_ == {}


@every_selector
def test_half_precision_goes_out_in_half_precision(selector):
    vectors, y = planted()
    half = vectors.astype(np.float16)
    frame = pd.DataFrame({"v": list(half)})
    fitted = in_dimensions(selector).fit(frame, y)
    out = fitted.transform(frame)["v"]
    assert out[0].dtype == np.float16
    assert np.array_equal(np.stack(out), half[:, fitted.embedding_support_["v"]])
    assert clone(selector).fit(half, y).transform(half).dtype == np.float16


@every_selector
def test_whole_decides_on_the_column(selector):
    vectors, y = planted()
    frame = pd.DataFrame({"v": list(vectors), "noise": np.random.default_rng(1).normal(size=N)})
    size = {} if isinstance(selector, ShadowSelector) else {"n_features_to_select": 1}
    fitted = clone(selector).set_params(**size).fit(frame, y)
    assert fitted.support_.tolist() == [True, False]
    assert np.array_equal(to_matrix(fitted.transform(frame)["v"]), vectors)


@every_selector
def test_one_dimension_and_all_of_them_can_be_kept(selector):
    vectors, y = planted()
    frame = pd.DataFrame({"v": list(vectors)})
    fitted = in_dimensions(selector).fit(frame, y)
    one = fitted.reselect(1).transform(frame)["v"]
    assert to_matrix(one).shape == (N, 1)
    assert fitted.reselect(WIDTH).transform(frame)["v"].equals(frame["v"])


@every_selector
def test_the_callers_vectors_are_not_changed(selector):
    vectors, y = planted()
    frame = pd.DataFrame({"v": list(vectors.copy())})
    fitted = in_dimensions(selector).fit(frame, y)
    fitted.transform(frame)["v"][0][:] = 7
    assert np.array_equal(to_matrix(frame["v"]), vectors)


def test_the_shortened_column_goes_into_a_model_after_it():
    vectors, y = planted()
    matrix = make_pipeline(SELECTORS["SVMRFE"], LogisticRegression()).fit(vectors, y)
    assert matrix[-1].coef_.shape == (1, 3)
    assert matrix.score(vectors, y) > 0.9
