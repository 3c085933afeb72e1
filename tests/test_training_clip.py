"""Training mini CLIP: what captions mean, what crops show, and that a stretch can be resumed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from napari_slip.synthesis import NAMES
from napari_slip.training.mini.clip_concepts import (
    ANYTHING,
    ATTRIBUTES,
    Caption,
    Concepts,
    caption,
    encode,
    plural,
    strangers,
    truth,
)
from napari_slip.training.mini.clip_masks import cut, imperfect, patch

EMOJI = ("red apple", "tropical fish", "rocket")
CONCEPTS = Concepts.of(EMOJI)


def is_true(text_of: str, attributes: dict[str, str], shown: str, seen: dict[str, str]) -> int:
    concept = ANYTHING if text_of == "object" else CONCEPTS.index(text_of)
    asked = [Caption("", concept, encode(attributes))]
    answer = truth(asked, CONCEPTS, np.array([CONCEPTS.index(shown)]), np.array([encode(seen)]))
    return int(answer[0, 0])


@pytest.mark.parametrize(
    ("name", "attributes", "shown", "seen", "expected"),
    [
        ("fish", {}, "fish", {"colour": "red"}, 1),
        ("fish", {"colour": "red"}, "fish", {"colour": "red", "texture": "striped"}, 1),
        ("fish", {"colour": "blue"}, "fish", {"colour": "red"}, 0),
        ("circle", {"colour": "red"}, "fish", {"colour": "red"}, 0),
        ("object", {"colour": "red"}, "fish", {"colour": "red"}, 1),
        ("object", {"colour": "red"}, "background", {}, 0),
        ("fish", {"texture": "striped"}, "fish", {"colour": "red"}, -1),
        ("circle", {"texture": "striped"}, "fish", {"colour": "red"}, 0),
        ("fish", {}, "tropical fish", {}, -1),
        ("cell nucleus", {}, "tissue nucleus", {}, 1),
        ("tissue nucleus", {}, "cell nucleus", {}, -1),
        ("cell nucleus", {}, "cluster of nuclei", {}, 0),
        ("cell", {}, "fluorescent nucleus", {}, 1),
        ("cell nucleus", {}, "cell", {}, 0),
        ("background", {}, "tissue background", {}, 1),
        ("object", {}, "part", {}, 0),
        ("object", {}, "group", {}, -1),
        ("fish", {}, "scenery", {}, 0),
        ("leaf", {}, "scenery", {}, -1),
        ("background", {}, "scenery", {}, -1),
        ("object", {}, "scenery", {}, -1),
    ],
)
def test_what_is_true_of_a_crop(name, attributes, shown, seen, expected) -> None:  # type: ignore[no-untyped-def]
    assert is_true(name, attributes, shown, seen) == expected


def test_drawn_names_never_stand_for_each_other() -> None:
    n = len(NAMES)
    cells = {"cell": 1, "cell nucleus": 1, "red blood cell": 1, "neuron": -1, "bacterium": -1}
    expected = np.eye(n)
    for name, relation in cells.items():  # one calls many things a cell
        expected[CONCEPTS.index("cell"), CONCEPTS.index(name)] = relation
    assert np.array_equal(CONCEPTS.relation[:n, :n], expected)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("coin", "coins"),
        ("leaf", "leaves"),
        ("cell nucleus", "cell nuclei"),
        ("cup of coffee", "cups of coffee"),
        ("bacteria", "bacteria"),
        ("fish", "fish"),
    ],
)
def test_things_are_named_as_one_says_them_of_many(one, many) -> None:  # type: ignore[no-untyped-def]
    assert plural(one) == many


def test_captions_speak_of_one_and_of_many() -> None:
    rng, column = default_rng(0), CONCEPTS.index("banana")
    texts = [caption(rng, CONCEPTS, column, [-1] * len(ATTRIBUTES)).text for _ in range(400)]
    assert 0.1 < np.mean(["bananas" in text for text in texts]) < 0.2
    assert not any("a bananas" in text for text in texts)


@given(st.integers(0, 2**32 - 1))
def test_a_caption_is_true_of_its_own_crop(seed: int) -> None:
    rng = default_rng(seed)
    concept = int(rng.integers(len(CONCEPTS.names)))
    attributes = [int(rng.integers(-1, len(values))) for values in ATTRIBUTES.values()]
    written = caption(rng, CONCEPTS, concept, attributes)
    if not (
        written.concept == ANYTHING and CONCEPTS.names[concept] in ("part", "group", "cluster of nuclei")
    ):
        assert truth([written], CONCEPTS, np.array([concept]), np.array([attributes]))[0, 0] == 1
    assert written.text.strip() == written.text != ""


def test_strangers_are_true_of_nothing() -> None:
    texts = strangers(default_rng(0), CONCEPTS, 50)
    everything = np.arange(len(CONCEPTS.names))
    unknown = np.full((len(everything), len(ATTRIBUTES)), -1)
    assert not truth(texts, CONCEPTS, everything, unknown).any()
    known = {word for name in CONCEPTS.names for word in name.split()}
    assert not any(set(text.text.split()[-1:]) & known for text in texts)


@given(st.integers(0, 2**32 - 1), st.integers(6, 20))
def test_imperfect_masks_still_show_the_same_thing(seed: int, radius: int) -> None:
    y, x = np.mgrid[:64, :64]
    disc = (y - 32) ** 2 + (x - 32) ** 2 < radius**2
    other = imperfect(default_rng(seed), disc)
    assert (disc & other).sum() / (disc | other).sum() > 0.35
    assert (disc & other).sum() > 0.6 * other.sum()


def test_a_cut_keeps_one_side() -> None:
    mask = np.ones((40, 40), bool)
    part = cut(default_rng(0), mask, 0.25)
    assert part.sum() == pytest.approx(400, abs=45)
    assert not (part & ~mask).any()


def test_patches_lie_in_the_open() -> None:
    free = np.ones((60, 60), bool)
    free[20:40] = False
    spot = patch(default_rng(0), free, 15)
    assert spot is not None
    assert not (spot & ~free).any()
    assert patch(default_rng(0), np.zeros((60, 60), bool), 15) is None


@pytest.fixture(scope="module")
def crops():  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    from napari_slip.training.mini.clip_pool import Painter

    return Painter(None).shard(0, 0, 256)


def test_a_shard_holds_crops_of_many_things(crops) -> None:  # type: ignore[no-untyped-def]
    from napari_slip.training.mini.clip_pool import IMAGE_SIZE

    assert crops.images.shape == (256, IMAGE_SIZE, IMAGE_SIZE, 3)
    assert len(np.unique(crops.concept)) > 20
    assert (np.diff(crops.scene) >= 0).all()
    assert (crops.images.reshape(256, -1).std(axis=1) > 1).mean() > 0.9


def test_the_same_shard_is_the_same(crops) -> None:  # type: ignore[no-untyped-def]
    from napari_slip.training.mini.clip_pool import Painter

    again = Painter(None).shard(0, 0, 64)
    assert np.array_equal(again.images, crops.images[:64])
    assert np.array_equal(again.concept, crops.concept[:64])
    assert not np.array_equal(Painter(None).shard(0, 1, 64).images, again.images)


def test_the_loss_counts_all_that_is_true_and_ignores_what_is_unknown() -> None:
    torch = pytest.importorskip("torch")
    from napari_slip.training.mini.clip_loss import contrastive

    images = torch.eye(3)
    texts = torch.eye(3)
    scale = torch.tensor(20.0)
    right = torch.eye(3, dtype=torch.int8)
    wrong = right.roll(1, dims=0)
    assert contrastive(images, texts, right, scale) < 1e-3 < contrastive(images, texts, wrong, scale)
    double = torch.cat([texts, texts])
    both = torch.cat([right, right], dim=1)
    once = torch.cat([right, torch.zeros_like(right)], dim=1)
    unknown = torch.cat([right, -right], dim=1)
    # Two equal captions share the probability: ln 2 for crops, nothing for captions.
    assert contrastive(images, double, both, scale) == pytest.approx(np.log(2) / 2, abs=1e-3)
    assert contrastive(images, double, unknown, scale) == pytest.approx(0, abs=1e-3)
    assert contrastive(images, double, once, scale) > contrastive(images, double, unknown, scale) + 0.3


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    pytest.importorskip("transformers")
    from napari_slip.training.mini.clip_loop import corpus
    from napari_slip.training.mini.clip_model import train_tokenizer

    return train_tokenizer(corpus(CONCEPTS, 0), 600)


def test_the_tokenizer_reads_any_text(tokenizer) -> None:  # type: ignore[no-untyped-def]
    ids = tokenizer(
        ["cell nucleus", "CELL  nucleus ", "ÄØ 東 zyzzyva", "a " * 200], truncation=True
    ).input_ids
    assert ids[0] == ids[1]
    assert len(ids[3]) == tokenizer.model_max_length
    assert all(row[0] == tokenizer.bos_token_id and row[-1] == tokenizer.eos_token_id for row in ids)
    assert all(row.count(tokenizer.eos_token_id) == 1 for row in ids)


def test_different_texts_get_different_embeddings(tokenizer) -> None:  # type: ignore[no-untyped-def]
    import torch

    from napari_slip.training.mini.clip_model import build

    model = build(tokenizer).eval()
    assert sum(p.numel() for p in model.parameters()) < 3e6
    with torch.no_grad():
        tokens = tokenizer(
            ["red fish", "blue fish", "red fish and a coin"], padding=True, return_tensors="pt"
        )
        texts = model.get_text_features(**tokens).pooler_output
        alone = model.get_text_features(**tokenizer(["red fish"], return_tensors="pt")).pooler_output
    assert torch.allclose(texts[0], alone[0], atol=1e-5)  # whatever it is padded with
    assert (texts[0] - texts[1]).abs().max() > 1e-3
    assert (texts[0] - texts[2]).abs().max() > 1e-3


def test_the_first_layer_sees_detail_and_place(tokenizer, crops) -> None:  # type: ignore[no-untyped-def]
    import torch

    from napari_slip.training.mini.clip_feed import pixels
    from napari_slip.training.mini.clip_model import build, see_at_once

    model, seen = build(tokenizer), pixels(crops.images)
    embeddings = model.vision_model.embeddings

    def spread() -> tuple[float, float]:
        patches = embeddings.patch_embedding(seen).flatten(2).mT.flatten(0, 1).detach()
        share = torch.linalg.svdvals(patches - patches.mean(dim=0)) ** 2
        places = embeddings.position_embedding.weight[1:].detach()
        return float(share[0] / share.sum()), float(places.std() / patches.std())

    before = spread()
    see_at_once(model, seen)
    after = spread()
    assert before[0] > 0.3 > 0.1 > after[0]  # one direction held most of what a patch says
    assert before[1] < 0.1 < 0.3 < after[1]  # and the place was lost beside it


@pytest.mark.parametrize("shape", [(16, 8), (8, 4, 3, 3)])
def test_orthogonal_steps_go_equally_far_in_all_directions(shape) -> None:  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch")
    from napari_slip.training.mini._muon import Muon, orthogonal

    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(2, 24, 60)))
    assert 0.5 < values.min() <= values.max() < 1.4
    few = torch.randn(2, 24, 3) @ torch.randn(2, 3, 60)  # gradients have few directions
    for precision in (torch.float32, torch.bfloat16):
        assert 0.5 < torch.linalg.matrix_norm(orthogonal(few.to(precision)).float(), 2).max() < 1.4
    weight = torch.nn.Parameter(torch.zeros(shape))
    aim = torch.randn(shape)
    optimizer = Muon([weight], lr=0.05, weight_decay=0)
    for _ in range(200):
        optimizer.zero_grad()
        (weight - aim).square().sum().backward()
        optimizer.step()
    assert (weight - aim).abs().max() < 0.3


def test_batches_keep_scenes_together_and_show_every_crop_once_a_pass(crops) -> None:  # type: ignore[no-untyped-def]
    from napari_slip.training.mini.clip_feed import Plan, batch

    plan = Plan(minutes=1, batch=32, shard=256, passes=2)
    rows = [batch(crops, CONCEPTS, plan, 16 + k, k)[0] for k in range(16)]
    assert sorted(np.concatenate(rows[:8])) == list(range(256))
    assert sorted(np.concatenate(rows[8:])) == list(range(256))
    assert all(len(np.unique(crops.scene[r])) < 12 for r in rows)
    texts = [c.text for c in batch(crops, CONCEPTS, plan, 3, 3)[1]]
    assert texts == [c.text for c in batch(crops, CONCEPTS, plan, 3, 3)[1]]
    assert len(set(texts)) == len(texts)


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch")
    from napari_slip.training.mini.clip_feed import Plan
    from napari_slip.training.mini.clip_loop import export, start, train
    from napari_slip.training.mini.clip_pool import Painter

    painter, plan = Painter(None), Plan(minutes=0.5, shard=64, batch=32, passes=2)
    state = start(painter, plan, tmp_path)
    lines: list[str] = []
    train(state, painter, plan, tmp_path, lines.append)
    assert state.step > 0
    assert "loss" in lines[0]

    again = start(painter, plan, tmp_path)
    assert again.step == state.step
    assert again.seconds == state.seconds
    pairs = zip(state.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    train(again, painter, plan, tmp_path, lines.append)
    assert again.step > state.step

    export(again.model, again.tokenizer, tmp_path / "clip")
    from transformers import CLIPModel, PreTrainedTokenizerFast

    shipped = CLIPModel.from_pretrained(tmp_path / "clip")
    assert shipped.config.vision_config.patch_size == again.model.config.vision_config.patch_size
    assert PreTrainedTokenizerFast.from_pretrained(tmp_path / "clip")("fish").input_ids
    assert (tmp_path / "clip" / "model.safetensors").stat().st_size < 6e6


def test_calibration_finds_the_slope_and_the_nulls() -> None:
    from napari_slip.training.mini.clip_card import auroc, choose_nulls, fit
    from napari_slip.training.mini.clip_trials import Evidence

    rng = default_rng(0)
    present = np.arange(400) < 200
    margin = np.where(present, 0.1, -0.3) + rng.normal(0, 0.05, 400)
    a, b = fit(margin, present)
    score = 1 / (1 + np.exp(-(a * margin + b)))
    assert ((score > 0.5) == present).mean() > 0.98
    assert auroc(margin, present) > 0.99
    assert auroc(-margin, present) < 0.01
    assert auroc(np.zeros(400), present) == pytest.approx(0.5)
    # A null prompt that knows what is absent is chosen; one that says the same of everything is not.
    useful = np.where(present, 0.0, 0.6)
    rivals = np.stack([np.zeros(400), np.zeros(400), np.full(400, -1.0), useful], axis=1)
    evidence = Evidence(rng.normal(0, 0.2, 400), rivals, present)
    assert choose_nulls(evidence, ["background", "something", "useless", "useful"]) == [
        "background",
        "something",
        "useful",
    ]
