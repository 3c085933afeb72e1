"""What the chain asks of every model that compares pictures with texts: one suite over all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clips import SENTENCES
from encoders import ENCODERS, WORDS, multilingual, siglip
from transformers import DistilBertModel, SiglipModel

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.models import DualEncoder, load_clip
from napari_slip.progress import Progress


@pytest.fixture(scope="module", params=list(ENCODERS))
def encoder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    ENCODERS[request.param](folder)
    return load_clip(folder, device="cpu")


def pictures(n: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_it_says_who_it_is(encoder):
    assert isinstance(encoder, DualEncoder)
    assert encoder.card.image_size == 32
    assert encoder.card.hash.startswith("sha256:")
    assert encoder.card.calibration.a > 0


def test_pictures_and_texts_lie_in_one_space_on_a_sphere(encoder):
    seen, read = encoder.encode_images(pictures(3)), encoder.encode_texts(SENTENCES)
    assert seen.shape == (3, read.shape[1])
    assert seen.dtype == read.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)
    assert np.abs(read[0] - read[1]).max() > 1e-3
    assert np.abs(seen[0] - seen[1]).max() > 1e-4


def test_company_changes_nothing(encoder):
    many = encoder.encode_images(pictures(40))
    np.testing.assert_allclose(encoder.encode_images(pictures(40)[7:8]), many[7:8], atol=1e-4)
    read = encoder.encode_texts(SENTENCES)
    np.testing.assert_allclose(encoder.encode_texts(SENTENCES[1:2]), read[1:2], atol=1e-5)


def test_nothing_gives_nothing(encoder):
    width = encoder.encode_texts(["cell"]).shape[1]
    assert encoder.encode_images(pictures(0)).shape == (0, width)
    assert encoder.encode_texts([]).shape == (0, width)


def test_any_text_can_be_read(encoder):
    read = encoder.encode_texts(["", "x" * 5000, "a cell " * 500, "Ångström 細胞 \U0001f9a0", "  "])
    assert np.isfinite(read).all()


def test_pictures_of_another_size_are_a_sentence(encoder):
    with pytest.raises(InputError, match=r"\(N, 32, 32, 3\) is expected"):
        encoder.encode_images(pictures(2, side=16))


def test_it_can_be_stopped(encoder):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        encoder.encode_images(pictures(2), progress)


# ---------------------------------------------------------------- one by one


def test_siglip_sees_and_reads_as_transformers_does(tmp_path):
    siglip(tmp_path)
    ours, theirs = load_clip(tmp_path, device="cpu"), SiglipModel.from_pretrained(tmp_path).eval()
    pixels = (torch.from_numpy(pictures(2)).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    # lower case, the end of the text, and then filled up to the length that it was trained with
    ids = torch.tensor([[6, 7, 1] + [0] * 13])
    unit = torch.nn.functional.normalize
    with torch.inference_mode():
        seen = unit(theirs.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
        read = unit(theirs.get_text_features(input_ids=ids).pooler_output, dim=-1)
    assert [WORDS[6], WORDS[7]] == ["red", "circle"]
    np.testing.assert_allclose(ours.encode_images(pictures(2)), seen.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.encode_texts(["Red CIRCLE"]), read.numpy(), atol=1e-5)


def test_multilingual_texts_are_the_mean_of_their_tokens(tmp_path):
    multilingual(tmp_path)
    ours, theirs = load_clip(tmp_path, device="cpu"), DistilBertModel.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        tokens = theirs(
            input_ids=torch.tensor([[WORDS.index("zelle"), WORDS.index("kern")]])
        ).last_hidden_state
        expected = torch.nn.functional.normalize(tokens.mean(dim=1) @ ours.matrix.T, dim=-1)
    np.testing.assert_allclose(ours.encode_texts(["zelle kern"]), expected.numpy(), atol=1e-5)
    clip = load_clip(tmp_path / "images", device="cpu")
    np.testing.assert_array_equal(ours.encode_images(pictures(2)), clip.encode_images(pictures(2)))


@pytest.mark.parametrize(
    ("name", "missing", "message"),
    [
        ("siglip", "tokenizer.json", "has no tokenizer that can be read"),
        ("multilingual", "tokenizer.json", "has no tokenizer that can be read"),
        ("multilingual", "2_Dense/config.json", "2_Dense has no config.json"),
        ("multilingual", "2_Dense/model.safetensors", "There is no file .*2_Dense"),
    ],
)
def test_a_folder_that_lacks_a_file_is_a_sentence(tmp_path, name, missing, message):
    ENCODERS[name](tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ModelError, match=message):
        load_clip(tmp_path, device="cpu")


def test_texts_without_pictures_are_a_sentence(tmp_path):
    import shutil

    multilingual(tmp_path)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(ModelError, match=r"reads texts only, and nothing says which CLIP sees the pictures"):
        load_clip(tmp_path, device="cpu")
