"""Training on one's own pictures: reading, splitting, learning, resuming, and the model that comes of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from _small_training import SMALL
from PIL import Image

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.evaluation.collages import evaluate_collages
from napari_slip.models import DualEncoder, load_clip
from napari_slip.progress import Progress
from napari_slip.training.own import TrainSettings, grid_search, read_examples, split, train, train_judge
from napari_slip.training.own.beginning import learnt_by
from napari_slip.training.own.losses import clip_loss, soft_target_loss

pytest_plugins = ["_training_fixtures"]

LONGER = replace(SMALL, epochs=3, head_rate=1e-3)


@pytest.fixture(scope="module")
def trained(parted, tmp_path_factory):
    return train(parted, LONGER, tmp_path_factory.mktemp("whole"))


def test_a_folder_is_read_by_class_and_masks_are_no_pictures(creatures):
    examples = read_examples(creatures)
    assert len(examples) == 20
    assert len({e.name for e in examples}) == 4
    assert all(e.mask is not None for e in examples)


def test_a_table_names_pictures_captions_and_groups(creatures, tmp_path):
    picture = next(creatures.rglob("*_0001.png"))
    shutil.copy(picture, tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("image,caption,group\na.png,a red one,g\na.png,another one,g\n")
    first, second = read_examples(tmp_path / "t.csv")
    assert (first.caption, first.group, second.caption) == ("a red one", "g", "another one")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("picture\na.png\n", "image and caption or class are expected"),
        ("image,class\nnone.png,x\n", "Line 2 of .* names 'none.png', which is no file"),
    ],
)
def test_a_wrong_table_is_told(tmp_path, table, sentence):
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(InputError, match=sentence):
        read_examples(tmp_path / "t.csv")


def test_a_folder_of_one_class_is_told(creatures, tmp_path):
    shutil.copytree(next(path for path in creatures.iterdir()), tmp_path / "only")
    with pytest.raises(InputError, match="holds pictures of 1 classes, but at least 2 are expected"):
        read_examples(tmp_path)


def test_near_duplicates_stay_on_one_side(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for k in range(6):
            smooth = Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8)).resize((64, 64))
            smooth.save(tmp_path / name / f"{k}.png")
            brighter = np.clip(np.asarray(smooth).astype(int) + 6, 0, 255).astype(np.uint8)
            Image.fromarray(brighter).save(tmp_path / name / f"{k}b.png")
    parts = split(read_examples(tmp_path), 0.3)
    learnt = {(e.name, e.path.stem[0]) for e in parts.training}
    checked = {(e.name, e.path.stem[0]) for e in parts.validation}
    assert checked
    assert not learnt & checked


def test_a_split_is_seeded_covers_every_class_and_holds_classes_out(creatures):
    examples = read_examples(creatures)
    parts = split(examples, 0.2, seed=1, hold_out=1)
    assert parts == split(examples[::-1], 0.2, seed=1, hold_out=1) or {e.path for e in parts.training} == {
        e.path for e in split(examples[::-1], 0.2, seed=1, hold_out=1).training
    }
    held = {e.name for e in parts.held_out}
    assert len(held) == 1
    assert {e.name for e in parts.training} == {e.name for e in parts.validation}
    assert not held & {e.name for e in parts.training}
    assert {e.path for e in split(examples, 0.2, seed=2).validation} != {e.path for e in parts.validation}


def test_the_losses_are_least_where_pairs_agree():
    torch.manual_seed(0)
    pairs = torch.nn.functional.normalize(torch.randn(6, 32), dim=1) * 6
    same = torch.eye(6, dtype=torch.bool)
    assert soft_target_loss(pairs, pairs) < soft_target_loss(pairs, pairs.roll(1, 0))
    assert clip_loss(pairs, pairs, torch.tensor(10.0), same) < clip_loss(
        pairs, pairs.roll(1, 0), torch.tensor(10.0), same
    )


def test_equal_captions_are_no_mistake_for_each_other():
    pairs = torch.eye(4).repeat_interleave(2, 0)
    same = torch.eye(4, dtype=torch.bool).repeat_interleave(2, 0).repeat_interleave(2, 1)
    right = clip_loss(pairs, pairs, torch.tensor(50.0), same)
    assert right == pytest.approx(np.log(2), abs=1e-3)  # two right answers, each half of the chance


def test_the_result_is_a_dual_encoder_with_a_card(trained, parted):
    encoder = load_clip(trained.folder)
    assert isinstance(encoder, DualEncoder)
    card = json.loads((trained.folder / "card.json").read_text())
    assert card["classes"] == sorted({e.name for e in parted.training})
    assert encoder.card.calibration.a == card["calibration"]["a"]
    vectors = encoder.encode_texts(["devun", "something"])
    pictures = encoder.encode_images(np.zeros((2, 32, 32, 3), np.uint8))
    assert vectors.shape == pictures.shape == (2, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert len((trained.folder / "log.csv").read_text().splitlines()) == 4


def test_stopped_and_resumed_it_gives_the_same_numbers(trained, parted, tmp_path):
    stop = Progress()
    passes = []

    def hear(epoch):
        passes.append(epoch)
        if len(passes) == 2:
            stop.cancel()

    with pytest.raises(Cancelled):
        train(parted, LONGER, tmp_path, progress=stop, hear=hear)
    resumed = train(parted, LONGER, tmp_path)
    untimed = {"seconds": 0, "held_out_accuracy": 0}
    numbers = [[replace(e, **untimed) for e in run.epochs] for run in (resumed, trained)]
    assert numbers[0] == numbers[1]
    one, other = (load_clip(folder).encode_texts(["devun"]) for folder in (trained.folder, tmp_path))
    assert (one == other).all()


@pytest.mark.slow
def test_the_papers_architecture_trains_and_resumes_bit_exactly(parted, tmp_path):
    """ResNet-50 and DistilBERT from random numbers, with the paper's losses and rates, in small."""
    text = "distilbert:dim=16,n_layers=1,n_heads=2,hidden_dim=32"
    settings = TrainSettings.paper(text_model=text, image_size=32, batch=8, epochs=2)
    train(parted, replace(settings, epochs=1), tmp_path / "paused")
    resumed = train(parted, settings, tmp_path / "paused")
    whole = train(parted, settings, tmp_path / "whole")
    assert [e.validation_loss for e in resumed.epochs] == [e.validation_loss for e in whole.epochs]
    one, other = (torch.load(run.folder / "checkpoint.pt")["network"] for run in (resumed, whole))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_folder_with_another_training_is_told(trained, parted):
    with pytest.raises(InputError, match="holds a training with another projection"):
        train(parted, replace(LONGER, projection=8), trained.folder)


