"""The one table of things: how each is drawn, in which colours it comes, and what people call it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_slip.synthesis import _coin, _geometry, _micro, _nature, _objects
from napari_slip.synthesis._colours import COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from napari_slip.synthesis._canvas import Canvas
    from napari_slip.synthesis._ink import Ink


@dataclass(frozen=True)
class Thing:
    """One entry: `colours` are drawn at equal odds, repeated ones more often."""

    draw: Callable[[Canvas, np.random.Generator, Ink], None]
    colours: tuple[str, ...] = COLOURS
    words: tuple[str, ...] = ()
    textured: bool = True
    aspect: tuple[float, float] = (0.85, 1.0)


_METAL = ("grey", "grey", "grey", "yellow", "brown", "orange", "black")
_STAIN = ("purple", "blue", "pink", "green", "cyan", "red", "grey", "white", "brown")
_ROUND = (0.97, 1.0)

_GEOMETRIC = {
    "circle": Thing(_geometry.circle, words=("disc",), aspect=_ROUND),
    "ellipse": Thing(_geometry.flat_ellipse, words=("oval",)),
    "square": Thing(_geometry.square, aspect=_ROUND),
    "rectangle": Thing(_geometry.rectangle, words=("box",), aspect=_ROUND),
    "triangle": Thing(_geometry.triangle, aspect=(0.8, 1.0)),
    "star": Thing(_geometry.star, words=("star shape",)),
    "ring": Thing(_geometry.ring, words=("hoop", "annulus"), aspect=(0.9, 1.0)),
    "cross": Thing(_geometry.cross, words=("plus sign",)),
    "crescent": Thing(_geometry.crescent, words=("moon", "crescent moon")),
    "heart": Thing(_geometry.heart, words=("heart shape",)),
    "pentagon": Thing(_geometry.pentagon, aspect=_ROUND),
    "hexagon": Thing(_geometry.hexagon, aspect=_ROUND),
    "diamond": Thing(_geometry.diamond, words=("rhombus",)),
    "semicircle": Thing(_geometry.semicircle, words=("half circle",), aspect=_ROUND),
    "arrow": Thing(_geometry.arrow, words=("pointer",)),
    "spiral": Thing(_geometry.spiral, words=("coil",), textured=False, aspect=(0.9, 1.0)),
}
_NATURE = {
    "cloud": Thing(_geometry.cloud, ("white", "grey", "blue", "pink"), textured=False),
    "snowflake": Thing(_geometry.snowflake, ("white", "cyan", "blue", "grey"), (), False, (0.9, 1.0)),
    "leaf": Thing(_nature.leaf, ("green", "green", "green", "brown", "red", "orange", "yellow")),
    "flower": Thing(_nature.flower, words=("blossom", "daisy")),
    "mushroom": Thing(
        _nature.mushroom, ("red", "brown", "orange", "white", "yellow", "purple"), ("toadstool",)
    ),
    "fish": Thing(_nature.fish),
    "butterfly": Thing(_nature.butterfly, words=("moth",)),
    "beetle": Thing(_nature.beetle, words=("insect", "bug")),
    "shell": Thing(
        _nature.shell, ("white", "pink", "orange", "brown", "purple", "yellow"), ("sea shell", "scallop")
    ),
    "snail": Thing(_nature.snail),
    "starfish": Thing(
        _nature.starfish, ("orange", "red", "purple", "blue", "brown", "yellow"), ("sea star",)
    ),
    "feather": Thing(_nature.feather, words=("plume",)),
    "egg": Thing(_nature.egg, ("white", "brown", "yellow", "blue", "pink", "green")),
    "apple": Thing(_nature.apple, ("red", "red", "green", "yellow"), (), False),
    "banana": Thing(_nature.banana, ("yellow", "yellow", "green", "brown"), (), False),
    "pear": Thing(_nature.pear, ("green", "yellow", "brown"), (), False),
    "carrot": Thing(_nature.carrot, ("orange", "orange", "purple", "yellow"), (), False),
    "cherry": Thing(
        _nature.cherry, ("red", "red", "black", "yellow"), ("cherries", "pair of cherries"), False
    ),
    "tree": Thing(_nature.tree, ("green", "green", "orange", "yellow", "red"), (), False),
}
_OBJECTS = {
    "coin": Thing(_coin.coin, _METAL[:-1], ("old coin", "money", "metal coin"), False, (0.95, 1.0)),
    "crystal": Thing(_objects.crystal, words=("gem", "mineral"), textured=False),
    "key": Thing(_objects.key, _METAL, (), False),
    "cup": Thing(_objects.cup, words=("mug", "empty cup"), aspect=(0.9, 1.0)),
    "cup of coffee": Thing(_objects.cup_of_coffee, words=("coffee", "coffee cup"), aspect=(0.9, 1.0)),
    "saucer": Thing(_objects.saucer, words=("plate", "dish"), aspect=_ROUND),
    "spoon": Thing(_objects.spoon, _METAL, ("teaspoon",), False),
    "fork": Thing(_objects.fork, _METAL, (), False),
    "button": Thing(_objects.button, aspect=_ROUND),
    "vase": Thing(_objects.vase, words=("pot", "jar")),
    "bottle": Thing(_objects.bottle, ("green", "brown", "blue", "white", "red", "grey"), ("flask",), False),
    "pencil": Thing(_objects.pencil, words=("crayon",), textured=False),
    "umbrella": Thing(_objects.umbrella, words=("parasol",)),
    "light bulb": Thing(_objects.light_bulb, ("yellow", "white", "cyan", "orange"), ("lamp",), False),
    "ladder": Thing(_objects.ladder, ("brown", "grey", "yellow", "red", "blue"), (), False),
    "house": Thing(_objects.house, words=("building",), textured=False),
    "sun": Thing(_objects.sun, ("yellow", "yellow", "orange", "red"), (), False),
    "gear": Thing(_geometry.gear, (*_METAL, "blue", "red"), ("cog", "cogwheel"), False),
}
_MICRO = {
    "cell": Thing(_micro.cell, _STAIN, ("biological cell",), False),
    "cell nucleus": Thing(_micro.nucleus, ("purple", "blue", "purple", "pink"), ("nucleus", "nuclei"), False),
    "pollen": Thing(_micro.pollen, ("yellow", "orange", "green", "brown", "pink"), ("pollen grain",), False),
    "diatom": Thing(_micro.diatom, ("green", "brown", "cyan", "yellow", "grey"), ("alga",), False),
    "worm": Thing(_micro.worm, ("pink", "brown", "grey", "white", "green", "black"), ("nematode",), False),
    "bacterium": Thing(
        _micro.bacterium, ("green", "purple", "blue", "red", "pink"), ("bacteria", "microbe"), False
    ),
    "red blood cell": Thing(_micro.red_blood_cell, ("red", "pink"), ("erythrocyte", "blood cell"), False),
    "neuron": Thing(
        _micro.neuron, ("green", "purple", "yellow", "red", "white", "blue"), ("nerve cell",), False
    ),
}
CATALOGUE: Mapping[str, Thing] = MappingProxyType(_GEOMETRIC | _NATURE | _OBJECTS | _MICRO)
