import importlib
import io
import pickle
import random
import subprocess
import sys
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from scipy import sparse, special
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import estimator_checks_generator

from featprune.keras import KerasClassifier, KerasRegressor

keras = pytest.importorskip("keras")

# Keras 3.15 reads its own variables in numpy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture(scope="module", autouse=True)
def compile_each_step_once(tmp_path_factory):
    """Let jax compile the same small training step once, not once a fit: a third of the time."""
    if keras.backend.backend() != "jax":
        yield
        return
    jax = importlib.import_module("jax")
    options = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("jax")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in options}
    for name, value in options.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@keras.saving.register_keras_serializable("test_keras")
class Rounded(keras.layers.Dense):
    """Round what is predicted: check_estimator compares to 1e-7 what Keras computes in float32."""

    def call(self, inputs, training=None):
        out = super().call(inputs)
        return out if training else keras.ops.round(out, 2)


class Spy(keras.Sequential):
    """Keep what fit is given, and train nothing."""

    def fit(self, x, y, **options):
        self.seen = SimpleNamespace(x=x, y=y, **options)
        return SimpleNamespace(history={"loss": [0.0]})


def build_zero_classifier(n_classes_):
    model = keras.Sequential([Rounded(n_classes_ if n_classes_ > 2 else 1, None, True, "zeros")])
    losses = keras.losses
    loss = losses.SparseCategoricalCrossentropy if n_classes_ > 2 else losses.BinaryCrossentropy
    model.compile(keras.optimizers.Adam(0.1), loss(from_logits=True))
    return model


def build_zero_regressor(n_outputs_):
    model = keras.Sequential([Rounded(n_outputs_, None, True, "zeros")])
    model.compile(keras.optimizers.SGD(0.05, clipvalue=2.0), "mean_squared_error")
    return model


def build_linear(n_classes_, learning_rate=0.1):
    model = keras.Sequential([keras.layers.Dense(n_classes_, activation="softmax")])
    model.compile(keras.optimizers.SGD(learning_rate), "sparse_categorical_crossentropy")
    return model


