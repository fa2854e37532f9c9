import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.feature_selection import RFE, RFECV
from sklearn.svm import SVC

from featprune import SVMRFE, EliminationPath


def path(**changes):
    """Five units; two leave at a time, and then one."""
    content = {
        "names": ("a", "b", "c", "d", "e"),
        "order": np.array([4, 1, 0, 3]),
        "criterion": np.array([0.1, 0.2, 0.15, 0.3]),
        "sizes": np.array([5, 3, 1]),
        "scores": np.array([[0.7, 0.9, 0.5], [0.8, 0.6, np.nan]]),
        "fold_orders": np.array([[4, 1, 0, 3], [1, 4, 3, 0]]),
        "baseline": np.array([0.5, 0.6]),
    }
    return EliminationPath(**content | changes)


UNSCORED = {"scores": None, "fold_orders": None, "baseline": None}


@pytest.mark.parametrize(
    ("size", "ranks"),
    [(5, [1, 1, 1, 1, 1]), (4, [1, 1, 1, 1, 2]), (3, [1, 2, 1, 1, 2]), (1, [2, 3, 1, 2, 3])],
)
def test_ranking_counts_the_steps_back(size, ranks):
    assert path().ranking(size).tolist() == ranks
    assert (path().support(size) == (np.array(ranks) == 1)).all()


@pytest.mark.parametrize("step", [1, 3, 0.3])
@pytest.mark.parametrize("k", [1, 2, 5, 11])
def test_ranking_is_that_of_rfe_at_every_size(step, k):
    X, y = make_classification(n_samples=60, n_features=11, random_state=0)
    machine = SVC(kernel="linear", tol=1e-9)
    whole = SVMRFE(machine, n_features_to_select=1, step=step, standardize=False).fit(X, y).path_
    peer = RFE(machine, n_features_to_select=k, step=step).fit(X, y)
    assert np.array_equal(whole.ranking(k), peer.ranking_)
    assert np.array_equal(whole.support(k), peer.support_)


@pytest.mark.parametrize("size", [0, 6, -1])
def test_a_size_that_the_path_has_not_is_refused(size):
    with pytest.raises(ValueError, match=rf"sizes from 1 to 5. Got {size} instead"):
        path().support(size)


def test_means_and_standard_errors_are_over_the_folds():
    one = path(scores=np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0], [0.5, 0.5, 0.5]]))
    np.testing.assert_allclose(one.mean_scores, [0.5, 0.5, 0.5])
    np.testing.assert_allclose(one.score_errors, [0.5 / np.sqrt(3), 0, 0.5 / np.sqrt(3)])


def test_one_fold_has_no_error():
    assert path(scores=np.array([[0.1, 0.2, 0.3]])).score_errors.tolist() == [0, 0, 0]


def test_cv_results_have_rows_that_ascend_with_the_size():
    results = path().cv_results()
    assert list(results) == [
        "mean_test_score",
        "std_test_score",
        "split0_test_score",
        "split1_test_score",
        "split0_ranking",
        "split1_ranking",
        "split0_support",
        "split1_support",
        "n_features",
    ]
    assert len(results) == 9
    assert results["n_features"].tolist() == [1, 3, 5]
    assert results["split0_test_score"].tolist() == [0.5, 0.9, 0.7]
    assert results["split1_support"].tolist()[0] == [False, False, True, False, False]
    assert results["split1_ranking"].tolist()[1] == [1, 2, 1, 1, 2]
    with pytest.raises(KeyError):
        results["split2_support"]


def test_a_path_without_folds_has_no_scores_and_says_so():
    one = path(**UNSCORED)
    assert not one.has_scores
    for ask in (one.cv_results, lambda: one.mean_scores, lambda: one.mean_baseline):
        with pytest.raises(ValueError, match=r"has no scores: it was found without"):
            ask()


def test_frame_has_a_row_for_each_unit():
    frame = path().to_frame()
    assert frame["name"].tolist() == ["e", "b", "a", "d", "c"]
    assert frame["size_before"].tolist() == [5, 5, 3, 3, 1]
    assert frame["criterion"].tolist()[:4] == [0.1, 0.2, 0.15, 0.3]
    assert np.isnan(frame["criterion"][4])
    assert frame["mean_score"].tolist()[:3] == pytest.approx([0.75, 0.75, 0.75])
    assert {"score_error", "score_fold0", "score_fold1"} < set(frame.columns)
    assert list(path(**UNSCORED).to_frame().columns) == ["name", "size_before", "criterion"]


def test_json_is_json_that_others_can_read(tmp_path):
    path(criterion=np.array([np.inf, 1, -np.inf, np.nan])).save(tmp_path / "p.json")

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads((tmp_path / "p.json").read_text(), parse_constant=refuse)
    assert content["scores"][1][2] is None
    assert content["criterion"] == ["Infinity", 1, "-Infinity", None]


@pytest.mark.parametrize("name", ["p.csv", "p"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"saved as .json or .parquet. Got"):
        path().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{}", "[1]", "no json", ""], ids=repr)
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ValueError, match=r"p.json does not hold an elimination path"):
        EliminationPath.load(tmp_path / "p.json")


def test_parquet_of_something_else_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"does not hold an elimination path"):
        EliminationPath.load(tmp_path / "p.parquet")
    (tmp_path / "q.parquet").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"does not hold an elimination path"):
        EliminationPath.load(tmp_path / "q.parquet")


