import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from featprune.table.columns import read
from featprune.table.encode import TableEncoder

Y = np.arange(6) % 2


def encode(X, encoder="auto", *, standardize=False, y=Y, weight=None):
    learner = TableEncoder(encoder, standardize=standardize, random_state=0)
    return learner, learner.fit_transform(read(X), y, weight)


def test_numbers_are_taken_as_they_are():
    X = np.arange(12.0).reshape(6, 2)
    _, encoded = encode(X)
    np.testing.assert_array_equal(encoded.values, X)
    assert encoded.owner.tolist() == [0, 1]
    assert encoded.dimension.tolist() == [-1, -1]


def test_a_missing_number_becomes_the_mean_and_a_feature_says_so():
    X = np.array([[1, 1], [2, np.nan], [3, 3], [4, 5], [5, 5], [6, 5]], dtype=float)
    learner, encoded = encode(X)
    assert encoded.owner.tolist() == [0, 1, 1]
    assert encoded.values[:, 1].tolist() == [1, 3.8, 3, 5, 5, 5]
    assert encoded.values[:, 2].tolist() == [0, 1, 0, 0, 0, 0]
    # later rows: missing where none was missing before is the mean, without a feature
    later = learner.transform(read(np.array([[np.nan, np.nan]])))
    assert later.tolist() == [[3.5, 3.8, 1]]


def test_the_mean_is_weighted():
    X = np.array([[1.0], [2.0], [np.nan], [4.0], [5.0], [6.0]])
    weight = np.array([1, 3, 5, 1, 1, 0.5])
    _, encoded = encode(X, weight=weight)
    present = np.array([0, 1, 3, 4, 5])
    assert encoded.values[2, 0] == pytest.approx(np.average(X[present, 0], weights=weight[present]))


def test_standardised_features_have_mean_zero_and_variance_one():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(5, 100, 50), rng.normal(0, 1e-3, 50), np.full(50, 0.1)])
    _, encoded = encode(X, standardize=True, y=None)
    np.testing.assert_allclose(encoded.values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(encoded.values.std(axis=0), [1, 1, 0], atol=1e-12)


def test_a_weight_counts_rows():
    X = np.random.default_rng(0).normal(size=(6, 3))
    X[2, 1] = np.nan
    repeats = np.array([1, 2, 3, 1, 1, 2])
    one, by_weight = encode(X, standardize=True, weight=repeats.astype(float))
    other, by_rows = encode(X.repeat(repeats, axis=0), standardize=True, y=Y.repeat(repeats))
    np.testing.assert_allclose(by_weight.values.repeat(repeats, axis=0), by_rows.values)
    np.testing.assert_allclose(one.transform(read(X)), other.transform(read(X)))


def test_sparse_is_scaled_and_not_centred():
    X = sparse.random_array((40, 5), density=0.3, rng=np.random.default_rng(0), format="csr")
    _, encoded = encode(X, standardize=True, y=None)
    assert sparse.issparse(encoded.values)
    assert encoded.values.nnz == X.nnz
    np.testing.assert_allclose(encoded.values.toarray().std(axis=0), 1)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_every_kind_of_column_is_encoded_and_owned(library):
    frame = pd.DataFrame(
        {
            "number": [1.0, 2, np.nan, 4, 5, 6],
            "level": pd.Categorical(list("abcabc"), categories=list("abcz")),
            "vector": [[1.0, 2.0]] * 3 + [[3.0, 5.0]] * 3,
            "flag": [True, False] * 3,
            "word": ["u", "v", None] * 2,
            "day": pd.to_datetime(["2020-01-01", "2021-02-03", None] * 2),
            "text": [f"some text {i}" for i in range(6)],
        }
    )
    if library == "polars":
        frame = pl.from_pandas(frame)
    learner, encoded = encode(frame)
    count = np.bincount(encoded.owner, minlength=7)
    assert count[0] == 2  # the number, and whether it is missing
    assert count[1] == 3  # one for each level that occurs
    assert count[2] == 2
    assert count[3] == 1
    assert (count[4:] >= 1).all()
    assert encoded.dimension[encoded.owner == 2].tolist() == [0, 1]
    assert (np.diff(encoded.owner) >= 0).all()
    assert np.isfinite(encoded.values).all()
    np.testing.assert_allclose(learner.transform(read(frame)), encoded.values, atol=1e-6)


def test_a_level_that_was_not_there_is_all_zeros_and_silent():
    frame = pd.DataFrame({"level": list("abcabc")})
    learner, _ = encode(frame)
    later = learner.transform(read(pd.DataFrame({"level": ["a", "new"]})))
    assert later.sum(axis=1).tolist() == [1, 0]


def test_columns_without_a_value_have_no_feature():
    frame = pd.DataFrame({"a": range(6), "none": pd.Series([None] * 6, dtype=object)})
    _, encoded = encode(frame)
    assert 1 not in encoded.owner
    frame = pl.DataFrame({"a": range(6), "none": [None] * 6})
    _, encoded = encode(frame)
    assert 1 not in encoded.owner


def test_an_all_missing_number_does_no_harm():
    _, encoded = encode(np.column_stack([np.arange(6.0), np.full(6, np.nan)]), standardize=True)
    assert np.isfinite(encoded.values).all()
    assert not encoded.values[:, encoded.owner == 1].any()


def test_a_transformer_of_ones_own_is_taken_and_traced():
    frame = pd.DataFrame({"a": [1.0, 2, np.nan, 4, 5, 6], "b": list("xyzxyz"), "c": [7.0] * 6})
    encoder = make_column_transformer(
        (OneHotEncoder(), ["b"]), (make_pipeline(SimpleImputer(), StandardScaler()), ["c", "a"])
    )
    learner, encoded = encode(frame, encoder)
    assert encoded.owner.tolist() == [1, 1, 1, 0]  # c is constant and has no feature
    np.testing.assert_allclose(learner.transform(read(frame)), encoded.values)
    assert not hasattr(encoder, "transformers_")


def test_missing_values_that_a_transformer_leaves_are_refused():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3, 4, 5, 6]})
    with pytest.raises(ValueError, match=r"missing values \(NaN\) in column 'a'. Impute them"):
        encode(frame, StandardScaler())


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    ("bad", "what"), [(np.inf, "infinite values"), (-np.inf, "infinite values")]
)
def test_infinite_values_are_refused_by_name(standardize, bad, what):
    frame = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0)})
    frame.loc[2, "b"] = bad
    with pytest.raises(ValueError, match=rf"X has {what} in column 'b'. Replace or drop"):
        encode(frame, standardize=standardize)
    with pytest.raises(ValueError, match=r"in column 'x1'"):
        encode(sparse.csr_array(frame.to_numpy()), standardize=standardize)
    learner, _ = encode(frame.fillna(0).replace(bad, 1.0), standardize=standardize)
    with pytest.raises(ValueError, match=r"in column 'b'"):
        learner.transform(read(frame))