def build_mlp(n_features_in_, n_classes_, units=8):
    model = keras.Sequential(
        [
            keras.Input((n_features_in_,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(n_classes_, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model


def build_spy(n_classes_):
    return Spy([keras.layers.Dense(n_classes_, activation="softmax")])


def head(units, activation=None, loss=None, kind=keras.Sequential):
    def build():
        model = kind([keras.layers.Dense(units, activation=activation)])
        if loss is not None:
            model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    return build


def early_stopping():
    return keras.callbacks.EarlyStopping("loss", patience=1, min_delta=10.0)


def quick(model=build_mlp, **parameters):
    defaults = {"epochs": 2, "batch_size": 200, "random_state": 0}
    return KerasClassifier(model, **defaults | parameters)


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X)[:200], y[:200]


CONTRACT = [
    (estimator, check)
    for estimator in (
        KerasClassifier(build_zero_classifier, epochs=20, batch_size=1000),
        KerasRegressor(build_zero_regressor, epochs=30, batch_size=1000),
    )
    for _, check in estimator_checks_generator(estimator)
]


@pytest.mark.parametrize(
    ("estimator", "check"),
    CONTRACT,
    ids=[f"{type(estimator).__name__}-{check.func.__name__}" for estimator, check in CONTRACT],
)
def test_scikit_learn_contract(estimator, check):
    check(clone(estimator))


# -- the model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 5], ids=["one column left", "five columns left"])
def test_builder_fits_the_width_that_a_selector_left(k):
    X, y = load_wine(return_X_y=True, as_frame=True)
    pipe = make_pipeline(StandardScaler(), SelectKBest(k=k), quick(epochs=40))
    pipe.fit(X, y)
    assert pipe[-1].model_.input_shape == (None, k)
    assert pipe[-1].n_features_in_ == k
    assert pipe.score(X, y) > (0.6 if k == 1 else 0.9)


def test_builder_is_told_what_its_signature_has(wine):
    told = []

    def nothing():
        told.append({})
        return build_spy(3)

    def width(n_features_in_):
        told.append({"n_features_in_": n_features_in_})
        return build_spy(3)

    def everything(**kwargs):
        told.append(kwargs)
        return build_spy(3)

    for builder in (nothing, width, everything):
        quick(builder).fit(*wine)
    assert told == [{}, {"n_features_in_": 13}, {"n_features_in_": 13, "n_classes_": 3}]


def test_model_kwargs_reach_the_builder_as_copies(wine):
    units = {"units": [5]}

    def build(n_classes_, units):
        return Spy([keras.layers.Dense(units.pop()), keras.layers.Dense(n_classes_, "softmax")])

    def fit():
        return quick(build, model_kwargs=units).fit(*wine).model_.layers[0].units

    assert [fit(), fit()] == [5, 5]
    assert units == {"units": [5]}


@pytest.mark.parametrize("is_built", [True, False], ids=["built", "not built"])
def test_model_serves_as_a_pattern(wine, is_built):
    layers = [keras.layers.Dense(3, activation="softmax")]
    pattern = keras.Sequential([keras.Input((13,)), *layers] if is_built else layers)
    pattern.compile(keras.optimizers.SGD(0.03), "categorical_crossentropy", metrics=["accuracy"])
    before = pattern.get_weights()
    model = quick(pattern).fit(*wine)
    again = clone(model).set_params(random_state=1).fit(*wine)
    assert model.model is pattern
    assert pattern.optimizer.iterations == 0
    assert all(map(np.array_equal, pattern.get_weights(), before))
    assert model.model_.loss == "categorical_crossentropy"
    assert float(model.model_.optimizer.learning_rate.value) == pytest.approx(0.03)
    assert set(model.history_) == {"loss", "accuracy"}
    assert not np.allclose(model.model_.get_weights()[0], again.model_.get_weights()[0])


@pytest.mark.parametrize(
    ("units", "activation", "loss", "from_logits"),
    [
        (1, "sigmoid", "BinaryCrossentropy", False),
        (1, None, "BinaryCrossentropy", True),
        (2, "softmax", "SparseCategoricalCrossentropy", False),
        (2, None, "SparseCategoricalCrossentropy", True),
        (2, "sigmoid", "BinaryCrossentropy", False),
    ],
)
def test_uncompiled_model_gets_the_loss_of_its_last_layer(
    cancer, units, activation, loss, from_logits
):
    model = quick(head(units, activation)).fit(*cancer)
    assert type(model.model_.loss).__name__ == loss
    assert model.model_.loss.from_logits == from_logits
    assert type(model.model_.optimizer).__name__ == "Adam"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: None, r"a function that returns a keras.Model. Got a function that returns None"),
        (head(2, "softmax"), r"must end in 3 units.*\(None, 3\).*Got.*\(None, 2\).*n_classes_"),
        (
            lambda: keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]),
            r"must take the 13 features of X.*Got a model with input shape \(None, 5\)",
        ),
        (
            lambda: keras.Sequential([keras.layers.Reshape((13, 1)), keras.layers.Dense(3)]),
            r"output shape \(None, 13, 3\)",
        ),
        (head(3, None, "sparse_categorical_crossentropy"), "agree with the last activation"),
        (
            head(3, "softmax", keras.losses.CategoricalCrossentropy(from_logits=True)),
            "agree with the last activation, 'softmax'. Got.*from_logits=True",
        ),
        (head(3, "relu"), "must be compiled.*Got 'relu'. Call model.compile"),
    ],
    ids=[
        "builder without return",
        "too few units",
        "other width",
        "three axes",
        "logits taken for probabilities",
        "probabilities taken for logits",
        "no loss to guess",
    ],
)
def test_model_that_does_not_fit_is_refused_before_training(wine, model, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick(model).fit(*wine)


@pytest.mark.parametrize(
    "model",
    [head(1, "softmax", "binary_crossentropy"), head(1, "sigmoid", "categorical_crossentropy")],
    ids=["softmax", "categorical loss"],
)
def test_single_unit_that_can_not_learn_is_refused(cancer, model):
    with pytest.raises(ValueError, match="must not end in one unit with a softmax"):
        quick(model).fit(*cancer)


def test_pattern_that_can_not_be_copied_is_refused(wine):
    class Custom(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(units)

        def call(self, inputs):
            return self.dense(inputs)

    with pytest.raises(ValueError, match="clone_model can copy, or a function that builds one"):
        quick(Custom(3)).fit(*wine)


def test_diverged_training_is_an_error(wine):
    def build(n_classes_):
        model = keras.Sequential([keras.layers.Dense(n_classes_)])
        model.compile(keras.optimizers.SGD(1e30), "mean_squared_error")
        return model

    with pytest.raises(ValueError, match=r"became NaN or infinite in training. Scale X"):
        quick(build, epochs=5).fit(*wine)


# -- y in, predictions out ------------------------------------------------------------------------

CCE = keras.losses.CategoricalCrossentropy
BCE = keras.losses.BinaryCrossentropy
HEADS = {
    "one sigmoid": (1, "sigmoid", "binary_crossentropy", lambda p: np.hstack([1 - p, p])),
    "one logit": (
        1,
        None,
        BCE(from_logits=True),
        lambda z: np.hstack([1 - special.expit(z), special.expit(z)]),
    ),
    "one hinge": (1, None, "hinge", lambda z: np.hstack([special.expit(-z), special.expit(z)])),
    "softmax, codes": ("k", "softmax", "sparse_categorical_crossentropy", lambda p: p),
    "softmax, one-hot": ("k", "softmax", "categorical_crossentropy", lambda p: p),
    "logits, one-hot": ("k", None, CCE(from_logits=True), lambda z: special.softmax(z, axis=1)),
    "sigmoids": ("k", "sigmoid", ["bce"], lambda p: p / p.sum(axis=1, keepdims=True)),
    "sigmoid logits": (
        "k",
        None,
        BCE(from_logits=True),
        lambda z: special.expit(z) / special.expit(z).sum(axis=1, keepdims=True),
    ),
    "squared error": ("k", "softmax", "mse", lambda p: p),
}


@pytest.mark.parametrize("data", ["cancer", "wine"], ids=["two classes", "three classes"])
@pytest.mark.parametrize("kind", HEADS)
def test_predictions_agree_with_the_output_layer(kind, data, request):
    X, y = request.getfixturevalue(data)
    units, activation, loss, oracle = HEADS[kind]
    if units == 1 and data == "wine":
        pytest.skip("one unit is for two classes")
    labels = np.array(["ham", "spam", "eggs"])[y]
    build = head(len(np.unique(y)) if units == "k" else 1, activation, loss)
    model = quick(build, epochs=20).fit(X, labels)
    probabilities, scores = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(
        probabilities, oracle(model.model_.predict(X, verbose=0)), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert list(model.classes_) == sorted(set(labels))
    assert model.n_classes_ == len(model.classes_)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    if data == "cancer":
        assert scores.shape == (len(X),)
        np.testing.assert_allclose(special.expit(scores), probabilities[:, 1])
    else:
        np.testing.assert_allclose(special.softmax(scores, axis=1), probabilities)
    assert model.score(X, labels) > 0.85


@pytest.mark.parametrize(
    ("data", "scoring"), [("cancer", "roc_auc"), ("wine", "roc_auc_ovr")], ids=["binary", "ovr"]
)
def test_roc_auc_in_cross_validation(data, scoring, request):
    X, y = request.getfixturevalue(data)
    scores = cross_val_score(
        quick(build_linear, epochs=15), X, y, cv=3, scoring=scoring, error_score="raise"
    )
    assert scores.min() > 0.9


@pytest.mark.parametrize(
    ("units", "loss", "target"),
    [
        (1, "binary_crossentropy", [[0.0], [1.0]]),
        (2, "sparse_categorical_crossentropy", [0, 1]),
        (2, "categorical_crossentropy", [[1.0, 0.0], [0.0, 1.0]]),
    ],
    ids=["one unit", "codes", "one-hot"],
)
def test_loss_gets_y_as_it_needs_it(units, loss, target):
    activation = "sigmoid" if units == 1 else "softmax"
    model = quick(head(units, activation, loss, Spy)).fit([[0.0], [1.0]], ["a", "b"])
    np.testing.assert_array_equal(model.model_.seen.y, target)
    assert model.model_.seen.y.dtype == (np.int32 if loss.startswith("sparse") else np.float32)


@pytest.mark.parametrize("n_outputs", [None, 1, 2], ids=["1-D", "one column", "two columns"])
def test_regressor_predicts_in_the_shape_of_y(n_outputs):
    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X), scale(y)
    y = y if n_outputs is None else np.column_stack([y, -y])[:, :n_outputs]
    model = KerasRegressor(build_zero_regressor, epochs=60, batch_size=500).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.n_outputs_ == (n_outputs or 1)
    assert 0.4 < model.score(X, y) < 0.6
    assert len(model.history_["loss"]) == 60


def test_regressor_without_a_loss_minimises_the_squared_error():
    model = KerasRegressor(head(1), random_state=0).fit(np.eye(4), np.arange(4.0))
    assert model.model_.loss == "mean_squared_error"


def test_regressor_refuses_a_model_of_other_width():
    with pytest.raises(ValueError, match=r"must end in 1 units.*\(None, 3\).*n_outputs_"):
        KerasRegressor(head(3)).fit(np.eye(4), np.arange(4.0))


# -- training -------------------------------------------------------------------------------------


def test_same_seed_same_run_and_the_global_states_stay(wine):
    def states():
        return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    runs = [quick(random_state=s, validation_split=0.2).fit(*wine) for s in (0, 0, 1)]
    assert states() == before
    first, same, other = (run.predict_proba(wine[0]) for run in runs)
    np.testing.assert_array_equal(first, same)
    assert runs[0].history_ == runs[1].history_
    assert not np.allclose(first, other)


def test_seed_does_not_stay_in_keras_after_fit(wine):
    draws = []
    for state in (1, 2):
        random.seed(state)
        quick(build_spy).fit(*wine)
        draws.append(np.asarray(keras.random.normal((3,))))
    assert not np.allclose(*draws)


def test_without_a_seed_the_runs_differ_and_follow_keras(wine):
    def run():
        return quick(random_state=None).fit(*wine).predict_proba(wine[0])

    keras.utils.set_random_seed(3)
    first, second = run(), run()
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(run(), first)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(
    "callbacks",
    [[early_stopping()], early_stopping(), early_stopping, lambda: [early_stopping()]],
    ids=["list", "one callback", "function of one", "function of a list"],
)
def test_callbacks_start_afresh_in_each_fit(wine, callbacks):
    model = quick(epochs=4, callbacks=callbacks)
    assert [len(model.fit(*wine).history_["loss"]) for _ in range(2)] == [2, 2]
    assert model.callbacks is callbacks
    for callback in [] if callable(callbacks) else np.atleast_1d(callbacks):
        assert callback.model is None
        assert callback.stopped_epoch == 0


def test_validation_rows_are_drawn_from_each_class(wine):
    X, y = wine
    assert (np.diff(y) >= 0).all(), "sorted: Keras's own split would take the last class alone"
    seen = quick(build_spy, validation_split=0.25).fit(X, y).model_.seen
    held_X, held_y = seen.validation_data
    np.testing.assert_allclose(np.bincount(held_y) / 45, np.bincount(y) / 178, atol=0.02)
    both = np.vstack([seen.x, held_X])
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(X.astype("float32"), axis=0))
    assert len(held_X) == len(held_y) == 45


def test_validation_split_keeps_weights_and_fills_history(wine):
    X, y = wine
    weight = np.arange(1.0, len(y) + 1)
    seen = quick(build_spy, validation_split=0.25).fit(X, y, weight).model_.seen
    rows = {
        tuple(row): w for row, w in zip(X.astype("float32"), weight / weight.mean(), strict=True)
    }
    np.testing.assert_allclose(seen.sample_weight, [rows[tuple(row)] for row in seen.x], rtol=1e-6)
    held_X, _, held_weight = seen.validation_data
    np.testing.assert_allclose(held_weight, [rows[tuple(row)] for row in held_X], rtol=1e-6)
    history = quick(validation_split=0.25).fit(X, y).history_
    assert {name: len(values) for name, values in history.items()} == {"loss": 2, "val_loss": 2}
    assert all(type(value) is float for values in history.values() for value in values)


def test_weight_0_leaves_a_row_out_and_the_scale_of_weights_is_nothing():
    X, y = np.eye(4), ["a", "b", "a", "c"]
    model = quick(lambda: Spy([keras.layers.Dense(2, "softmax")]))
    seen = model.fit(X, ["a", "b", "a", "c"], [10, 30, 20, 0]).model_.seen
    np.testing.assert_allclose(seen.sample_weight, [0.5, 1.5, 1.0])
    np.testing.assert_array_equal(seen.x, X[:3])
    assert list(model.classes_) == ["a", "b"]
    assert quick(build_spy).fit(X, y).model_.seen.sample_weight is None


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 3, "b": 1, "c": 2}], ids=repr)
def test_class_weight_multiplies_into_the_sample_weights(class_weight):
    X, y, weight = np.eye(5), list("aabbc"), np.array([1.0, 2, 3, 4, 5])
    model = quick(build_spy, class_weight=class_weight).fit(X, y, weight)
    expected = weight * compute_sample_weight(class_weight, y)
    expected /= expected.mean()
    np.testing.assert_allclose(model.model_.seen.sample_weight, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("weight", "got"),
    [([1, 1], r"shape \(2,\)"), ([-1, 1, 1, 1], "minimum of -1"), ([0] * 4, "maximum of 0")],
    ids=["too few", "negative", "all zero"],
)
def test_wrong_weights_are_refused(weight, got):
    with pytest.raises(ValueError, match=rf"sample_weight must have shape \(4,\).*Got.*{got}"):
        quick(build_spy).fit(np.eye(4), [0, 1, 0, 1], weight)


