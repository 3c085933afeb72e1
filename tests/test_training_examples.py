"""What a training reads and what it keeps back: captions, groups, deep pictures, and stable splits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_slip.errors import InputError
from napari_slip.training.own import read_examples, split
from napari_slip.training.own.examples import Example, open_picture


def examples_of(counts, group=None):
    """Make examples of classes with so many pictures each, none of which is read."""
    return [
        Example(Path(f"{name}/{k}.png"), name, group=group(k) if group else f"{name}/{k}")
        for name, n in counts.items()
        for k in range(n)
    ]


def sides(parts):
    """For each file whether it is learnt from, checked with or never shown."""
    named = {"training": parts.training, "validation": parts.validation, "held out": parts.held_out}
    return {str(e.path): side for side, own in named.items() for e in own}


classes = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.integers(2, 9), min_size=4)


@given(counts=classes, held=st.integers(0, 2), seed=st.integers(0, 99))
def test_a_class_is_split_the_same_whatever_else_there_is(counts, held, seed):
    whole = sides(split(examples_of(counts), 0.3, seed))
    for other in (
        split(examples_of(counts), 0.3, seed, held),
        split(examples_of(counts | {"zebra": 3, "ape": 4}), 0.3, seed),
        split(examples_of(counts)[::-1], 0.3, seed),
    ):
        again = sides(other)
        shown = {path: side for path, side in again.items() if side != "held out"}
        assert all(whole[path] == side for path, side in shown.items() if path in whole)


def test_the_same_seed_splits_the_same_in_every_process():
    code = (
        "from pathlib import Path; from napari_slip.training.own.splitting import split;"
        "from napari_slip.training.own.examples import Example;"
        "all_of = [Example(Path(f'{n}/{k}.png'), n, group=f'{n}/{k}') for n in 'abcdef' for k in range(3)];"
        "print(*(e.path.as_posix() for e in split(all_of, 0.9).validation))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = split(examples_of(dict.fromkeys("abcdef", 3)), 0.9).validation
    assert said.split() == [e.path.as_posix() for e in here]


@given(share=st.floats(0.01, 0.9), shared=st.integers(3, 6), seed=st.integers(0, 20))
def test_a_group_stays_on_one_side_in_all_classes(share, shared, seed):
    everything = examples_of({"a": 12, "b": 9, "c": 7}, group=lambda k: f"slide {k % shared}")
    parts = split(everything, share, seed)
    assert not {e.group for e in parts.training} & {e.group for e in parts.validation}
    assert {e.name for e in parts.training} == {e.name for e in parts.validation} == {"a", "b", "c"}


def test_classes_that_leave_another_only_one_side_are_told():
    pairs = [("a", "12"), ("b", "34"), ("c", "13"), ("d", "14"), ("e", "23"), ("f", "24")]
    everything = [
        Example(Path(f"{name}/{group}.png"), name, group=group) for name, own in pairs for group in own
    ]
    with pytest.raises(InputError, match=r"The class '.' shares all its groups with other classes"):
        split(everything)


@pytest.fixture
def pictures(tmp_path):
    """Twelve pictures, the last two of which look like the first two."""
    rng = np.random.default_rng(0)
    for k in range(10):
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / f"{k}.png")
    for k in (0, 1):
        pixels = np.asarray(Image.open(tmp_path / f"{k}.png")).astype(int) + 3
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / f"{10 + k}.png")
    return tmp_path


def table(folder, captions):
    rows = "".join(f"{k}.png,{caption}\n" for k, caption in enumerate(captions))
    (folder / "t.csv").write_text("image,caption\n" + rows)
    return read_examples(folder / "t.csv")


def test_captions_may_repeat_and_need_no_balance(pictures):
    examples = table(pictures, ["a cat", "a cat", *(f"a dog of {k} years" for k in range(10))])
    parts = split(examples, 0.25)
    assert len(parts.training) + len(parts.validation) == 12
    assert 2 <= len(parts.validation) <= 5  # 10 groups, of which 2 are kept back


def test_near_duplicates_with_other_captions_stay_on_one_side(pictures):
    examples = table(pictures, [f"picture {k}" for k in range(12)])
    assert examples[0].group == examples[10].group
    for seed in range(10):
        where = sides(split(examples, 0.3, seed))
        assert where[str(pictures / "0.png")] == where[str(pictures / "10.png")]
        assert where[str(pictures / "1.png")] == where[str(pictures / "11.png")]


def test_captions_have_no_classes_to_hold_out(pictures):
    with pytest.raises(InputError, match="names captions and no classes: hold out 0, or add a column class"):
        split(table(pictures, [f"picture {k}" for k in range(12)]), hold_out=1)


def test_one_picture_of_each_class_is_too_few():
    with pytest.raises(InputError, match="The class 'a' has 1 picture that"):
        split(examples_of({"a": 1, "b": 1, "c": 1}))


def deep(kind, pixels, folder):
    """Save 12-bit pixels as a microscope does."""
    if kind == "grey TIFF":
        tifffile.imwrite(folder / "p.tif", pixels)
    elif kind == "float TIFF":
        tifffile.imwrite(folder / "p.tif", pixels.astype(np.float32))
    elif kind == "colour TIFF":
        tifffile.imwrite(folder / "p.tif", np.dstack([pixels] * 3), photometric="rgb")
    elif kind == "two channels":
        both = np.stack([pixels, pixels])
        tifffile.imwrite(folder / "p.tif", both, metadata={"axes": "CYX"}, photometric="minisblack", ome=True)
    else:
        Image.fromarray(pixels).save(folder / "p.png")
    return next(folder.iterdir())


@pytest.mark.parametrize("kind", ["grey TIFF", "float TIFF", "colour TIFF", "two channels", "grey PNG"])
def test_deep_pictures_keep_their_grey_values(kind, tmp_path):
    ramp = np.tile(np.linspace(300, 4000, 64).astype(np.uint16), (48, 1))
    seen = np.asarray(open_picture(deep(kind, ramp, tmp_path)))
    assert seen.shape == (48, 64, 3)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 50
    assert seen[:, :4].max() < 30
    assert seen[:, -4:].max() > 225


def test_a_stack_is_no_picture(tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((3, 16, 16), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"p\.tif"):
        open_picture(tmp_path / "p.tif")


def test_what_is_no_picture_is_told(tmp_path):
    (tmp_path / "p.png").write_text("no picture")
    with pytest.raises(InputError, match=r"p\.png is not an image that can be read"):
        open_picture(tmp_path / "p.png")
