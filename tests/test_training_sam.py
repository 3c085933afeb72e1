from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.io import imread

from napari_slip.errors import InputError
from napari_slip.models.mini.sam import CONFIG, build_mini_sam
from napari_slip.training.mini.sam_augment import random_light, random_view
from napari_slip.training.mini.sam_check import frames, iou_with_labels, keep_best
from napari_slip.training.mini.sam_data import (
    Picture,
    choose_validation,
    kind_of,
    stretch_contrast,
    validation_stems,
)
from napari_slip.training.mini.sam_export import export, export_mean, restore, take_up
from napari_slip.training.mini.sam_loop import Trainer, train
from napari_slip.training.mini.sam_loss import (
    Batch,
    Question,
    mask_losses,
    questions,
    true_iou,
    window_targets,
)
from napari_slip.training.mini.sam_pools import drawer, is_held_out
from napari_slip.training.mini.sam_sources import microscopy
from napari_slip.training.mini.sam_targets import SMALLEST, interior_distance, targets_of
from napari_slip.training.mini.sam_views import Source, Views

if TYPE_CHECKING:
    from pathlib import Path

SMALL = CONFIG | {"embed_dim": 32, "widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "decoder_mlp": 32}


def squares(side: int = 300) -> Picture:
    """Squares whose red value is their label times ten."""
    labels = np.zeros((side, side), np.uint16)
    for i in range(3):
        for j in range(3):
            labels[20 + 95 * i : 70 + 95 * i, 20 + 95 * j : 70 + 95 * j] = 1 + 3 * i + j
    image = np.zeros((side, side, 3), np.uint8)
    image[..., 0] = labels * 10
    return Picture(image, labels)


def source(picture: Picture) -> Source:
    return Source([picture], [1.0], 1.0, (20.0, 60.0))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (np.full((256, 256), 10, np.uint8), "fluorescence small"),
        (np.full((360, 361), 10, np.uint8), "fluorescence large"),
        (np.full((256, 256), 200, np.uint8), "brightfield"),
        (np.full((256, 256, 3), (90, 20, 60), np.uint8), "brightfield"),
        (np.full((256, 256, 3), 10, np.uint8), "fluorescence small"),
    ],
)
def test_the_kind_is_told_by_colour_brightness_and_size(image: np.ndarray, kind: str) -> None:
    assert kind_of(image) == kind


def test_validation_takes_a_fifth_of_every_group_and_always_the_same() -> None:
    groups = {("a", (8,)): [f"a{i}" for i in range(50)], ("b", (8,)): ["b0", "b1", "b2"], ("c", (8,)): ["c0"]}
    chosen = choose_validation(groups)
    assert [sum(stem.startswith(g) for stem in chosen) for g in "abc"] == [10, 1, 0]
    assert chosen == choose_validation(groups)


def test_the_shipped_validation_list_is_the_one_that_the_rule_gives(data: Path) -> None:
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for path in sorted((data / "bbbc038" / "images").glob("*.png")):
        image = imread(path)
        groups.setdefault((kind_of(image), image.shape), []).append(path.stem)
    assert choose_validation(groups) == sorted(validation_stems())


def test_training_never_shows_a_validation_image(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    names = sorted(path.stem for path in (data / "bbbc038" / "images").glob("*.png"))
    pictures = {name: Picture(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint16)) for name in names}
    monkeypatch.setattr("napari_slip.training.mini.sam_sources.load_bbbc038", lambda folder: pictures)
    monkeypatch.setattr(
        "napari_slip.training.mini.sam_sources.validation_stems",
        lambda: asked.append("asked") or validation_stems(),  # type: ignore[func-returns-value]
    )
    assert len(microscopy(data).pictures) == len(names) - len(validation_stems())
    assert asked


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no training images"):
        microscopy(tmp_path)


def test_contrast_is_stretched_over_all_channels_alike() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[:25] = (100, 40, 0)
    out = stretch_contrast(image)
    assert out[0, 0].tolist() == [255, 102, 0]
    assert stretch_contrast(image[..., 0]).shape == (50, 50, 3)


@given(seed=st.integers(0, 200))
def test_image_and_labels_of_a_view_stay_together(seed: int) -> None:
    image, labels = random_view(squares(), 128, np.random.default_rng(seed), (30.0, 50.0))
    distance = interior_distance(labels)
    inside = distance > 3
    assert (np.abs(image[..., 0][inside] - 10.0 * labels[inside]) <= 2).all()


