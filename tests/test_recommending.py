"""Which preset is proposed for which machine, and what it is said to cost."""

from __future__ import annotations

import json

import pytest
from _commands import commands
from _fake_slip import fake_slip
from hypothesis import given
from hypothesis import strategies as st

from napari_slip import recommending
from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.models import known_models
from napari_slip.progress import Progress
from napari_slip.recommending import KINDS, Machine, advise, choose, in_words, seconds_in_words

GPU = Machine("cuda", 80 * 10**9, 50_000_000)
LAPTOP = Machine("cpu", 8 * 10**9, 60_000)
SMALL = Machine("cpu", 10**9, 5_000)


@pytest.mark.parametrize(
    ("machine", "kind", "preset"),
    [
        (GPU, "everyday", "best"),
        (GPU, "light", "cells"),
        (GPU, "electron", "organelles"),
        (GPU, "medical", "medical"),
        (GPU, "languages", "languages"),
        (LAPTOP, "everyday", "vit_b"),
        (LAPTOP, "light", "cells"),
        (SMALL, "everyday", "mini"),
        (SMALL, "electron", "mini"),
    ],
)
def test_a_machine_gets_the_finest_that_it_can_carry(machine, kind, preset):
    assert choose(advise(machine), kind).preset == preset


def test_every_preset_can_be_recommended_and_its_cost_is_known():
    presets = known_models().presets
    assert [each.preset for each in advise(GPU)] == list(presets)
    assert {kind for preset in presets.values() for kind in preset.suits} == set(KINDS)
    assert all(preset.suits for preset in presets.values())


@given(
    st.floats(1e3, 1e9),
    st.integers(10**8, 10**12),
    st.sampled_from(list(KINDS)),
    st.floats(0, 1000),
    st.floats(0, 1000),
)
def test_who_has_more_patience_never_gets_less(speed, memory, kind, patience, more):
    advice = advise(Machine("cpu", memory, speed))
    names = [each.preset for each in advice]
    first, second = choose(advice, kind, patience), choose(advice, kind, patience + more)
    if first.fits and first.seconds <= patience:
        assert names.index(second.preset) >= names.index(first.preset)
    assert all(each.seconds > 0 for each in advice)


def test_what_was_timed_counts_and_what_is_too_large_does_not():
    advice = advise(LAPTOP, {"vit_b": 500.0})
    assert choose(advice, "everyday").preset == "mobile"
    tight = Machine("cpu", 1_500_000_000, 1e9)
    assert not next(each for each in advise(tight) if each.preset == "vit_h").fits
    assert choose(advise(tight), "everyday").preset == "mobile"


def test_an_unknown_kind_is_a_sentence():
    with pytest.raises(InputError, match=r"'trees' is no kind of image: expected one of everyday, light"):
        choose(advise(LAPTOP), "trees")


def test_the_speed_is_measured_here():
    machine = recommending.measure("cpu")
    assert machine.device == "cpu"
    assert machine.memory > 10**7
    assert 10 < machine.speed < 1e10


def test_a_run_is_timed_and_can_be_stopped():
    assert recommending.time_run(fake_slip()) > 0
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        recommending.time_run(fake_slip(), progress)


def test_only_what_is_here_and_quick_enough_is_run():
    asked = []

    def load(name):
        asked.append(name)
        return fake_slip()

    assert list(recommending.time_presets(advise(LAPTOP), load, Progress())) == asked == ["mini"]
    assert recommending.time_presets(advise(LAPTOP), load, Progress(), patience=0.001) == {}


def test_a_damaged_model_is_left_out():
    def load(name):
        raise ModelError("damaged")

    timed = recommending.time_presets(advise(LAPTOP), load, Progress())
    assert timed == {"mini": None}
    left = [each.preset for each in advise(LAPTOP, timed)]
    assert "mini" not in left
    assert "mobile" in left


def test_a_person_reads_what_to_take_and_what_it_costs():
    words = in_words(choose(advise(LAPTOP), "light"), LAPTOP, "light")
    assert "For light microscopy on this machine (cpu): cells, micro-sam" in words
    assert "981 MB to download; CC-BY-4.0, MIT." in words
    assert "1024 x 1024 pixels" in words
    assert [seconds_in_words(s) for s in (1.23, 45.6, 119, 300)] == ["1.2 s", "46 s", "119 s", "5 min"]


def test_the_command_proposes_a_preset(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    call = commands(monkeypatch, tmp_path)
    monkeypatch.setattr(recommending, "time_run", lambda slip, progress: 2.0)
    monkeypatch.setattr(recommending, "measure", lambda device: LAPTOP)
    done = call("models", "recommend", "--for", "light", "--device", "cpu", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {each["preset"] for each in told["presets"]} == set(known_models().presets)
    mini = told["presets"][0]
    assert (mini["seconds"], mini["measured"], mini["here"]) == (2.0, True, True)
    assert told["chosen"] == "cells"
    table = call("models", "recommend", "--for", "light", "--patience", "10", "--device", "cpu")
    assert "* " in table.stdout
    assert "2.0 s" in table.stdout
    assert "Take it with: --model mini" in table.stdout
    wrong = call("models", "recommend", "--for", "trees")
    assert wrong.exit_code == 2
    assert "'trees' is no kind of image" in wrong.stderr
