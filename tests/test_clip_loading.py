from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import SENTENCES, save_clip, save_tokenizer
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.models import DualEncoder, load_clip
from napari_slip.models.clip import BATCH
from napari_slip.progress import Progress


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def pictures(n: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_saved_clip_is_loaded_with_the_weights_it_was_saved_with(saved):
    clip = load_clip(saved)
    assert isinstance(clip, DualEncoder)
    theirs = CLIPModel.from_pretrained(saved).eval()
    mean, std = torch.tensor(clip.card.mean), torch.tensor((0.26862954, 0.26130258, 0.27577711))
    pixels = ((torch.from_numpy(pictures(3)) / 255 - mean) / std).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = theirs.get_image_features(pixel_values=pixels).pooler_output
        tokens = CLIPTokenizer.from_pretrained(saved)(SENTENCES, padding=True, return_tensors="pt")
        expected_text = theirs.get_text_features(**tokens).pooler_output
    unit = torch.nn.functional.normalize
    np.testing.assert_allclose(clip.encode_images(pictures(3)), unit(expected).numpy(), atol=1e-5)
    np.testing.assert_allclose(clip.encode_texts(SENTENCES), unit(expected_text).numpy(), atol=1e-5)


def test_embeddings_are_unit_rows_and_different_inputs_differ(saved):
    clip = load_clip(saved)
    seen, read = clip.encode_images(pictures(4)), clip.encode_texts(["red circle", "cell nucleus"])
    assert seen.shape == (4, 16)
    assert seen.dtype == read.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    assert np.abs(read[0] - read[1]).max() > 1e-3


def test_a_batch_gives_what_each_of_it_gives_alone(saved):
    clip = load_clip(saved)
    many = pictures(BATCH + 3)
    np.testing.assert_allclose(clip.encode_images(many)[-1:], clip.encode_images(many[-1:]), atol=1e-5)
    texts = [SENTENCES[i % 3] + " red" * (i % 5) for i in range(BATCH + 3)]
    alone = np.concatenate([clip.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(clip.encode_texts(texts), alone, atol=1e-5)


def test_nothing_gives_nothing(saved):
    clip = load_clip(saved)
    assert clip.encode_images(pictures(0)).shape == (0, 16)
    assert clip.encode_texts([]).shape == (0, 16)


def test_long_and_odd_texts_are_read(saved):
    read = load_clip(saved).encode_texts(["red " * 500, "", "核 ☃"])
    assert np.isfinite(read).all()
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)


def test_unknown_characters_do_not_end_a_text(saved, copy):
    save_tokenizer(copy, letters="abcdefghijklmnopqrstuvwxyz")
    read = load_clip(copy).encode_texts(["☃ red", "☃ blue", "red"])
    assert np.abs(read[0] - read[1]).max() > 1e-3
    np.testing.assert_allclose(read[0], read[2], atol=1e-5)


def test_pictures_of_another_size_are_refused(saved):
    with pytest.raises(InputError, match=r"\(N, 32, 32, 3\) is expected"):
        load_clip(saved).encode_images(pictures(1, side=16))


def test_a_run_stops_at_the_next_block_and_leaves_no_hook(saved):
    clip = load_clip(saved)
    progress = Progress()
    blocks = []

    def look(block: int):
        def hook(*_: object) -> None:
            blocks.append(block)
            progress.cancel()

        return hook

    layers = clip.network.vision_model.encoder.layers
    handles = [layer.register_forward_hook(look(i)) for i, layer in enumerate(layers)]
    with pytest.raises(Cancelled):
        clip.encode_images(pictures(2), progress)
    assert blocks == [0]
    for handle in handles:
        handle.remove()
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in layers)
    assert clip.encode_images(pictures(2)).shape == (2, 16)


def test_the_card_of_any_clip_speaks_of_its_own_temperature(saved):
    card = load_clip(saved).card
    assert card.name == str(saved)
    assert card.image_size == 32
    assert card.hash.startswith("sha256:")
    assert card.calibration.a == pytest.approx(np.exp(2.6592), rel=1e-4)
    assert card.calibration.b == 0
    assert card.vocabulary is None


def test_a_card_beside_the_weights_is_read(copy):
    values = {
        "calibration": {"a": 20, "b": -1.5},
        "null_prompts": ["nothing"],
        "templates": ["a {}"],
        "vocabulary": ["Red", "circle"],
    }
    (copy / "card.json").write_text(json.dumps(values))
    (copy / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5] * 3, "image_std": [0.2] * 3})
    )
    card = load_clip(copy).card
    assert (card.calibration.a, card.calibration.b) == (20, -1.5)
    assert card.calibration.null_prompts == ("nothing",)
    assert card.templates == ("a {}",)
    assert card.vocabulary == {"red", "circle"}
    assert card.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    "card", ["{", '{"templates": ["no place"]}', '{"calibration": {"a": "steep"}}', '{"templates": []}']
)
def test_a_damaged_card_is_named(copy, card):
    (copy / "card.json").write_text(card)
    with pytest.raises(ModelError, match=r"card\.json is no card of a CLIP"):
        load_clip(copy)