def test_sample_weight_is_routed_through_a_pipeline(wine):
    X, y = wine
    with config_context(enable_metadata_routing=True):
        last = quick(build_spy).set_fit_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), last)
        pipe.fit(X, y, sample_weight=1.0 + y)
    np.testing.assert_allclose(
        pipe[-1].model_.seen.sample_weight, (1.0 + y) / (1.0 + y).mean(), rtol=1e-6
    )


def test_training_options_reach_keras(wine):
    model = quick(build_spy, epochs=7, batch_size=11, verbose=2, fit_kwargs={"shuffle": False})
    seen = model.fit(*wine).model_.seen
    assert (seen.epochs, seen.batch_size, seen.verbose, seen.shuffle) == (7, 11, 2, False)
    assert model.fit_kwargs == {"shuffle": False}


# -- a scikit-learn citizen -----------------------------------------------------------------------


def test_clone_keeps_every_parameter():
    given = {
        "model": build_mlp,
        "epochs": 30,
        "batch_size": 8,
        "validation_split": 0.1,
        "callbacks": early_stopping,
        "class_weight": {0: 1, 1: 2},
        "fit_kwargs": {"shuffle": False},
        "model_kwargs": {"units": 4},
        "random_state": 7,
        "verbose": 1,
    }
    assert clone(KerasClassifier(**given)).get_params() == given
    del given["class_weight"]
    assert clone(KerasRegressor(**given)).get_params() == given


