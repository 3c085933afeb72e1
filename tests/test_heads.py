"""Taught heads outside the viewer: from Python, segment, batch and replay."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from _commands import commands, mini, one_sentence, save_coins

import napari_slip
from napari_slip.errors import InputError
from napari_slip.io import read_image
from napari_slip.matching import Head, heads, teach


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return save_coins(tmp_path_factory.mktemp("pictures") / "coins.png")


@pytest.fixture(scope="module")
def segments(picture):
    return mini().segment(read_image(picture).pixels)


@pytest.fixture
def odd(segments):
    """What "wanted" means is one segment that looks like no other, and it alone."""
    looks = segments.embedding
    alike = looks @ looks.T - 2 * np.eye(len(looks))
    row = int(np.where(segments.background, 1, alike.max(axis=1)).argmin())
    names = ["wanted" if k == row else None for k in range(len(looks))]
    texts = mini().encoder.encode_texts(["something"])
    nulls = mini().encoder.encode_texts(["background"])
    head = teach(looks, names, texts, ["wanted"], nulls, clip=mini().encoder.card.hash, name="odd one")
    return head, row


@pytest.fixture
def kept(odd, tmp_path, monkeypatch):
    """The head under its name, as the dock keeps it."""
    monkeypatch.setattr(heads, "folder", lambda: tmp_path / "heads")
    heads.save(odd[0])
    return heads.place_of("odd one")


@pytest.fixture
def call(monkeypatch, tmp_path_factory):
    return commands(monkeypatch, tmp_path_factory.mktemp("cache"))


def test_a_slip_is_loaded_with_a_head_by_name_by_file_or_itself(kept, odd, segments):
    head, row = odd
    for given in ("odd one", kept, str(kept), head):
        slip = napari_slip.load("mini", device="cpu", head=given)
        assert slip.match(segments, ["wanted"]).best == (row + 1,)
    taught = slip.match(segments, ["wanted"]).calibrated
    assert not np.allclose(taught, mini().match(segments, ["wanted"]).calibrated)


def test_a_head_that_is_not_there_or_another_clips_is_told(kept, odd):
    with pytest.raises(InputError, match=r"no taught head called .other.*odd one"):
        napari_slip.load("mini", device="cpu", head="other")
    other = Head("far", ("a",), np.zeros((2, 4), np.float32), np.zeros(2, np.float32), "sha256:another")
    with pytest.raises(InputError, match="'far' was taught with another CLIP than mini"):
        napari_slip.load("mini", device="cpu", head=other)


def test_segment_scores_with_a_head_and_replay_makes_the_same(call, kept, odd, picture, tmp_path):
    out = tmp_path / "out"
    done = call("segment", picture, "--head", "odd one", "-o", out)  # without a text, all that was taught
    assert done.exit_code == 0, done.output
    story = json.loads((out / "provenance.json").read_text())
    assert story["models"]["head"] == str(kept)
    assert story["models"]["head_hash"].startswith("sha256:")
    (answer,) = story["images"][0]["answers"]
    assert (answer["prompt"], answer["best"]) == ("wanted", odd[1] + 1)
    again = call("replay", out / "provenance.json", "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert "1 of 1 image with the same pixels" in again.stdout
    kept.write_bytes(kept.read_bytes() + b"\0")
    changed = call("replay", out / "provenance.json", "-o", tmp_path / "third")
    assert changed.exit_code != 0
    assert f"{kept} has changed since it was asked for" in one_sentence(changed.stderr)


def test_batch_scores_with_a_head(call, kept, odd, picture, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(picture, folder / "coins.png")
    done = call("batch", folder, "--head", kept, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(tmp_path / "out" / "objects.csv")["class"]) == {"wanted"}
    assert json.loads((tmp_path / "out" / "batch.json").read_text())["models"]["head"] == str(kept)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--head", "none such"], "There is no taught head called 'none such'"),
        (["--head", "~nosuch/x"], "There is no taught head called '~nosuch/x'"),
        (["--head", "odd one", "-p", "coin"], "was taught 'wanted', but none of these is asked for"),
        ([], "Nothing is looked for: say it with --prompt TEXT"),
    ],
)
@pytest.mark.parametrize("command", ["segment", "batch"])
def test_what_cannot_be_looked_for_is_told_before_anything_is_loaded(
    call, kept, picture, tmp_path, command, words, sentence
):
    done = call(command, picture, *words, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert sentence in one_sentence(done.stderr)
