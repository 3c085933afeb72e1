"""Fine-tuning from the dock: a process of its own, its curve, and a model that is listed if it is better."""

from __future__ import annotations

import re

import numpy as np
import pytest
from _fake_engine import ask
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtWidgets import QFileDialog

from napari_slip.errors import InputError
from napari_slip.models import known_models, load_clip
from napari_slip.models.registry import drop_entry
from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own import read_examples
from napari_slip.training.own.examples import class_phrases
from napari_slip.viewer import SlipDock, _fine_tuning
from napari_slip.viewer._fine_tuning import free_name

pytest_plugins = ["_dock_fixtures"]

PASS = {"number": 1, "training_loss": 4.0, "validation_loss": 3.0, "accuracy": 0.5, "seconds": 30.0}


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "fine-tuned"
    monkeypatch.setattr(_fine_tuning, "folder", lambda: folder)
    return folder


@pytest.fixture(scope="module")
def creatures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("creatures")
    write_creatures(folder, classes=4, images=10)
    return folder


def begin(dock, monkeypatch, data, passes=6, name="mine"):
    panel = dock.teach.further
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: str(data))
    panel.examples.setCurrentIndex(1)
    panel.examples.activated.emit(1)
    panel.name.setText(name)
    panel.epochs.setValue(passes)
    panel.begin.click()
    return panel


def ended(panel, qtbot, seconds=500):
    qtbot.waitUntil(lambda: not panel.job.running, timeout=seconds * 1000)


def test_without_examples_it_says_what_is_needed(dock, told):
    dock.teach.further.begin.click()
    assert "accept or correct objects of two classes or more" in told[-1]
    assert not dock.teach.further.job.running


def test_too_few_examples_are_told_by_the_process_and_the_window_stays_alive(
    dock, qtbot, tmp_path, monkeypatch
):
    write_creatures(tmp_path / "few", classes=3, images=2)
    panel = begin(dock, monkeypatch, tmp_path / "few")
    assert panel.begin.text() == "Stop"
    assert not panel.name.isEnabled()
    ask(dock, "red", qtbot)  # the dock's own work goes on meanwhile
    assert dock.desk.sheet.workspace.match is not None
    ended(panel, qtbot, 200)
    assert "needs two classes or more with 3 different examples of each" in panel.state.text()
    assert panel.begin.text() == "Fine-tune"
    assert panel.use.isHidden()


def test_the_curve_and_the_time_that_is_left_follow_the_passes(dock, qtbot):
    panel = dock.teach.further
    panel.job._job = ("mine", None, "mini", 11)
    for number in (1, 2, 3):
        panel.job._hear({"epoch": PASS | {"number": number, "accuracy": number / 4}})
    panel.job.changed.emit()
    assert "Pass 3 of at most 11: right for 75%" in panel.state.text()
    assert "at most 4 minutes left" in panel.state.text()
    panel.curve.resize(300, panel.curve.height())
    drawn = panel.curve.grab().toImage()
    greens = {drawn.pixelColor(x, y).name() for x in range(0, 300, 2) for y in range(20, drawn.height())}
    assert any(int(c[3:5], 16) > 120 > int(c[1:3], 16) for c in greens)  # the line of the accuracy
    panel.job._hear({"epoch": PASS | {"number": 2}})  # gone on with from before pass 2
    assert [p["number"] for p in panel.job.passes] == [1, 2]


@pytest.mark.parametrize(("old", "new"), [(5, 5), (6, 2)])
def test_what_is_not_better_is_not_listed(dock, old, new, kept):
    panel = dock.teach.further
    panel.job._job = ("mine", kept / "mine", "mini", 3)
    before = list(known_models().presets)
    panel.job._compared(old, new, 8)
    assert list(known_models().presets) == before
    assert f"The old model stays: of 8 pictures that neither had learnt from, the new model names {new}" in (
        panel.job._ended
    )


