"""Scenes on photographs, which show objects that no label tells: nothing may be learnt about these."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_slip.synthesis import crop
from napari_slip.training.mini import clip_pool
from napari_slip.training.mini.clip_pool import Painter
from napari_slip.training.mini.sam_data import Picture
from napari_slip.training.mini.sam_dense import DenseHead, dense_loss
from napari_slip.training.mini.sam_loss import centre_loss
from napari_slip.training.mini.sam_pools import COUNTS, SHARES, SIZES, drawer, write_pool
from napari_slip.training.mini.sam_sources import Pool, scenes
from napari_slip.training.mini.sam_targets import PROMPTS, UNTOLD
from napari_slip.training.mini.sam_views import Source, Views

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slip.training.mini.sam_loss import Batch


def one_square(*, scenery: bool) -> Batch:
    labels = np.zeros((300, 300), np.uint16)
    labels[120:180, 120:180] = 1
    picture = Picture(np.full((300, 300, 3), 90, np.uint8), labels)
    return Views([Source([picture], [1.0], 1.0, (40.0, 60.0), scenery=scenery)], 0, 1, 1, 0.0).batch(3)


def test_in_scenery_nothing_is_told_but_the_objects() -> None:
    batch, plain = one_square(scenery=True), one_square(scenery=False)
    assert torch.equal(batch.labels > 0, plain.labels > 0)
    assert set(batch.labels.unique().tolist()) == {UNTOLD, 1}
    assert batch.objects.shape == plain.objects.shape == (1, PROMPTS)
    assert (batch.objects == 1).all()
    assert (plain.objects == 0).any()
    told = ~batch.heat.isnan()
    assert torch.equal(batch.heat[told], plain.heat[told])
    assert (plain.heat[~told] == 0).all()
    assert (~told).any()


def test_what_is_not_told_changes_no_weight() -> None:
    batch = one_square(scenery=True)
    heat_logits = torch.zeros_like(batch.heat, requires_grad=True)
    size = torch.zeros_like(batch.size, requires_grad=True)
    centre_loss(heat_logits, size, batch.heat, batch.size).backward()
    assert heat_logits.grad is not None
    assert heat_logits.grad.isfinite().all()
    assert torch.equal(heat_logits.grad != 0, ~batch.heat.isnan())

    torch.manual_seed(0)
    head, embedding = DenseHead(8), torch.rand(1, 8, 32, 32, requires_grad=True)
    dense_loss(head, embedding, batch).backward()
    assert embedding.grad is not None
    cells = embedding.grad.abs().sum(dim=1) > 0
    near = torch.nn.functional.max_pool2d((batch.labels > 0).float()[:, None], 10, 8, 1)[:, 0] > 0
    assert cells[batch.labels[:, ::8, ::8] > 0].all()
    assert not cells[~near].any()


@pytest.fixture
def with_photograph(tmp_path: Path) -> Path:
    """Return a folder of data with one photograph, of a sky without red."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    shades = np.linspace(0, 255, 1500).astype(np.uint8)
    imsave(
        folder / "sky.jpg",
        np.stack([np.zeros((1500, 1500), np.uint8), *[np.tile(shades, (1500, 1))] * 2], -1),
    )
    return tmp_path


def test_scenery_is_cut_from_the_photographs_that_there_are(with_photograph: Path) -> None:
    draw = drawer("drawn in scenery", with_photograph)
    reds = []
    for seed in range(4):
        scene = draw(np.random.default_rng(seed))
        ground = scene.image[scene.labels == 0].astype(float)
        reds.append(ground[:, 0].mean() - ground[:, 1:].mean())
        assert scene.labels.max() >= 1
    assert np.mean(reds) < -40, "the ground is not the photograph, which has no red"


def test_the_clip_sees_what_photographs_show_besides_under_no_name(
    with_photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_pool, "PHOTOGRAPHED", 1.0)
    painter = Painter(None)
    plain = painter.shard(0, 0, 200)
    painter.data = with_photograph
    crops = painter.shard(0, 0, 200)
    scenery = painter.concepts.index("scenery")
    assert not (plain.concept == scenery).any()
    shown = crops.concept == scenery
    assert shown.any()
    assert (crops.attributes[shown] == -1).all()
    red, green, _ = crops.images[shown].reshape(-1, 3).mean(axis=0)
    assert red < 0.8 * green


def test_without_photographs_scenery_is_drawn(tmp_path: Path) -> None:
    one, other = (drawer("drawn in scenery", tmp_path)(np.random.default_rng(seed)).image for seed in (1, 2))
    assert one.std() > 5
    assert not np.array_equal(one, other)


def test_every_pool_has_a_share_and_sizes_and_some_are_scenery(tmp_path: Path) -> None:
    assert set(COUNTS) == set(SHARES) == set(SIZES)
    assert sum(SHARES.values()) < 1
    for name in ("drawn", "drawn in scenery"):
        write_pool(name, tmp_path, tmp_path / name, 1)
        assert scenes(tmp_path / name, 0.1).scenery == ("scenery" in name)


def test_a_pool_goes_to_the_process_that_loads_views_without_its_pictures(tmp_path: Path) -> None:
    write_pool("drawn", tmp_path, tmp_path / "drawn", 2)
    pool = Pool(tmp_path / "drawn", (0.4, 1.6))
    sent = pickle.dumps(pool)
    assert len(sent) < 2000 < pool.images.nbytes
    again = pickle.loads(sent)
    assert again.zoom == pool.zoom
    assert all(np.array_equal(one.image, other.image) for one, other in zip(again, pool, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_is_a_square_of_the_picture(seed: int) -> None:
    y, x = np.mgrid[:90, :140].astype(np.float32)
    picture = np.stack([y, x, y * 0, y], axis=-1)
    cut = crop(picture, np.random.default_rng(seed), (32, 32), smallest=0.4)
    assert cut.shape == (32, 32, 3)
    height, width = np.ptp(cut[..., 0]), np.ptp(cut[..., 1])
    assert height == pytest.approx(width, abs=2)
    assert 0.4 * 90 - 5 <= height <= 90
    again = crop(picture, np.random.default_rng(seed), (32, 32), smallest=0.4)
    assert np.array_equal(cut, again)
