import pytest

from featprune.progress import listening, progress_bar, tell


def test_nobody_listens_by_default():
    tell("work", 1, 2)


def test_a_listener_hears_what_is_told_inside_the_block():
    heard = []
    with listening(lambda *told: heard.append(told)):
        tell("work", 1, 2)
        with listening(None):
            tell("work", 2, 2)
    tell("work", 3, 3)
    assert heard == [("work", 1, 2), ("work", 2, 2)]


def test_a_bar_does_not_take_over_from_a_listener(capsys):
    heard = []
    with listening(lambda *told: heard.append(told)), progress_bar():
        tell("work", 1, 1)
    assert heard == [("work", 1, 1)]
    assert capsys.readouterr().err == ""


def test_a_bar_names_the_work(capsys):
    with progress_bar():
        tell("counting", 3, 3)
    assert "counting" in capsys.readouterr().err


def test_a_listener_is_gone_when_the_block_raises():
    heard = []

    def fail():
        with listening(lambda *told: heard.append(told)):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    tell("work", 1, 1)
    assert heard == []


def test_the_inner_listener_hears_and_the_outer_one_is_back_afterwards():
    outer, inner = [], []
    with listening(lambda *told: outer.append(told)):
        with listening(lambda *told: inner.append(told)):
            tell("inner", 1, 1)
        tell("outer", 1, 1)
    assert inner == [("inner", 1, 1)]
    assert outer == [("outer", 1, 1)]


def test_a_bar_writes_to_standard_error_alone_and_ends_with_its_block(capsys):
    with progress_bar():
        tell("one", 0, 0)
        tell("one", 1, 2)
        tell("one", 2, 4)
        tell("other", 1, 1)
    tell("late", 1, 1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "one" in err
    assert "2/4" in err
    assert "other" in err
    assert "late" not in err


def test_no_bar_is_shown_if_none_is_wanted(capsys):
    with progress_bar(show=False):
        tell("work", 1, 1)
    assert capsys.readouterr() == ("", "")