def test_a_model_that_was_kept_can_be_named_and_forgotten(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    _fine_tuning.keep("mine", tmp_path, "mini")
    known = known_models()
    assert (known.presets["mine"].sam, known.presets["mine"].clip) == ("mini", "mine")
    assert known.get("clip", "mine").source == str(tmp_path)
    assert free_name("mine") == "mine-2"
    assert drop_entry(known.get("clip", "mine"))
    assert "mine" not in known_models().presets  # a preset without its CLIP would be of no use
    assert free_name("mine") == "mine"


@given(st.text(max_size=20))
def test_any_words_become_a_name_or_are_told(text):
    if re.search(r"\w", text):
        assert re.fullmatch(r"\w[\w.-]*", free_name(text))
        assert free_name(text) not in known_models().presets
    else:
        with pytest.raises(InputError, match="needs a name"):
            free_name(text)


@pytest.mark.slow
def test_from_a_folder_to_a_better_model_that_is_used(dock, qtbot, creatures, monkeypatch, engine):
    ask(dock, "red", qtbot)
    panel = begin(dock, monkeypatch, creatures)
    ended(panel, qtbot)
    assert "Better: of 8 pictures that neither had learnt from" in panel.state.text()
    assert [p["number"] for p in panel.curve.passes] == [1, 2, 3, 4, 5, 6]
    assert "mine" in [dock.model.preset.itemText(n) for n in range(dock.model.preset.count())]
    assert dock.desk.memory.model.preset == "mini"  # until it is asked for
    panel.use.click()
    assert dock.desk.memory.model.preset == "mine"
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)
    assert [choice.preset for choice in engine.loaded] == ["mini", "mine"]
    encoder = load_clip("mine", device="cpu")
    assert encoder.card.name == "mine"
    assert {path.name for path in creatures.iterdir()} <= encoder.card.vocabulary


@pytest.mark.slow
def test_stopped_it_goes_on_from_the_last_whole_pass(dock, qtbot, creatures, monkeypatch):
    panel = begin(dock, monkeypatch, creatures, passes=2)
    qtbot.waitUntil(lambda: len(panel.job.passes) == 1, timeout=500_000)
    panel.begin.click()
    ended(panel, qtbot, 10)
    assert "press Fine-tune again to go on" in panel.state.text()
    first = panel.job.passes[0]
    panel.begin.click()
    ended(panel, qtbot)
    assert len(panel.job.passes) == 2
    assert panel.job.passes[0] == pytest.approx(first, nan_ok=True)
    assert "of 8 pictures that neither had learnt from" in panel.state.text()


@pytest.mark.slow
def test_accepted_objects_of_a_picture_are_examples(viewer, engine, qtbot, kept):
    rng = np.random.default_rng(0)
    picture = np.zeros((240, 320, 3), np.uint8)
    rows, columns = np.indices(picture.shape[:2])
    for k in range(12):
        y, x = 40 + 75 * (k // 4), 40 + 78 * (k % 4)
        tall, wide = rng.uniform(10, 28, 2)
        picture[((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1] = (
            (255, 0, 0) if k % 2 else (0, 255, 0)
        )
    viewer.add_image(picture, rgb=True, name="discs")
    dock = SlipDock(viewer, engine)
    viewer.window.add_dock_widget(dock, name="SLIP")
    for n, name in enumerate(("green", "red")):
        ask(dock, name, qtbot)
        dock.desk.activate(name)
        dock.desk.decisions.accept(range(n, 12, 2))
    dock.classes.table.item(1, 1).setText("red, scarlet")
    panel = dock.teach.further
    panel.name.setText("discs")
    panel.epochs.setValue(1)
    panel.begin.click()
    qtbot.waitUntil(lambda: bool(panel.job.passes), timeout=500_000)
    written = sorted(path.parent.name for path in (kept / "discs" / "examples").glob("*/*.png"))
    assert written == ["green"] * 6 + ["red"] * 6
    taught = class_phrases(read_examples(kept / "discs" / "examples"))
    assert taught == {"green": ("green",), "red": ("red", "scarlet")}
    dock.dispose()
    assert not panel.job.running


def test_a_double_click_begins_one_training_and_cancel_stops_it_before_it_has_begun(
    dock, engine, qtbot, kept
):
    ask(dock, "red", qtbot)
    dock.desk.decisions.accept_predictions()
    panel = dock.teach.further
    engine.sam.gate.clear()
    dock.desk.correction.take_up("refine")  # SAM is busy, so that the examples have to wait
    panel.begin.click()
    assert panel.job.running and not panel.begin.isEnabled() and not panel.name.isEnabled()
    panel.begin.click()
    panel.job.begin("my-model")
    dock.desk.cancel()
    assert "What waited was dropped: the fine-tuning." in dock.activity.text.text()
    assert not panel.job.running and panel.begin.isEnabled()
    engine.sam.gate.set()
    qtbot.waitUntil(lambda: dock.desk.runner.state == "idle", timeout=10_000)
    assert not panel.job.running and not (kept / "my-model").exists()
    assert "press Fine-tune to try again" in panel.state.text()