def test_settings_of_pictures_that_are_no_numbers_are_named(copy):
    path = copy / "preprocessor_config.json"
    path.write_text(json.dumps({"image_processor": None}))
    assert load_clip(copy).card.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    for mean in (0.5, [0.5], ["red", "green", "blue"], None):
        path.write_text(json.dumps({"image_mean": mean, "image_std": [0.2] * 3}))
        with pytest.raises(ModelError, match=r"preprocessor_config.json has an image_mean or image_std that"):
            load_clip(copy)


def test_the_hash_follows_the_weights(copy, tmp_path):
    other = tmp_path / "other"
    save_clip(other, hidden_size=48)
    assert load_clip(copy).card.hash != load_clip(other).card.hash


def test_weights_of_torch_and_a_tokenizer_of_old_are_loaded_too(copy, saved):
    torch.save(CLIPModel.from_pretrained(saved).half().state_dict(), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    (copy / "tokenizer.json").unlink()
    old, new = load_clip(copy), load_clip(saved)
    np.testing.assert_allclose(old.encode_texts(SENTENCES), new.encode_texts(SENTENCES), atol=1e-2)
    assert old.encode_images(pictures(1)).dtype == np.float32


def test_a_missing_folder(tmp_path):
    with pytest.raises(ModelError, match=r"no CLIP called .*nowhere.*expected mini, clip_b32.* on the hub"):
        load_clip(tmp_path / "nowhere")


def test_a_file_where_a_folder_is_expected(saved):
    with pytest.raises(ModelError, match=r"no folder of that name"):
        load_clip(saved / "model.safetensors")


def test_a_truncated_file(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be read"):
        load_clip(copy)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file(copy, file):
    (copy / file).unlink()
    with pytest.raises(ModelError, match=rf"has no {file}"):
        load_clip(copy)


def test_a_folder_without_a_tokenizer(copy):
    for file in ("tokenizer.json", "vocab.json"):
        (copy / file).unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer that can be read"):
        load_clip(copy)


def test_a_model_of_another_architecture(copy):
    change(copy / "config.json", model_type="bert")
    with pytest.raises(ModelError, match=r"another architecture \(bert\): expected a CLIP"):
        load_clip(copy)


def test_a_config_that_is_no_json(copy):
    (copy / "config.json").write_text("not json")
    with pytest.raises(ModelError, match=r"config\.json cannot be read as JSON"):
        load_clip(copy)


def test_weights_of_another_shape(copy):
    change(copy / "config.json", projection_dim=24)
    with pytest.raises(ModelError, match=r"is no CLIP as its config\.json describes it \(size mismatch"):
        load_clip(copy)


def test_weights_that_lack_a_layer_are_not_filled_with_random_numbers(copy):
    config = json.loads((copy / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"it lacks vision_model\.encoder\.layers\.2"):
        load_clip(copy)


@pytest.mark.parametrize("end", [0, 519])
def test_a_tokenizer_that_ends_texts_unlike_its_network(tmp_path, end):
    # the network would read every text at its start, so that all texts were alike
    save_clip(tmp_path / "clip", end=end)
    with pytest.raises(ModelError, match=r"is not the one of its CLIP: it ends texts with token"):
        load_clip(tmp_path / "clip")


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_pickle_that_would_run_a_program(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (copy / "model.safetensors").unlink()
    with (copy / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weights": Evil()}, file)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        load_clip(copy)
    assert not (tmp_path / "executed").exists()


@pytest.mark.slow
def test_the_real_architecture_of_vit_b_32(tmp_path):
    end = save_tokenizer(tmp_path)
    config = CLIPConfig()
    config.text_config.eos_token_id = end
    CLIPModel(config).save_pretrained(tmp_path)
    clip = load_clip(tmp_path)
    assert clip.card.image_size == 224
    assert clip.encode_images(pictures(2, side=224)).shape == (2, 512)
    read = clip.encode_texts(["red circle", "cell nucleus"])
    assert np.abs(read[0] - read[1]).max() > 1e-3
