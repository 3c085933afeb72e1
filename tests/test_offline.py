"""With the network cut, everything but a fetch works, and a fetch says in one sentence what to do."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from _commands import commands, one_sentence, save_coins
from clips import save_clip

from napari_slip.errors import ModelError
from napari_slip.loading import load
from napari_slip.models import load_clip


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Cut the network, and note who tries it."""
    tries = []

    def nowhere(*address, **_):
        tries.append(address)
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    def nobody(*address, **_):
        tries.append(address)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket.socket, "connect", nowhere)
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tries


@pytest.fixture
def call(tmp_path, monkeypatch, tried):
    monkeypatch.chdir(tmp_path)
    return commands(monkeypatch, tmp_path)


def test_what_is_here_works_and_asks_no_network(call, tmp_path, tried, monkeypatch):
    picture = save_coins(tmp_path / "coins.png")
    save_clip(tmp_path / "their-clip")
    for words in (
        ("models",),
        ("models", "list", "--json"),
        ("models", "info", "sam3"),
        ("models", "add", "lab", tmp_path / "their-clip", "--kind", "clip"),
        ("models", "verify"),
        ("models", "verify", "mini", "vit_b"),
        ("segment", picture, "-p", "coin", "-o", "out"),
        ("segment", picture, "-p", "cell", "-o", "out", "--sam", "mini", "--clip", "lab"),
        ("replay", "out/provenance.json", "-o", "again"),
        ("models", "export", "lab", "-o", "lab.zip"),
    ):
        done = call(*words)
        assert done.exit_code == 0, (words, done.output)
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "microscope"))
    done = call("models", "import", "lab.zip")
    assert done.exit_code == 0, done.output
    (tmp_path / "their-clip").rename(tmp_path / "gone")
    assert load_clip("lab").card.name == "lab"
    assert tried == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vit_b", "there is no connection to the server"),
        ("clip_b32", "there is no connection to the hub"),
        ("sam2_tiny", "there is no connection to the hub"),
    ],
)
def test_what_is_not_here_ends_in_one_sentence_with_the_command_and_the_folder(call, tmp_path, name, why):
    done = call("models", "fetch", name)
    assert done.exit_code == 2
    sentence = one_sentence(done.stderr)
    assert f"{name} (" in sentence
    assert f"could not be downloaded ({why})" in sentence
    assert f"run napari-slip models fetch {name} and napari-slip models export {name}" in sentence
    assert f"here napari-slip models import {name}.zip" in sentence
    assert sentence.endswith(f"or put its files into {os.fspath(tmp_path / 'models' / name)}.")
    assert not list(tmp_path.glob("models/*.pth"))


def test_a_gated_model_also_says_how_to_be_let_in(call):
    done = call("models", "fetch", "sam3")
    assert "ask for access and accept Meta's SAM License" in one_sentence(done.stderr)


def test_a_name_of_the_hub_is_carried_as_a_folder(tried, tmp_path):
    message = (
        r"owner/name is not on this machine and could not be downloaded \(there is no connection to the "
        r"hub\): on a machine with a network run napari-slip models fetch owner/name, and copy its folder "
        r"from there to .*models/owner/name\."
    )
    with pytest.raises(ModelError, match=message):
        load_clip("owner/name")


def test_a_preset_that_is_not_here_is_the_same_sentence_for_python(tried):
    with pytest.raises(
        ModelError, match=r"vit_b \(376 MB\) is not on this machine .*models import vit_b\.zip"
    ):
        load("vit_b")
