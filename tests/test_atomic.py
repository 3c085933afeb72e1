from __future__ import annotations

import os
import stat
import sys

import pytest

from napari_slip.atomic import UNFINISHED, replacing


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path):
    path = tmp_path / "new folder" / "a.csv"
    for content in ("first", "second"):
        with replacing(path) as unfinished:
            unfinished.write_text(content)
            assert not path.exists() or path.read_text() == "first"
            assert unfinished.name.endswith(UNFINISHED)
        assert path.read_text() == content
    assert os.listdir(path.parent) == ["a.csv"]


def test_what_breaks_off_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("first")

    def break_off():
        with replacing(path) as unfinished:
            unfinished.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        break_off()
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_colleagues_may_read_it(tmp_path):
    path = tmp_path / "a.csv"
    before = os.umask(0o022)
    try:
        with replacing(path) as unfinished:
            unfinished.write_text("a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
