import os
import stat

import pytest

from featprune.files import replacing


def test_the_file_appears_when_the_block_is_done(tmp_path):
    target = tmp_path / "a.json"
    with replacing(target) as beside:
        beside.write_text("new")
        assert not target.exists()
        assert beside.parent == tmp_path
        assert beside.suffix == ".json"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_litter(tmp_path, error):
    target = tmp_path / "a.json"
    target.write_text("old")

    def write_half():
        with replacing(target) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a"):
            pass
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none" / "a"):
        pass


def test_a_file_that_is_replaced_is_readable_as_a_new_one_would_be(tmp_path):
    target = tmp_path / "a.json"
    target.write_text("old")
    target.chmod(0o600)
    before = os.umask(0o022)
    try:
        with replacing(str(target)) as beside:
            beside.write_text("new")
        assert stat.S_IMODE(target.stat().st_mode) == 0o644
        assert os.umask(0o022) == 0o022  # asking for it has not changed it
    finally:
        os.umask(before)
    assert target.read_text() == "new"


def test_a_folder_in_the_way_leaves_no_litter(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError), replacing(tmp_path / "a") as beside:
        beside.write_text("new")
    assert os.listdir(tmp_path) == ["a"]


def test_two_writers_do_not_meet(tmp_path):
    target = tmp_path / "a"
    with replacing(target) as one, replacing(target) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one"
    assert os.listdir(tmp_path) == ["a"]
