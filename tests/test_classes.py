from __future__ import annotations

import pytest

from napari_slip.errors import InputError
from napari_slip.session import PALETTE, ClassList


def test_classes_take_free_colours_then_begin_again():
    classes = ClassList()
    for i in range(len(PALETTE) + 1):
        classes = classes.add(f"class {i}")
    assert [c.colour for c in classes][: len(PALETTE)] == list(PALETTE)


def test_classes_survive_a_file(tmp_path):
    classes = ClassList().add("cell", ["cell", "a round cell"]).add("débris", colour="#112233")
    classes.write(tmp_path / "classes.json")
    assert ClassList.read(tmp_path / "classes.json") == classes


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": "other"}', '{"format": "napari-slip classes 1", "classes": 3}']
)
def test_a_file_that_is_no_class_list_ends_in_a_sentence(text, tmp_path):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=r"c\.json holds no list of classes"):
        ClassList.read(tmp_path / "c.json")


def test_classes_are_reordered_by_naming_each_once():
    classes = ClassList().add("a").add("b")
    assert [c.name for c in classes.reorder(["b", "a"])] == ["b", "a"]
    with pytest.raises(InputError, match="each class exactly once"):
        classes.reorder(["b"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.add("cell"), "already a class 'cell'"),
        (lambda c: c.add("  "), "blank name"),
        (lambda c: c.change("cell", phrases=()), "at least one phrase"),
        (lambda c: c.change("cell", colour="red"), "'red' is no colour"),
        (lambda c: c.change("cell", new_name="debris"), "already a class 'debris'"),
        (lambda c: c.remove("axon"), "no class 'axon'"),
    ],
)
def test_wrong_changes_of_classes_end_in_a_sentence(change, sentence):
    with pytest.raises(InputError, match=sentence):
        change(ClassList().add("cell").add("debris"))
