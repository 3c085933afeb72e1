"""Small networks of the real architectures for tests that need no meaning in the masks."""

from __future__ import annotations

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from napari_slip.models.sam import LoadedSam
from napari_slip.settings import ProposalSettings


def tiny_sam(side: int = 128, seed: int = 0, *, fixed: bool = True) -> Sam:
    """Return a `Sam` with random weights, of segment-anything's own classes; unless `fixed`, any will do."""
    torch.manual_seed(seed)
    cells = side // 16
    sam = Sam(
        image_encoder=ImageEncoderViT(
            depth=2,
            embed_dim=64,
            img_size=side,
            num_heads=4,
            use_rel_pos=True,
            global_attn_indexes=(1,),
            window_size=4,
            out_chans=256,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=256,
            image_embedding_size=(cells, cells),
            input_image_size=(side, side),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=512, num_heads=8),
            transformer_dim=256,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
    ).eval()
    if not fixed:
        return sam
    with torch.no_grad():  # relative positions are zero before training, which would hide mistakes with them
        for name, parameter in sam.named_parameters():
            if "rel_pos" in name or "pos_embed" in name or name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return sam.requires_grad_(False)


def loaded_tiny_sam(side: int = 128, **settings: object) -> LoadedSam:
    """Return it as `load_sam` would, with floors that random weights pass."""
    floors = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "points_per_side": 4, **settings}
    return LoadedSam(tiny_sam(side), "tiny", "sha256:0", ProposalSettings(**floors))  # type: ignore[arg-type]
