"""Small CLIPs with random weights, saved as transformers writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = ["a photo of a red circle", "a microscopy image of a cell nucleus", "something blue and striped"]


def save_tokenizer(folder: Path, letters: str = "") -> int:
    """Save a tokenizer of CLIP's kind that knows single bytes, or only some letters; return its end token."""
    alphabet = sorted(letters or ByteLevel.alphabet())
    special = ["<|startoftext|>", "<|endoftext|>"]
    tokens = [*special, *alphabet, *(letter + "</w>" for letter in alphabet), "re"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nr e\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder)
    return int(tokenizer.eos_token_id)


def save_clip(folder: Path, end: int | None = None, **vision: int) -> None:
    """Save a small CLIP with random weights, as transformers writes it."""
    folder.mkdir(exist_ok=True)
    own_end = save_tokenizer(folder)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **small,
            "vocab_size": 520,
            "bos_token_id": 0,
            "eos_token_id": own_end if end is None else end,
        },
        vision_config={**small, "image_size": 32, "patch_size": 8, **vision},
        projection_dim=16,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
