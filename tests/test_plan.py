import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from featprune import SVMRFE, MRMRSelector, PrunePlan


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return pd.DataFrame(
        {
            "age": pd.array(rng.integers(0, 9, 60) + 3 * y, dtype="Int64"),
            "town": pd.Categorical(rng.choice(list("uvw"), 60)),
            "width": rng.normal(size=60),
            "height": rng.normal(size=60) + y,
            "vector": list(rng.normal(size=(60, 3)) + np.outer(y, [2, 0, 0])),
        }
    )


@pytest.fixture(scope="module")
def fitted(frame):
    selector = SVMRFE(
        n_features_to_select=3,
        feature_groups={"size": ["width", "height"]},
        always_keep=["town"],
        embeddings="dimensions",
    )
    return selector.fit(frame, np.arange(60) % 2)


@pytest.fixture
def plan(fitted):
    return fitted.to_plan(target="y")


def test_plan_lists_every_column_once(plan, frame):
    listed = [column["name"] for column in (*plan.kept, *plan.dropped)]
    assert sorted(listed) == sorted(frame.columns)
    assert [column["name"] for column in plan.columns] == list(frame.columns)
    assert [column["kind"] for column in plan.columns] == [
        "number", "other", "number", "number", "embedding",
    ]  # fmt: skip


def test_reasons_say_what_happened(plan):
    reasons = {column["name"]: column["reason"] for column in (*plan.kept, *plan.dropped)}
    assert reasons["town"].startswith("always kept; among the 3 of 6 that stayed")
    assert reasons["vector"] == "1 of its 3 dimensions stayed"
    assert reasons["width"].startswith("with its group 'size': ")


def test_plan_gives_what_the_selector_gives(plan, fitted, frame):
    pd.testing.assert_frame_equal(plan.apply(frame), fitted.transform(frame))
    other = pl.from_pandas(frame)
    assert plan.apply(other).equals(fitted.transform(other))
    shuffled = frame[list(frame.columns)[::-1]]
    pd.testing.assert_frame_equal(plan.apply(shuffled), fitted.transform(frame))


def test_plan_needs_only_the_kept_columns(plan, frame):
    pd.testing.assert_frame_equal(plan.apply(frame[plan.kept_names]), plan.apply(frame))


def test_saving_keeps_everything(plan, frame, tmp_path):
    plan.save(tmp_path / "plan.json")
    back = PrunePlan.load(tmp_path / "plan.json")
    assert back == plan
    assert back.fingerprint == plan.fingerprint
    pd.testing.assert_frame_equal(back.apply(frame), plan.apply(frame))


def test_parameters_are_written_as_json_or_repr(plan):
    parameters = plan.selector["parameters"]
    assert plan.selector["class"] == "SVMRFE"
    assert parameters["n_features_to_select"] == 3
    assert parameters["feature_groups"] == {"size": ["width", "height"]}


def test_scores_are_in_the_plan_where_there_are_any(frame):
    plan = SVMRFE().fit(frame, np.arange(60) % 2).to_plan()
    scores = plan.scores
    assert scores["scoring"] == "accuracy"
    assert scores["sizes"] == [5, 4, 3, 2, 1]
    assert len(scores["mean"]) == len(scores["standard_error"]) == 5
    assert scores["size"] == len(plan.kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="town"), r"X lacks 1 of the 3 columns .*: 'town'"),
        (lambda f: f.assign(age="old"), r"'age' was 'number' and is 'other'. Read or convert"),
        (lambda f: f.assign(vector=[[1.0]] * 60), r"length 1, and had 3 in fit"),
    ],
    ids=["missing", "kind", "width"],
)
def test_another_table_is_refused(plan, frame, change, message):
    assert set(plan.kept_names) == {"age", "town", "vector"}
    with pytest.raises(ValueError, match=message):
        plan.apply(change(frame))


def test_an_array_has_no_names_to_go_by(plan):
    with pytest.raises(TypeError, match=r"must be a pandas or polars DataFrame. Got ndarray"):
        plan.apply(np.ones((2, 5)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema_version=2), r"schema version 2; this featprune reads 1"),
        (lambda c: c["columns"][0].update(name="z"), r"contradicts itself"),
        (lambda c: c["kept"].pop(), r"contradicts itself"),
        (lambda c: c.pop("kept"), r"not a whole prune plan"),
        (lambda c: c.update(extra=1), r"not a whole prune plan"),
        (lambda c: c.clear(), r"not a prune plan"),
    ],
    ids=["newer", "renamed", "shortened", "cut", "more", "empty"],
)
def test_a_plan_that_was_changed_is_refused(plan, tmp_path, change, message):
    file = tmp_path / "plan.json"
    plan.save(file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        PrunePlan.load(file)


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "p.json").write_bytes(b"\xff\xfe no")
    with pytest.raises(ValueError, match=r"is not JSON"):
        PrunePlan.load(tmp_path / "p.json")


