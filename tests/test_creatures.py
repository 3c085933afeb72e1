"""Creatures: many kinds, told apart, never seen by mini's training."""

from __future__ import annotations

import numpy as np
import pytest

from napari_slip.errors import InputError
from napari_slip.synthesis.creatures import bestiary, creature_picture, write_creatures


def test_there_are_at_least_sixty_kinds_and_no_two_look_or_sound_alike():
    kinds = bestiary(72)
    assert len({kind.name for kind in kinds}) == 72
    assert len({(kind.body, kind.coat) for kind in kinds}) == 72
    assert bestiary(60) == kinds[:60]


def test_another_seed_makes_other_creatures():
    assert {kind.name for kind in bestiary(60, 1)} != {kind.name for kind in bestiary(60)}


@pytest.mark.parametrize("n", [0, 73])
def test_more_than_can_be_made_is_told(n):
    with pytest.raises(InputError, match="from 1 to 72 can be made"):
        bestiary(n)


def test_a_picture_is_the_same_for_the_same_seed_and_varies_with_it():
    kind = bestiary(3)[2]
    first, again, other = (creature_picture(kind, np.random.default_rng(seed), 96) for seed in (1, 1, 2))
    assert (first.image == again.image).all()
    assert (first.silhouette != other.silhouette).any()
    assert 0.03 < first.silhouette.mean() < 0.6


def test_the_coat_is_what_most_of_a_plain_creature_shows():
    red = next(kind for kind in bestiary(72) if kind.coat == "red" and kind.marking == "plain")
    drawn = creature_picture(red, np.random.default_rng(3), 128)
    inside = np.median(drawn.image[drawn.silhouette], axis=0)
    assert inside.argmax() == 0


def test_a_folder_is_made_by_class_and_goes_on_where_it_was_stopped(tmp_path):
    write_creatures(tmp_path, classes=2, images=2, side=48)
    pictures = sorted(path for path in tmp_path.rglob("*.png") if ".mask" not in path.name)
    assert len(pictures) == 4
    assert len({path.parent.name for path in pictures}) == 2
    kept = pictures[0].stat().st_mtime_ns
    pictures[1].unlink()
    write_creatures(tmp_path, classes=2, images=2, side=48)
    assert pictures[1].is_file()
    assert pictures[0].stat().st_mtime_ns == kept
