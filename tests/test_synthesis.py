"""Procedural pictures: what is drawn is what was asked for, labelled exactly, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from skimage.measure import label, regionprops

from napari_slip.errors import InputError
from napari_slip.synthesis import (
    COLOURS,
    GROUNDS,
    MODALITIES,
    NAMES,
    TEXTURES,
    Scene,
    Sprite,
    _nuclei,
    background,
    captions,
    coin_scene,
    colour_of,
    degrade,
    draw,
    draw_nuclei,
    draw_scene,
    emoji_sprites,
    measured,
    photograph,
    turned,
)

seeds = st.integers(0, 2**32 - 1)


def same(first: Scene, second: Scene) -> bool:
    return np.array_equal(first.image, second.image) and np.array_equal(first.labels, second.labels)


def test_there_are_many_names() -> None:
    assert len(NAMES) >= 40
    assert len(set(NAMES)) == len(NAMES)
    assert {"circle", "leaf", "fish", "coin", "cup of coffee", "cell nucleus"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_cut_out_tightly_and_not_larger_than_asked(name: str) -> None:
    sprite = draw(name, default_rng(1), 64)
    alpha = sprite.rgba[..., 3]
    assert sprite.name == name
    assert sprite.rgba.dtype == np.uint8
    assert 20 <= max(alpha.shape) <= 64
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    assert (alpha > 127).sum() > 100


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_varies_with_the_seed_and_with_nothing_else(name: str) -> None:
    first, again, other = (draw(name, default_rng(seed), 48).rgba for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_small_drawings_are_drawn_too() -> None:
    for name in NAMES:
        assert (draw(name, default_rng(3), 12).rgba[..., 3] > 60).sum() >= 6


@given(seeds, st.sampled_from(["square", "star", "heart", "hexagon", "circle"]), st.sampled_from(COLOURS))
@settings(max_examples=60, deadline=None)
def test_the_colour_asked_for_is_the_colour_seen(seed: int, name: str, colour: str) -> None:
    sprite = draw(name, default_rng(seed), 60, colour=colour, texture="plain")
    assert sprite.attributes["colour"] == colour
    inside = sprite.rgba[..., 3] > 250
    mean = sprite.rgba[inside][:, :3].mean(axis=0)
    plain = np.zeros((1, 1, 4), np.uint8)
    plain[0, 0] = [*mean.astype(np.uint8), 255]
    near = {colour} | {"grey": {"black", "white"}, "brown": {"red", "black", "orange"}, "red": {"brown"}}.get(
        colour, set()
    )
    near |= {
        "pink": {"white", "purple", "red"},
        "orange": {"brown", "yellow"},
        "white": {"grey"},
        "yellow": {"orange"},
    }.get(colour, set())
    near |= {"black": {"grey", "blue", "green", "brown", "purple", "red"}, "cyan": {"green", "blue"}}.get(
        colour, set()
    )
    assert colour_of(plain) in near


def test_textures_differ_from_a_plain_surface() -> None:
    spread = {}
    for texture in TEXTURES:
        sprite = draw("square", default_rng(4), 80, colour="blue", texture=texture)
        spread[texture] = sprite.rgba[sprite.rgba[..., 3] == 255][:, :3].std(axis=0).max()
        assert sprite.attributes["texture"] == texture
    assert all(spread[texture] > 2 * spread["plain"] for texture in TEXTURES if texture != "plain")


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(ValueError, match=r"'unicorn'.*NAMES"):
        draw("unicorn", default_rng(0))


def test_shape_and_brightness_are_measured() -> None:
    assert measured(draw("circle", default_rng(0), 64, colour="white").rgba) == {
        "shape": "round",
        "brightness": "bright",
    }
    pencil = draw("worm", default_rng(0), 64, colour="black", texture="plain")
    assert pencil.attributes["shape"] == "elongated"
    assert pencil.attributes["brightness"] == "dark"


@given(seeds, st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_captions_say_nothing_false(seed: int, name: str) -> None:
    rng = default_rng(seed)
    sprite = draw(name, rng, 24)
    text = captions(sprite, rng)
    assert text == text.lower().strip() != ""
    said = set(text.split()) & set(COLOURS) - set(name.split())
    assert said <= {sprite.attributes["colour"]}
    for texture in ("striped", "dotted", "checkered"):
        assert texture not in text.split() or sprite.attributes["texture"] == texture


def test_captions_vary() -> None:
    rng = default_rng(0)
    sprite = draw("fish", rng, 40, colour="red", texture="striped")
    texts = {captions(sprite, rng) for _ in range(300)}
    assert len(texts) > 60
    assert "fish" in texts
    assert any("red" in text for text in texts)
    assert any("striped" in text for text in texts)


@given(seeds)
@settings(max_examples=12, deadline=None)
def test_a_scene_is_labelled_exactly(seed: int) -> None:
    scene = draw_scene(default_rng(seed), (160, 200), (3, 8))
    assert scene.image.shape == (160, 200, 3)
    assert scene.labels.dtype == np.int32
    ids = np.unique(scene.labels)
    assert ids.max(initial=0) <= len(scene.sprites)
    for k, sprite in enumerate(scene.sprites, start=1):
        whole = (sprite.rgba[..., 3] > 127).sum()
        assert (scene.labels == k).sum() >= 0.25 * whole  # at most 60 % covered, and a part may lie outside


def test_a_clean_scene_shows_each_sprite_where_its_label_is() -> None:
    red = np.zeros((20, 20, 4), np.uint8)
    red[...] = (255, 0, 0, 255)
    scene = draw_scene(
        default_rng(0),
        (100, 100),
        (4, 4),
        sprites=lambda rng, size: Sprite(red, "square"),
        ground=lambda rng, shape: np.zeros((*shape, 3), np.float32),
        degradation=0,
    )
    assert len(scene.sprites) == 4
    assert (scene.image[scene.labels > 0] == (255, 0, 0)).all()
    assert (scene.image[scene.labels == 0] == 0).all()


def test_without_overlap_nothing_is_covered() -> None:
    scene = draw_scene(default_rng(2), (256, 256), (8, 8), overlap=0, size=(0.1, 0.15))
    inside = np.pad(scene.labels, 1)[1:-1, 1:-1]
    border = set(np.unique([inside[0], inside[-1], inside[:, 0], inside[:, -1]]))
    for k, sprite in enumerate(scene.sprites, start=1):
        if k not in border:
            assert (scene.labels == k).sum() == (sprite.rgba[..., 3] > 127).sum()


def test_an_empty_scene_is_empty() -> None:
    scene = draw_scene(default_rng(0), (64, 64), (0, 0))
    assert scene.sprites == ()
    assert not scene.labels.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: draw_scene(rng, (128, 128)),
        lambda rng: draw_nuclei(rng, (128, 128)),
        lambda rng: coin_scene(rng, (200, 200)),
    ],
    ids=["scene", "nuclei", "coins"],
)
def test_the_same_seed_makes_the_same_pixels(make) -> None:  # type: ignore[no-untyped-def]
    assert same(make(default_rng(7)), make(default_rng(7)))
    assert not same(make(default_rng(7)), make(default_rng(8)))


@pytest.mark.parametrize("kind", GROUNDS)
def test_backgrounds_have_the_shape_and_range_asked_for(kind: str) -> None:
    ground = background(default_rng(0), (50, 70), kind)
    assert ground.shape == (50, 70, 3)
    assert ground.dtype == np.float32
    assert ground.min() >= 0
    assert ground.max() <= 1


def test_an_unknown_background_is_told() -> None:
    with pytest.raises(ValueError, match=r"'lava'.*wood"):
        background(default_rng(0), (8, 8), "lava")


def test_photographs_are_cut_to_shape() -> None:
    crop = photograph(default_rng(0), (90, 60))
    assert crop.shape == (90, 60, 3)
    assert crop.std() > 0.02


@pytest.mark.parametrize("modality", MODALITIES)
def test_nuclei_stand_out_from_their_ground(modality: str) -> None:
    scene = draw_nuclei(default_rng(1), (200, 200), modality=modality, n_objects=(20, 20))
    grey = scene.image.mean(axis=2)
    inside, outside = grey[scene.labels > 0].mean(), grey[scene.labels == 0].mean()
    assert (inside > outside) == (modality == "fluorescence")
    assert {sprite.name for sprite in scene.sprites} == {"cell nucleus"}
    assert len(scene.sprites) == scene.labels.max()


def test_some_tissue_is_stained_brown(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    for marked in (0.0, 1.0):
        monkeypatch.setattr(_nuclei, "MARKED", marked)
        scenes = [draw_nuclei(default_rng(k), modality="tissue", n_objects=(60, 60)) for k in range(12)]
        red, green, blue = np.stack([s.image for s in scenes]).reshape(-1, 3).astype(int).T
        shares.append(((red > blue + 25) & (green > blue)).mean())
    assert shares[1] > 0.02 > 0.002 > shares[0]


@pytest.mark.parametrize("aligned", [True, False])
def test_nuclei_of_a_gland_lie_side_by_side(monkeypatch: pytest.MonkeyPatch, aligned: bool) -> None:
    monkeypatch.setattr(_nuclei, "MARKED", 1.0)
    monkeypatch.setattr(_nuclei, "ALIGNED", float(aligned))
    for seed in range(4):
        scene = draw_nuclei(default_rng(seed), modality="tissue", n_objects=(60, 60))
        ways = np.array([nucleus.orientation for nucleus in regionprops(scene.labels)])
        assert (abs(np.exp(2j * ways).mean()) > 0.6) == aligned


def test_crowds_of_nuclei_touch() -> None:
    scene = draw_nuclei(default_rng(0), (512, 512), n_objects=(200, 200))
    assert scene.labels.max() >= 150
    assert label(scene.labels > 0).max() < 0.9 * scene.labels.max()


def test_an_image_may_hold_no_nucleus() -> None:
    scene = draw_nuclei(default_rng(0), (64, 64), n_objects=(0, 0))
    assert not scene.labels.any()
    assert scene.image.shape == (64, 64, 3)


def test_an_unknown_modality_is_told() -> None:
    with pytest.raises(ValueError, match=r"'x-ray'.*fluorescence"):
        draw_nuclei(default_rng(0), modality="x-ray")


def test_degrading_with_no_strength_changes_nothing() -> None:
    image = draw_scene(default_rng(0), (64, 64)).image
    assert np.array_equal(degrade(image, default_rng(0), strength=0), image)


def test_inversion_inverts() -> None:
    image = draw_scene(default_rng(0), (64, 64)).image
    assert np.array_equal(degrade(image, default_rng(0), strength=0, invert=1), 255 - image)


def test_degrading_keeps_the_picture_recognisable() -> None:
    image = draw_scene(default_rng(0), (128, 128), degradation=0).image
    changed = [degrade(image, default_rng(seed)) for seed in range(12)]
    assert sum(not np.array_equal(image, other) for other in changed) >= 9
    assert all(np.corrcoef(image.ravel(), other.ravel())[0, 1] > 0.6 for other in changed)


def test_emoji_are_named_and_coloured(data) -> None:  # type: ignore[no-untyped-def]
    emoji = emoji_sprites(data)
    assert len(emoji) > 700
    assert not any("digit" in name or "regional indicator" in name for name in emoji.names)
    apple = emoji[emoji.names.index("red apple")]
    assert apple.attributes["colour"] == "red"
    small = turned(apple, default_rng(0), 40)
    assert max(small.rgba.shape[:2]) <= 40
    assert small.name == "red apple"
    assert len(draw_scene(default_rng(0), (128, 128), (3, 3), sprites=emoji).sprites) >= 1


def test_a_folder_without_emoji_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"names\.tsv"):
        emoji_sprites(tmp_path)
