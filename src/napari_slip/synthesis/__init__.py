"""Procedural pictures of named things, for training and for tests: numpy, scipy and scikit-image only."""

from napari_slip.synthesis._backgrounds import GROUNDS, background, crop, leaves, photograph
from napari_slip.synthesis._captions import TEMPLATES, THINGS, captions, choose, described, synonyms
from napari_slip.synthesis._colours import COLOURS
from napari_slip.synthesis._degrade import degrade
from napari_slip.synthesis._emoji import EmojiSprites, emoji_sprites, turned
from napari_slip.synthesis._nuclei import MODALITIES, draw_nuclei
from napari_slip.synthesis._scenes import Scene, SpriteSource, any_sprite, coin_scene, draw_scene
from napari_slip.synthesis._series import SERIES, Series, draw_series
from napari_slip.synthesis._sprites import NAMES, TEXTURES, Sprite, colour_of, draw, measured

__all__ = [
    "COLOURS",
    "GROUNDS",
    "MODALITIES",
    "NAMES",
    "SERIES",
    "TEMPLATES",
    "TEXTURES",
    "THINGS",
    "EmojiSprites",
    "Scene",
    "Series",
    "Sprite",
    "SpriteSource",
    "any_sprite",
    "background",
    "captions",
    "choose",
    "coin_scene",
    "colour_of",
    "crop",
    "degrade",
    "described",
    "draw",
    "draw_nuclei",
    "draw_scene",
    "draw_series",
    "emoji_sprites",
    "leaves",
    "measured",
    "photograph",
    "synonyms",
    "turned",
]
