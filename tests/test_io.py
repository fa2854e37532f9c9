import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featprune import io


@pytest.fixture
def table():
    return pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "word": pa.array(["01", "02", None]),
            "level": pa.array(["u", "v", "u"]).dictionary_encode(),
            "day": pa.array([0, 1, 2], pa.date32()),
            "v": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        }
    )


def test_parquet_keeps_every_type(table, tmp_path):
    io.write(table, tmp_path / "t.parquet")
    back = io.read(tmp_path / "t.parquet", ["v", "n", "level"])
    assert back.equals(table.select(["v", "n", "level"]))


def test_csv_words_stay_words_if_told(table, tmp_path):
    io.write(table.select(["n", "word"]), tmp_path / "t.csv")
    assert io.kinds(io.read(tmp_path / "t.csv"))["word"] == "number"
    back = io.read(tmp_path / "t.csv", ["word", "n"], {"word": "other", "n": "number"})
    assert back.column_names == ["word", "n"]
    assert back.column("word").to_pylist() == ["01", "02", None]


def test_columns_that_are_not_asked_for_are_not_read(tmp_path):
    """A table whose second column is broken can still be read without it."""
    rng = np.random.default_rng(0)
    whole = pa.table({"a": rng.normal(size=1000), "b": rng.normal(size=1000)})
    file = tmp_path / "t.parquet"
    pq.write_table(whole, file, compression="zstd", use_dictionary=False)
    chunk = pq.read_metadata(file).row_group(0).column(1)
    content = bytearray(file.read_bytes())
    start = chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    file.write_bytes(bytes(content))
    assert io.read(file, ["a"]).column("a").equals(whole.column("a"))
    with pytest.raises((ValueError, OSError)):
        io.read(file)


def test_kinds_are_those_of_the_table_room(table):
    assert io.kinds(table) == {
        "n": "number", "word": "other", "level": "other", "day": "other", "v": "embedding",
    }  # fmt: skip
    assert io.kinds(pa.table({"none": pa.nulls(2), "yes": [True, False]})) == {
        "none": "", "yes": "number",
    }  # fmt: skip


def test_embeddings_are_cut_down(table):
    short = io.prune(table, ["v", "n"], {"v": np.array([False, True])})
    assert short.column("v").to_pylist() == [[2.0], None, [4.0]]
    assert short.schema.field("v").type == pa.list_(pa.float32(), 1)
    assert short.column_names == ["n", "v"]


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("none.csv", None, FileNotFoundError, r"There is no file .*none.csv"),
        ("t.xlsx", b"", ValueError, r"is no table that can be read or written. Name a .parquet"),
        ("t.parquet", b"broken", ValueError, r"t.parquet: "),
        ("t.csv", b"", ValueError, r"t.csv: No columns to parse"),
        ("t.csv", b"a,b\n1,2\n4,5,6,7\n", ValueError, r"t.csv: "),
    ],
    ids=["missing", "suffix", "broken", "empty", "ragged"],
)
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(
    tmp_path, name, content, error, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        io.read(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_that_is_not_there_is_named(tmp_path, suffix):
    frame = pd.DataFrame({"a": [1], "b": [2]})
    file = tmp_path / f"t.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    with pytest.raises(ValueError, match=r"has no column 'zz'; it has a, b"):
        io.read(file, ["a", "zz"])
