"""Mini CLIP itself: CLIP's own architecture at a hundredth of its size, and a tokenizer for the captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_slip.training.mini.clip_pool import IMAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor
    from transformers import CLIPModel, PreTrainedTokenizerFast

MAX_TOKENS = 24
_PAD, _BOS, _UNKNOWN, _EOS = "<pad>", "<start>", "<unk>", "<end>"


def train_tokenizer(texts: Iterable[str], size: int = 3000) -> PreTrainedTokenizerFast:
    """Learn byte pair encodings from captions.

    Parameters
    ----------
    texts
        Captions; frequent words become one token, everything else falls into pieces, down to letters.
    size
        Most tokens.

    Returns
    -------
    PreTrainedTokenizerFast
        Lower-cases, frames each text by a start and an end token, and cuts at `MAX_TOKENS`.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    # The end token must not be number 2, which transformers takes for an old file and pools elsewhere.
    special = [_PAD, _BOS, _UNKNOWN, _EOS]
    letters = [chr(code) for code in range(33, 127)]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=special,
            initial_alphabet=letters,
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    start, end = tokenizer.token_to_id(_BOS), tokenizer.token_to_id(_EOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BOS} $A {_EOS}", special_tokens=[(_BOS, start), (_EOS, end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_BOS,
        eos_token=_EOS,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )


def build(tokenizer: PreTrainedTokenizerFast) -> CLIPModel:
    """Build mini CLIP with random weights, about 2.1 million parameters, for a tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "hidden_act": "gelu",
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS,
        # Without these three every text would be pooled at the same meaningless place.
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": 128,
    }
    vision = {
        "image_size": IMAGE_SIZE,
        "patch_size": 12,
        "hidden_size": 160,
        "hidden_act": "gelu",  # one fused operation, where CLIP's own approximation of it takes three
        "intermediate_size": 640,
        "num_hidden_layers": 4,
        "num_attention_heads": 5,
        "projection_dim": 128,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def see_at_once(model: CLIPModel, pixels: Tensor) -> None:
    """Set the first layer so that detail, colour and place are visible from the first step on.

    With random filters a patch is little more than its mean, and its place is lost beside it; learning to see
    would take most of a short training. The filters become the whitened principal components of patches, the
    positions sines and cosines of the same size (Vaswani et al., arXiv 1706.03762).

    Parameters
    ----------
    model
        Changed in place.
    pixels
        (N, 3, S, S) crops as the model takes them.
    """
    embeddings = model.vision_model.embeddings
    filters = embeddings.patch_embedding.weight
    side, width = filters.shape[-1], filters.shape[0]
    patches = (
        pixels.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * side**2)
    )
    patches = patches[patches.std(dim=1) > 0.02]
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    best = vectors[:, -width:] / (values[-width:] + 0.02).sqrt()
    n = pixels.shape[-1] // side
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    waves = torch.pi / n * 2 ** torch.linspace(-1, 2, width // 4)
    angles = torch.stack([y, x], dim=-1).reshape(-1, 2, 1) * waves
    places = torch.cat([angles.sin(), angles.cos()], dim=-1).reshape(n * n, width)
    with torch.no_grad():
        filters.copy_(best.T.reshape(filters.shape))
        embeddings.position_embedding.weight[1:] = places
        embeddings.class_embedding.normal_()
        for layer in model.vision_model.encoder.layers:
            # Equal queries and keys: a patch looks first at its like and at its neighbours, as trained
            # transformers do (Trockman and Kolter, arXiv 2305.09828).
            torch.nn.init.orthogonal_(layer.self_attn.q_proj.weight, gain=0.8)
            layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
