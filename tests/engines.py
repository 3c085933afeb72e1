"""One small random network of every engine, saved as people find them and loaded as people load them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import tifffile
import torch
from models import tiny_sam
from safetensors.torch import load_file, save_file
from segment_anything import sam_model_registry
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPTextConfig,
    Sam2Config,
    Sam2Model,
    Sam3Config,
    Sam3VideoConfig,
    Sam3VideoModel,
    SamConfig,
    SamModel,
)

from napari_slip.models import sam as sam_module
from napari_slip.models import tinyvit
from napari_slip.segmentation import Segmenter, load_segmenter

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 128


def segment_anything(folder: Path, monkeypatch) -> str:
    _narrow(monkeypatch)
    torch.save(tiny_sam(seed=7).state_dict(), folder / "sam.pth")
    return str(folder / "sam.pth")


def micro_sam(folder: Path, monkeypatch) -> str:
    _narrow(monkeypatch)
    state = {f"sam.{name}": values for name, values in tiny_sam(seed=7).state_dict().items()}
    torch.save({"epoch": 1, "model_state": state}, folder / "best.pt")
    return str(folder / "best.pt")


def mobile_sam(folder: Path, monkeypatch) -> str:
    small = {"side": SIDE, "widths": (8, 16, 16, 24), "depths": (1, 1, 2, 1), "heads": (1, 2, 2, 3)}
    torch.manual_seed(3)
    encoder = tinyvit.TinyVitEncoder(**small).eval()
    theirs = tinyvit.TinyVitEncoder
    monkeypatch.setattr(tinyvit, "TinyVitEncoder", lambda: theirs(**small))
    monkeypatch.setitem(sam_model_registry, "vit_b", lambda: tiny_sam(fixed=False))
    network = tiny_sam(seed=7)
    state = {k: v for k, v in network.state_dict().items() if not k.startswith("image_encoder")}
    # under the names of MobileSAM's own checkpoint, with the classifier that it carries along
    for name, values in encoder.state_dict().items():
        state[f"image_encoder.{_as_published(name)}"] = values
    state["image_encoder.norm_head.weight"] = state["image_encoder.head.bias"] = torch.zeros(3)
    torch.save(state, folder / "mobile_sam.pt")
    return str(folder / "mobile_sam.pt")


def transformers_sam(folder: Path, monkeypatch) -> str:
    _narrow(monkeypatch)
    transformers_sam_model().save_pretrained(folder)
    return str(folder)


def transformers_sam_model() -> SamModel:
    torch.manual_seed(5)
    config = SamConfig(
        vision_config={
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "window_size": 4,
            "global_attn_indexes": [1],
            "mlp_dim": 256,
            "output_channels": 256,
        },
        prompt_encoder_config={"image_size": SIDE, "image_embedding_size": SIDE // 16, "hidden_size": 256},
        mask_decoder_config={"mlp_dim": 512},
    )
    model = SamModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "rel_pos" in name or "pos_embed" in name or name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


def sam2(folder: Path, monkeypatch) -> str:
    torch.manual_seed(5)
    sizes = [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2]
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 16,
                "num_attention_heads": 1,
                "image_size": [SIDE, SIDE],
                "window_positional_embedding_background_size": [4, 4],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [16, 32, 64, 128],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [4, 2, 4, 2],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": sizes,
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"image_size": SIDE, "hidden_size": 32},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32},
    )
    Sam2Model(config).save_pretrained(folder)
    # as Meta publishes it: the file also holds what videos need
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "model_type": "sam2_video"}))
    return str(folder)


def sam3(folder: Path, monkeypatch) -> str:
    torch.manual_seed(5)
    side, cells = 112, 8
    vision = {
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": side,
            "pretrain_image_size": side,
            "window_size": 4,
            "global_attn_indexes": [1],
        },
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[cells * 4] * 2, [cells * 2] * 2, [cells] * 2],
    }
    small = {"hidden_size": 32, "intermediate_size": 64, "num_layers": 1, "num_attention_heads": 2}
    text = CLIPTextConfig(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        projection_dim=16,
        bos_token_id=0,
        eos_token_id=1,
    )
    detector = Sam3Config(
        vision_config=vision,
        text_config=text.to_dict(),
        geometry_encoder_config=small,
        detr_encoder_config=small,
        detr_decoder_config={**small, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )
    tracker = {
        "vision_config": vision,
        "image_size": side,
        "prompt_encoder_config": {"image_size": side, "hidden_size": 32, "patch_size": 14},
        "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 64, "iou_head_hidden_dim": 32},
        "memory_attention_hidden_size": 32,
        "memory_attention_feed_forward_hidden_size": 64,
        "memory_encoder_hidden_size": 32,
        "memory_encoder_output_channels": 16,
        "mask_downsampler_embed_dim": 32,
        "memory_fuser_embed_dim": 32,
        "memory_fuser_intermediate_dim": 32,
    }
    config = Sam3VideoConfig(detector_config=detector.to_dict(), tracker_config=tracker)
    Sam3VideoModel(config).save_pretrained(folder)
    state = load_file(folder / "model.safetensors")  # one version of transformers writes a prefix twice
    state = {name.replace("tracker_model.tracker_model.", "tracker_model."): v for name, v in state.items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    words = {
        word: i for i, word in enumerate(["[start]", "[end]", "[unknown]", "red", "round", "coin", "cell"])
    }
    tokenizer = Tokenizer(WordLevel(words, unk_token="[unknown]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[start] $A [end]", special_tokens=[("[start]", 0), ("[end]", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def labels(folder: Path, monkeypatch) -> str:
    picture = np.zeros((60, 90), np.uint16)
    picture[5:25, 10:40], picture[30:50, 50:80], picture[2, 2] = 7, 40_000, 3
    tifffile.imwrite(folder / "labels.tif", picture)
    return f"labels:{folder / 'labels.tif'}"


ENGINES = {
    make.__name__: make
    for make in (segment_anything, micro_sam, mobile_sam, transformers_sam, sam2, sam3, labels)
}


def load(name: str, folder: Path, monkeypatch) -> Segmenter:
    """Save an engine's network in a folder and load it from there."""
    return load_segmenter(ENGINES[name](folder, monkeypatch), device="cpu")


def _narrow(monkeypatch) -> None:
    """Let a network of two narrow blocks stand for ViT-B, whose 375 MB take seconds."""
    monkeypatch.setitem(sam_module.ARCHITECTURES, (64, 2), "vit_b")
    monkeypatch.setitem(sam_model_registry, "vit_b", lambda: tiny_sam(fixed=False))


def _as_published(name: str) -> str:
    """Name a weight of `TinyVitEncoder` as MobileSAM's checkpoint does."""
    parts = name.removeprefix("backbone.").replace(".conv.", ".c.").split(".")
    if parts[0] == "patch_embed":
        parts[1] = {"conv1": "seq.0", "conv2": "seq.2"}[parts[1]]
    elif parts[0] == "stages":
        stage = int(parts[1]) - (parts[2] == "downsample")  # there it ends a stage
        parts[:2] = ["layers", str(stage)]
    return ".".join(parts)
