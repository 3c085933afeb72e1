"""Checkpoints that were made to do harm, or that were damaged, end in a sentence."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile

import pytest
import torch
from encoders import ENCODERS
from engines import ENGINES
from models import tiny_sam
from safetensors.torch import save_file

from napari_slip.errors import ModelError
from napari_slip.models import load_clip
from napari_slip.models.weights import read_state
from napari_slip.segmentation import load_segmenter


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def pickled(path):
    torch.save({"state": Evil()}, path)


def pickled_without_torch(path):
    path.write_bytes(pickle.dumps(Evil()))


def bomb(path):
    good = path.with_name("good.pth")
    torch.save({"weight": torch.zeros(4_000_000)}, good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert path.stat().st_size < 100_000


def not_a_number(path):
    state = tiny_sam().state_dict()
    state["mask_decoder.iou_token.weight"] = torch.full_like(
        state["mask_decoder.iou_token.weight"], torch.nan
    )
    save_file(state, path)


def endless(path):
    save_file({"weight": torch.tensor([1.0, -torch.inf])}, path)


def huge_header(path):
    path.write_bytes(struct.pack("<Q", 100 * 10**9) + b'{"weight": {}}' * 10)


def lying_header(path):
    text = b'{"weight": {"dtype": "F32", "shape": [1000000, 1000000], "data_offsets": [0, 4000000000000]}}'
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 16)


def hollow(path):
    torch.save({"weight": torch.zeros(3, device="meta")}, path)


def sparse(path):
    torch.save({"weight": torch.eye(3).to_sparse()}, path)


def numbered(path):
    torch.save({0: torch.zeros(2), 1: torch.zeros(2)}, path)


def packed(path):
    save_file({"weight": torch.zeros(4).to(torch.float8_e4m3fn)}, path)


def nested(path):
    torch.save({"model": {"model": {"weight": torch.zeros(2)}}}, path)


@pytest.mark.parametrize(
    ("make", "ending", "message"),
    [
        (pickled, "pth", "holds more than numbers, and reading such a pickle can run any program"),
        (pickled_without_torch, "pth", "cannot be read as a checkpoint"),
        (bomb, "pth", r"an archive that unpacks to 16 MB from 0\.0 MB: expected what torch\.save wrote"),
        (not_a_number, "safetensors", r"numbers that are none \(NaN or infinite, in mask_decoder.iou_token"),
        (endless, "safetensors", r"numbers that are none \(NaN or infinite, in weight\)"),
        (huge_header, "safetensors", "cannot be read as a checkpoint"),
        (lying_header, "safetensors", "cannot be read as a checkpoint"),
        (hollow, "pth", "holds no network"),
        (sparse, "pth", "holds no network"),
        (nested, "pth", "holds no network"),
        (numbered, "pth", "holds no network: expected a state_dict, which maps names to tensors"),
        (packed, "safetensors", r"a kind that is not taken \(torch.float8_e4m3fn, in weight\): expected"),
    ],
)
def test_a_hostile_checkpoint_is_a_sentence(tmp_path, monkeypatch, make, ending, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights.{ending}"
    make(path)
    with pytest.raises(ModelError, match=message) as raised:
        read_state(path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("wrapper", ["model_state", "model", "state_dict"])
def test_a_training_programs_checkpoint_is_opened(tmp_path, wrapper):
    torch.save({"epoch": 3, wrapper: {"weight": torch.ones(2)}}, tmp_path / "last.pth")
    assert read_state(tmp_path / "last.pth").keys() == {"weight"}


def test_what_is_shown_a_billion_times_is_looked_at_once(tmp_path):
    torch.save({"weight": torch.ones(1).expand(10**6, 10**5)}, tmp_path / "wide.pth")
    assert read_state(tmp_path / "wide.pth")["weight"].shape == (10**6, 10**5)


# ---------------------------------------------------------------- in the place of every model's weights


def shapes_of_another(path):
    state = read_state(path)
    name = max(state, key=lambda key: state[key].ndim)
    state[name] = torch.zeros(3, *state[name].shape)
    _save(state, path)


def holes(path):
    state = read_state(path)
    name = max(state, key=lambda key: state[key].numel())
    state[name] = torch.full_like(state[name], torch.nan)
    _save(state, path)


def a_program(path):
    path.unlink()
    pickled(path.with_name("pytorch_model.bin") if path.suffix == ".safetensors" else path)


def a_bomb(path):
    path.unlink()
    bomb(path.with_name("pytorch_model.bin") if path.suffix == ".safetensors" else path)


def a_page(path):
    path.write_text("<html>Sign in to the network of this hotel</html>" * 100)


def _save(state, path):
    if path.suffix == ".safetensors":
        save_file({key: values.contiguous() for key, values in state.items()}, path, {"format": "pt"})
    else:
        torch.save(state, path)


HARMS = {
    shapes_of_another: r"(is no .*(shape|size|mismatch)|of another architecture)",
    holes: r"holds numbers that are none \(NaN or infinite",
    a_program: r"holds more than numbers, and reading such a pickle can run any program",
    a_bomb: r"is an archive that unpacks to",
    huge_header: r"cannot be read as a checkpoint",
    a_page: r"cannot be read as a checkpoint",
}


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("name", [*(name for name in ENGINES if name != "labels"), *ENCODERS])
def test_harm_in_the_place_of_any_models_weights_is_a_sentence(tmp_path, monkeypatch, name, harm):
    (tmp_path / "model").mkdir()
    if name in ENGINES:
        where = ENGINES[name](tmp_path / "model", monkeypatch)
        load = load_segmenter
    else:
        ENCODERS[name](tmp_path / "model")
        where, load = tmp_path / "model", load_clip
    monkeypatch.chdir(tmp_path)
    weights = next(p for p in (tmp_path / "model").glob("*") if p.suffix in (".safetensors", ".pt", ".pth"))
    harm(weights)
    with pytest.raises(ModelError, match=HARMS[harm]) as raised:
        load(where, device="cpu")
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("executed"))