def test_other_captions_of_the_same_pictures_are_another_training(trained, parted):
    recaptioned = tuple(replace(e, caption="a monster") for e in parted.training)
    with pytest.raises(InputError, match="holds a training with other pictures or captions"):
        train(replace(parted, training=recaptioned), LONGER, trained.folder)


def test_no_model_is_asked_about_pictures_that_it_has_learnt_from(trained, creatures, tmp_path):
    other = split(read_examples(creatures), seed=7)
    assert set(other.validation) & set(split(read_examples(creatures)).training)
    with pytest.raises(
        InputError, match=r"its base, was trained with \d pictures? that the collages would be made of"
    ):
        evaluate_collages(other, [("mine", str(trained.folder))], tmp_path)


def test_held_out_classes_are_unknown_to_the_model_and_may_be_asked(trained, creatures):
    held = split(read_examples(creatures), hold_out=2)
    assert not learnt_by(trained.folder, held.validation)
    assert learnt_by(trained.folder, held.training) == list(held.training)


@pytest.mark.parametrize("what", ["heads", "last:1", "lora"])
def test_what_shall_not_learn_stays(parted, tmp_path, what):
    settings = TrainSettings(
        base="mini", train=what, epochs=1, head_rate=1e-2, image_rate=1e-2, batch=8, keep=0
    )
    train(parted, settings, tmp_path)
    before, after = load_clip("mini").network.state_dict(), load_clip(tmp_path).network.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name].float(), after[name])}
    assert any("visual_projection" in name for name in changed)
    inner = {name for name in changed if ".layers." in name}
    if what == "heads":
        assert not inner
    elif what == "last:1":
        assert {name.split(".layers.")[1][0] for name in inner if "vision" in name} == {"3"}
    else:
        assert inner
        assert all("q_proj" in name or "v_proj" in name for name in inner)