@pytest.mark.parametrize("module", [pickle, joblib], ids=["pickle", "joblib"])
@pytest.mark.parametrize("callbacks", [None, [early_stopping()]], ids=["plain", "callbacks"])
def test_pickle_keeps_model_and_predictions(wine, module, callbacks):
    X, y = wine
    model = quick(callbacks=callbacks).fit(X, y)
    file = io.BytesIO()
    module.dump(model, file)
    file.seek(0)
    loaded = module.load(file)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.history_ == model.history_
    assert loaded.model_.loss == model.model_.loss
    np.testing.assert_array_equal(
        clone(loaded).set_params(callbacks=None).fit(X, y).predict(X),
        quick().fit(X, y).predict(X),
    )


def test_grid_search_in_two_processes_equals_one(wine):
    X, y = wine
    grid, cv = [{"learning_rate": 1e-4}, {"learning_rate": 0.5}], ShuffleSplit(1, random_state=0)
    model = quick(build_linear, epochs=5)
    search = GridSearchCV(model, {"model_kwargs": grid}, cv=cv, n_jobs=2, error_score="raise")
    search.fit(X, y)
    train, test = next(cv.split(X))
    for i in range(2):
        alone = clone(model).set_params(model_kwargs=grid[i]).fit(X[train], y[train])
        assert search.cv_results_["mean_test_score"][i] == alone.score(X[test], y[test])
    assert search.best_params_ == {"model_kwargs": {"learning_rate": 0.5}}
    assert search.best_estimator_.score(X, y) > 0.9


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.coo_matrix], ids=["array", "matrix"])
def test_sparse_input_equals_dense(wine, make):
    X, y = np.where(wine[0] > 0, wine[0], 0), wine[1]
    dense, other = quick().fit(X, y), quick().fit(make(X), y)
    np.testing.assert_array_equal(dense.predict_proba(X), other.predict_proba(make(X)))


