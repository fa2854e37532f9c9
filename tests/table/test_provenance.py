import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from skrub import TableVectorizer

from featprune.table.columns import read
from featprune.table.encode import TableEncoder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 5))
Y = np.arange(30) % 2


def owners(encoder, table, y=Y):
    encoded = TableEncoder(encoder, standardize=False, random_state=0).fit_transform(
        read(table), y, None
    )
    return encoded.owner.tolist()


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        (StandardScaler(), [0, 1, 2, 3, 4]),
        (KBinsDiscretizer(3, encode="onehot-dense"), [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]),
        (KBinsDiscretizer(2, encode="onehot"), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        (SplineTransformer(n_knots=2, degree=1), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        (FunctionTransformer(lambda X: X[:, [3, 1]]), [3, 1]),
        (FunctionTransformer(lambda X: np.hstack([X, X**2])), [0, 1, 2, 3, 4] * 2),
    ],
    ids=["scaler", "bins", "sparse bins", "splines", "some columns", "powers"],
)
def test_features_are_traced_to_their_columns(encoder, expected):
    assert owners(encoder, X) == expected


@pytest.mark.parametrize("n_columns", [1, 2, 3, 7, 8, 9, 33])
def test_any_number_of_columns(n_columns):
    table = RNG.normal(size=(10, n_columns))
    shuffled = RNG.permutation(n_columns)
    encoder = FunctionTransformer(lambda X: X[:, shuffled])
    assert owners(encoder, table, None) == shuffled.tolist()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_that_would_mislead_do_not(library):
    frame = pd.DataFrame({"a": ["b_c", "d"] * 15, "a_b": ["c", "e", "f"] * 10})
    frame = frame if library == "pandas" else pl.from_pandas(frame)
    encoder = OneHotEncoder(sparse_output=False)
    assert owners(encoder, frame) == [0, 0, 1, 1, 1]
    assert owners(TableVectorizer(), frame) == [0, 1, 1, 1]


def test_targets_may_be_looked_at():
    frame = pd.DataFrame({"a": list("uvuwuv") * 5, "b": list("xy") * 15, "c": range(30)})
    encoder = make_column_transformer(
        (TargetEncoder(cv=StratifiedKFold(3)), ["b", "a"]), remainder="passthrough"
    )
    assert owners(encoder, frame) == [1, 0, 2]


def test_a_sparse_table_is_traced_too():
    table = sparse.random_array((30, 5), density=0.4, rng=RNG, format="csr")
    assert owners(StandardScaler(with_mean=False), table) == [0, 1, 2, 3, 4]


def test_a_constant_feature_belongs_to_nobody_and_is_left_out():
    assert owners(PolynomialFeatures(1), X) == [0, 1, 2, 3, 4]  # its first feature is all ones


@pytest.mark.parametrize(
    "encoder",
    [PCA(2), PolynomialFeatures(2, interaction_only=True, include_bias=False)],
    ids=["PCA", "products"],
)
def test_a_feature_of_several_columns_is_refused(encoder):
    with pytest.raises(ValueError, match=r"'(pca0|x0 x1)'.*depend on more than one column each"):
        owners(encoder, X)


@pytest.mark.parametrize("container", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_targets_of_several_classes_make_several_features(container):
    frame = container(pd.DataFrame({"a": list("uvuwuv") * 5, "b": list("xyy") * 10}))
    encoder = TargetEncoder(cv=StratifiedKFold(3))
    assert owners(encoder, frame, np.random.default_rng(1).integers(0, 3, 30)) == [0, 0, 0, 1, 1, 1]


def test_index_and_columns_of_a_frame_may_be_odd():
    frame = pd.DataFrame({7: list("xyz") * 10, 3: np.arange(30)}, index=[1] * 30)
    encoder = make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough")
    assert owners(encoder, frame) == [0, 0, 0, 1]


def test_missing_values_of_a_sparse_table_do_not_spread():
    table = sparse.random_array((30, 4), density=0.5, rng=np.random.default_rng(1), format="csr")
    table.data[[3, 20]] = np.nan
    assert owners(SimpleImputer(), table) == [0, 1, 2, 3]


def test_words_and_numbers_of_an_object_array_are_traced():
    table = np.array([[i, "uvw"[i % 3]] for i in range(30)], dtype=object)
    encoder = make_column_transformer((OneHotEncoder(), [1]), remainder="passthrough")
    assert owners(encoder, table) == [1, 1, 1, 0]


@pytest.mark.parametrize("library", ["numpy", "pandas"])
def test_an_encoder_that_writes_to_its_input_is_traced_too(library):
    table = X.copy() if library == "numpy" else pd.DataFrame(X, columns=list("abcde"))
    assert owners(StandardScaler(copy=False), table) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.asarray(table), X)
