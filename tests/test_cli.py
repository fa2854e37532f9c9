"""The command line, used as a newcomer would: on files, by exit code, and by what it says."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featprune import EliminationPath, PrunePlan, __version__
from featprune.cli import main


@pytest.fixture
def churn(tmp_path):
    """A small mixed table, its target told by `minutes` and `plan`."""
    rng = np.random.default_rng(0)
    leaves = np.arange(80) % 2 == 1
    frame = pd.DataFrame(
        {
            "minutes": rng.normal(size=80).round(3) + 2 * leaves,
            "plan": pd.Categorical(np.where(rng.random(80) < 0.2 + 0.6 * leaves, "gold", "tin")),
            "calls": pd.array(rng.integers(0, 9, 80), dtype="Int64"),
            "zip": [f"{z:05d}" for z in rng.integers(0, 40, 80)],
            "noise": rng.normal(size=80),
            "churn": np.where(leaves, "yes", "no"),
        }
    )
    frame.loc[::9, "minutes"] = np.nan
    file = tmp_path / "churn.parquet"
    frame.to_parquet(file)
    return file


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_prune_writes_plan_table_and_path(churn, tmp_path, capsys):
    assert run("prune", churn, "--target", "churn", "-o", tmp_path / "out") == 0
    plan = PrunePlan.load(tmp_path / "out/plan.json")
    pruned = pq.read_table(tmp_path / "out/pruned.parquet")
    whole = pq.read_table(churn)
    assert "minutes" in plan.kept_names
    assert pruned.column_names == [*plan.kept_names, "churn"]
    for name in pruned.column_names:
        assert pruned.schema.field(name).type == whole.schema.field(name).type
        assert pruned.column(name).equals(whole.column(name))
    path = pd.read_csv(tmp_path / "out/path.csv")
    assert sorted(path["name"]) == sorted(set(whole.column_names) - {"churn"})
    assert plan.details == {"source": "churn.parquet", "target": "churn", "n_rows": 80}
    said = capsys.readouterr().out
    assert f"kept {len(plan.kept)} of 5 columns" in said
    assert "by guessing" in said


@pytest.mark.parametrize(
    "options", [(), ("--recursive", "--importance", "total_gain", "--class-weight", "none")]
)
def test_prune_by_trees(churn, tmp_path, options):
    arguments = ("--method", "trees", "--cv", 3, "--n-features", 2, *options)
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, *arguments) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert set(plan.kept_names) & {"minutes", "plan"}
    assert plan.selector["class"] == "TreeSelector"
    assert plan.scores["scoring"] == "balanced_accuracy"


def test_prune_by_shadows(churn, tmp_path, capsys):
    arguments = ("--target", "churn", "--method", "shadow", "--keep", "zip", "-o", tmp_path)
    assert run("prune", churn, *arguments) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert {"minutes", "zip"} <= set(plan.kept_names)
    assert "noise" not in plan.kept_names
    assert plan.selector["class"] == "ShadowSelector"
    assert plan.scores is None
    assert "of 5 columns" in capsys.readouterr().out


@pytest.fixture
def sensors(tmp_path):
    """Columns b and c say what a says, d something else."""
    rng = np.random.default_rng(0)
    a, d = rng.normal(size=(2, 60))
    frame = pd.DataFrame({"a": a, "b": 2 * a + 1, "c": a + 0.01 * d, "d": d})
    file = tmp_path / "sensors.parquet"
    frame.to_parquet(file)
    return file


def test_prune_without_a_target_by_what_is_explained(sensors, tmp_path, capsys):
    arguments = ("--method", "pca", "--reconstruction", 0.99, "-o", tmp_path / "out")
    assert run("prune", sensors, *arguments) == 0
    plan = PrunePlan.load(tmp_path / "out/plan.json")
    assert len(plan.kept) == 2
    assert pq.read_table(tmp_path / "out/pruned.parquet").column_names == plan.kept_names
    assert re.search(r"explain (99\.\d|100\.0)% of the variance", capsys.readouterr().out)


def test_prune_what_says_the_same(sensors, tmp_path, capsys):
    arguments = ("--method", "redundancy", "--threshold", 0.9, "-o", tmp_path / "out")
    assert run("prune", sensors, *arguments) == 0
    assert PrunePlan.load(tmp_path / "out/plan.json").kept_names == ["a", "d"]
    assert "a stands for b, c" in capsys.readouterr().out


def test_prune_by_relevance_and_redundancy(churn, tmp_path):
    arguments = ("--target", "churn", "--method", "mrmr", "--n-features", 2, "-q", "-o", tmp_path)
    assert run("prune", churn, *arguments) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert set(plan.kept_names) & {"minutes", "plan"}
    assert len(plan.kept) == 2


def test_a_method_that_needs_a_target_says_so(sensors, tmp_path, capsys):
    assert run("prune", sensors, "--method", "trees", "-o", tmp_path) != 0
    said = capsys.readouterr().err
    assert "trees needs a column to predict. Name it by --target, or choose --method pca" in said


def test_a_number_is_obeyed_whatever_the_shadows_say(churn, tmp_path):
    arguments = ("--target", "churn", "--method", "shadow", "--n-features", 1, "-q", "-o", tmp_path)
    assert run("prune", churn, *arguments) == 0
    assert len(PrunePlan.load(tmp_path / "plan.json").kept) == 1


def test_trees_prune_for_a_target_of_numbers(churn, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    frame = pd.DataFrame(X, columns=list("abcd")).assign(price=3 * X[:, 0] + rng.normal(size=200))
    frame.to_csv(tmp_path / "houses.csv", index=False)
    arguments = ("--target", "price", "--method", "trees", "--n-features", 1, "-q", "-o", tmp_path)
    assert run("prune", tmp_path / "houses.csv", *arguments) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert plan.kept_names == ["a"]
    assert plan.scores["scoring"] == "r2"


def test_plan_says_why_each_column_went(churn, tmp_path):
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--n-features", 2) == 0
    content = json.loads((tmp_path / "plan.json").read_text())
    assert content["schema_version"] == 1
    assert len(content["kept"]) == 2
    assert {"featprune", "numpy", "scikit-learn", "python"} <= content["versions"].keys()
    assert all(column["rank"] > 1 for column in content["dropped"])
    assert all("weakest when" in column["reason"] for column in content["dropped"])
    assert content["scores"]["scoring"] == "balanced_accuracy"
    assert content["scores"]["size"] == 2


def test_keep_and_ignore_are_obeyed(churn, tmp_path):
    options = ["--n-features", 2, "--keep", "noise", "--ignore", "zip", "plan"]
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, *options) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    assert "noise" in plan.kept_names
    assert {column["name"] for column in plan.columns} == {"minutes", "calls", "noise"}


def test_without_folds_nothing_is_scored(churn, tmp_path):
    options = ["--n-features", 3, "--cv", 0]
    assert run("prune", churn, "--target", "churn", "-o", tmp_path, *options) == 0
    assert PrunePlan.load(tmp_path / "plan.json").scores is None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_apply_takes_the_kept_columns(churn, tmp_path, suffix, capsys):
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--keep", "zip") == 0
    new = pd.read_parquet(churn).drop(columns="churn").head(7)
    table = tmp_path / f"new.{suffix}"
    new.to_csv(table, index=False) if suffix == "csv" else new.to_parquet(table)
    out = tmp_path / f"pruned_new.{suffix}"
    assert run("apply", tmp_path / "plan.json", table, "-o", out) == 0
    plan = PrunePlan.load(tmp_path / "plan.json")
    back = pd.read_csv(out, dtype={"zip": "str"}) if suffix == "csv" else pd.read_parquet(out)
    assert list(back.columns) == plan.kept_names
    assert back["zip"].tolist() == new["zip"].tolist()  # leading zeros stay
    assert f"kept {len(plan.kept)} of 5 columns, 7 rows" in capsys.readouterr().out


def test_apply_reads_only_the_kept_columns(churn, tmp_path, monkeypatch):
    run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--n-features", 2)
    plan = PrunePlan.load(tmp_path / "plan.json")
    asked = []
    read_table = pq.read_table

    def spy(*arguments, columns=None, **options):
        asked.append(columns)
        return read_table(*arguments, columns=columns, **options)

    monkeypatch.setattr(pq, "read_table", spy)
    assert run("apply", tmp_path / "plan.json", churn, "-q", "-o", tmp_path / "o.parquet") == 0
    assert asked == [plan.kept_names]


def test_an_embedding_column_goes_through(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array((rng.normal(size=(40, 3)) + y[:, None]).ravel(), pa.float32()), 3
    )
    table = pa.table({"v": vectors, "noise": rng.normal(size=40), "y": y})
    pq.write_table(table, tmp_path / "t.parquet")
    arguments = ["--target", "y", "-q", "-o", tmp_path, "--n-features", 1]
    assert run("prune", tmp_path / "t.parquet", *arguments) == 0
    pruned = pq.read_table(tmp_path / "pruned.parquet")
    assert pruned.column_names == ["v", "y"]
    assert pruned.schema.field("v").type == table.schema.field("v").type


ERRORS = {
    "no file": (["prune", "none.csv", "--target", "y"], r"There is no file 'none.csv'"),
    "no table": (["prune", "t.xlsx", "--target", "y"], r"Name a .parquet or .csv file"),
    "unknown target": (["prune", "{t}", "--target", "chrun"], r"did you mean 'churn'\?"),
    "unknown kept": (["prune", "{t}", "--target", "churn", "--keep", "mins"], r"no column 'mins'"),
    "continuous": (["prune", "{t}", "--target", "noise"], r"80 different numbers in 80 rows"),
    "missing target": (["prune", "{t}", "--target", "minutes"], r"missing in 9 of 80 rows"),
    "too few": (
        ["prune", "{t}", "--target", "churn", "--n-features", "0"],
        r"must be an int >= 1.*Got 0",
    ),
    "folds": (["prune", "{t}", "--target", "churn", "--cv", "60"], r"Pass a cv with fewer folds"),
}


@pytest.mark.parametrize("case", ERRORS, ids=ERRORS.keys())
def test_errors_are_one_line_that_says_what_to_do(churn, tmp_path, case, capsys):
    arguments, message = ERRORS[case]
    out = tmp_path / "nothing"
    code = run(*[str(a).replace("{t}", str(churn)) for a in arguments], "-q", "-o", out)
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("featprune: error: ")
    assert re.search(message, said.err)
    assert not out.exists()


def test_apply_refuses_another_table(churn, tmp_path, capsys):
    run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--n-features", 2)
    kept = PrunePlan.load(tmp_path / "plan.json").kept_names
    other = pd.read_parquet(churn).drop(columns=kept[0])
    other.to_parquet(tmp_path / "other.parquet")
    assert run("apply", tmp_path / "plan.json", tmp_path / "other.parquet", "-o", "x.csv") == 2
    assert f"lacks 1 of the 2 columns that the plan keeps: {kept[0]!r}" in capsys.readouterr().err


def test_apply_refuses_columns_of_another_kind(churn, tmp_path, capsys):
    run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--keep", "minutes")
    other = pd.read_parquet(churn).assign(minutes="many")
    other.to_parquet(tmp_path / "other.parquet")
    out = tmp_path / "x.parquet"
    assert run("apply", tmp_path / "plan.json", tmp_path / "other.parquet", "-o", out) == 2
    assert "'minutes' was 'number' and is 'other'" in capsys.readouterr().err
    assert not out.exists()


def test_a_failed_prune_leaves_the_old_results(churn, tmp_path, monkeypatch):
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path) == 0
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def crash(self, file):
        raise OSError("disk full")

    monkeypatch.setattr(PrunePlan, "save", crash)
    assert run("prune", churn, "--target", "churn", "-q", "-o", tmp_path, "--n-features", 1) == 2
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_interruption_writes_nothing(churn, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("featprune.selectors.base.BaseSelector.fit", interrupted)
    assert run("prune", churn, "--target", "churn", "-o", tmp_path / "out") == 130
    assert not (tmp_path / "out").exists()
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["prune", "--help"], ["apply", "--help"]])
def test_help_has_examples(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "examples:\n  featprune" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"featprune {__version__}\n"


def test_a_path_file_can_be_read_back(churn, tmp_path):
    from featprune import SVMRFE

    frame = pd.read_parquet(churn)
    fitted = SVMRFE(n_features_to_select=2).fit(frame.drop(columns="churn"), frame["churn"])
    fitted.path_.save(tmp_path / "path.json")
    back = EliminationPath.load(tmp_path / "path.json")
    assert back.names == fitted.path_.names
    assert np.array_equal(back.order, fitted.path_.order)
