"""Draw the pools of scenes that mini SAM trains on, once, so that drawing never holds up a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_slip.synthesis import (
    coin_scene,
    draw_nuclei,
    draw_scene,
    emoji_sprites,
    leaves,
    photograph,
    turned,
)
from napari_slip.training.mini.scenery import drawn_ground, photographs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_slip.synthesis import Scene, Sprite
    from napari_slip.training.mini.scenery import Ground

SIDE = 512
SCENERY = " in scenery"
"""Ends the names of the pools that lie on photographs, which may show objects that no label tells."""
COUNTS = {
    "drawn": 1200,
    "emoji": 1200,
    "drawn in scenery": 600,
    "emoji in scenery": 600,
    "crowded": 400,
    "coins": 120,
    "nuclei": 500,
}
"""Scenes in each training pool."""
SHARES = {
    "drawn": 0.13,
    "emoji": 0.12,
    "drawn in scenery": 0.1,
    "emoji in scenery": 0.11,
    "crowded": 0.09,
    "coins": 0.03,
    "nuclei": 0.08,
}
"""Share of all views that is cut from each pool; the rest is microscopy."""
SIZES = {
    "drawn": (28.0, 200.0),
    "emoji": (28.0, 200.0),
    "drawn in scenery": (28.0, 200.0),
    "emoji in scenery": (28.0, 200.0),
    "crowded": (14.0, 90.0),
    "coins": (25.0, 90.0),
    "nuclei": (11.0, 76.0),
}
"""Object sizes in model pixels that views of each pool are zoomed to."""


def is_held_out(index: int) -> bool:
    """Say whether the emoji of this number is kept for validation: every tenth is."""
    return index % 10 == 7


def _emoji(data: Path, *, held_out: bool) -> Callable[[np.random.Generator, float], Sprite]:
    """Return a source of turned emoji, of the ones held out or of the others."""
    sprites = emoji_sprites(data)
    chosen = [i for i in range(len(sprites)) if is_held_out(i) == held_out]
    return lambda rng, size: turned(sprites[chosen[int(rng.integers(len(chosen)))]], rng, size)


def drawer(name: str, data: Path) -> Callable[[np.random.Generator], Scene]:
    """Return what draws one scene of a pool: a training pool of `COUNTS`, or ``held out`` for validation.

    Parameters
    ----------
    name : str
        ``drawn`` and ``emoji`` hold few large things, ``crowded`` many small ones, ``coins`` and ``nuclei``
        what they say; those of ``in scenery`` lie on photographs; ``held out`` puts drawn things and emoji
        that no training pool uses on photographs or drawn grounds.
    data : path
        Folder that holds ``emoji`` and, if there are any, ``photographs``.
    """
    shape = (SIDE, SIDE)
    ground: Ground = drawn_ground
    if name.endswith(SCENERY):
        name, ground = name.removesuffix(SCENERY), photographs(data) or leaves
    if name == "coins":
        return lambda rng: coin_scene(rng, shape)
    if name == "nuclei":
        return lambda rng: draw_nuclei(rng, shape)
    if name == "drawn":
        return lambda rng: draw_scene(rng, shape, (2, 16), ground=ground)
    sprites = _emoji(data, held_out=name == "held out")
    if name == "emoji":
        return lambda rng: draw_scene(rng, shape, (2, 16), sprites=sprites, ground=ground, invert=0.05)
    if name == "crowded":
        return lambda rng: draw_scene(
            rng,
            shape,
            (15, 45),
            sprites=sprites if rng.random() < 0.5 else None,
            ground=drawn_ground,
            size=(0.05, 0.16),
        )
    return lambda rng: draw_scene(
        rng,
        shape,
        sprites=sprites if rng.random() < 0.5 else None,
        ground=photograph if rng.random() < 0.3 else None,
    )


def write_pool(name: str, data: Path, folder: Path, count: int, seed: int = 0) -> None:
    """Draw a pool into ``folder/images.npy`` and ``folder/labels.npy``, unless it is there already.

    Parameters
    ----------
    name : str
        See `drawer`.
    data : path
        Folder that holds ``emoji``.
    folder : path
        Where the pool goes.
    count : int
        Number of scenes.
    seed : int
        Scene i is drawn with the seeds (seed, i).
    """
    if (folder / "labels.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    draw = drawer(name, data)
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    labels = np.zeros((count, SIDE, SIDE), np.uint8)
    for i in range(count):
        scene = draw(np.random.default_rng([seed, i]))
        if scene.labels.max() > 255:
            raise ValueError(
                f"Scene {i} of pool {name!r} has {scene.labels.max()} objects; a pool keeps up to 255."
            )
        images[i], labels[i] = scene.image, scene.labels
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