def test_pandas_table_gives_names_and_other_columns_are_refused(wine):
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = quick(build_spy).fit(X, y.astype("category"))
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.model_.seen.x.dtype == np.float32
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={"hue": "colour"}))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.iloc[:, 1:])
    with pytest.raises(ValueError, match="12 features"):
        quick(build_spy).fit(*wine).predict(wine[0][:, 1:])


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"model": 3}, TypeError, "'model'.*a function that builds.*Got 3 instead"),
        ({"epochs": 0}, ValueError, "'epochs'.* must be an int >= 1. Got 0 instead"),
        ({"epochs": 1.5}, TypeError, "'epochs'.* must be an int >= 1. Got 1.5 instead"),
        ({"epochs": True}, TypeError, "'epochs'.* Got True instead"),
        ({"batch_size": -1}, ValueError, "'batch_size'.* must be an int >= 1 or None. Got -1"),
        ({"validation_split": 1.0}, ValueError, r"'validation_split'.* in \[0, 1\). Got 1.0"),
        ({"class_weight": "equal"}, ValueError, "'class_weight'.* must be 'balanced'.*'equal'"),
        ({"fit_kwargs": [1]}, TypeError, r"'fit_kwargs'.* must be a dict.*Got \[1\]"),
        ({"fit_kwargs": {"epochs": 2}}, ValueError, "'fit_kwargs'.* without.*epochs.*Got"),
        ({"model_kwargs": 5}, TypeError, "'model_kwargs'.* must be a dict.*Got 5"),
        ({"verbose": "loud"}, ValueError, "'verbose'.* must be 0, 1, 2 or 'auto'. Got 'loud'"),
        ({"callbacks": ["stop"]}, TypeError, "'callbacks'.* must be a list.*Got 'stop'"),
        ({"random_state": "x"}, ValueError, "'x' cannot be used to seed"),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_wrong_parameter_is_refused_in_fit(wine, parameters, error, message):
    model = quick().set_params(**parameters)
    with pytest.raises(error, match=message):
        model.fit(*wine)


