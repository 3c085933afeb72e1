"""The dock's Model section: what models cost, how they come here, and which one is recommended."""

from __future__ import annotations

import hashlib
import random
import time

import pytest
from _server import cut, serving, status

from napari_slip import recommending
from napari_slip.models.registry import OWN
from napari_slip.recommending import Machine

pytest_plugins = ["_dock_fixtures"]

CONTENT = random.Random(1).randbytes(400_000)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server, and a registry of the user's own with a preset whose SAM lies there."""
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(models))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with serving() as running:
        running.files["w.pth"] = CONTENT
        running.folder = models
        (models / OWN).write_text(
            f"""
[sam.ours]
title = "the lab's SAM"
source = "{running.root}/w.pth"
file = "ours.pth"
sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"
size = {len(CONTENT)}
licence = "CC0"
[presets.lab]
sam = "ours"
clip = "mini"
"""
        )
        yield running


def idle(dock):
    return dock.model.download.runner.state == "idle"


def test_a_preset_is_downloaded_at_a_click(site, dock, qtbot):
    panel = dock.model
    assert panel.download.isHidden()  # mini is part of the package
    panel.preset.setCurrentText("lab")
    assert "ours and mini. 6 MB, downloaded when first used. Licence: CC0, BSD-3-Clause." in panel.cost.text()
    assert not panel.download.isHidden()
    assert panel.download.button.text() == "Download 1 MB"
    panel.download.button.click()
    assert panel.download.button.text() == "Stop the download"
    qtbot.waitUntil(lambda: idle(dock), timeout=20_000)
    assert (site.folder / "ours.pth").read_bytes() == CONTENT
    assert panel.download.isHidden()
    assert "on this machine" in panel.cost.text()


def test_a_download_that_is_stopped_goes_on_later(site, dock, qtbot, told):

    def drip(handler, data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        for start in range(0, len(data), 40_000):
            handler.wfile.write(data[start : start + 40_000])
            time.sleep(0.1)

    site.next = [drip]
    panel = dock.model
    panel.preset.setCurrentText("lab")
    panel.download.button.click()
    part = site.folder / "ours.pth.part"
    qtbot.waitUntil(lambda: part.is_file() and part.stat().st_size > 50_000, timeout=20_000)
    panel.preset.setCurrentText("mini")  # whoever looks elsewhere meanwhile does not lose it
    assert panel.download.button.text() == "Stop the download"
    panel.preset.setCurrentText("lab")
    panel.download.button.click()
    qtbot.waitUntil(lambda: idle(dock), timeout=20_000)
    assert told == []
    assert not (site.folder / "ours.pth").exists()
    assert panel.download.button.text() == "Download 1 MB"
    panel.download.button.click()
    qtbot.waitUntil(lambda: idle(dock), timeout=20_000)
    assert (site.folder / "ours.pth").read_bytes() == CONTENT
    assert site.asked[-1][1].startswith("bytes=")


def test_a_download_that_fails_is_a_sentence_and_can_be_tried_again(site, dock, qtbot, told):
    site.next = [status(404)]
    panel = dock.model
    panel.preset.setCurrentText("lab")
    panel.download.button.click()
    qtbot.waitUntil(lambda: bool(told), timeout=20_000)
    assert (
        "ours (1 MB) is not on this machine and could not be downloaded (the server answers 404)" in told[0]
    )
    qtbot.waitUntil(lambda: idle(dock), timeout=20_000)
    assert panel.download.button.text() == "Download 1 MB"


def test_a_dock_that_is_closed_stops_its_download(site, dock, qtbot):
    site.next = [cut(100_000)] * 3
    dock.model.preset.setCurrentText("lab")
    dock.model.download.button.click()
    dock.dispose()
    assert dock.model.download.runner.state in ("cancelling", "idle")


def test_a_gated_model_says_what_must_be_done_first(site, dock):
    with (site.folder / OWN).open("a") as file:
        file.write('[presets.asked]\nsam = "sam3"\nclip = "mini"\n')
    dock.model.preset.addItem("asked")
    dock.model.preset.setCurrentText("asked")
    assert "sam3: ask for access and accept Meta's SAM License" in dock.model.cost.text()


def test_a_recommended_preset_is_chosen_and_explained(site, dock, engine, qtbot, monkeypatch):
    monkeypatch.setattr(recommending, "measure", lambda device: Machine("cpu", 16 * 10**9, 60_000))
    said = []
    dock.desk.said.connect(said.append)
    panel = dock.model
    panel.kind.setCurrentIndex(panel.kind.findData("light"))
    panel.recommend.click()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=20_000)
    assert panel.preset.currentText() == "cells"
    assert [choice.preset for choice in engine.loaded] == ["mini"]  # what is here is run
    assert "For light microscopy on this machine (cpu): cells" in said[-1]
    assert dock.desk.memory.model.preset == "cells"
