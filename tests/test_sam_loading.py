"""From names and files to a SAM, and what is said when that does not work."""

from __future__ import annotations

import hashlib
import os
from types import SimpleNamespace

import pytest
import torch
from models import tiny_sam
from safetensors.torch import save_file
from segment_anything import sam_model_registry

from napari_slip.errors import InputError, ModelError
from napari_slip.models import sam as sam_module
from napari_slip.models.devices import resolve_device
from napari_slip.models.registry import known_models
from napari_slip.models.sam import load_sam


@pytest.fixture
def small_vit_b(monkeypatch):
    """Let a network of two narrow blocks stand for ViT-B, whose 375 MB take seconds."""
    monkeypatch.setitem(sam_module.ARCHITECTURES, (64, 2), "vit_b")
    monkeypatch.setitem(sam_model_registry, "vit_b", lambda: tiny_sam(fixed=False))


@pytest.fixture
def checkpoint(tmp_path, small_vit_b):
    path = tmp_path / "random.pth"
    torch.save(tiny_sam(seed=7).state_dict(), path)
    return path


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_checkpoint_comes_back_number_by_number(checkpoint, tmp_path, kind):
    expected = tiny_sam(seed=7).state_dict()
    if kind == "safetensors":
        checkpoint = tmp_path / "random.safetensors"
        save_file(expected, checkpoint)
    loaded = load_sam(str(checkpoint), device="cpu")
    assert not loaded.network.training
    assert loaded.hash == "sha256:" + hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    for name, values in loaded.network.state_dict().items():
        assert torch.equal(values, expected[name]), name
    # also what no checkpoint holds
    assert torch.equal(loaded.network.pixel_mean, tiny_sam().pixel_mean)
    assert torch.equal(loaded.network.pixel_std, tiny_sam().pixel_std)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_real_architectures_are_recognised(tmp_path, name):
    with torch.device("meta"):
        network = sam_model_registry[name]()
    path = tmp_path / "random.pth"
    torch.save({k: torch.zeros(v.shape, dtype=torch.float16) for k, v in network.state_dict().items()}, path)
    loaded = load_sam(path, device="cpu")
    assert len(loaded.network.image_encoder.blocks) == {"vit_b": 12, "vit_l": 24, "vit_h": 32}[name]
    assert {p.dtype for p in loaded.network.parameters()} == {torch.float32}


def test_mini_is_part_of_the_package():
    loaded = load_sam("mini", device="cpu")
    assert loaded.name == "mini"
    assert loaded.hash.startswith("sha256:")
    assert loaded.network.image_encoder.img_size == 512


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("missing", "no SAM called .*nothing.pth' and no file of that name: expected mini, vit_b"),
        ("folder", "no file .*: expected the path of a checkpoint"),
        ("cut", "random.pth cannot be read as a checkpoint; it may have been cut off"),
        ("empty", "random.pth cannot be read as a checkpoint"),
        ("text", "random.pth cannot be read as a checkpoint"),
        (
            "another",
            "random.pth is of another architecture .no image encoder.: expected .* vit_b, vit_l or vit_h",
        ),
        ("wide", "random.pth is of another architecture .an image encoder of width 48 with 2 blocks."),
        ("part", "random.pth is no complete SAM"),
        ("list", "random.pth holds no network: expected a state_dict"),
    ],
)
def test_what_is_no_sam_is_a_sentence(checkpoint, content, message):
    path, state = checkpoint, tiny_sam(seed=7).state_dict()
    if content == "missing":
        path = checkpoint.with_name("nothing.pth")
    elif content == "folder":
        path = checkpoint.parent
    elif content == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif content in ("empty", "text"):
        path.write_bytes(b"" if content == "empty" else b"this is a text, whatever its name says")
    elif content == "another":
        torch.save({"layer.weight": torch.zeros(3, 3)}, path)
    elif content == "wide":
        key = "image_encoder.patch_embed.proj.weight"
        torch.save({**state, key: state[key][:48]}, path)
    elif content == "part":
        torch.save({k: v for k, v in state.items() if "neck" not in k}, path)
    else:
        torch.save([torch.zeros(2)], path)
    with pytest.raises(ModelError, match=message) as raised:
        load_sam(path)
    assert "\n" not in str(raised.value)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_that_runs_a_program_does_not(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil()}, checkpoint)
    with pytest.raises(ModelError, match=r"random\.pth was not loaded because it holds more than numbers"):
        load_sam(checkpoint)
    assert not (tmp_path / "executed").exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_name_finds_its_file_and_compares_it(folder, small_vit_b, monkeypatch):
    folder.mkdir()
    torch.save(tiny_sam().state_dict(), folder / known_models().models["sam", "vit_b"].file)
    with pytest.raises(ModelError, match=r"weights of vit_b are not those that were published"):
        load_sam("vit_b", device="cpu")


def test_auto_is_the_best_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: False))
    assert resolve_device("auto") == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "'gpu' is no device: expected auto, cpu, cuda, cuda:1 or mps"),
        ("cuda:99", "'cuda:99' was asked for, but torch sees 0 CUDA devices here: choose auto or cpu"),
        ("mps", "'mps' was asked for, but torch sees none here"),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: False))
    with pytest.raises(InputError, match=message):
        resolve_device(name)
