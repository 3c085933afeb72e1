from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from _commands import commands, mini, one_sentence, save_coins

from napari_slip.models import precision


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


@pytest.mark.parametrize("half", [True, False])
def test_replay_computes_in_the_precision_of_then(call, picture, tmp_path, half):
    device = torch.device("cpu")
    with precision.settled(device, half):
        assert call("segment", picture, "-p", "coin", "--out", tmp_path / "out").exit_code == 0
    story = tmp_path / "out" / "provenance.json"
    assert json.loads(story.read_text())["models"]["bfloat16"] is half
    with precision.settled(device, not half):  # another machine, or a busy moment
        assert call("replay", story, "--out", tmp_path / "again").exit_code == 0
        assert precision.bfloat16_pays(device) is not half  # from now on as before
    for name in ("coins.segments.tif", "coins.segments.csv"):  # the figures differ even where no pixel does
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_replay_computes_with_as_many_threads_as_then(call, picture, tmp_path):
    before = torch.get_num_threads()
    device = torch.device("cpu")
    try:
        torch.set_num_threads(1)
        with precision.settled(device, True):  # in which the order of additions is seen first
            assert call("segment", picture, "-p", "coin", "--out", tmp_path / "out").exit_code == 0
        torch.set_num_threads(3)
        story = tmp_path / "out" / "provenance.json"
        assert call("replay", story, "--out", tmp_path / "again").exit_code == 0
        assert torch.get_num_threads() == 3  # from now on as before
    finally:
        torch.set_num_threads(before)
    again = json.loads((tmp_path / "again" / "provenance.json").read_text())
    assert again["models"]["threads"] == json.loads(story.read_text())["models"]["threads"] == 1
    for name in ("coins.segments.tif", "coins.segments.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_replay_of_a_run_that_tells_no_precision_takes_the_faster_one(call, story, tmp_path):
    told = json.loads(story.read_text())
    del told["models"]["bfloat16"], told["models"]["threads"]
    story.write_text(json.dumps(told))
    assert call("replay", story, "--out", tmp_path / "again").exit_code == 0


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


def worked_on(picture, region=None):
    """What a dock knows of a picture from a file, after a word and a correction."""
    from napari.components import ViewerModel
    from skimage.io import imread

    from napari_slip.progress import Progress
    from napari_slip.session import Session, editing
    from napari_slip.viewer._engine import Engine, ModelChoice, Request
    from napari_slip.viewer._regions import Region
    from napari_slip.viewer._source import take
    from napari_slip.viewer._workspace import Workspace

    viewer = ViewerModel()
    image = viewer.add_image(imread(picture))
    image._source = image.source.model_copy(update={"path": str(picture)})
    snapshot = take(viewer, [image], region=region or Region())
    request = Request(snapshot, ModelChoice(), {"coin": ("coin", "round coin")}, ("background",))
    work = Workspace(Session(snapshot.place.shape))
    work.land(Engine(lambda choice, progress: mini()).run(request, Progress()))
    (best,) = work.session.unsure()
    thing = work.session.objects[best]
    mask = thing.mask(work.session.shape)
    mask[:3] = True
    work.session.apply(editing.reshape(thing, mask))
    return SimpleNamespace(workspace=work, image=image)


def test_what_the_dock_exports_is_replayed_but_for_what_was_made_by_hand(call, picture, tmp_path):
    from napari_slip.io import export_session
    from napari_slip.viewer._story import story_of

    sheet, out = worked_on(picture), tmp_path / "out"
    kinds, session = ["coco", "labels", "provenance"], sheet.workspace.session
    path = export_session(session, out, "coins", kinds, run=story_of(sheet, out)())["provenance"]
    told = json.loads(path.read_text())
    assert sorted(told["files"]) == sorted(kinds)
    assert [thing["by_hand"] for thing in told["decided"]] == [True]
    done = call("replay", path, "--out", tmp_path / "again")
    assert done.exit_code == 0, done.output
    assert "1 of 1 image with the same pixels" in done.stdout
    assert "Not done again: 1 object drawn or corrected by hand, 0 rejected." in done.stdout
    assert "coins.coco.json" in done.stdout


def test_what_no_file_tells_is_named_instead_of_replayed(call, picture, tmp_path):
    from napari_slip.errors import InputError
    from napari_slip.io import export_session
    from napari_slip.viewer._regions import Region
    from napari_slip.viewer._story import story_of

    sheet = worked_on(picture, Region((slice(0, 100), slice(0, 120))))
    with pytest.raises(InputError, match="only a part of the plane was segmented") as reason:
        story_of(sheet, tmp_path)
    session = sheet.workspace.session
    path = export_session(session, tmp_path, "a", ["provenance"], run=str(reason.value))["provenance"]
    done = call("replay", path)
    assert done.exit_code == 2
    assert "cannot be done again by itself: only a part of the plane" in one_sentence(done.stderr)
