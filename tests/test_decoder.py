"""The decoder driver against segment-anything's own decoder, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import tiny_sam
from segment_anything import SamAutomaticMaskGenerator
from torch import nn

from napari_slip.models.sam import LoadedSam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter, Tile
from napari_slip.segmentation.decoder import Decoder
from napari_slip.segmentation.encoding import Encoder
from napari_slip.segmentation.vit import run_vit
from napari_slip.settings import ProposalSettings


@pytest.fixture(scope="module")
def sam():
    network = tiny_sam()
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():  # gains of one and biases of zero would hide mistakes
        if isinstance(module, nn.LayerNorm):
            module.weight.add_(torch.randn(module.weight.shape, generator=generator) * 0.3)
            module.bias.add_(torch.randn(module.bias.shape, generator=generator) * 0.3)
    network.mask_decoder.iou_prediction_head.layers[-1].bias.add_(0.5)
    for mlp in network.mask_decoder.output_hypernetworks_mlps:  # logits as large as those of trained networks
        mlp.layers[-1].weight.mul_(30)
    return network


def reference(sam, embedding, points):
    """Return what segment-anything's decoder says: (P, 3, L, L) logits, (P, 3) predicted IoU."""
    labels = torch.ones(len(points), 1, dtype=torch.int)
    sparse, dense = sam.prompt_encoder(points=(points[:, None], labels), boxes=None, masks=None)
    return sam.mask_decoder(
        embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense, multimask_output=True
    )


def error(ours, theirs):
    return ((ours - theirs).norm() / theirs.norm()).item()


@torch.inference_mode()
@pytest.mark.parametrize("prompts", [1, 5])
def test_the_driver_says_what_the_decoder_says(sam, prompts):
    generator = torch.Generator().manual_seed(prompts)
    embedding = torch.randn(1, 256, 8, 8, generator=generator)
    points = torch.rand(prompts, 2, generator=generator) * 128
    logits, iou = reference(sam, embedding, points)
    decoded = Decoder(sam, Tile(embedding, (0, 0, 128, 128), (128, 128)))(points)
    assert error(decoded.iou, iou) < 1e-5
    assert error(decoded.logits(torch.ones_like(iou, dtype=torch.bool)), logits.flatten(0, 1)) < 1e-5


@torch.inference_mode()
def test_only_the_wanted_masks_are_made_and_in_order(sam):
    embedding = torch.randn(1, 256, 8, 8)
    points = torch.rand(4, 2) * 128
    logits, _ = reference(sam, embedding, points)
    wanted = torch.tensor([[0, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]], dtype=torch.bool)
    made = Decoder(sam, Tile(embedding, (0, 0, 128, 128), (128, 128)))(points).logits(wanted)
    assert made.shape == (6, 32, 32)
    assert error(made, logits[wanted]) < 1e-5


@torch.inference_mode()
def test_the_transformer_says_what_it_says_at_once(sam):
    picture = torch.randn(1, 3, 128, 128)
    assert error(run_vit(sam.image_encoder, picture, lambda: None), sam.image_encoder(picture)) < 1e-5


@torch.inference_mode()
def test_attention_in_many_pieces_is_the_same(sam, monkeypatch):
    picture = torch.randn(1, 3, 128, 128)
    whole = run_vit(sam.image_encoder, picture, lambda: None)
    monkeypatch.setattr("napari_slip.segmentation.vit.SCORES_AT_ONCE", 1)
    assert error(run_vit(sam.image_encoder, picture, lambda: None), whole) < 1e-5


@pytest.mark.parametrize("shape", [(128, 128), (90, 160), (64, 48)])
def test_exact_proposals_are_those_of_the_automatic_generator(sam, shape):
    rgb = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    # random masks fill the picture, so suppression by boxes would leave one of them
    grid = {"points_per_side": 4, "box_nms_thresh": 1.0}
    everything = SamAutomaticMaskGenerator(sam, pred_iou_thresh=0, stability_score_thresh=0, **grid).generate(
        rgb
    )
    floors = {
        "pred_iou_thresh": float(np.quantile([r["predicted_iou"] for r in everything], 0.3)),
        "stability_score_thresh": float(np.quantile([r["stability_score"] for r in everything], 0.3)),
    }
    expected = SamAutomaticMaskGenerator(sam, **floors, **grid).generate(rgb)
    settings = ProposalSettings(exact=True, min_area=0, **floors, **grid)
    segmenter = SamSegmenter(LoadedSam(sam, "tiny", "", settings))
    segments = segmenter.propose(segmenter.encode(rgb, Progress()), settings, Progress())
    assert 3 < len(expected) < len(everything)
    assert len(segments) == len(expected)
    for label, record in enumerate(sorted(expected, key=lambda r: -r["predicted_iou"]), start=1):
        assert segments.predicted_iou[label - 1] == pytest.approx(min(1, record["predicted_iou"]), abs=1e-5)
        assert segments.stability_score[label - 1] == pytest.approx(record["stability_score"], abs=1e-3)
        assert (segments.mask(label) != record["segmentation"]).sum() <= 2


def test_the_encoder_sees_what_segment_anything_sees(sam):
    from segment_anything import SamPredictor

    rgb = np.random.default_rng(0).integers(0, 255, (100, 70, 3), dtype=np.uint8)
    predictor = SamPredictor(sam)
    predictor.set_image(rgb)
    with torch.inference_mode():
        tile = Encoder(sam, Progress())(rgb, (0, 0, 70, 100))
    assert tile.input_size == predictor.input_size
    assert error(tile.embedding, predictor.features) < 1e-5
