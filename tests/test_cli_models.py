"""``napari-slip models``, as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from _commands import commands, one_sentence
from _server import serving
from clips import save_clip

from napari_slip.models import load_clip
from napari_slip.models.folders import names_recorded, record


@pytest.fixture
def call(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    return commands(monkeypatch, tmp_path / "cache")


@pytest.mark.parametrize("words", [["models"], ["models", "list"]])
def test_models_are_listed_with_size_and_licence(call, words):
    text = call(*words).stdout
    for expected in ("mini", "vit_b", "vit_h", "982", "Apache-2.0", "CC-BY-4.0", "part of it", "gated"):
        assert expected in text
    listed = json.loads(call(*words, "--json").stdout)
    assert listed["presets"]["mini"]["needs_download"] is False
    assert listed["presets"]["vit_h"]["size_mb"] > listed["presets"]["vit_b"]["size_mb"]
    assert {model["kind"] for model in listed["models"]} == {"sam", "clip"}


def test_names_and_titles_are_listed_as_they_are(call, tmp_path, monkeypatch):
    (tmp_path / "w.pth").write_bytes(b"x")
    call("models", "add", "ours", tmp_path / "w.pth", "--kind", "sam", "--title", "of [/data/cells] :smile:")
    assert "of [/data/cells] :smile:" in call("models").stdout
    monkeypatch.setenv("COLUMNS", "80")
    listed = call("models").stdout.split()
    assert {"vit_b_em_organelles", "clip_multilingual", "sam2_base_plus", "languages"} <= set(listed)


def test_a_model_whose_weights_have_gone_is_told(call, tmp_path):
    save_clip(tmp_path / "clip")
    assert call("models", "add", "ours", tmp_path / "clip", "--kind", "clip").exit_code == 0
    (tmp_path / "clip" / "model.safetensors").unlink()
    done = call("models", "verify")
    assert done.exit_code == 1
    assert "ours has no weights at" in one_sentence(done.stderr)
    assert "ours is not on this machine" in one_sentence(call("models", "export", "ours").stderr)


def test_all_that_is_known_of_a_model_is_told(call):
    text = call("models", "info", "sam3").stdout
    for expected in (
        "SAM License",
        "3c879f39826c281e95690f02c7821c4de09afae7",
        "hf auth login",
        "2511.16719",
    ):
        assert expected in text
    told = json.loads(call("models", "info", "vit_b", "--json").stdout)
    assert [model["name"] for model in told] == ["vit_b", "clip_b32"]
    assert told[0]["hash is"] == "published"


def test_a_checkpoint_of_the_laboratory_from_its_server_to_a_microscope(call, tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "w.pth")
    with serving() as site:
        site.files["w.pth"] = (tmp_path / "w.pth").read_bytes()
        added = call("models", "add", "ours", f"{site.root}/w.pth", "--kind", "sam", "--licence", "CC0")
        assert "ours was added to" in added.stdout
        fetched = call("models", "fetch", "ours")
        assert "ours was fetched" in fetched.stdout
        assert "No hash of ours is published" in fetched.stderr
    assert "ours was here already" in call("models", "fetch", "ours").stdout
    assert "ours: as at its first download" in call("models", "verify").stdout
    assert "there: napari-slip models import ours.zip" in (
        call("models", "export", "ours", "-o", tmp_path / "ours.zip").stdout
    )
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "microscope"))
    assert call("models", "import", tmp_path / "ours.zip").stdout == "ours can be used now.\n"
    assert json.loads(call("models", "info", "ours", "--json").stdout)[0]["licence"] == "CC0"
    assert "ours: as published" in call("models", "verify", "ours").stdout
    weights = tmp_path / "microscope" / "ours" / "ours.pth"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert "The weights of ours are not those" in one_sentence(call("models", "fetch", "ours").stderr)
    done = call("models", "verify", "ours")
    assert done.exit_code == 1
    assert "The weights of ours are not those" in one_sentence(done.stderr)
    assert "ours was removed" in call("models", "remove", "ours").stdout
    assert not weights.exists()


def test_models_of_the_hub_are_compared_and_forgotten_too(call, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / "models--somebody--sam"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    (kept / "snapshots" / "abc").mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        (kept / "snapshots" / "abc" / file).write_text("x")
    record("sam", "somebody/sam", {"sha256": "a" * 64})
    done = call("models", "verify")
    assert done.exit_code == 1
    assert "The weights of somebody/sam are not those" in one_sentence(done.stderr)
    call("models", "remove", "somebody/sam")
    assert names_recorded() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "sam9"], "No model is called 'sam9': expected one of mini"),
        (["remove", "mini"], "mini is part of napari-slip: it cannot be removed."),
        (["export", "vit_b"], "vit_b is not on this machine: fetch it first"),
        (["import", "nothing.zip"], "There is no file nothing.zip"),
        (["add", "x", "nowhere.pth", "--kind", "sam"], "is no source of a model"),
    ],
)
def test_what_does_not_work_is_one_sentence(call, words, message):
    done = call("models", *words)
    assert done.exit_code == 2
    assert message in one_sentence(done.stderr)


def test_with_the_network_cut_everything_but_the_fetch_works(tmp_path, monkeypatch):
    """Runs in a process of its own in which no socket can connect to anything."""
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    save_clip(tmp_path / "lab-clip")
    load_clip(tmp_path / "lab-clip")
    code = f"""
import socket
def refuse(*_, **__): raise OSError("the network is cut")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
import numpy as np
from skimage.data import coins
import napari_slip
from napari_slip.errors import ModelError
from napari_slip.models.packs import export_pack, import_pack
from napari_slip.models.registry import add_entry, known_models
from napari_slip.models.adding import describe
from napari_slip.models.fetching import fetch
add_entry(describe("ours", {str(tmp_path / "lab-clip")!r}, kind="clip"))
export_pack([known_models().get("clip", "ours")], __import__("pathlib").Path({str(tmp_path / "ours.zip")!r}))
import_pack(__import__("pathlib").Path({str(tmp_path / "ours.zip")!r}))
slip = napari_slip.load(sam="mini", clip="ours", device="cpu")
segments = slip.segment(coins()[:100, :100])
assert slip.match(segments, ["coin"]).calibrated.shape[1] == 1
for name in ("vit_b", "sam2_tiny"):
    try:
        fetch(known_models().get("sam", name))
    except ModelError as error:
        said = f"run napari-slip models fetch {{name}} and napari-slip models export {{name}}"
        assert said in str(error), error
    else:
        raise SystemExit("fetched without a network")
print("worked")
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "worked", done.stderr


def test_a_folder_of_models_that_cannot_be_made_is_named(call, tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    done = call("models", "add", "ours", "owner/clip", "--kind", "clip")
    assert done.exit_code == 2
    assert str(tmp_path / "models") in one_sentence(done.stderr)
    assert "check that it is there" in done.stderr


def test_a_folder_is_no_pack(call, tmp_path):
    done = call("models", "import", tmp_path)
    assert done.exit_code == 2
    assert str(tmp_path) in one_sentence(done.stderr)
