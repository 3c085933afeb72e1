"""The collage experiment: what is asked, what counts as right, and what the report says."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from _fake_slip import ColourEncoder, SpotSegmenter, unit
from PIL import Image
from typer.testing import CliRunner

from napari_slip.cli import app
from napari_slip.errors import InputError
from napari_slip.evaluation.collages import (
    Contestant,
    ask_all,
    collage_report,
    make_collages,
    teach_from_examples,
    write_report,
)
from napari_slip.evaluation.collages.asking import look, with_outlines
from napari_slip.evaluation.collages.taught import so_many
from napari_slip.settings import CropSettings
from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own import read_examples, split
from napari_slip.training.own.judge import _share

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "violet": (255, 0, 255),
}


class Reader(ColourEncoder):
    """Knows the colours by name; `turned` by so many names it takes one for another."""

    def __init__(self, turned=0):
        self.turned = turned
        self.card = replace(ColourEncoder.card, hash=f"sha256:{turned}", templates=("{}",))

    def encode_texts(self, texts):
        names = list(COLOURS)
        meant = [
            COLOURS[names[(names.index(text) + self.turned) % len(names)]]
            if text in names
            else (148, 148, 148)
            for text in texts
        ]
        return unit(np.array(meant, np.float32))


class Namer:
    """A judge that names a picture by its colour."""

    size = 16
    accuracy = 1.0

    def name(self, pictures):
        seen = unit(pictures[:, 8, 8].astype(float))
        meant = unit(np.array(list(COLOURS.values()), np.float32))
        return [list(COLOURS)[k] for k in (seen @ meant.T).argmax(axis=1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("colours")
    for name, colour in COLOURS.items():
        (path / name).mkdir()
        for k in range(5):
            picture = np.zeros((32, 32, 3), np.uint8)
            picture[4 + k : 20, 6 : 16 + k] = colour
            Image.fromarray(picture).save(path / name / f"{k}.png")
            Image.fromarray((picture.max(axis=2) > 0).astype(np.uint8) * 255).save(
                path / name / f"{k}.mask.png"
            )
    return path


@pytest.fixture(scope="module")
def data(folder):
    return split(read_examples(folder), 0.4)


@pytest.fixture(scope="module")
def seen(data):
    return look(make_collages(data.validation, 6, tile=48), SpotSegmenter())


def test_collages_are_the_same_for_the_same_seed_and_show_four_classes(data):
    first, again = (make_collages(data.validation, 3, tile=32, seed=5) for _ in range(2))
    other = make_collages(data.validation, 3, tile=32, seed=6)
    assert [c.paths for c in first] == [c.paths for c in again] != [c.paths for c in other]
    for collage in first:
        assert collage.image.shape == (64, 64, 3)
        assert len(set(collage.names)) == 4
        assert len(collage.absent) == 2
        assert not set(collage.names) & set(collage.absent)
        for k, name in enumerate(collage.names):
            shown = collage.labels[collage.tile_of(k)] == k + 1
            assert (np.median(collage.image[collage.tile_of(k)][shown], axis=0) > 127).tolist() == [
                value > 127 for value in COLOURS[name]
            ]


def test_collages_are_made_of_pictures_that_were_kept_back(data):
    learnt = {f"{e.name}/{e.path.name}" for e in data.training}
    assert not learnt & {path for c in make_collages(data.validation, 9) for path in c.paths}


def test_three_classes_are_too_few_for_a_collage(data):
    few = [e for e in data.validation if e.name in ("red", "green", "blue")]
    with pytest.raises(InputError, match="pictures of 3 classes, but at least 4 are needed"):
        make_collages(few)


def test_an_encoder_that_knows_the_classes_is_right_and_one_that_mistakes_them_is_not(seen):
    right, wrong = ask_all(seen, [Contestant("knows", Reader()), Contestant("mistakes", Reader(1))])
    report = collage_report(seen, [right, wrong], Namer(), {})
    knows, mistakes = report.lines
    assert knows.geometry == knows.judge == 1
    assert knows.iou > 0.9
    assert knows.auroc > 0.95
    assert mistakes.geometry < 0.2
    assert knows.interval[0] < knows.geometry <= knows.interval[1]
    assert report.chance == pytest.approx(0.25)
    assert report.oracle == 1


def test_the_papers_slip_can_show_a_quarter_at_most(seen):
    report = collage_report(seen, ask_all(seen, [Contestant("knows", Reader())]), Namer(), {})
    assert report.lines[0].slipped == 0.25


def test_true_outlines_among_the_segments_measure_the_encoder_alone(data):
    class Blind(SpotSegmenter):
        """Finds one spot of each collage."""

        def propose(self, plane, settings, progress):
            rgb = plane.rgb.copy()
            rgb[len(rgb) // 2 :] = 0
            rgb[:, len(rgb) // 2 :] = 0
            return super().propose(replace(plane, rgb=rgb), settings, progress)

    collages = make_collages(data.validation, 3, tile=48)
    alone = look(collages, Blind())
    helped = with_outlines(alone)
    asked = [(seen, ask_all(seen, [Contestant("knows", Reader())])) for seen in (alone, helped)]
    report = collage_report(*asked[0], None, {}, asked[1])
    assert [side.lines[0].geometry for side in (report, report.outlined)] == [0.25, 1]
    assert [side.oracle for side in (report, report.outlined)] == [0.25, 1]
    table = report.table()
    assert "| knows | 0.250 (0.09 to 0.53) |" in table
    assert "| objects that have a right segment | 0.250 |  |  | 1.000 |  |  |  |" in table
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert [len(h.segments) - len(a.segments) for h, a in zip(helped, alone, strict=True)] == [4, 4, 4]


def test_where_nothing_is_segmented_nothing_is_right(data):
    dark = replace(make_collages(data.validation, 1, tile=48)[0], image=np.zeros((96, 96, 3), np.uint8))
    seen = look([dark], SpotSegmenter())
    line = collage_report(seen, ask_all(seen, [Contestant("knows", Reader())]), Namer(), {}).lines[0]
    assert (line.geometry, line.judge, line.asked) == (0, 0, 4)


def test_a_few_examples_mend_what_the_texts_mistake(seen, data):
    wrong = Reader(1)
    head = teach_from_examples(wrong, data.training, 3, CropSettings())
    before, after = ask_all(seen, [Contestant("texts", wrong), Contestant("taught", wrong, head)])
    assert np.mean(before.right) < 0.2
    assert np.mean(after.right) > 0.9


def test_classes_are_asked_for_by_their_phrases(data):
    def under_codes(examples):
        return [replace(e, name=f"class {len(e.name)}{e.name[0]}", phrases=("?", e.name)) for e in examples]

    coded = look(make_collages(under_codes(data.validation), 4, tile=48), SpotSegmenter())
    reader = Reader()
    (by_text,) = ask_all(coded, [Contestant("texts", reader)])
    assert all(by_text.right)
    taught = teach_from_examples(reader, under_codes(data.training), 3, CropSettings())
    (by_example,) = ask_all(coded, [Contestant("taught", reader, taught)])
    assert np.mean(by_example.right) > 0.9


def test_the_report_holds_tables_pictures_and_every_answer(seen, tmp_path):
    contestants = [Contestant("<one>", Reader()), Contestant("two", Reader(2))]
    answers = ask_all(seen, contestants)
    helped = with_outlines(seen)
    outlined = helped, ask_all(helped, contestants)
    report = collage_report(
        seen, answers, None, {"collages": 6, "classes": 6, "tile": 48, "seed": 0}, outlined
    )
    grid = "| rate | dim 8 |\n|---|---|\n| 0.1 | **2.5** |"
    write_report(report, seen, answers, tmp_path, outlined=outlined, grid=grid)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;one&gt;" in page
    assert "<one>" not in page
    assert "<td>2.5</td>" in page
    assert "<th>rate</th>" in page
    assert "---" not in page
    assert page.count("data:image/png;base64,") == 2
    told = json.loads((tmp_path / "report.json").read_text())
    assert [line["name"] for line in told["lines"]] == ["<one>", "two"]
    assert told["judge_accuracy"] is None
    kept = json.loads((tmp_path / "answers.json").read_text())
    assert len(kept["collages"]) == 6
    for side in ("comparison", "outlines"):
        assert len(kept["answers"][side]["two"]["rows"]) == 24
    assert report.table().count("\n") == 6


@pytest.mark.parametrize("names", [("\u03b1 cell", "\u03b2 cell"), ("CD4+", "CD4-"), ("\u6838", "\u819c")])
def test_a_judge_is_right_only_with_the_very_name(names):
    assert _share([names[0]] * 2, names) == 0.5


def test_a_head_says_how_many_examples_it_was_really_taught_with(data):
    assert [so_many(data.training, n) for n in (2, 20)] == ["2", "2 to 4"]
    assert (
        teach_from_examples(Reader(), data.training, 20, CropSettings()).name
        == "2 to 4 examples of each class"
    )


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(("option", "value"), [("--side", 3), ("--images", 0), ("--seed", -1)])
def test_creatures_that_cannot_be_drawn_are_refused_at_once(tmp_path, option, value):
    refused = call("creatures", "--out", tmp_path / "c", "--classes", 1, "--images", 1, option, value)
    assert refused.exit_code == 2
    assert option in refused.stderr and not (tmp_path / "c").exists()


@pytest.mark.slow
def test_the_command_compares_models_and_writes_the_report(tmp_path):
    made = call("creatures", "--out", tmp_path / "c", "--classes", 4, "--images", 5, "--side", 96)
    assert made.exit_code == 0
    asked = call(
        *("evaluate", "collages", tmp_path / "c", "--out", tmp_path / "r", "--clip", "base=mini"),
        *("--collages", 1, "--tile", 96, "--teach", 2, "--judge-epochs", 1, "--device", "cpu", "--json"),
    )
    assert asked.exit_code == 0, asked.stderr
    told = json.loads(asked.stdout)
    assert [line["name"] for line in told["lines"]] == ["base", "base, taught with 2"]
    assert (tmp_path / "r" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "r" / "judge" / "judge.json").is_file()


def test_a_model_without_a_name_is_told(tmp_path):
    write_creatures(tmp_path / "c", classes=2, images=2, side=32)
    wrong = call("evaluate", "collages", tmp_path / "c", "--out", tmp_path / "r", "--clip", "=mini")
    assert wrong.exit_code != 0
    assert "names no model" in wrong.stderr


def test_two_models_of_one_title_are_told(folder, tmp_path):
    words = ("evaluate", "collages", folder, "--out", tmp_path)
    wrong = call(*words, "--clip", tmp_path / "a" / "model", "--clip", tmp_path / "b" / "model")
    assert wrong.exit_code == 2
    assert "Two models are called 'model': give each a title of its own, as in --clip one=A" in wrong.stderr


@pytest.mark.parametrize(
    "word", ["--collages", "--tile", "--teach", "--judge-epochs", "--test-share", "--seed", "--collage-seed"]
)
def test_numbers_that_mean_nothing_are_told(folder, tmp_path, word):
    wrong = call("evaluate", "collages", folder, "--out", tmp_path, word, -1)
    assert wrong.exit_code == 2
    assert word in wrong.stderr
    assert "equal to" in wrong.stderr


def test_an_experiment_of_another_size_does_not_use_what_is_there(tmp_path):
    write_creatures(tmp_path / "creatures", classes=5, images=3, side=32)
    wrong = call("experiment", "--out", tmp_path, "--classes", 4, "--images", 3)
    assert wrong.exit_code == 2
    assert re.search(r"holds 15 pictures of an earlier experiment, not 4 x 3: name another", wrong.stderr)


@pytest.mark.slow
def test_the_whole_experiment_runs_from_one_command_and_goes_on_for_free(tmp_path):
    words = (
        "experiment",
        "--out",
        tmp_path,
        "--classes",
        4,
        "--images",
        5,
        "--collages",
        1,
        "--device",
        "cpu",
    )
    words += ("--epochs", 1, "--grid-epochs", 1, "--judge-epochs", 1)
    done = call(*words)
    assert done.exit_code == 0, done.stderr
    assert "Table 1" in done.stdout
    assert "Table 2" in done.stdout
    assert re.search(r"The whole experiment took \d+ minutes? \d+ seconds? by the clock", done.stderr)
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "Table 1" in page
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "grid").rglob("checkpoint.pt")}
    assert len(kept) == 4
    again = call(*words)
    assert again.stdout == done.stdout
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
