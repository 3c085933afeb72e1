"""A head taught from a few examples of each class, as a person at the viewer would."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.matching import embed_classes, embed_texts, teach
from napari_slip.training.own.examples import class_phrases
from napari_slip.training.own.pictures import embed_examples, grounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slip.matching import Head
    from napari_slip.models.protocols import DualEncoder
    from napari_slip.settings import CropSettings
    from napari_slip.training.own.examples import Example


def so_many(examples: Sequence[Example], n: int) -> str:
    """Say how many examples of each class `teach_from_examples` takes: ``"5"``, or ``"3 to 5"``."""
    used = sorted({min(n, count) for count in Counter(e.name for e in examples).values()})
    return str(used[0]) if len(used) == 1 else f"{used[0]} to {used[-1]}"


def teach_from_examples(
    encoder: DualEncoder, examples: Sequence[Example], n: int, crops: CropSettings, seed: int = 0
) -> Head:
    """Teach an encoder with n examples of each class, and with pieces of the ground as none of them.

    Parameters
    ----------
    encoder : DualEncoder
        Whose embeddings are read.
    examples : sequence of Example
        Pictures to learn from.
    n : int
        Of each class; fewer where there are fewer.
    crops : CropSettings
        How segments are shown.
    seed : int
        Which examples are taken.

    Returns
    -------
    Head
    """
    phrases, rng, card = class_phrases(examples), np.random.default_rng([seed, n]), encoder.card
    chosen: list[Example] = []
    for name in phrases:
        own = [e for e in examples if e.name == name]
        chosen += [own[k] for k in rng.permutation(len(own))[:n]]
    seen = embed_examples(chosen, encoder, [view for view in crops.views if view != "box"] or ["mean"])
    nothing = encoder.encode_images(grounds(examples, card.image_size, card.mean, seed, most=20 * n))
    told: list[str | None] = [*(e.name for e in chosen), *[None] * len(nothing)]
    return teach(
        np.concatenate([seen, nothing]),
        told,
        embed_classes(phrases.values(), encoder, card.templates),
        tuple(phrases),
        embed_texts(card.calibration.null_prompts, encoder, card.templates),
        clip=card.hash,
        name=f"{so_many(examples, n)} examples of each class",
        seed=seed,
    )