def test_columns_that_the_plan_does_not_keep_do_not_matter(plan, frame):
    odd = frame.assign(meta=[{"a": 1}] * 60, width="words")
    odd = pd.concat([odd, frame[["height", "height"]]], axis=1)
    pd.testing.assert_frame_equal(plan.apply(odd), plan.apply(frame))
    with pytest.raises(ValueError, match=r"more than one column of the name 'age'"):
        plan.apply(pd.concat([frame, frame[["age"]]], axis=1))


@pytest.mark.parametrize("name", ["age", "town", "vector"])
def test_a_kept_column_may_have_no_value_in_a_few_rows(plan, frame, name):
    few = frame.assign(**{name: None})[:3]
    applied = plan.apply(few)
    assert list(applied.columns) == plan.kept_names
    assert applied[name].isna().all()
    assert applied.index.equals(few.index)
    other = pl.from_pandas(frame[:3]).with_columns(pl.lit(None).alias(name))
    assert plan.apply(other)[name].null_count() == 3


def test_a_table_without_rows_has_the_columns_of_the_plan(plan, frame):
    assert plan.apply(frame[:0]).shape == (0, 3)
    other = pl.from_pandas(frame)
    assert plan.apply(other.head(0)).schema == plan.apply(other).schema


def test_integer_names_are_found_by_their_digits(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    frame = pd.DataFrame({3: list(rng.normal(size=(30, 2)) + np.outer(y, [5, 0])), 1: y * 0.1})
    fitted = SVMRFE(n_features_to_select=2, embeddings="dimensions").fit(frame, y)
    fitted.to_plan().save(tmp_path / "p.json")
    back = PrunePlan.load(tmp_path / "p.json")
    pd.testing.assert_frame_equal(back.apply(frame), fitted.transform(frame))
    assert list(back.apply(frame).columns) == [3, 1]
    assert len(back.apply(frame)[3][0]) == 1


def test_a_vector_of_one_dimension_is_no_group():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    frame = pd.DataFrame({"v": list(rng.normal(size=(30, 1)) + 3 * y[:, None]), "a": y * 0.1})
    plan = SVMRFE(n_features_to_select=2, embeddings="dimensions").fit(frame, y).to_plan()
    assert [c["reason"] for c in plan.kept] == ["among the 2 of 2 that stayed"] * 2
    pd.testing.assert_frame_equal(plan.apply(frame), frame)


def test_any_detail_can_be_saved(fitted, tmp_path):
    plan = fitted.to_plan(seconds=np.float64(1.5), rows=np.int64(60), where=tmp_path, none=None)
    plan.save(tmp_path / "p.json")
    details = PrunePlan.load(tmp_path / "p.json").details
    assert details == {"seconds": 1.5, "rows": 60, "where": repr(tmp_path), "none": None}


def test_json_is_json_that_others_can_read_even_with_scores_that_are_nan(fitted, tmp_path):
    path = replace(
        fitted.path_,
        scores=np.full((2, len(fitted.path_.sizes)), np.nan),
        fold_orders=np.array([fitted.path_.order] * 2),
        baseline=np.zeros(2),
    )
    scored = copy.copy(fitted)
    scored.path_ = path
    scored.to_plan().save(tmp_path / "p.json")

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((tmp_path / "p.json").read_text(), parse_constant=refuse)
    assert set(content["scores"]["mean"]) == {None}


def test_a_failed_save_leaves_the_old_plan(plan, tmp_path):
    plan.save(tmp_path / "p.json")
    before = (tmp_path / "p.json").read_bytes()
    with pytest.raises(TypeError):
        replace(plan, details={"odd": object()}).save(tmp_path / "p.json")
    assert (tmp_path / "p.json").read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["p.json"]


def test_the_fingerprint_is_of_names_kinds_and_their_order(plan):
    same = replace(plan, columns=[dict(c, dtype="other") for c in plan.columns])
    assert same.fingerprint == plan.fingerprint
    assert replace(plan, columns=plan.columns[::-1]).fingerprint != plan.fingerprint
    changed = [dict(plan.columns[0], kind="other"), *plan.columns[1:]]
    assert replace(plan, columns=changed).fingerprint != plan.fingerprint


def test_an_infinite_importance_is_left_open(tmp_path):
    X = pd.DataFrame({"twin": np.arange(8) % 2, "noise": np.arange(8) % 3})
    with np.errstate(divide="ignore"):
        plan = MRMRSelector(1).fit(X, np.arange(8) % 2).to_plan()
    plan.save(tmp_path / "plan.json")
    content = json.loads((tmp_path / "plan.json").read_text(), parse_constant=pytest.fail)
    assert content["kept"][0]["name"] == "twin"
    assert content["kept"][0]["importance"] is None
