"""Texts of many languages for the pictures of a CLIP, behind the protocol that the chain asks for.

A DistilBERT that was taught to say in 50 languages and more what CLIP's text encoder says in English (Reimers
and Gurevych, arXiv 2004.09813), as sentence-transformers saves it; the pictures are CLIP's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slip.errors import ModelError
from napari_slip.hashing import file_hash
from napari_slip.models import clip
from napari_slip.models.building import build, read_tokenizer
from napari_slip.models.cards import read_json
from napari_slip.models.fetching import fetch
from napari_slip.models.folders import models_folder
from napari_slip.models.registry import known_models
from napari_slip.models.weights import read_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from napari_slip.models.protocols import DualEncoder, EncoderCard
    from napari_slip.progress import Progress

LONGEST = 128
"""Tokens of a text that are read."""

IMAGES = "images"
"""A folder beside the texts in which the CLIP may lie; without it the registry says which CLIP it is."""


def load(folder: Path, name: str, device: torch.device) -> MultilingualClip:
    """Load the texts from a folder as sentence-transformers writes it, and the CLIP that they belong to."""
    from transformers import DistilBertConfig, DistilBertModel

    _, network, weights = build(DistilBertConfig, DistilBertModel, folder)
    dense = read_json(folder / "2_Dense" / "config.json")
    state = read_state(
        next(
            (
                path
                for file in ("model.safetensors", "pytorch_model.bin")
                if (path := folder / "2_Dense" / file).is_file()
            ),
            folder / "2_Dense" / "model.safetensors",
        )
    )
    matrix = state.get("linear.weight")
    shape = (dense.get("out_features"), dense.get("in_features"))
    if matrix is None or tuple(matrix.shape) != shape:
        raise ModelError(f"{folder / '2_Dense'} holds no layer of {shape}: fetch or copy it again.")
    tokenizer = read_tokenizer(folder, LONGEST)
    pictures = clip.load(_images(folder, name), name, device)
    # both decide what a text and a picture are worth to each other
    card = replace(pictures.card, hash=file_hash(weights), name=name)
    return MultilingualClip(pictures, network.to(device), tokenizer, matrix.float().to(device), card)


class MultilingualClip:
    """Two networks as one `DualEncoder`: CLIP's for pictures, a multilingual one for texts.

    Parameters
    ----------
    pictures : DualEncoder
        The CLIP.
    network : DistilBertModel
        Of the texts, in evaluation mode.
    tokenizer : Tokenizer
        Of the texts.
    matrix : (D, C) Tensor
        From the texts' space to CLIP's.
    card : EncoderCard
        What both say of themselves.
    """

    def __init__(
        self,
        pictures: DualEncoder,
        network: Any,
        tokenizer: Tokenizer,
        matrix: torch.Tensor,
        card: EncoderCard,
    ) -> None:
        self.pictures = pictures
        self.network = network
        self.tokenizer = tokenizer
        self.matrix = matrix
        self._card = card

    @property
    def card(self) -> EncoderCard:
        """What the encoder says of itself."""
        return self._card

    def encode_images(
        self, pictures: NDArray[np.uint8], progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embed (N, S, S, 3) uint8 RGB pictures as (N, D) float32 rows of unit length."""
        return self.pictures.encode_images(pictures, progress)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts as (N, D) float32 rows of unit length; what is too long for the network is cut off."""
        rows = [np.zeros((0, len(self.matrix)), np.float32)]
        with torch.inference_mode():
            for encoding in self.tokenizer.encode_batch(list(texts)):
                # an empty text has no token with some tokenizers: it is read as the first of all
                ids = torch.tensor([encoding.ids or [0]], device=self.matrix.device)
                tokens = self.network(input_ids=ids).last_hidden_state
                vector = tokens.mean(dim=1) @ self.matrix.T
                rows.append(torch.nn.functional.normalize(vector, dim=-1).cpu().numpy())
        return np.concatenate(rows)


def _images(folder: Path, name: str) -> Path:
    """Return where the CLIP lies that a folder of texts belongs to."""
    if (folder / IMAGES).is_dir():
        return folder / IMAGES
    known = known_models()
    entry = known.get("clip", name)
    shared = known.get("clip", entry.images) if entry is not None and entry.images else None
    if shared is None:
        raise ModelError(
            f"{name} reads texts only, and nothing says which CLIP sees the pictures: put that CLIP into "
            f"{folder / IMAGES}, or say images = in {models_folder() / 'models.toml'}."
        )
    return fetch(shared)
