"""Networks for measuring time: real architectures, random weights, realistic rates of masks that pass."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import torch
from segment_anything import sam_model_registry
from skimage.data import astronaut
from skimage.transform import resize

from napari_slip.models import load_clip
from napari_slip.models.sam import LoadedSam, load_sam
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segmentation.decoder import Decoded, Decoder
from napari_slip.segmentation.prompts import grid
from napari_slip.segmentation.quick import stability_of
from napari_slip.settings import ProposalSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from segment_anything.modeling import Sam
    from torch import Tensor

    from napari_slip.models.clip import HuggingFaceClip
    from napari_slip.segmentation import EncodedPlane


BY_IOU, BY_STABILITY = 0.3, 0.1
"""Shares of all masks that pass SAM's two filters, one after the other."""


def photograph(height: int = 1024, width: int = 1024) -> NDArray[np.uint8]:
    """Return a photograph of a size."""
    picture: NDArray[np.uint8] = (resize(astronaut(), (height, width)) * 255).astype(np.uint8)
    return picture


@lru_cache
def sam_vit_b() -> tuple[LoadedSam, ProposalSettings]:
    """Return SAM's ViT-B with random weights, and floors that let 30 % and 10 % of its masks pass."""
    torch.manual_seed(0)
    network = sam_model_registry["vit_b"]().requires_grad_(False).eval()
    # random networks say that every mask is bad and flat: shifted and sharpened to where trained ones are
    head = network.mask_decoder.iou_prediction_head.layers[-1]
    head.weight.mul_(3)
    head.bias.add_(0.5)
    for mlp in network.mask_decoder.output_hypernetworks_mlps:
        mlp.layers[-1].weight.mul_(100)
    loaded = LoadedSam(network, "vit_b", "sha256:random", ProposalSettings())
    plane = SamSegmenter(loaded).encode(photograph(), Progress())
    return loaded, _floors(network, plane)


@torch.inference_mode()
def _floors(network: Sam, plane: EncodedPlane) -> ProposalSettings:
    decoded = Decoder(network, plane.tiles[0])(grid(plane.tiles[0], 4))
    logits = decoded.logits(torch.ones_like(decoded.iou, dtype=torch.bool))
    iou = decoded.iou.flatten()
    floor = float(iou.quantile(1 - BY_IOU))
    stability, _ = stability_of(logits[iou > floor], network.mask_threshold, 1.0)
    return ProposalSettings(
        pred_iou_thresh=floor,
        stability_score_thresh=float(stability.quantile(1 - BY_STABILITY / BY_IOU)),
        min_area=0,
        prompts="grid",
    )


@contextmanager
def small_masks(radius: float = 16) -> Iterator[None]:
    """Let masks lie around their points, since those of random weights fill the picture.

    The decoder does its work as always; only then are its logits made local, `radius` of them wide.
    """
    ask, make = Decoder.__call__, Decoded.logits
    asked: dict[int, Tensor] = {}

    def remember(decoder: Decoder, points: Tensor) -> Decoded:
        decoded = ask(decoder, points)
        asked[id(decoded)] = points
        return decoded

    def localise(decoded: Decoded, wanted: Tensor) -> Tensor:
        logits = make(decoded, wanted)
        points = asked.pop(id(decoded))[wanted.nonzero()[:, 0]] / 4
        along = torch.arange(logits.shape[-1])
        x, y = along - points[:, :1], along - points[:, 1:]
        distance = (x.square()[:, None, :] + y.square()[:, :, None]).sqrt()
        return logits.clamp(-1, 1) + radius - distance

    with mock.patch.object(Decoder, "__call__", remember), mock.patch.object(Decoded, "logits", localise):
        yield


@lru_cache
def mini() -> LoadedSam:
    """Return the trained mini."""
    return load_sam("mini", device="cpu")


@lru_cache
def mini_clip() -> HuggingFaceClip:
    """Return mini's own CLIP."""
    return load_clip("mini", device="cpu")


@lru_cache
def clip_vit_b() -> HuggingFaceClip:
    """Return CLIP's ViT-B/32 with random weights, and a tokenizer that knows single letters."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alphabet = sorted(ByteLevel.alphabet())
        tokens = ["<|startoftext|>", "<|endoftext|>", *alphabet, *(letter + "</w>" for letter in alphabet)]
        vocabulary = {token: i for i, token in enumerate(tokens)}
        tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[])
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = CLIPConfig(text_config={"eos_token_id": tokenizer.eos_token_id, "bos_token_id": 0})
        CLIPModel(config).save_pretrained(folder)
        return load_clip(folder, device="cpu")
