from __future__ import annotations

import json
import shutil

import pytest
import torch
from _commands import commands, one_sentence, save_coins


@pytest.fixture
def call(monkeypatch, tmp_path_factory):
    return commands(monkeypatch, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def picture(tmp_path):
    return save_coins(tmp_path / "coins.png")


@pytest.fixture
def story(call, picture, tmp_path):
    """The provenance file of a run over two images, one of which failed."""
    done = call("segment", picture, tmp_path / "missing.png", "-p", "coin", "--out", tmp_path / "out")
    assert done.exit_code == 1
    return tmp_path / "out" / "provenance.json"


def test_replay_makes_the_same_files_again(call, story, tmp_path):
    done = call("replay", story, "--out", tmp_path / "again")
    assert done.exit_code == 0, done.output
    assert "1 of 1 image with the same pixels" in done.stdout
    assert "Left out, because it failed then, too" in done.stderr
    for ending in (".segments.tif", ".matches.tif", ".segments.csv", ".overlay.png"):
        name = "coins" + ending
        assert (tmp_path / "again" / name).read_bytes() == (story.parent / name).read_bytes()
    again = json.loads((tmp_path / "again" / "provenance.json").read_text())
    before = json.loads(story.read_text())
    assert [again[key] for key in ("models", "settings", "versions")] == [
        before[key] for key in ("models", "settings", "versions")
    ]


def test_replay_lies_beside_the_story_unless_told_otherwise(call, story):
    before = {path: path.read_bytes() for path in story.parent.iterdir()}
    assert call("replay", story).exit_code == 0
    assert (story.parent / "replay" / "coins.matches.tif").exists()
    assert {path: path.read_bytes() for path in before} == before


def test_replay_names_an_image_that_has_changed(call, story, picture, tmp_path):
    save_coins(picture, left=1)
    done = call("replay", story, "--out", tmp_path / "again")
    assert done.exit_code == 1
    assert f"{picture} has changed since" in done.stderr
    assert not (tmp_path / "again").exists()


def test_replay_names_an_image_that_is_gone_and_finds_one_that_moved_along(call, story, picture, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(story.parent, moved / "out")
    picture.rename(moved / picture.name)
    gone = call("replay", story, "--out", tmp_path / "1")
    assert gone.exit_code == 1
    assert f"{picture} is not there any more" in gone.stderr
    found = call("replay", moved / "out" / "provenance.json", "--out", tmp_path / "2")
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("model", ["sam", "clip"])
def test_replay_names_a_model_that_has_changed(call, story, tmp_path, model):
    values = json.loads(story.read_text())
    values["models"][f"{model}_hash"] = "sha256:" + "0" * 64
    story.write_text(json.dumps(values))
    done = call("replay", story, "--out", tmp_path / "again")
    assert done.exit_code == 1
    assert f"The {model.upper()} model has changed since" in done.stderr
    assert not list((tmp_path / "again").iterdir())


def test_replay_says_when_the_pixels_differ_and_what_else_does(call, story, tmp_path):
    values = json.loads(story.read_text())
    values["images"][0]["pixels"]["segments"] = "sha256:other"
    values["versions"]["torch"] = "1.0"
    story.write_text(json.dumps(values))
    done = call("replay", story, "--out", tmp_path / "again")
    assert done.exit_code == 1
    assert "coins.png came out differently" in done.stderr
    assert f"torch 1.0 -> {torch.__version__.split('+')[0]}" in done.stderr


def test_replay_of_what_is_no_story_ends_in_a_sentence(call, picture, tmp_path):
    for path, says in ((picture, "is no provenance file"), (tmp_path / "no.json", "does not exist")):
        done = call("replay", path)
        assert done.exit_code == 2
        assert says in one_sentence(done.stderr)