def test_missing_values_in_a_sparse_matrix_are_refused():
    X = np.arange(12.0).reshape(6, 2)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"column 'x1'. Replace them: a sparse matrix is not"):
        encode(sparse.csr_array(X))


@pytest.mark.parametrize(
    "X",
    [
        np.ones((6, 2)),
        np.full((6, 2), np.nan),
        sparse.csr_array((6, 2)),
        pd.DataFrame({"a": ["u"] * 6, "b": [1] * 6}),
    ],
    ids=["ones", "NaN", "sparse", "frame"],
)
def test_a_table_that_never_varies_is_refused(X):
    with pytest.raises(ValueError, match=r"one and the same value in all rows"):
        encode(X)


def test_the_callers_table_is_not_changed():
    X = np.array([[1, np.nan], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6]], dtype=float)
    before = X.copy()
    learner, _ = encode(X, standardize=True)
    learner.transform(read(X))
    np.testing.assert_array_equal(X, before)
    S = sparse.csr_array(np.nan_to_num(X))
    data = S.data.copy()
    encode(S, standardize=True)
    np.testing.assert_array_equal(S.data, data)


def odd_columns():
    n = 40
    number = np.random.default_rng(0).normal(size=n)
    day = [datetime.date(2020, 1, 1 + i % 20) for i in range(n - 1)] + [None]
    span = [datetime.timedelta(i) for i in range(n - 1)] + [None]
    arrow = {
        "arrow date": (day, pa.date32()),
        "arrow duration": (span, pa.duration("us")),
        "arrow dictionary": (["a", "b"] * 20, pa.dictionary(pa.int8(), pa.string())),
        "arrow null": ([None] * n, pa.null()),
    }
    columns = {name: pd.Series(v, dtype=pd.ArrowDtype(kind)) for name, (v, kind) in arrow.items()}
    columns |= {
        "unused levels": pd.Categorical(["a", "b"] * 20, categories=["z", "a", "b"]),
        "missing times": pd.Series(pd.to_datetime(day)),
        "one time": pd.Series([pd.Timestamp("2020-01-01")] * n),
        "no time": pd.Series([pd.NaT] * n, dtype="datetime64[ns]"),
        "timedelta": pd.Series(pd.to_timedelta(span)),
        "mixed objects": pd.Series([1, "a", None, 2.5] * 10, dtype=object),
        "bytes": [b"a", b"b"] * 20,
        "date objects": pd.Series(day, dtype=object),
        "nothing": pd.Series([None] * n, dtype=object),
        "no number": [np.nan] * n,
        "many words": [f"word {i}" for i in range(n)],
        "polars decimal": pl.Series(range(n), dtype=pl.Decimal(10, 2)),
        "polars enum": pl.Series(["a", None] * 20, dtype=pl.Enum(["z", "a"])),
        "polars date": pl.Series(day),
        "polars duration": pl.Series(span),
        "polars time": pl.Series([datetime.time(i % 20) for i in range(n)]),
        "polars null": pl.Series([None] * n),
    }
    for name, column in columns.items():
        frame = pl.DataFrame if name.startswith("polars") else pd.DataFrame
        yield pytest.param(frame({"number": number, "odd": column}), id=name)


