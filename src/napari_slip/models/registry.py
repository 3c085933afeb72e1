"""The models that have a name, and where their weights come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """One file of weights that is fetched when it is first needed.

    Parameters
    ----------
    file : str
        Its name, also in the cache.
    url : str
        Where it is published.
    sha256 : str
        Of the whole file, as 64 hexadecimal digits.
    size : int
        In bytes.
    """

    file: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Preset:
    """A SAM and a CLIP that go together.

    Parameters
    ----------
    sam : str
        As `load_sam` takes it.
    clip : str
        As `load_clip` takes it.
    title : str
        For people, in a few words.
    size_mb : int
        Of both together on disk, in megabytes.
    licence : str
        Of the weights.
    needs_download : bool
        Whether the weights are no part of the package.
    """

    sam: str
    clip: str
    title: str
    size_mb: int
    licence: str
    needs_download: bool


_SEGMENT_ANYTHING = "https://dl.fbaipublicfiles.com/segment_anything/"

# The six digits in the file names begin the files' MD5 sums, so they are no check of a SHA-256.
WEIGHTS: dict[str, Weights] = {
    "vit_b": Weights(
        "sam_vit_b_01ec64.pth",
        _SEGMENT_ANYTHING + "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        375_042_383,
    ),
    "vit_l": Weights(
        "sam_vit_l_0b3195.pth",
        _SEGMENT_ANYTHING + "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        1_249_524_607,
    ),
    "vit_h": Weights(
        "sam_vit_h_4b8939.pth",
        _SEGMENT_ANYTHING + "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2_564_550_879,
    ),
}
"""SAM's checkpoints as its authors publish them (Kirillov et al., arXiv 2304.02643; Apache-2.0)."""

_CLIP = "openai/clip-vit-base-patch32"
_CLIP_MB = 605
_LICENCES = "Apache-2.0 (SAM), MIT (CLIP)"

PRESETS: dict[str, Preset] = {
    "mini": Preset("mini", "mini", "mini: part of the package, runs anywhere", 30, "BSD-3-Clause", False),
    "vit_b": Preset(
        "vit_b", _CLIP, "SAM ViT-B and CLIP ViT-B/32: knows everyday words", 375 + _CLIP_MB, _LICENCES, True
    ),
    "vit_l": Preset(
        "vit_l", _CLIP, "SAM ViT-L and CLIP ViT-B/32: finer masks", 1250 + _CLIP_MB, _LICENCES, True
    ),
    "vit_h": Preset(
        "vit_h",
        _CLIP,
        "SAM ViT-H and CLIP ViT-B/32: the paper's, best on a GPU",
        2565 + _CLIP_MB,
        _LICENCES,
        True,
    ),
}
"""What `napari_slip.load` takes as a name; the first is the default."""