def test_model_kwargs_without_a_builder_are_refused(wine):
    with pytest.raises(ValueError, match=r"'model_kwargs'.* must be None when 'model'"):
        quick(head(3, "softmax")(), model_kwargs={"units": 3}).fit(*wine)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.eye(3), ["a", "a", "a"], "at least two classes. Got one class, 'a', in 3 samples"),
        (np.array([[np.nan], [1.0]]), [0, 1], "contains NaN"),
        (np.array([[np.inf], [1.0]]), [0, 1], "infinity"),
        (np.eye(3), [0, 1], "inconsistent numbers of samples"),
        (np.eye(3), [0.5, 1.5, 2.5], "Unknown label type"),
        (np.empty((0, 2)), [], "0 sample"),
    ],
    ids=["one class", "NaN", "infinite", "y of other length", "numbers for labels", "no rows"],
)
def test_bad_data_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        quick(build_spy).fit(X, y)


def test_failed_fit_leaves_no_trace(wine):
    X, y = wine
    model = quick(head(2, "softmax"))
    with pytest.raises(ValueError, match="must end in 3 units"):
        model.fit(X, y)
    assert [name for name in vars(model) if name.endswith("_") or name.startswith("_")] == []
    with pytest.raises(NotFittedError):
        model.predict(X)

    model.set_params(model=build_mlp).fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="one class"):
        model.fit(X[:, :5], np.zeros(len(X)))
    assert vars(model) == before
    assert model.predict(X).shape == y.shape


def test_interrupted_refit_keeps_the_old_model(wine):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    model = quick().fit(*wine)
    old = model.model_
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=Interrupt).fit(*wine)
    assert model.model_ is old


def test_missing_keras_is_an_error_that_says_how_to_get_it(wine, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r'pip install "featprune\[keras\]" jax.*KERAS_BACKEND'):
        quick().fit(*wine)


def test_import_does_not_load_keras():
    code = "import sys, featprune.keras; sys.exit('keras' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