@pytest.mark.parametrize("frame", list(odd_columns()))
def test_odd_columns_become_finite_numbers_without_a_warning(frame):
    learner, encoded = encode(frame, y=None, standardize=True)
    assert encoded.values.shape == (40, len(encoded.owner))
    assert np.isfinite(encoded.values).all()
    assert encoded.owner[0] == 0
    assert set(encoded.owner[1:]) <= {1}
    few = read(frame).rows(np.array([39, 0, 0]))
    # text features are float32, made of other sums for other numbers of rows
    np.testing.assert_allclose(learner.transform(few), encoded.values[[39, 0, 0]], atol=1e-4)


def test_arrow_durations_are_one_number():
    spans = [datetime.timedelta(i) for i in range(6)]
    frame = pd.DataFrame({"span": pd.Series(spans, dtype=pd.ArrowDtype(pa.duration("us")))})
    _, encoded = encode(frame)
    assert encoded.owner.tolist() == [0]
    assert (np.diff(encoded.values[:, 0]) > 0).all()


def test_later_rows_may_miss_every_vector(frame_library):
    frame = frame_library({"v": [[1.0, 2.0]] * 3 + [[3.0, 6.0], [3.0, 7.0], None]})
    learner, encoded = encode(frame)
    assert encoded.owner.tolist() == [0, 0, 0]
    later = learner.transform(read(frame).rows(np.array([5, 5])))
    np.testing.assert_allclose(later, [[1.8, 3.8, 1]] * 2)


def test_later_vectors_of_another_length_are_refused(frame_library):
    learner, _ = encode(frame_library({"v": [[float(i), 2.0] for i in range(6)]}))
    with pytest.raises(ValueError, match=r"'v' has vectors of length 3, and had 2 in fit"):
        learner.transform(read(frame_library({"v": [[1.0, 2.0, 3.0]]})))


def test_an_encoder_that_leaves_words_is_refused(frame_library):
    frame = frame_library({"a": list("uvwuvw"), "b": range(6)})
    with pytest.raises(ValueError, match=r"must make numbers, and its features 'a' are none"):
        encode(frame, FunctionTransformer())
    with pytest.raises(ValueError, match=r"must make numbers: could not convert.*encoder='auto'"):
        encode(frame, FunctionTransformer(lambda X: np.array(X, dtype=object)))


def test_an_encoder_may_make_nullable_numbers():
    frame = pd.DataFrame({"a": pd.array([1, 2, 3, 4, 5, 6], "Int64"), "b": [True, False] * 3})
    _, encoded = encode(frame, FunctionTransformer())
    np.testing.assert_array_equal(encoded.values, frame.to_numpy(dtype=float))


def test_an_encoder_that_leaves_nothing_is_refused():
    empty = FunctionTransformer(lambda X: X[:, :0], accept_sparse=True)
    for X in (np.arange(12.0).reshape(6, 2), sparse.csr_array(np.eye(6))):
        with pytest.raises(ValueError, match=r"one and the same value in all rows"):
            encode(X, empty)


def test_a_frame_of_the_caller_is_not_changed(frame_library):
    frame = frame_library({"a": [1.0, 2, 3, 4, 5, 6], "b": [1.0, 2, None, 4, 5, 6]})
    before = frame.to_numpy().copy()
    learner, _ = encode(frame, standardize=True)
    learner.transform(read(frame))
    np.testing.assert_array_equal(frame.to_numpy(), before)


@pytest.mark.parametrize("flag", [True, False])
def test_a_feature_says_that_a_vector_is_missing_if_wanted(flag):
    vectors = [[1.0, 2.0], None, [3.0, 4.0], [5.0, 5.0], [6.0, 1.0], [0.0, 0.0]]
    table = read(pd.DataFrame({"v": vectors, "n": [1, 2, 3, 4, 5, None]}))
    learner = TableEncoder("auto", standardize=False, random_state=0, flag_vectors=flag)
    encoded = learner.fit_transform(table, Y, None)
    assert encoded.owner.tolist() == ([0, 0, 0, 1, 1] if flag else [0, 0, 1, 1])
    assert encoded.values[1, :2].tolist() == pytest.approx([3.0, 2.4])
    np.testing.assert_array_equal(learner.transform(table), encoded.values)
