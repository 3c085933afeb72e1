from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.errors import InputError
from napari_slip.settings import (
    Contrast,
    CropSettings,
    FilterSettings,
    MatchSettings,
    ProposalSettings,
    Select,
)

ALL = [Contrast, ProposalSettings, CropSettings, FilterSettings, MatchSettings]


@pytest.mark.parametrize("kind", ALL)
def test_settings_survive_a_file(kind):
    settings = kind()
    assert kind.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_settings_that_were_changed_survive_a_file():
    for settings in (
        Contrast(limits=(3.5, 90)),
        ProposalSettings(prompts="grid", points_per_side=16, exact=True),
        CropSettings(views=("black",), margin=0),
        FilterSettings.paper(),
        MatchSettings(templates=("a {}", "one {}"), select="top:3", min_score=0.2),
    ):
        again = type(settings).from_dict(json.loads(json.dumps(settings.to_dict())))
        assert again == settings
        assert hash(again) == hash(settings)


@pytest.mark.parametrize("kind", ALL)
def test_settings_cannot_be_changed_or_misspelt(kind):
    settings = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, dataclasses.fields(kind)[0].name, None)
    with pytest.raises(InputError, match=f"'colour' is no setting of {kind.__name__}: expected one of"):
        kind.from_dict({"colour": 1})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Contrast, {"percentiles": (5, 1)}, r"percentiles is \(5, 1\), but a pair"),
        (Contrast, {"percentiles": (0, 101)}, "within 0 to 100"),
        (Contrast, {"limits": (float("nan"), 1)}, "limits is"),
        (Contrast, {"limits": (0, float("inf"))}, "pair of finite numbers"),
        (ProposalSettings, {"prompts": "random"}, "prompts is 'random', but one of auto, grid"),
        (ProposalSettings, {"points_per_side": 0}, "points_per_side is 0"),
        (ProposalSettings, {"pred_iou_thresh": 1.5}, "pred_iou_thresh is 1.5, but a number from 0 to 1"),
        (ProposalSettings, {"box_nms_thresh": "high"}, "box_nms_thresh is 'high'"),
        (ProposalSettings, {"min_area": -1}, "min_area is -1"),
        (CropSettings, {"views": ()}, "at least one of black, mean, dimmed, box"),
        (CropSettings, {"views": ("sepia",)}, "'sepia' is no view of a segment"),
        (CropSettings, {"margin": -0.1}, "margin is -0.1"),
        (FilterSettings, {"area": (10, 5)}, "area is"),
        (FilterSettings, {"score": (0, 2)}, "score is"),
        (FilterSettings, {"containment": 80}, "containment is 80"),
        (MatchSettings, {"templates": ()}, "templates is empty"),
        (MatchSettings, {"templates": ("a photo",)}, r"needs exactly one \{\}"),
        (MatchSettings, {"templates": ("{} {}",)}, r"needs exactly one \{\}"),
        (MatchSettings, {"min_score": 2}, "min_score is 2"),
        (MatchSettings, {"select": "all"}, "'all' selects nothing"),
    ],
)
def test_a_wrong_value_is_named(kind, values, message):
    with pytest.raises(InputError, match=message):
        kind(**values)


@given(st.integers(1, 10**6))
def test_top_takes_whole_numbers(k):
    assert Select.parse(f"top:{k}") == Select("top", k)


@given(st.floats(0, 1))
def test_above_takes_scores(score):
    assert Select.parse(f"above:{score}") == Select("above", score)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "best:1",
        "top",
        "top:",
        "top:0",
        "top:-1",
        "top:1.5",
        "top:²",
        "above",
        "above:",
        "above:2",
        "above:nan",
        "Best",
    ],
)
def test_other_rules_are_refused(text):
    with pytest.raises(InputError, match="expected best, top:K"):
        Select.parse(text)


@pytest.mark.parametrize("texts", ["cell", ("cell", " ")])
def test_texts_to_ask_for_are_a_list_of_words(texts):
    with pytest.raises(InputError, match=r"texts is .* but a list of words that say what to find"):
        ProposalSettings(texts=texts)
