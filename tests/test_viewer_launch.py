from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from _fake_engine import FakeEngine, blobs
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.io import (
    ImageRecord,
    ModelRecord,
    Provenance,
    RunSettings,
    read_provenance,
    write_provenance,
    write_results,
)
from napari_slip.progress import Progress
from napari_slip.settings import MatchSettings
from napari_slip.viewer import __main__, launch
from napari_slip.viewer._engine import ModelChoice

pytest_plugins = ["_dock_fixtures"]


@pytest.fixture
def results(tmp_path):
    slip = FakeEngine().slip(ModelChoice(), Progress())
    records = []
    for name, text in (("one", "red"), ("two", "green")):
        Image.fromarray(blobs()).save(tmp_path / f"{name}.png")
        match = slip.match(slip.segment(blobs()), [text])
        files = {role: path.name for role, path in write_results(tmp_path, name, blobs(), match).items()}
        path = str(tmp_path / f"{name}.png")
        records.append(
            ImageRecord(path=path, beside=f"{name}.png", sha256=None, prompts={text: [text]}, files=files)
        )
    models = ModelRecord(name="mini", sam=None, clip=None, device="cpu", sam_hash="", clip_hash="")
    provenance = Provenance(models=models, settings=RunSettings(), images=tuple(records))
    write_provenance(tmp_path / "provenance.json", provenance)
    return tmp_path


def test_the_results_of_a_run_stand_in_the_viewer_with_the_dock(viewer, results):
    dock = launch.show_results(viewer, results)
    assert {layer.name for layer in viewer.layers if layer.visible} == {"one", "one segments", "one matches"}
    assert len(viewer.layers) == 6
    assert dock.images.currentText() == "one"
    assert dock.prompt.text() == "red"
    segments, matches = viewer.layers["one segments"], viewer.layers["one matches"]
    red = segments.data[20, 20]
    np.testing.assert_array_equal(matches.data, np.where(segments.data == red, red, 0))
    assert segments.get_color(red)[:3].mean() > segments.get_color(segments.data[20, 60])[:3].mean() + 0.3
    dock.dispose()


def test_the_dock_looks_with_the_rule_of_the_run(viewer, results, qtbot):
    first = read_provenance(results / "provenance.json")
    rule = MatchSettings(select="above:0.25", min_score=0.1)
    write_provenance(
        results / "provenance.json", replace(first, settings=replace(first.settings, match=rule))
    )
    dock = launch.show_results(viewer, results)
    assert dock.rule.rule.currentText() == "all above"
    assert dock.desk.memory.settings == rule
    dock.dispose()


def test_a_folder_without_results_ends_in_a_sentence(viewer, tmp_path):
    with pytest.raises(InputError, match=r"provenance\.json does not exist"):
        launch.show_results(viewer, tmp_path)


def test_the_newest_run_of_a_folder_is_shown(viewer, results):
    first = read_provenance(results / "provenance.json")
    write_provenance(results / "provenance-2.json", replace(first, images=first.images[1:]))
    dock = launch.show_results(viewer, results)
    assert dock.images.currentText() == "two"
    dock.dispose()


def test_the_command_ends_in_a_sentence_for_a_folder_without_results(tmp_path, capsys, monkeypatch):
    def no_results(out):
        raise InputError(f"{out} holds no results.")

    monkeypatch.setattr(__main__, "show_demo", no_results)
    assert __main__.main([str(tmp_path)]) == 1
    assert "holds no results" in capsys.readouterr().err
    assert __main__.main([]) == 2


@pytest.mark.slow
def test_the_dock_comes_into_a_window_that_draws_in_software():
    # the dock brings torch, whose triton does not bear the LLVM that Mesa has loaded by then
    steps = "import napari, numpy; viewer = napari.Viewer(show=False); viewer.add_image(numpy.eye(9))"
    dock = "from napari_slip.viewer import SlipDock; import torch._dynamo; SlipDock(viewer).dispose()"
    done = subprocess.run([sys.executable, "-c", f"{steps}; {dock}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
