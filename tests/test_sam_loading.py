"""From names and files to a SAM, and what is said when that does not work."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from types import SimpleNamespace

import pytest
import torch
from models import tiny_sam
from safetensors.torch import save_file
from segment_anything import sam_model_registry

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.models import sam as sam_module
from napari_slip.models.devices import resolve_device
from napari_slip.models.registry import Weights
from napari_slip.models.sam import load_sam
from napari_slip.models.weights import fetch, sha256_of
from napari_slip.progress import Progress


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
def server():
    """Serve one file, under /weights.pth, on this machine; /slow.pth comes in small pieces."""
    content = b"weights" * 50_000

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/missing.pth":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path == "/cut.pth" else content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        digest = hashlib.sha256(content).hexdigest()
        root = f"http://127.0.0.1:{running.server_port}"
        yield lambda name, sha256=digest: Weights("w.pth", f"{root}/{name}.pth", sha256, len(content))
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_weights_are_downloaded_once(server, folder):
    told = []
    path = fetch(server("weights"), Progress(lambda *step: told.append(step)))
    assert path == folder / "w.pth"
    assert sha256_of(path) == "sha256:" + server("weights").sha256
    assert [p.name for p in folder.iterdir()] == ["w.pth"]
    assert told[-1][0] == "download"
    assert told[-1][1] == told[-1][2] == path.stat().st_size
    before = len(told)
    assert (
        fetch(server("missing"), Progress(lambda *step: told.append(step))) == path
    )  # it is there: no one is asked
    assert len(told) == before


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("weights", "0" * 64, "gave a file whose hash is not the known one"),
        ("cut", None, "w.pth .* could not be downloaded"),
        (
            "missing",
            None,
            "w.pth .* is not in .* and could not be downloaded .*404.*: fetch http.* and put the file",
        ),
    ],
)
def test_a_download_that_goes_wrong_leaves_nothing_behind(server, folder, name, sha256, message):
    weights = server(name) if sha256 is None else server(name, sha256)
    with pytest.raises(ModelError, match=message):
        fetch(weights)
    assert not list(folder.iterdir())


def test_without_a_network_the_sentence_says_where_to_put_the_file(folder):
    nowhere = Weights("w.pth", "http://127.0.0.1:9/w.pth", "0" * 64, 375_000_000)
    with pytest.raises(ModelError, match=r"w.pth \(375 MB\) is not in .*models and could not be downloaded"):
        fetch(nowhere)


def test_a_download_can_be_stopped(server, folder):
    progress = Progress(lambda *_: progress.cancel())
    with pytest.raises(Cancelled):
        fetch(server("weights"), progress)
    assert not list(folder.iterdir())


def test_a_name_finds_its_file(folder, small_vit_b, monkeypatch):
    folder.mkdir()
    torch.save(tiny_sam().state_dict(), folder / sam_module.WEIGHTS["vit_b"].file)
    assert load_sam("vit_b", device="cpu").name == "vit_b"


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
