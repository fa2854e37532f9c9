import numpy as np
import pandas as pd
import pytest

from featprune.table.columns import read
from featprune.table.encode import Encoded
from featprune.table.units import make_units

FRAME = pd.DataFrame(
    {"a": [1, 2], "v": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "b": [3, 4], "c": list("xy")}
)


def units(groups=None, keep=None, *, in_dimensions=False, table=FRAME):
    return make_units(
        read(table), "Me", feature_groups=groups, always_keep=keep, in_dimensions=in_dimensions
    )


def test_each_column_is_a_unit():
    one = units()
    assert one.names == ("a", "v", "b", "c")
    assert one.first.tolist() == [0, 1, 2, 3]
    assert not one.protected.any()


def test_a_group_stands_where_its_first_column_stood():
    one = units({"late": ["c", "v"]}, ["c"])
    assert one.names == ("a", "late", "b")
    assert one.first.tolist() == [0, 1, 2, 1]
    assert one.protected.tolist() == [False, True, False]


def test_dimensions_are_units_of_their_own():
    one = units(keep=["v"], in_dimensions=True)
    assert one.names == ("a", "v[0]", "v[1]", "v[2]", "b", "c")
    assert one.protected.tolist() == [False, True, True, True, False, False]
    encoded = Encoded(
        None, np.array([0, 1, 1, 1, 1, 2, 3, 3]), np.array([-1, 0, 1, 2, -1, -1, -1, -1])
    )
    assert one.of_features(encoded).tolist() == [0, 1, 2, 3, 1, 4, 5, 5]
    support = np.array([False, False, True, True, False, True])
    assert one.columns(support).tolist() == [False, True, False, True]
    assert one.dimensions(support)[1].tolist() == [False, True, True]
    assert one.column_ranking(np.array([4, 3, 1, 1, 2, 1])).tolist() == [4, 1, 2, 1]


def test_a_grouped_embedding_stays_whole():
    one = units({"g": ["v", "a"]}, in_dimensions=True)
    assert one.names == ("g", "b", "c")
    assert one.dimensions(np.array([True, False, False])) == {}


def test_an_embedding_of_one_dimension_is_a_plain_unit():
    frame = pd.DataFrame({"v": [[1.0], [2.0]], "a": [1, 2]})
    one = units(in_dimensions=True, table=frame)
    assert one.names == ("v[0]", "a")
    assert one.columns(np.array([True, False])).tolist() == [True, False]


def test_columns_go_by_position_in_arrays_and_by_any_name_in_frames():
    assert units({"g": [0, 2]}, [1], table=np.ones((2, 3))).names == ("g", "x1")
    assert units({"g": ["x0", 2]}, table=np.ones((2, 3))).names == ("g", "x1")
    numbered = pd.DataFrame(np.ones((2, 3)), columns=[10, 20, 30])
    assert units({"g": [10, "30"]}, table=numbered).names == ("g", "20")


@pytest.mark.parametrize(
    ("groups", "keep", "error", "message"),
    [
        ({"g": ["a", "zz"]}, None, ValueError, r"names 'zz', which X does not have. X has 4"),
        ({"g": ["a"], "h": ["b", "a"]}, None, ValueError, r"overlap: 'a' is in 'h' and in 'g'"),
        ({"c": ["a", "b"]}, None, ValueError, r"'c'.*has the name of a column that is not in it"),
        ({"g": []}, None, ValueError, r"Group 'g'.*has no columns"),
        ({"g": "ab"}, None, TypeError, r"must list columns, as \['a', 'b'\]. Got 'ab'"),
        ([["a", "b"]], None, TypeError, r"must be a dict of lists of columns"),
        (None, ["a", "q"], ValueError, r"'always_keep' parameter of Me names 'q'"),
        (None, 3, TypeError, r"'always_keep' parameter of Me must list columns"),
        (None, [0], ValueError, r"names 0, which X does not have"),
    ],
    ids=["unknown", "overlap", "clash", "empty", "text", "list", "kept", "number", "position"],
)
def test_bad_columns_are_named(groups, keep, error, message):
    with pytest.raises(error, match=message):
        units(groups, keep)


def test_a_mask_is_no_list_of_positions():
    with pytest.raises(ValueError, match=r"names True, False, which X does not have"):
        units(keep=[True, False], table=np.ones((2, 3)))


@pytest.mark.parametrize("container", [np.array, pd.Index, tuple, set], ids=lambda c: c.__name__)
def test_columns_may_be_listed_in_any_container(container):
    one = units({"g": container(["a", "b"])}, container(["c"]))
    assert one.names == ("g", "v", "c")
    assert one.protected.tolist() == [False, False, True]


@pytest.mark.parametrize(
    "keep", [[True, False], np.array([False, True]), [["a"]], [-1], [None]], ids=repr
)
def test_what_is_neither_name_nor_position_is_unknown(keep):
    for table in (np.ones((2, 2)), FRAME):
        with pytest.raises(ValueError, match=r"'always_keep' parameter of Me names .*not have"):
            units(keep=keep, table=table)


def test_columns_of_an_object_array_go_by_position_too():
    table = np.array([[1, "a", 2.5], [2, "b", 3.5]], dtype=object)
    one = units({"g": [1, 2]}, [0], table=table)
    assert one.names == ("x0", "g")
    assert one.protected.tolist() == [True, False]
    assert units({"g": ["x1", 2]}, table=table).names == ("x0", "g")


@pytest.mark.parametrize(
    "groups", [None, {"v[1]": ["a", "b"]}], ids=["column and dimension", "group and dimension"]
)
def test_two_units_of_one_name_are_refused(groups):
    frame = FRAME if groups else FRAME.rename(columns={"c": "v[1]"})
    with pytest.raises(ValueError, match=r"'v\[1\]' would be the name of two things.*Rename"):
        units(groups, in_dimensions=True, table=frame)


def test_a_group_protects_all_its_columns_wherever_the_kept_one_stands():
    for kept in ("a", "b", "c"):
        one = units({"g": ["a", "b", "c"]}, [kept], in_dimensions=True)
        assert one.names == ("g", "v[0]", "v[1]", "v[2]")
        assert one.protected.tolist() == [True, False, False, False]
        assert one.columns(np.array([True, False, False, False])).tolist() == [1, 0, 1, 1]
