"""Names under which a SAM's weights are saved elsewhere, brought to those of segment-anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MARK = "vision_encoder.patch_embed.projection.weight"
"""A name by which weights of transformers' `SamModel` are recognised."""

GAUSSIAN = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"

# What transformers calls differently, the longer names first.
_RENAMED = (
    # saved once or twice, as the version of transformers has it
    (r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$", GAUSSIAN),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"^(image_encoder\.blocks\.\d+)\.layer_norm(\d)\.", r"\1.norm\2."),
    (r"^prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
    (r"^prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
    (r"^prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
    (r"^prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
    (r"^prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"^mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"^mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"^mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    (r"^mask_decoder\.transformer\.layer_norm_final_attn\.", "mask_decoder.transformer.norm_final_attn."),
    (r"^(mask_decoder\.transformer\.layers\.\d+)\.layer_norm(\d)\.", r"\1.norm\2."),
)

_MLP = re.compile(r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.(.+)$")


def as_segment_anything(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights as segment-anything has them.

    Parameters
    ----------
    state : dict of str to Tensor
        Of segment-anything itself, of a program that trains it and puts ``sam.`` or ``module.`` before all
        names (micro-sam, torch's parallel training), or of transformers' `SamModel`.

    Returns
    -------
    dict of str to Tensor
    """
    for prefix in ("module.", "sam."):
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): values for name, values in state.items()}
    if MARK not in state:
        return state
    depth = 1 + max(
        (
            int(found[1])
            for name in state
            if (found := re.search(r"iou_prediction_head\.layers\.(\d+)", name))
        ),
        default=-1,
    )
    return {new: values for name, values in state.items() if (new := _rename(name, depth))}


def _rename(name: str, depth: int) -> str:
    for old, new in _RENAMED:
        name = re.sub(old, new, name)
    if (found := _MLP.match(name)) is None:
        return name
    # the first and the last layer of such a stack have names of their own
    inner = re.sub(r"^layers\.(\d+)\.", lambda layer: f"layers.{int(layer[1]) + 1}.", found[2])
    inner = re.sub(r"^proj_in\.", "layers.0.", inner)
    last = depth if "iou" in found[1] else 1
    return f"{found[1]}.{re.sub(r'^proj_out[.]', f'layers.{last + 1}.', inner)}"
