from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_slip
from napari_slip.errors import InputError
from napari_slip.io import (
    ImageRecord,
    ModelRecord,
    Provenance,
    RunSettings,
    current_versions,
    read_provenance,
    write_provenance,
)
from napari_slip.settings import Contrast, CropSettings, FilterSettings, MatchSettings, ProposalSettings

MODELS = ModelRecord(
    name="mini", sam=None, clip=None, device="cpu", sam_hash="sha256:1", clip_hash="sha256:2"
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
shares = st.floats(0, 1)
ranges = st.tuples(shares, shares).map(lambda pair: tuple(sorted(pair)))
settings = st.builds(
    RunSettings,
    contrast=st.builds(Contrast, limits=st.none() | ranges, percentiles=ranges),
    proposals=st.builds(ProposalSettings, points_per_side=st.integers(1, 64), pred_iou_thresh=shares),
    crops=st.builds(CropSettings, views=st.lists(st.sampled_from(["black", "box"]), min_size=1).map(tuple)),
    filters=st.builds(
        FilterSettings,
        area=st.sampled_from([(0.0, math.inf), (3.0, 17.5)]),
        roundness=ranges,
        containment=st.none() | shares,
        touching_edge=st.booleans(),
    ),
    match=st.builds(
        MatchSettings,
        templates=st.none()
        | st.lists(texts.map(lambda t: t.replace("{}", "") + "{}"), min_size=1).map(tuple),
        select=st.sampled_from(["best", "top:3", "above:0.5"]),
        min_score=shares,
    ),
)
images = st.builds(
    ImageRecord,
    path=texts,
    beside=texts,
    sha256=st.none() | texts,
    prompts=st.dictionaries(texts | st.just("inf"), st.lists(texts, min_size=1), min_size=1),
    negatives=st.lists(texts | st.just("inf")).map(tuple),
    channel_axis=st.none() | st.integers(-3, 3),
    error=st.none() | texts,
    n_segments=st.integers(0, 9),
    answers=st.lists(st.fixed_dictionaries({"prompt": texts, "score": shares})).map(tuple),
)


@given(settings, st.lists(images, max_size=3).map(tuple))
def test_what_is_written_is_read_again(tmp_path_factory, chosen, pictures):
    path = tmp_path_factory.getbasetemp() / "provenance.json"
    story = Provenance(models=MODELS, settings=chosen, images=pictures)
    write_provenance(path, story)
    assert read_provenance(path) == story


def test_the_file_is_strict_json_that_any_program_reads(tmp_path):
    path = tmp_path / "provenance.json"
    write_provenance(path, Provenance(models=MODELS, settings=RunSettings()))

    def refuse(word):
        pytest.fail(f"{word} is no JSON")

    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert values["schema_version"] == 1
    assert values["settings"]["filters"]["area"] == [0.0, "inf"]
    assert values["models"]["sam_hash"] == "sha256:1"
    assert values["versions"]["napari-slip"] == napari_slip.__version__
    assert list(tmp_path.iterdir()) == [path]


def test_the_versions_are_those_of_what_shapes_pixels():
    import numpy as np
    import torch

    versions = current_versions()
    assert versions["numpy"] == np.__version__
    assert torch.__version__.startswith(versions["torch"])
    assert {"python", "platform", "segment-anything", "transformers", "scipy"} <= set(versions)


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "provenance.json"
    path.write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match=r"schema version 99, .* reads only up to 1: install a newer one"):
        read_provenance(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1, 2]", "names no schema_version"),
        ('{"schema_version": "1"}', "names no schema_version"),
        ('{"schema_version": 1}', "damaged provenance file"),
        ('{"schema_version": 1, "images": [], "models": {}, "settings": {}}', "damaged provenance file"),
        (
            '{"schema_version": 1, "images": 3, "models": {}, "settings": {"a": []}}',
            "damaged provenance file",
        ),
    ],
)
def test_what_is_no_provenance_file_is_refused(tmp_path, text, says):
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"some\.json.*{says}"):
        read_provenance(path)


def test_a_setting_that_is_not_known_is_named(tmp_path):
    path = tmp_path / "provenance.json"
    write_provenance(path, Provenance(models=MODELS, settings=RunSettings()))
    path.write_text(path.read_text().replace("pred_iou_thresh", "iou_thresh"))
    with pytest.raises(InputError, match="'iou_thresh' is no setting of ProposalSettings"):
        read_provenance(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json does not exist"):
        read_provenance(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_provenance(tmp_path)


def test_a_failed_write_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "provenance.json"
    write_provenance(path, Provenance(models=MODELS, settings=RunSettings()))
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_provenance(path, Provenance(models=MODELS, settings=RunSettings(), created="later"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
