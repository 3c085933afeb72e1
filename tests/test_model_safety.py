"""Checkpoints that were made to do harm, or that were damaged, end in a sentence."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile

import pytest
import torch
from models import tiny_sam
from safetensors.torch import save_file

from napari_slip.errors import ModelError
from napari_slip.models.weights import read_state


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
