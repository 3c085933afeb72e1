from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything import SamPredictor

from napari_slip.models.mini.attention import gather, spread
from napari_slip.models.mini.sam import CONFIG, STRIDE, Centres, MiniSam, build_mini_sam
from napari_slip.training.mini.sam_check import check, click, embed
from napari_slip.training.mini.sam_data import Picture
from napari_slip.training.mini.sam_export import restore

SMALL = CONFIG | {"img_size": 128, "embed_dim": 32, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}
WEIGHTS = Path(str(files("napari_slip.models") / "mini" / "sam.safetensors"))


@pytest.fixture(scope="module")
def small() -> MiniSam:
    torch.manual_seed(0)
    return build_mini_sam(SMALL)


@pytest.fixture(scope="module")
def shipped() -> MiniSam:
    return restore(WEIGHTS)


def discs(side: int = 256, radius: int = 14) -> Picture:
    """Sixteen bright discs in a row-wise grid on a dark ground."""
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.uint16)
    for i, (row, column) in enumerate((r, c) for r in range(32, side, 64) for c in range(32, side, 64)):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = i + 1
    noise = np.random.default_rng(0).normal(0, 4, (side, side))
    grey = np.clip(20 + 170 * (labels > 0) + noise, 0, 255).astype(np.uint8)
    return Picture(np.repeat(grey[..., None], 3, axis=2), labels)


@torch.no_grad()
def test_decoding_the_whole_frame_as_one_window_is_what_the_mask_decoder_does(small: MiniSam) -> None:
    embedding = torch.randn(1, 32, 16, 16)
    points, labels = torch.tensor([[[40.0, 70.0]], [[100.0, 9.0]]]), torch.tensor([[1], [0]])
    sparse, dense = small.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    position = small.prompt_encoder.get_dense_pe()
    expected = small.mask_decoder.predict_masks(embedding, position, sparse, dense)
    zero, corner = torch.zeros(2, dtype=torch.long), torch.zeros(2, 2, dtype=torch.long)
    found = small.decode_windows(
        small.window_tokens(embedding, zero, corner, 16),
        small.window_tokens(position, zero, corner, 16),
        sparse,
    )
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_a_window_is_cut_from_its_own_picture(small: MiniSam) -> None:
    embeddings = torch.randn(3, 32, 16, 16)
    corner = torch.tensor([[2, 5], [0, 12]])
    windows = small.window_tokens(embeddings, torch.tensor([2, 0]), corner, 4)
    torch.testing.assert_close(windows[0].T.view(32, 4, 4), embeddings[2, :, 2:6, 5:9])
    torch.testing.assert_close(windows[1].T.view(32, 4, 4), embeddings[0, :, 0:4, 12:16])


@torch.no_grad()
@pytest.mark.parametrize("ours", [gather, spread])
def test_reassociated_attention_is_attention(small: MiniSam, ours: object) -> None:
    attention = small.mask_decoder.transformer.layers[1].cross_attn_token_to_image
    for projection in (attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj):
        torch.nn.init.normal_(projection.bias)
    few, many = torch.randn(2, 7, 32), torch.randn(2, 50, 32)
    queries, keys, values = (few, many, many + 1) if ours is gather else (many, few, few + 1)
    expected = attention(q=queries, k=keys, v=values)
    torch.testing.assert_close(ours(attention, queries, keys, values), expected, rtol=1e-4, atol=1e-5)  # type: ignore[operator]


@torch.no_grad()
@given(height=st.integers(1, 4), width=st.integers(1, 4))
def test_every_multiple_of_32_can_be_encoded(height: int, width: int) -> None:
    out = build_mini_sam(SMALL).image_encoder(torch.zeros(1, 3, 32 * height, 32 * width))
    assert out.shape == (1, 32, 32 * height // STRIDE, 32 * width // STRIDE)


@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
def test_a_higher_threshold_keeps_the_best_of_the_same_centres(low: float, high: float) -> None:
    low, high = sorted((low, high))
    torch.manual_seed(1)
    model = build_mini_sam(SMALL)
    torch.nn.init.normal_(model.centre_head.out.weight)
    embedding = torch.randn(1, 32, 16, 16)
    many, few = (found.take(~found.spread) for found in (model.centres(embedding, t) for t in (low, high)))
    torch.testing.assert_close(few.points, many.points[: len(few.points)])
    assert (few.scores >= high).all()
    assert ((many.points >= 0) & (many.points < 128)).all()


@given(
    probability=st.floats(0.15, 0.19),
    size=st.floats(33.0, 60.0),
    row=st.integers(0, 31),
    column=st.integers(0, 27),
)
def test_a_centre_that_is_spread_over_a_ridge_is_found_once(
    probability: float, size: float, row: int, column: int
) -> None:
    model = build_mini_sam(SMALL)
    heat = torch.full((1, 32, 32), 1e-4)
    heat[0, row, column : column + 5] = probability
    heat[0, row, column + 2] += 1e-3  # of equal cells the 5 x 5 square would keep all

    def found(size: float, heat: torch.Tensor = heat) -> Centres:
        model.centre_head.forward = lambda _: (heat.logit(), torch.full_like(heat, size).log2())
        return model.centres(torch.zeros(1, 32, 16, 16))

    (centre,) = found(size).points.tolist()
    assert centre == [4 * (column + 2) + 1.5, 4 * row + 1.5]
    assert found(size).spread.all()
    assert len(found(8.0).points) == 0
    assert len(found(size, heat / 3).points) == 0
    heat[0, row, column + 2] = 0.4
    assert found(size).spread.tolist() == [False]


def test_what_is_shipped_is_small() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.parent.rglob("*") if file.is_file()) <= 30_000_000


def test_the_shipped_weights_find_every_disc_without_a_prompt(shipped: MiniSam) -> None:
    figures = check(shipped, [discs()])
    assert figures["centres"] == 1.0
    assert figures["AP50"] >= 0.9


def test_a_click_on_background_scores_lower_than_a_click_on_an_object(shipped: MiniSam) -> None:
    picture = discs(512, radius=22)
    points = torch.tensor([[32.0, 32.0], [64.0, 64.0]])
    _, scores, _ = click(shipped, embed(shipped, picture.image), points, torch.full((2,), 40.0))
    assert scores[0] > scores[1] + 0.3


def test_the_predictor_of_segment_anything_works_on_the_shipped_weights(shipped: MiniSam) -> None:
    picture = discs()
    predictor = SamPredictor(shipped)
    predictor.set_image(picture.image)
    masks, scores, _ = predictor.predict(np.array([[32.0, 32.0]]), np.array([1]), multimask_output=True)
    best, truth = masks[scores.argmax()], picture.labels == 1
    assert (best & truth).sum() / (best | truth).sum() > 0.6