@given(seed=st.integers(0, 200))
def test_light_keeps_shape_and_type(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    out = random_light(image, rng)
    assert out.shape == image.shape
    assert out.dtype == np.uint8


@given(arrays(np.int32, (24, 24), elements=st.integers(0, 3)))
def test_distance_is_zero_exactly_on_background_and_edges(labels: np.ndarray) -> None:
    distance = interior_distance(labels)
    assert (distance[labels == 0] == 0).all()
    touching = np.zeros(labels.shape, bool)
    touching[1:] |= labels[1:] != labels[:-1]
    assert (distance[touching] == 0).all()


@given(seed=st.integers(0, 500))
def test_prompts_lie_on_what_they_ask_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, labels = random_view(squares(), 128, rng, (20.0, 60.0))
    targets = targets_of(labels, rng)
    columns, rows = targets.points.astype(int).T
    assert (labels[rows, columns] == targets.objects).all()
    for label, box in zip(targets.objects, targets.boxes, strict=True):
        if label:
            y, x = np.nonzero(labels == label)
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_thin_objects_are_asked_for_more_often() -> None:
    labels = np.zeros((256, 256), np.int32)
    for k in range(14):  # more than there are prompts
        y, x = 8 + 64 * (k // 4), 8 + 64 * (k % 4)
        labels[y : y + (6 if k < 4 else 32), x : x + 48] = k + 1
    rng = np.random.default_rng(0)
    asked = np.concatenate([targets_of(labels, rng).objects for _ in range(80)])
    times = np.bincount(asked, minlength=15)[1:]
    assert times.min() > 0
    assert times[:4].mean() > 1.5 * times[4:].mean()


@pytest.mark.parametrize("cells", [32, 64])
def test_every_prompt_that_a_window_holds_is_asked(cells: int) -> None:
    side = cells * 8
    extents = torch.linspace(10, 140, 40)
    points = torch.rand(1, 40, 2, generator=torch.Generator().manual_seed(1)) * (side - 1)
    boxes = torch.cat([points - extents[:, None] / 2, points + extents[:, None] / 2], dim=2)
    empty = torch.zeros(1, side // 4, side // 4)
    batch = Batch(
        images=torch.zeros(1, 3, side, side, dtype=torch.uint8),
        labels=torch.zeros(1, side, side, dtype=torch.int32),
        heat=empty,
        size=empty,
        objects=torch.arange(1, 41)[None],
        points=points,
        boxes=boxes,
        vectors=torch.zeros(1, 2, side // 4, side // 4),
    )
    counts = []
    for seed in range(10):
        asked = questions(batch, torch.Generator().manual_seed(seed))
        assert all(((q.corner >= 0) & (q.corner + q.side <= cells)).all() for q in asked)
        counts.append(sum(len(q.objects) for q in asked))
        whole = [q for q in asked if q.side == cells]
        assert sum(len(q.objects) for q in whole) <= 6
    assert np.mean(counts) > 34  # of 40: a few see the whole view instead, and of these some are left out


def test_every_object_has_one_peak_inside_it_that_tells_its_size() -> None:
    picture = squares()
    labels = picture.labels[:256, :256].astype(np.int32)
    labels[250:252, 3:5] = 99  # fewer pixels than count
    assert (labels == 99).sum() < SMALLEST
    targets = targets_of(labels, np.random.default_rng(0))
    rows, columns = np.nonzero(targets.heat == 1)
    under = labels[rows * 4 + 2, columns * 4 + 2]
    assert sorted(under) == sorted(set(np.unique(labels)) - {0, 99})
    sizes = np.sqrt([(labels == label).sum() for label in under])
    np.testing.assert_allclose(2 ** targets.size[rows, columns], sizes, rtol=0.01)


def test_targets_are_what_the_window_covers() -> None:
    labels = torch.zeros(2, 64, 64, dtype=torch.int32)
    labels[1, 16:31, 24:40] = 7
    question = Question(
        torch.tensor([1, 1]),
        torch.tensor([[1, 2], [1, 2]]),
        4,
        torch.tensor([7, 0]),
        torch.zeros(2, 2),
        torch.zeros(2, 4),
    )
    target = window_targets(labels, question)
    assert target.shape == (2, 16, 16)
    assert float(target[0].sum() * 4) == 15 * 16
    assert float(target[0, 11, 4]) == 0.5  # the last row covers half of its logit pixels
    assert float(target[1].sum()) == 0


def test_a_better_mask_loses_less() -> None:
    target = torch.zeros(1, 16, 16)
    target[0, 4:12, 4:12] = 1
    perfect = (target[:, None] * 2 - 1) * 8
    shifted = perfect.roll(2, dims=3)
    losses = mask_losses(torch.cat([perfect, shifted, -perfect], dim=1), target)[0]
    assert losses[0] < 0.01
    assert losses[0] < losses[1] < losses[2]
    assert true_iou(torch.cat([perfect, shifted], dim=1), target)[0].tolist() == pytest.approx([1.0, 0.6])


def test_the_best_masks_are_kept_where_they_overlap() -> None:
    masks = np.zeros((3, 10, 10), bool)
    masks[0, :5], masks[1, :6], masks[2, 7:] = True, True, True
    assert keep_best(masks, np.array([0.5, 0.9, 0.1])) == [1, 2]
    assert keep_best(masks[:0], np.empty(0)) == []
    labels = np.zeros((10, 10), np.int32)
    labels[:5] = 1
    assert iou_with_labels(masks, labels)[:, 0].tolist() == pytest.approx([1.0, 5 / 6, 0.0])


def test_small_pictures_fill_the_frame_and_large_ones_are_tiled() -> None:
    assert [frame.image.shape for frame in frames(squares(256))] == [(512, 512, 3)]
    assert len(frames(squares(1024))) == 4


def test_batches_depend_on_their_number_alone() -> None:
    views = Views([source(squares())], 0, 1, 2, 0.5)
    first, again = views.batch(3), views.batch(3)
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, again, strict=True))
    assert not torch.equal(views.batch(4).images, first.images)


@pytest.mark.slow
def test_a_resumed_training_takes_the_same_steps(tmp_path: Path) -> None:
    views = Views([source(squares())], 0, 1, 2, 0.0)
    whole = Trainer(SMALL)
    for number in range(3):
        whole.step(views.batch(number))
        if number == 0:
            whole.save(tmp_path / "state.pt")
    resumed = Trainer(SMALL, seed=0)
    resumed.load(tmp_path / "state.pt")
    for number in range(1, 3):
        resumed.step(views.batch(number))
    for (name, a), b in zip(
        whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, msg=name)


@pytest.mark.slow
def test_training_learns_and_exports(tmp_path: Path) -> None:
    trainer = Trainer(SMALL)
    views = Views([source(squares())], 0, 1, 2, 0.0)
    batch = views.batch(0)
    losses = [sum(trainer.step(batch)[key] for key in ("centres", "masks")) for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    export(trainer.average, SMALL, tmp_path / "sam.safetensors")
    read = restore(tmp_path / "sam.safetensors").state_dict()
    for name, value in trainer.average.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(read[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_stretch_ends_when_told_to(tmp_path: Path) -> None:
    trainer = Trainer(SMALL)
    called: list[int] = []
    train(
        trainer,
        [source(squares())],
        minutes=60,
        size=2,
        each=lambda t: called.append(t.steps),
        stop=lambda: trainer.steps >= 2,
    )
    assert called == [3]


def test_held_out_emoji_are_in_no_training_pool(data: Path) -> None:
    from napari_slip.synthesis import emoji_sprites

    names = emoji_sprites(data).names
    kept = {name for i, name in enumerate(names) if is_held_out(i)}
    seen: set[str] = set()
    draw = drawer("emoji", data)
    for seed in range(6):
        seen |= {sprite.name for sprite in draw(np.random.default_rng(seed)).sprites}
    assert seen
    assert not seen & (kept - {name for i, name in enumerate(names) if not is_held_out(i)})


def test_training_goes_on_from_weights_with_fewer_blocks(tmp_path: Path) -> None:
    torch.manual_seed(1)
    shallow = build_mini_sam(SMALL)
    export(shallow, SMALL, tmp_path / "sam.safetensors")
    deep = build_mini_sam(SMALL | {"depths": [1, 2, 3, 1]})
    picture = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        before = deep.image_encoder(picture)
        take_up(deep, tmp_path / "sam.safetensors")
        expected = restore(tmp_path / "sam.safetensors").image_encoder(picture)
        assert not torch.allclose(before, expected, atol=1e-3)
        torch.testing.assert_close(deep.image_encoder(picture), expected)


@pytest.mark.parametrize("change", [{"widths": [8, 8, 16, 24]}, {"decoder_mlp": 64}, {"decoder_depth": 1}])
def test_training_does_not_go_on_from_weights_of_another_width(tmp_path: Path, change) -> None:
    export(build_mini_sam(SMALL | change), SMALL | change, tmp_path / "sam.safetensors")
    with pytest.raises(InputError, match="weights of another shape"):
        take_up(build_mini_sam(SMALL), tmp_path / "sam.safetensors")


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_the_mean_lies_between_start_and_end(tmp_path: Path, share: float) -> None:
    start, end, between = (tmp_path / f"{name}.safetensors" for name in ("start", "end", "mean"))
    torch.manual_seed(1)
    model = build_mini_sam(SMALL)
    export(model, SMALL, start)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value += torch.rand_like(value)
    export(model, SMALL, end)
    export_mean(model, SMALL, start, between, share)
    first, last, mean = (restore(path).state_dict() for path in (start, end, between))
    for name, value in mean.items():
        if value.is_floating_point():
            between_them = (1 - share) * first[name] + share * last[name]
            torch.testing.assert_close(value, between_them, rtol=1e-2, atol=1e-2)
            assert not torch.equal(value, first[name])
