"""One small random network of every model that compares pictures with texts, saved as people find them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from clips import save_clip
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import DistilBertConfig, DistilBertModel, SiglipConfig, SiglipModel

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "<pad>",
    "<eos>",
    "[unknown]",
    *"a photo of red circle microscopy image cell nucleus an zelle kern".split(),
]


def save_words(folder: Path) -> None:
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[unknown]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def siglip(folder: Path) -> None:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**small, "vocab_size": 40, "max_position_embeddings": 16, "projection_size": 32}
    torch.manual_seed(0)
    config = SiglipConfig(text_config=text, vision_config={**small, "image_size": 32, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    save_words(folder)


def multilingual(folder: Path) -> None:
    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=40, dim=32, hidden_dim=64, n_layers=2, n_heads=2)
    DistilBertModel(config).save_pretrained(folder)
    save_words(folder)
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 32, "out_features": 16}))
    save_file({"linear.weight": torch.randn(16, 32)}, folder / "2_Dense" / "model.safetensors")
    save_clip(folder / "images")


ENCODERS = {"clip": save_clip, "siglip": siglip, "multilingual": multilingual}
