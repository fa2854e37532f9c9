"""AutoencoderSelector: sources are found, units go as wholes, fits repeat, bad input is refused."""

import builtins
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featprune.progress import listening
from featprune.selectors.autoencoder import AutoencoderSelector
from featprune.selectors.pca import PCASelector

METHODS = ["concrete", "group_lasso"]
every_method = pytest.mark.parametrize("method", METHODS)


def planted(seed=0, n_sources=4, n_copies=3, n_rows=200):
    """Copies of independent sources, with a little noise and in other units."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(n_rows, n_sources)), n_copies, axis=1)
    X += 0.1 * rng.normal(size=X.shape)
    return X * rng.uniform(0.1, 100, X.shape[1]) + 5


def small(k=4, **changes):
    options = dict(hidden=(16,), epochs=100, batch_size=32, learning_rate=0.005, random_state=0)
    return AutoencoderSelector(k, **options | changes)


@every_method
@pytest.mark.parametrize("seed", range(3))
def test_one_copy_of_each_source_is_kept(method, seed):
    X = planted(seed)
    fitted = small(method=method, random_state=seed).fit(X)
    assert (fitted.support_.nonzero()[0] // 3).tolist() == [0, 1, 2, 3]
    assert fitted.path_.explained[fitted.path_.sizes == 4] > 0.97
    assert fitted.transform(X).shape == (200, 4)


@every_method
def test_what_is_explained_is_measured_as_by_pca(method):
    X = planted()
    fitted = small(method=method).fit(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for size, explained in zip(fitted.path_.sizes, fitted.path_.explained, strict=True):
        kept = Z[:, fitted.path_.support(size)]
        left = Z - kept @ np.linalg.lstsq(kept, Z, rcond=None)[0]
        assert explained == pytest.approx(1 - np.square(left).sum() / Z.size, abs=1e-9)
    assert (np.diff(fitted.path_.explained) <= 1e-12).all()
    best = PCASelector(4).fit(X).path_
    assert fitted.path_.explained[-4] <= best.explained[-4] + 0.02


@every_method
def test_the_size_that_is_asked_for_by_its_reconstruction(method):
    X = planted()
    fitted = small("reconstruction", reconstruction=0.9, method=method).fit(X)
    at = list(fitted.path_.sizes).index(fitted.n_features_)
    assert fitted.path_.explained[at] >= 0.9
    assert fitted.path_.explained[at + 1] < 0.9
    assert fitted.n_features_ == 4
    assert fitted.reselect(2).n_features_ == 2
    assert fitted.reselect("reconstruction").n_features_ == 4
    assert small(0.5, method=method, epochs=2).fit(X).n_features_ == 6


def test_importances_are_chances_or_penalties():
    X = planted()
    fitted = small(epochs=30).fit(X)
    assert fitted.importances_.sum() == pytest.approx(1)
    lasso = small(method="group_lasso").fit(X)
    order = lasso.path_.order
    assert (np.diff(lasso.importances_[order]) >= 0).all()
    assert (lasso.importances_[lasso.support_] >= lasso.importances_[~lasso.support_].max()).all()


@every_method
def test_fits_repeat_to_the_bit_and_leave_the_input_alone(method):
    X = planted()
    before = X.copy()
    selector = small(method=method, epochs=6)
    one, other = clone(selector).fit(X), clone(selector).fit(X)
    assert np.array_equal(X, before)
    assert one.importances_.tobytes() == other.importances_.tobytes()
    assert one.losses_.tobytes() == other.losses_.tobytes()
    assert one.path_.order.tobytes() == other.path_.order.tobytes()
    third = clone(selector).set_params(random_state=1).fit(X)
    assert third.losses_.tobytes() != one.losses_.tobytes()
    copy = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copy.reselect(2).transform(X), one.reselect(2).transform(X))


def test_global_states_do_not_matter_and_are_left_alone():
    import random

    import keras

    X = planted()
    keras.utils.set_random_seed(3)
    state, python_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    one = small(epochs=3).fit(X)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert random.getstate() == python_state
    keras.utils.set_random_seed(4)
    assert small(epochs=3).fit(X).losses_.tobytes() == one.losses_.tobytes()


@every_method
def test_columns_to_keep_are_seen_in_any_case(method):
    X = planted()
    fitted = small(method=method, always_keep=[1, 4]).fit(X)
    assert fitted.support_[[1, 4]].all()
    # the other two tell of the sources that are left
    assert (fitted.support_.nonzero()[0] // 3).tolist() == [0, 1, 2, 3]
    assert (fitted.ranking_[[1, 4]] == 1).all()
    assert (fitted.importances_[[1, 4]] == fitted.importances_.max()).all()
    every = small(12, method=method, always_keep=range(12), epochs=2).fit(X)
    assert every.support_.all()
    assert (every.importances_ > 0).all()


@every_method
def test_groups_and_categories_are_chosen_as_wholes(method):
    rng = np.random.default_rng(0)
    source = rng.integers(0, 3, 200)
    a, b = rng.normal(size=(2, 200))
    frame = pd.DataFrame(
        {
            "town": pd.Categorical.from_codes(source, ["ox", "yak", "elk"]),
            "town again": pd.Categorical.from_codes(source, ["oslo", "york", "essen"]),
            "a": a,
            "b": b,
            "sum": a + b,
            "gap": np.where(rng.random(200) < 0.2, np.nan, b),
        }
    )
    fitted = small(3, method=method, feature_groups={"ab": ["a", "b"]}).fit(frame)
    assert fitted.support_[2] == fitted.support_[3]
    assert fitted.size_ == 3
    assert len(fitted.path_.names) == 5
    assert fitted.support_[:2].any()
    out = fitted.transform(frame)
    assert out.equals(frame.loc[:, fitted.support_])


@every_method
def test_dimensions_of_an_embedding_go_one_by_one(method):
    X = planted(n_sources=2)
    frame = pd.DataFrame({"vector": list((X - 5) / X.std(axis=0)), "noise": np.arange(200.0) % 7})
    fitted = small(3, method=method, embeddings="dimensions", epochs=150).fit(frame)
    mask = fitted.embedding_support_["vector"]
    assert (mask.nonzero()[0] // 3).tolist() == [0, 1]
    assert fitted.support_.all()
    whole = small(1, method=method, epochs=20).fit(frame)
    assert whole.n_features_ == 1


@every_method
def test_sparse_is_as_dense_and_stays_sparse(method):
    X = planted()
    X = np.where(np.abs(X - 5) < X.std(axis=0) / 2, 0, X)
    dense = small(method=method, epochs=5).fit(X)
    fitted = small(method=method, epochs=5).fit(sparse.csr_array(X))
    np.testing.assert_allclose(fitted.importances_, dense.importances_, rtol=1e-2, atol=1e-4)
    assert sparse.issparse(fitted.transform(sparse.csr_array(X)))


@every_method
def test_constant_columns_come_last_and_copies_do_not_both_stay(method):
    X = planted()
    X[:, 0] = 3.0
    X[:, 4] = X[:, 3]
    fitted = small(method=method).fit(X)
    assert fitted.ranking_[0] == fitted.ranking_.max()
    assert fitted.support_[[3, 4]].sum() <= 1


@every_method
@pytest.mark.parametrize(
    ("shape", "k"),
    [((5, 30), 3), ((30, 1), 1), ((30, 4), 1), ((30, 4), 4), ((2, 3), 2)],
    ids=["p > n", "one column", "k=1", "k=p", "two rows"],
)
def test_edges(method, shape, k):
    X = np.random.default_rng(0).normal(size=shape)
    fitted = small(k, method=method, epochs=3, hidden=(4,)).fit(X)
    assert fitted.n_features_ == k
    assert np.isfinite(fitted.importances_).all()
    assert sorted(set(fitted.ranking_)) == list(range(1, shape[1] - k + 2))


def test_rows_of_weight_zero_are_as_good_as_absent():
    X = planted()
    weight = np.r_[np.ones(150), np.zeros(50)]
    weighted = small(epochs=5).fit(X, sample_weight=weight)
    absent = small(epochs=5).fit(X[:150])
    assert weighted.losses_.tobytes() == absent.losses_.tobytes()
    assert np.array_equal(weighted.ranking_, absent.ranking_)


@every_method
def test_progress_is_told_and_the_time_limit_warned_about(method):
    X, told = planted(), []
    with listening(lambda *now: told.append(now)):
        fitted = small(method=method, epochs=4).fit(X)
    assert told[-1] == ("AutoencoderSelector: epochs", fitted.n_epochs_, 4)
    with pytest.warns(UserWarning, match=r"time_limit=1e-09 seconds after 1 of epochs=9") as caught:
        fitted = small(method=method, epochs=9, time_limit=1e-9).fit(X)
    assert {one.filename for one in caught} == {__file__}
    assert fitted.n_features_ == 4


def test_neurons_that_have_chosen_stop_before_the_last_epoch():
    X = planted(n_sources=1, n_copies=2)
    fitted = small(1, epochs=500, temperature=(1.0, 0.01), learning_rate=0.05).fit(X)
    assert fitted.n_epochs_ < 500
    assert fitted.importances_.max() > 0.99


def test_goes_ahead_of_a_model():
    X = planted()
    y = X[:, 0] > 5
    pipe = make_pipeline(small(epochs=40), LogisticRegression(max_iter=1000)).fit(X, y)
    assert pipe.score(X, y) > 0.8


def test_without_keras_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "keras":
            raise ImportError("No module named 'keras'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    message = r"AutoencoderSelector needs Keras.*pip install \"featprune\[keras\]\" jax"
    with pytest.raises(ImportError, match=message):
        small().fit(planted())


BAD_PARAMETERS = {
    "method": ({"method": "lasso"}, ValueError, r"'concrete' or 'group_lasso'. Got 'lasso'"),
    "hidden": ({"hidden": (0,)}, ValueError, r"'hidden'.* a tuple of ints >= 1, or \(\). Got \(0,"),
    "hidden no list": ({"hidden": 8}, ValueError, r"'hidden'.*Got 8 instead"),
    "hidden of words": ({"hidden": ("a",)}, ValueError, r"'hidden'.*Got \('a',\) instead"),
    "epochs": ({"epochs": 0}, ValueError, r"'epochs'.*an int >= 1. Got 0"),
    "batch_size": ({"batch_size": 1.5}, ValueError, r"'batch_size'.*Got 1.5"),
    "learning_rate": ({"learning_rate": 0}, ValueError, r"'learning_rate'.*a number > 0. Got 0"),
    "learning_rate none": ({"learning_rate": None}, TypeError, r"'learning_rate'.*Got None"),
    "rising": ({"temperature": (0.1, 10)}, ValueError, r"the first >= the second > 0. Got \(0.1,"),
    "one number": ({"temperature": 5}, ValueError, r"'temperature'.*two numbers.*Got 5"),
    "reconstruction": ({"reconstruction": 0}, ValueError, r"a number in \(0, 1\]. Got 0 instead"),
    "standardize": ({"standardize": "no"}, ValueError, r"'standardize'.* True or False"),
    "time_limit": ({"time_limit": -1}, ValueError, r"'time_limit'.* a number > 0"),
    "scores": ({"n_features_to_select": "best"}, ValueError, r"or 'reconstruction'. Got 'best'"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=BAD_PARAMETERS.keys())
def test_a_parameter_that_cannot_be_used_is_refused(case):
    parameters, error, message = BAD_PARAMETERS[case]
    fresh = small().set_params(**parameters)
    with pytest.raises(error, match=message):
        fresh.fit(planted())
    assert not hasattr(fresh, "support_")


def test_a_table_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match="Every column of X has one and the same value"):
        small().fit(np.ones((20, 3)))


@every_method
def test_weights_that_grow_out_of_bounds_are_an_error(method):
    with pytest.raises(ValueError, match=r"became NaN or infinite in training. Lower learning_r"):
        small(method=method, learning_rate=1e30, epochs=3).fit(planted())


@every_method
def test_units_of_any_size_are_taken_without_scaling(method):
    X = planted()
    plain = small(method=method, standardize=False, epochs=20).fit(X)
    huge = small(method=method, standardize=False, epochs=20).fit(X * 2.0**80)
    assert np.array_equal(plain.ranking_, huge.ranking_)
