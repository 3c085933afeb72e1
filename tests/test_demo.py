from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import tifffile
from typer.testing import CliRunner

from napari_slip.cli import app
from napari_slip.io import SAMPLES

SHELL = [sys.executable, "-m", "napari_slip"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo as a user runs it: in a process of its own, with a new home and no network."""
    home = tmp_path_factory.mktemp("home")
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    xdg = {f"XDG_{kind}_HOME": str(home) for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    environment = {**os.environ, **dead, **xdg, "HOME": str(home)}
    environment.pop("DISPLAY", None)
    done = subprocess.run(
        [*SHELL, "demo", "--out", "demo"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "demo", done


@pytest.mark.slow
def test_the_demo_makes_for_each_sample_what_segment_makes(demo):
    out, _ = demo
    for name in SAMPLES:
        assert (out / "images" / f"{name}.png").exists()
        for ending in (".segments.tif", ".matches.tif", ".segments.csv", ".overlay.png"):
            assert (out / (name + ending)).stat().st_size > 0
        assert tifffile.imread(out / f"{name}.segments.tif").max() >= 1


@pytest.mark.slow
def test_the_demo_finds_what_its_prompts_name(demo):
    out, _ = demo
    images = json.loads((out / "provenance.json").read_text(encoding="utf-8"))["images"]
    assert all(answer["best"] for image in images for answer in image["answers"])
    accepted = {Path(image["path"]).stem: image["answers"][0]["accepted"] for image in images}
    assert accepted["coins"] >= 12  # of 24
    assert accepted["nuclei"] >= 20  # of about 65


@pytest.mark.slow
def test_the_demo_says_where_the_results_lie_and_how_to_open_them(demo):
    out, done = demo
    assert str(out.resolve()) in done.stdout
    for words in (
        "overlay.png",
        "segments.tif",
        "segments.csv",
        "napari-slip demo --viewer",
        "napari-slip replay",
    ):
        assert words in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_demo_can_be_replayed(demo, tmp_path):
    out, _ = demo
    done = CliRunner().invoke(app, ["replay", str(out / "provenance.json"), "--out", str(tmp_path / "again")])
    assert done.exit_code == 0, done.output
    for name in SAMPLES:
        for ending in (".segments.tif", ".matches.tif"):
            assert (tmp_path / "again" / (name + ending)).read_bytes() == (out / (name + ending)).read_bytes()


@pytest.mark.parametrize("missing", [("napari",), ("PyQt6", "PySide6", "PyQt5", "PySide2")])
def test_without_napari_the_viewer_is_one_sentence_before_any_work(tmp_path, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "napari_slip.cli.demo.find_spec", lambda name: None if name in missing else find(name)
    )
    done = CliRunner().invoke(app, ["demo", "--viewer", "--out", str(tmp_path / "demo")])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert "pip install 'napari[all]'" in line
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("code", [0, 3])
def test_the_viewer_is_given_the_folder_of_the_results(tmp_path, monkeypatch, code):
    started = []

    def run(words, **_):
        started.append(words[1:])
        return types.SimpleNamespace(returncode=code)

    monkeypatch.setattr("napari_slip.cli.demo.subprocess", types.SimpleNamespace(run=run))
    monkeypatch.setattr("napari_slip.cli.demo.find_spec", lambda name: object())
    monkeypatch.setattr("napari_slip.io.samples.SAMPLES", {"nuclei": SAMPLES["nuclei"]})
    done = CliRunner().invoke(app, ["demo", "--viewer", "--out", str(tmp_path / "demo")])
    assert started == [["-m", "napari_slip.viewer", str(tmp_path / "demo")]]
    assert done.exit_code == (1 if code else 0), done.output
    assert ("napari ended with an error (code 3)" in done.stderr) == bool(code)
