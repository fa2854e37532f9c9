"""SaliencySelector: signal stands above the null, noise does not, any Keras model is taken."""

import builtins
import pickle
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featprune.progress import listening
from featprune.selectors.saliency import SaliencySelector
from featprune.selectors.saliency_network import _kept

layers = keras.layers
# Keras itself reads its variables in a way that numpy has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


def planted(n=200, p=8, seed=0):
    """Two columns that decide, and noise."""
    X = np.random.default_rng(seed).normal(size=(n, p))
    return X, (X[:, 1] - X[:, 4] > 0).astype(int)


def small(model=None, **changes):
    options = dict(epochs=15, patience=5, n_seeds=2, batch_size=64, random_state=0)
    return SaliencySelector(model, **options | changes)


# one network that each test compiles for itself costs a second: most take ours, which are kept
quick = dict(null=False, n_features_to_select=2, epochs=8)


def test_of_pure_noise_nothing_is_above_the_null_in_18_of_20_seeds():
    n_silent = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(80, 8)), rng.permutation(80) % 2
        selector = small(epochs=10, patience=3, random_state=seed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted = selector.fit(X, y)
        n_silent += not fitted.above_null_.any()
        if not fitted.above_null_.any():
            assert "Nothing stands above the null of 20 permuted targets" in str(caught[0].message)
            assert {one.filename for one in caught} == {__file__}
            assert fitted.n_features_ == 1
    assert n_silent >= 18


TARGETS = {
    "two classes": lambda y, X: np.array(["no", "yes"])[y],
    "three classes": lambda y, X: np.digitize(X[:, 1] - X[:, 4], [-0.8, 0.8]),
    "numbers": lambda y, X: 100 * (X[:, 1] - X[:, 4]) + 1000,
}


@pytest.mark.parametrize("target", TARGETS, ids=TARGETS.keys())
def test_what_decides_stands_above_the_null(target):
    X, y = planted()
    fitted = small(epochs=15).fit(X, TARGETS[target](y, X))
    assert fitted.above_null_.nonzero()[0].tolist() == [1, 4]
    assert np.array_equal(fitted.support_, fitted.above_null_)
    assert (fitted.p_values_[[1, 4]] == 1 / 21).all()
    assert (fitted.p_values_[[0, 2, 3, 5, 6, 7]] > 0.05).all()
    assert fitted.null_heights_[[1, 4]].min() > 1
    assert fitted.attributions_.shape == (2, 8)
    assert np.allclose(fitted.attributions_.sum(axis=1), 1)
    assert np.allclose(fitted.attributions_.mean(axis=0), fitted.importances_)
    assert len(fitted.n_epochs_) == len(fitted.losses_) == 2
    assert fitted.reselect(3).n_features_ == 3
    assert fitted.reselect("null").n_features_ == 2


@pytest.mark.parametrize("attribution", ["gradient_input", "integrated_gradients", "smoothgrad"])
def test_every_attribution_ranks_what_decides_first(attribution):
    X, y = planted()
    fitted = small(attribution=attribution, **quick).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [1, 4]
    assert fitted.above_null_ is fitted.p_values_ is fitted.null_heights_ is None


def test_a_column_that_matters_only_with_another_is_found():
    X = np.random.default_rng(0).normal(size=(400, 6))
    y = (X[:, 0] * X[:, 3] > 0).astype(int)
    fitted = small(**quick | {"epochs": 40}, patience=20, n_seeds=1).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [0, 3]


def test_fits_repeat_to_the_bit_and_leave_the_input_alone():
    X, y = planted()
    before, target = X.copy(), y.copy()
    one = small(epochs=3, n_features_to_select=2).fit(X, y)
    # the kept network is at another place now, and so is every global state
    small(epochs=2, random_state=5, **{k: quick[k] for k in ("null", "n_features_to_select")}).fit(
        X + 1, 1 - y
    )
    keras.utils.set_random_seed(9)
    other = small(epochs=3, n_features_to_select=2).fit(X, y)
    for name in ("attributions_", "p_values_", "null_heights_", "importances_"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.losses_ == other.losses_
    assert np.array_equal(X, before)
    assert np.array_equal(y, target)
    third = small(epochs=3, n_features_to_select=2, random_state=1).fit(X, y)
    assert third.attributions_.tobytes() != one.attributions_.tobytes()
    copy = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copy.reselect(3).transform(X), one.reselect(3).transform(X))


def test_a_network_that_is_compiled_anew_gives_the_same_bits():
    X, y = planted()
    one = small(**quick).fit(X, y)
    _kept.__dict__.clear()
    other = small(**quick).fit(X, y)
    assert one.attributions_.tobytes() == other.attributions_.tobytes()


def build_probabilities(n_features_in_, n_classes_):
    return keras.Sequential(
        [
            layers.Input((n_features_in_,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(n_classes_, activation="softmax"),
        ]
    )


def build_compiled(n_features_in_):
    model = keras.Sequential(
        [layers.Input((n_features_in_,)), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    return model


MODELS = {
    "a builder": build_probabilities,
    "a builder that compiles": build_compiled,
    "a compiled model": build_compiled(8),
    "a model": build_probabilities(8, 2),
    "a CNN of ours": "cnn",
}


@pytest.mark.parametrize("case", MODELS, ids=MODELS.keys())
def test_models_of_the_callers_are_trained(case):
    X, y = planted()
    model = MODELS[case]
    before = None
    if isinstance(model, keras.Model):
        before = [keras.ops.convert_to_numpy(v.value).copy() for v in model.variables]
    fitted = small(model, **quick | {"epochs": 20}, n_seeds=1).fit(X, y)
    assert fitted.support_.nonzero()[0].tolist() == [1, 4]
    if before is not None:
        for one, variable in zip(before, model.variables, strict=True):
            assert np.array_equal(one, keras.ops.convert_to_numpy(variable.value))


def test_a_regressor_of_the_callers_and_an_optimizer_of_its_own():
    X, _ = planted()

    def build(n_outputs_):
        return keras.Sequential([layers.Input((8,)), layers.Dense(n_outputs_)])

    optimizer = keras.optimizers.SGD(0.05)
    fitted = small(build, optimizer=optimizer, **quick).fit(X, X[:, 1] - X[:, 4])
    assert fitted.support_.nonzero()[0].tolist() == [1, 4]


def test_images_go_through_convolutions_and_their_empty_borders_go():
    digits = load_digits()
    X, y = digits.data[:300] / 16, digits.target[:300]
    selector = small(image_shape=(8, 8), **quick | {"n_features_to_select": 32, "epochs": 8})
    fitted = selector.fit(X, y)
    kept = fitted.support_.reshape(8, 8)
    assert kept[:, 0].sum() + kept[:, 7].sum() <= 1
    assert kept[2:6, 2:6].sum() >= 12
    assert max(fitted.losses_[0]) > min(fitted.losses_[0])


def test_a_table_that_is_one_embedding_goes_through_convolutions_along_it():
    X, y = planted()
    frame = pd.DataFrame({"vector": list(X)})
    selector = small(embeddings="dimensions", **quick | {"epochs": 25})
    fitted = selector.fit(frame, y)
    assert fitted.embedding_support_["vector"].nonzero()[0].tolist() == [1, 4]
    array = clone(selector).set_params(model="cnn", embeddings="whole").fit(X, y)
    np.testing.assert_allclose(fitted.attributions_.sum(), array.attributions_.sum())
    assert fitted.path_.order.tolist() == array.path_.order.tolist()


def test_groups_categories_and_kept_columns():
    X, y = planted()
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "plan": pd.Categorical.from_codes(
                np.where(rng.random(200) < 0.9, y, 2), ["a", "b", "c"]
            ),
            "noise": X[:, 0],
            "gap": np.where(rng.random(200) < 0.2, np.nan, X[:, 2]),
            "left": X[:, 1],
            "right": X[:, 4],
            "town": pd.Categorical.from_codes(rng.integers(0, 3, 200), ["x", "y", "z"]),
        }
    )
    selector = small(feature_groups={"both": ["left", "right"]}, always_keep=["noise"], **quick)
    fitted = selector.set_params(n_features_to_select=3).fit(frame, y)
    assert fitted.support_.tolist() == [True, True, False, True, True, False]
    assert fitted.path_.names == ("plan", "noise", "gap", "both", "town")
    assert fitted.transform(frame).equals(frame[["plan", "noise", "left", "right"]])


def test_sparse_is_as_dense_and_stays_sparse():
    X, y = planted()
    X = np.where(np.abs(X) < 0.3, 0, X)
    dense = small(**quick).fit(X, y)
    fitted = small(**quick).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(fitted.attributions_, dense.attributions_, rtol=1e-2)
    assert sparse.issparse(fitted.transform(sparse.csr_array(X)))


def test_rows_of_weight_zero_are_as_good_as_absent_and_weights_are_routed():
    X, y = planted()
    weight = np.r_[np.ones(150), np.zeros(50)]
    weighted = small(**quick).fit(X, y, sample_weight=weight)
    absent = small(**quick).fit(X[:150], y[:150])
    assert weighted.attributions_.tobytes() == absent.attributions_.tobytes()
    heavy = small(**quick).fit(X, y, sample_weight=1 + 5.0 * (X[:, 0] > 0))
    assert heavy.attributions_.tobytes() != small(**quick).fit(X, y).attributions_.tobytes()
    with sklearn.config_context(enable_metadata_routing=True):
        step = small(**quick).set_fit_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=True)
        pipe = make_pipeline(step, model).fit(X, y, sample_weight=weight)
    assert pipe[0].attributions_.tobytes() == weighted.attributions_.tobytes()


@pytest.mark.parametrize(
    ("shape", "k"),
    [((12, 30), 3), ((30, 1), 1), ((30, 4), 4), ((4, 3), 2)],
    ids=["p > n", "one column", "k=p", "four rows"],
)
def test_edges(shape, k):
    X = np.random.default_rng(0).normal(size=shape)
    y = np.arange(shape[0]) % 2
    fitted = small(**quick | {"n_features_to_select": k, "epochs": 2}).fit(X, y)
    assert fitted.n_features_ == k
    assert np.isfinite(fitted.importances_).all()


def test_a_single_column_never_stands_above_the_null():
    X, y = planted()
    with pytest.warns(UserWarning, match="Nothing stands above the null"):
        fitted = small(epochs=2).fit(X[:, [1]], y)
    assert not fitted.above_null_.any()
    assert fitted.p_values_.tolist() == [1.0]


def test_constant_columns_come_last_and_a_rare_class_does_no_harm():
    X, y = planted()
    X[:, 0] = 3.0
    labels = np.where(np.arange(200) == 7, "rare", np.array(["no", "yes"])[y])
    fitted = small(**quick).fit(X, labels)
    assert fitted.importances_[0] == 0
    assert fitted.ranking_[0] == fitted.ranking_.max()


def test_fewer_than_the_least_number_above_the_null_is_filled_up():
    X, y = planted()
    with pytest.warns(UserWarning, match=r"No more than 2 stand above .* 4 are kept") as caught:
        fitted = small(min_features_to_select=4).fit(X, y)
    assert len(caught) == 1
    assert fitted.above_null_.sum() == 2
    assert fitted.support_.sum() == 4
    assert fitted.support_[fitted.above_null_].all()


def test_progress_is_told_and_the_time_limit_warned_about():
    X, y = planted()
    told = []
    with listening(lambda *now: told.append(now)):
        small(epochs=1, n_permutations=4, alpha=0.2, n_features_to_select=3).fit(X, y)
    assert told == [("SaliencySelector: networks", i, 6) for i in range(1, 7)]
    with pytest.warns(UserWarning, match="ran out of time|Nothing stands") as caught:
        fitted = small(time_limit=1e-9).fit(X, y)
    messages = [str(one.message) for one in caught]
    expected = "seconds after 1 of n_seeds=2 networks for the target and 0 of 20 for permuted ones"
    assert expected in messages[0]
    assert "Nothing stands above the null of 0 permuted targets" in messages[1]
    assert {one.filename for one in caught} == {__file__}
    assert len(fitted.losses_) == len(fitted.losses_[0]) == 1
    assert (fitted.p_values_ == 1).all()


def test_without_keras_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "keras":
            raise ImportError("No module named 'keras'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    message = r"SaliencySelector needs Keras.*pip install \"featprune\[keras\]\" jax"
    with pytest.raises(ImportError, match=message):
        small().fit(*planted())


def test_reselecting_by_the_null_needs_one():
    fitted = small(**quick).fit(*planted())
    with pytest.raises(ValueError, match=r"was fitted with null=False.*Pass a number or a share"):
        fitted.reselect("null")


BAD_PARAMETERS = {
    "attribution": (
        {"attribution": "lrp"},
        ValueError,
        r"'gradient_input' or 'integrated_gradients' or 'smoothgrad'. Got 'lrp' instead",
    ),
    "model": ({"model": "rnn"}, ValueError, r"'model'.* None, 'mlp', 'cnn', a fun.*Got 'rnn'"),
    "model=3": ({"model": 3}, ValueError, r"'model'.*Got 3 instead"),
    "optimizer": ({"optimizer": "best"}, ValueError, r"name of an optimizer of Keras.*Got 'best'"),
    "optimizer=None": (
        {"optimizer": None},
        TypeError,
        r"or a keras.optimizers.Optimizer. Got None",
    ),
    "learning_rate": ({"learning_rate": -1}, ValueError, r"'learning_rate'.*a number > 0. Got -1"),
    "alpha": ({"alpha": 1}, ValueError, r"'alpha'.*a number in \(0, 1\). Got 1"),
    "null": ({"null": 1}, ValueError, r"'null'.*True or False. Got 1"),
    "few permutations": (
        {"n_permutations": 18},
        ValueError,
        r"'n_permutations'.* at least 19 for alpha=0.05.*Got 18 instead",
    ),
    "n_seeds": ({"n_seeds": 0}, ValueError, r"'n_seeds'.*Got 0"),
    "epochs": ({"epochs": "many"}, ValueError, r"'epochs'.*Got 'many'"),
    "patience": ({"patience": 0}, ValueError, r"'patience'.*Got 0"),
    "validation": ({"validation_fraction": 0.0}, ValueError, r"'validation_fraction'.*Got 0.0"),
    "no null": ({"null": False}, ValueError, r"a number or a share where null=False. Got 'null'"),
    "scores": ({"n_features_to_select": "best"}, ValueError, r"or 'null'. Got 'best'"),
    "one number": ({"image_shape": (8,)}, ValueError, r"\(height, width, channels\).*Got \(8,\)"),
    "zero": ({"image_shape": (8, 0)}, ValueError, r"'image_shape'.*Got \(8, 0\)"),
    "no tuple": ({"image_shape": 8}, ValueError, r"'image_shape'.*Got 8"),
    "another shape": (
        {"image_shape": (3, 3)},
        ValueError,
        r"is \(3, 3\), which makes 9 numbers, and X has 8 features. Pass images of that shape",
    ),
    "time_limit": ({"time_limit": "1"}, ValueError, r"'time_limit'.*number > 0"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=BAD_PARAMETERS.keys())
def test_a_parameter_that_cannot_be_used_is_refused(case):
    parameters, error, message = BAD_PARAMETERS[case]
    fresh = small().set_params(**parameters)
    with pytest.raises(error, match=message):
        fresh.fit(*planted())
    assert not hasattr(fresh, "support_")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, None, None), r"requires y to be passed"),
        (lambda X, y: (X, np.zeros_like(y), None), r"y has one class, 0"),
        (lambda X, y: (X, np.zeros(200), None), r"y has one class, 0.0"),
        (lambda X, y: (X[:3], [0, 1, 0], None), r"3 rows .* are too few. Pass at least 4"),
        (lambda X, y: (X, y, (y == 1).astype(float)), r"one value, 1, in all rows of weight above"),
        (lambda X, y: (X, np.where(y == 1, np.inf, X[:, 0]), None), r"y has infinite values"),
        (lambda X, y: (np.ones_like(X), y, None), r"Every column of X has one and the same value"),
    ],
    ids=["no target", "one class", "one number", "three rows", "weights", "infinite", "constant"],
)
def test_data_that_cannot_be_used_is_refused(change, message):
    X, y, weight = change(*planted())
    fresh = small()
    with pytest.raises(ValueError, match=message):
        fresh.fit(X, y, sample_weight=weight)
    assert not hasattr(fresh, "support_")


def test_training_that_fails_is_an_error():
    X, _ = planted()
    with pytest.raises(ValueError, match=r"became NaN or infinite in training. Lower learning_ra"):
        small(optimizer="sgd", learning_rate=1e30, **quick).fit(X, X[:, 1])
