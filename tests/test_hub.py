from __future__ import annotations

import json
import shutil
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clips import SENTENCES, save_clip

from napari_slip.errors import Cancelled, ModelError
from napari_slip.models import load_clip
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ModelError, match=r"nobody/no-such-clip is not on this machine .* .HF_HUB_OFFLINE is set."
    ):
        load_clip("nobody/no-such-clip")


def test_a_model_in_the_hubs_cache_needs_no_network(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--somebody--clip"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    shutil.copytree(saved, kept / "snapshots" / "abc")
    assert load_clip("somebody/clip").card.name == "somebody/clip"


class Hub(ThreadingHTTPServer):
    """The few answers of the Hugging Face hub that a download asks for, from a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.asked: list[str] = []


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[-1]
        self.server.asked.append(path)
        if not path.removeprefix("/api/models").startswith("/somebody/clip"):
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if "/resolve/" in path:
            data = self.server.files[name]
            return self.answer(200, data, {"X-Repo-Commit": "a" * 40, "ETag": f'"{sha1(data).hexdigest()}"'})
        if "/tree/" in path:
            files = [
                {"type": "file", "path": file, "size": len(data), "oid": sha1(data).hexdigest()}
                for file, data in self.server.files.items()
            ]
            return self.answer(200, json.dumps(files).encode())
        siblings = [{"rfilename": file} for file in self.server.files]
        return self.answer(
            200, json.dumps({"id": "somebody/clip", "sha": "a" * 40, "siblings": siblings}).encode()
        )

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for header, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(saved, tmp_path, monkeypatch) -> Iterator[Hub]:
    (tmp_path / "extra").mkdir()
    folder = Path(shutil.copytree(saved, tmp_path / "extra" / "clip"))
    (folder / "tf_model.h5").write_bytes(b"x" * 1000)
    with Hub(folder) as server:
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", here)
        template = here + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def test_a_model_is_downloaded_once_and_without_what_it_does_not_need(hub, saved):
    steps = []
    clip = load_clip("somebody/clip", progress=Progress(lambda *step: steps.append(step)))
    np.testing.assert_allclose(
        clip.encode_texts(SENTENCES), load_clip(saved).encode_texts(SENTENCES), atol=1e-6
    )
    assert not any("tf_model" in path for path in hub.asked)
    assert {step for step, _, _ in steps} == {"download"}
    _, done, total = steps[-1]
    assert done == total > (saved / "model.safetensors").stat().st_size
    hub.asked.clear()
    load_clip("somebody/clip")
    assert hub.asked == []


def test_what_another_program_fetched_in_part_is_completed(hub, tmp_path):
    load_clip("somebody/clip")
    for tokenizer in (tmp_path / "cache").rglob("snapshots/*/*"):
        if tokenizer.name not in ("config.json", "model.safetensors"):
            tokenizer.unlink()
    hub.asked.clear()
    assert load_clip("somebody/clip").encode_texts(SENTENCES).shape == (3, 16)
    assert not any("resolve" in path and path.endswith("model.safetensors") for path in hub.asked)


def test_a_download_can_be_stopped_and_tried_again(hub):
    progress = Progress(lambda *_: progress.cancel())
    with pytest.raises(Cancelled):
        load_clip("somebody/clip", progress=progress)
    assert load_clip("somebody/clip").card.name == "somebody/clip"


def test_a_name_that_the_hub_does_not_know(hub):
    with pytest.raises(ModelError, match=r"nobody/clip .* .the hub has no such model that may be read"):
        load_clip("nobody/clip")


def test_a_model_of_the_hub_without_weights(hub):
    del hub.files["model.safetensors"]
    with pytest.raises(ModelError, match=r"it has no model\.safetensors or pytorch_model\.bin"):
        load_clip("somebody/clip")
