"""From names to a working `Slip`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.matching import Head, heads
from napari_slip.models import known_models, load_clip
from napari_slip.pipeline import Slip
from napari_slip.segmentation.engines import load_segmenter

if TYPE_CHECKING:
    from napari_slip.pipeline import Store
    from napari_slip.progress import Progress
    from napari_slip.settings import CropSettings


def load(
    name: str | None = None,
    *,
    sam: str | None = None,
    clip: str | None = None,
    device: str = "auto",
    crops: CropSettings | None = None,
    store: Store | None = None,
    head: Head | str | Path | None = None,
    progress: Progress | None = None,
) -> Slip:
    """Load a SAM and a CLIP.

    Parameters
    ----------
    name : str, optional
        A preset that names both, e.g. ``"mini"`` (the default when nothing is named), which is part of
        this package and needs no download.
    sam : str, optional
        A name of the registry, such as ``"mini"`` or ``"vit_b"``, the path of a checkpoint, or
        ``"labels:PATH"`` for labels that are there already; see `napari_slip.segmentation.load_segmenter`.
    clip : str, optional
        A name of the registry, such as ``"mini"`` or ``"clip_b32"``, a hub name such as
        ``"openai/clip-vit-base-patch32"``, or a folder as transformers writes it.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    crops : CropSettings, optional
        How segments are shown to CLIP.
    store : Store, optional
        Where results are kept between runs.
    head : Head, str or Path, optional
        What was taught to this CLIP: itself, the name under which it is kept, or a file.
    progress : Progress, optional
        Hears of downloads, and can stop them.

    Returns
    -------
    Slip

    Raises
    ------
    InputError
        If both a preset and its parts are named, the preset or head is unknown, or the head was taught to
        another CLIP.
    ModelError
        If a model is unknown, missing, damaged or of another architecture.
    """
    if name is not None and (sam is not None or clip is not None):
        raise InputError(
            f"Both the preset {name!r} and a SAM or CLIP of its own were named: give one or the other."
        )
    presets = known_models().presets
    if name is not None and name not in presets:
        raise InputError(
            f"There is no preset {name!r}: expected one of {', '.join(presets)}, or sam= and clip=."
        )
    preset = presets[name or "mini"]
    if isinstance(head, str | Path):
        head = Head.load(heads.place_of(head))
    segmenter = load_segmenter(sam or preset.sam, device=device, progress=progress)
    encoder = load_clip(clip or preset.clip, device=device, progress=progress)
    if head is not None:
        head.check(encoder)
    return Slip(segmenter, encoder, crops=crops, store=store, head=head)
