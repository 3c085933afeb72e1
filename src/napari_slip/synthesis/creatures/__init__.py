"""Creatures: little monsters with names of their own, for teaching a model what it has never seen.

Nothing that mini is trained on may import this room, so that its classes are new to every model here.
"""

from napari_slip.synthesis.creatures._drawing import draw_creature
from napari_slip.synthesis.creatures._folder import write_creatures
from napari_slip.synthesis.creatures._grammar import Species, bestiary
from napari_slip.synthesis.creatures._picture import CreaturePicture, creature_picture

__all__ = [
    "CreaturePicture",
    "Species",
    "bestiary",
    "creature_picture",
    "draw_creature",
    "write_creatures",
]