@pytest.mark.slow
def test_old_knowledge_is_kept_by_its_weight(parted, tmp_path):
    moved = {}
    texts = ["a red circle", "a photo of a star", "a blue fish"]
    for keep in (0.0, 10.0):
        settings = TrainSettings(
            base="mini", epochs=2, head_rate=1e-3, image_rate=1e-3, text_rate=1e-3, keep=keep
        )
        train(parted, replace(settings, batch=8), tmp_path / str(keep))
        old, new = (load_clip(name).encode_texts(texts) for name in ("mini", tmp_path / str(keep)))
        moved[keep] = 1 - (old * new).sum(axis=1).mean()
    assert moved[10.0] < moved[0.0]


@pytest.mark.slow
def test_a_grid_has_a_table_a_figure_and_the_best_model(parted, tmp_path):
    settings = SMALL
    heard = []
    grid = grid_search(
        parted, settings, tmp_path, rates=(1e-4, 1e-2), sizes=(8,), hear=lambda *cell: heard.append(cell)
    )
    assert len(heard) == 2
    assert grid.table().count("**") == 2
    assert (tmp_path / "grid.png").stat().st_size > 1000
    assert load_clip(tmp_path / "best").encode_texts(["x"]).shape == (1, 8)
    again = grid_search(parted, settings, tmp_path, rates=(1e-4, 1e-2), sizes=(8,))
    assert again.losses == grid.losses


def test_a_judge_is_trained_once_and_names_pictures(parted, tmp_path):
    judge = train_judge(parted, tmp_path, size=32, epochs=2)
    again = train_judge(parted, tmp_path, size=32, epochs=2)
    pictures = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)
    assert judge.name(pictures) == again.name(pictures)
    assert set(judge.classes) == {e.name for e in parted.training}


def test_a_judge_of_other_pictures_gives_way(parted, tmp_path):
    few = replace(parted, training=tuple(e for e in parted.training if e.name != "devun"))
    assert "devun" not in train_judge(few, tmp_path, size=32, epochs=1).classes
    assert "devun" in train_judge(parted, tmp_path, size=32, epochs=1).classes
    kept = (tmp_path / "judge.safetensors").stat().st_mtime_ns
    train_judge(parted, tmp_path, size=32, epochs=1)
    assert (tmp_path / "judge.safetensors").stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"train": "some"}, "all, heads, lora, or last:N"),
        ({"templates": ("a thing",)}, "exactly one {}"),
        ({"loss": "hinge"}, "one of clip, soft"),
        ({"batch": 1}, "a number from 2"),
        ({"base": "mini", "image_size": 64}, "image-size is 64, but it is for the base dual"),
        ({"base": "mini", "text_model": "bert"}, "text-model is 'bert', but it is for the base dual"),
        ({"keep": 1.0}, r"keep is 1\.0, but it is for models that are trained further"),
    ],
)
def test_wrong_settings_are_told(choices, sentence):
    with pytest.raises(InputError, match=sentence):
        TrainSettings(**choices)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"image_model": "resnet5000"}, "no image model called 'resnet5000'"),
        ({"text_model": "nobert"}, "no text model of 'nobert'"),
    ],
)
def test_models_that_do_not_exist_are_told(parted, tmp_path, choices, sentence):
    with pytest.raises(ModelError, match=sentence):
        train(parted, replace(SMALL, **choices), tmp_path)