def test_a_newer_schema_is_refused(tmp_path):
    path().save(tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text()) | {"schema_version": 99}
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"schema version 99.*Update featprune"):
        EliminationPath.load(tmp_path / "p.json")


def test_a_file_from_before_there_was_explained_is_read(tmp_path):
    path().save(tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text())
    del content["explained"]
    (tmp_path / "p.json").write_text(json.dumps(content))
    assert EliminationPath.load(tmp_path / "p.json").explained is None


def test_frame_says_what_is_explained_at_each_size():
    frame = path(explained=np.array([1.0, 0.75, 0.5])).to_frame()
    assert frame["explained"].tolist() == [1, 1, 0.75, 0.75, 0.5]


NEVER_REMOVES = {
    "order": np.array([], dtype=np.intp),
    "criterion": np.array([]),
    "sizes": np.array([5]),
    "scores": np.array([[0.7], [0.8]]),
    "fold_orders": np.empty((2, 0), dtype=np.intp),
}
PATHS = {
    "plain": {"criterion": np.array([0.1, 1 / 3, 1e-300, np.pi])},
    "unscored": UNSCORED,
    "never removes": NEVER_REMOVES,
    "never removes, unscored": NEVER_REMOVES | UNSCORED,
    "infinite": {"scores": np.array([[-np.inf, np.inf, 0.1], [5e-324, -0.0, 1e308]])},
    "NaN alone": {"scores": np.full((2, 3), np.nan), "baseline": np.full(2, np.nan)},
    "one fold": {
        "scores": np.array([[0.1, 0.2, 0.3]]),
        "fold_orders": np.array([[0, 1, 2, 3]]),
        "baseline": np.array([0.1]),
    },
    "explained": {"explained": np.array([1.0, 0.75, 1 / 3])},
    "words": {"names": ("größe", "a\nb", "", "'", "\U0001f600")},
}


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("changes", PATHS.values(), ids=PATHS.keys())
def test_saving_keeps_every_bit(tmp_path, suffix, changes):
    one = path(**changes)
    one.save(tmp_path / f"p{suffix}")
    back = EliminationPath.load(tmp_path / f"p{suffix}")
    assert back.names == one.names
    for field in (
        "order",
        "criterion",
        "sizes",
        "scores",
        "fold_orders",
        "baseline",
        "explained",
    ):
        before, after = getattr(one, field), getattr(back, field)
        assert (before is None) == (after is None)
        if before is not None:
            assert before.shape == after.shape
            assert before.dtype == after.dtype
            assert before.tobytes() == after.tobytes()


def test_a_path_that_never_removes_keeps_all():
    one = path(**NEVER_REMOVES)
    assert one.support(5).all()
    assert one.ranking(5).tolist() == [1] * 5
    assert one.to_frame()["criterion"].isna().all()
    assert one.to_frame()["size_before"].tolist() == [5] * 5
    assert one.cv_results()["split1_ranking"].tolist() == [[1] * 5]


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": "1"},
        {"schema_version": None},
        {"names": 5},
        {"order": ["x", 1, 0, 3]},
        {"order": None},
        {"order": 3},
        {"order": [9, 1, 0, 3]},
        {"order": [4, 1, 0, 0]},
        {"criterion": [0.1]},
        {"sizes": [5, 3]},
        {"sizes": []},
        {"sizes": [5, 1, 3]},
        {"scores": [[0.1], [0.2, 0.3]]},
        {"scores": None},
        {"baseline": 0.5},
        {"names": ["a", "b"]},
        {"explained": [1, 0.5]},
    ],
    ids=str,
)
def test_a_file_that_was_tampered_with_is_a_value_error_that_names_it(tmp_path, change):
    path().save(tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text()) | change
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"p.json (does not hold|contradicts itself)"):
        EliminationPath.load(tmp_path / "p.json")


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    pd.DataFrame({"a": []}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(ValueError, match=r"does not hold an elimination path"):
        EliminationPath.load(tmp_path / "p.parquet")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path().save(tmp_path / "p.json")
    before = (tmp_path / "p.json").read_bytes()
    with pytest.raises(TypeError):
        path(names=(object(),) * 5).save(tmp_path / "p.json")
    assert (tmp_path / "p.json").read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["p.json"]


def test_what_is_handed_out_does_not_change_the_path():
    one = path()
    one.support(3)[:] = False
    one.ranking(3)[:] = 0
    results = one.cv_results()
    for key in results:
        results[key][:] = 0
    assert one.support(3).sum() == 3
    assert one.sizes.tolist() == [5, 3, 1]
    assert one.scores[0].tolist() == [0.7, 0.9, 0.5]


@pytest.mark.parametrize("step", [1, 2, 0.3])
@pytest.mark.parametrize("least", [1, 3])
def test_cv_results_are_those_of_rfecv(step, least):
    X, y = make_classification(n_samples=60, n_features=7, random_state=1)
    machine = SVC(kernel="linear")
    choice = {"step": step, "min_features_to_select": least, "cv": 3}
    peer = RFECV(machine, **choice).fit(X, y).cv_results_
    mine = SVMRFE(machine, standardize=False, n_features_to_select="best", **choice).fit(X, y)
    ours = mine.path_.cv_results()
    assert list(ours) == list(peer)
    for key, value in peer.items():
        np.testing.assert_array_equal(ours[key], value)
        assert ours[key].dtype == value.dtype
