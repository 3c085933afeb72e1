"""MobileSAM's image encoder: timm's TinyViT under the names and with the last stage of MobileSAM.

Zhang et al., "Faster Segment Anything", arXiv 2306.14289; Wu et al., "TinyViT", arXiv 2207.10666.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from segment_anything.modeling.common import LayerNorm2d
from timm.models.tiny_vit import TinyVit
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

# Names of MobileSAM's checkpoint, and what timm calls the same.
_RENAMED = (
    (r"patch_embed\.seq\.0\.", "backbone.patch_embed.conv1."),
    (r"patch_embed\.seq\.2\.", "backbone.patch_embed.conv2."),
    (r"layers\.(\d+)\.blocks\.", r"backbone.stages.\1.blocks."),
    (r"layers\.0\.downsample\.", "backbone.stages.1.downsample."),
    (r"layers\.1\.downsample\.", "backbone.stages.2.downsample."),
    (r"layers\.2\.downsample\.", "backbone.stages.3.downsample."),
)


class TinyVitEncoder(nn.Module):
    """Image encoder of MobileSAM.

    Parameters
    ----------
    side : int
        Of the square input, in pixels.
    widths, depths, heads, windows : sequences of int
        Of the four stages; those of MobileSAM by default.
    out : int
        Channels of the embedding.
    """

    def __init__(
        self,
        side: int = 1024,
        widths: Sequence[int] = (64, 128, 160, 320),
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (2, 4, 5, 10),
        windows: Sequence[int] = (7, 7, 14, 7),
        out: int = 256,
    ) -> None:
        super().__init__()
        self.img_size = side
        backbone: Any = TinyVit(
            num_classes=0,
            embed_dims=tuple(widths),
            depths=tuple(depths),
            num_heads=tuple(heads),
            window_sizes=tuple(windows),
            drop_path_rate=0.0,
        )
        # the embedding has a cell for 16 pixels, where TinyViT has one for 32
        backbone.stages[3].downsample.conv2.conv.stride = (1, 1)
        backbone.head = nn.Identity()
        self.backbone = backbone
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], out, kernel_size=1, bias=False),
            LayerNorm2d(out),
            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out),
        )

    @property
    def blocks(self) -> list[nn.Module]:
        """What can be stopped before, one after the other."""
        return list(self.backbone.stages)

    def forward(self, picture: Tensor) -> Tensor:
        """Encode a (1, 3, S, S) picture, normalised and padded, as (1, C, S / 16, S / 16)."""
        embedding: Tensor = self.neck(self.backbone.forward_features(picture))
        return embedding


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of a MobileSAM the names of `TinyVitEncoder`; those of its unused classifier go."""
    return {new: values for name, values in state.items() if (new := _rename(name))}


def _rename(name: str) -> str:
    part, _, rest = name.partition("image_encoder.")
    if part or not rest:
        return name
    if rest.startswith(("norm_head.", "head.")) or rest.endswith("attention_bias_idxs"):
        return ""
    for old, new in _RENAMED:
        rest = re.sub(f"^{old}", new, rest)
    if rest.startswith("backbone."):
        rest = re.sub(r"\.c\.", ".conv.", rest)
    return f"image_encoder.{rest}"
