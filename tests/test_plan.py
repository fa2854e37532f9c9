import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from featprune import SVMRFE, PrunePlan


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
