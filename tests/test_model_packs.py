"""Models carried from one machine to another in one file."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clips import SENTENCES, save_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.models import fetching, load_clip
from napari_slip.models.adding import describe
from napari_slip.models.packs import CARD, export_pack, import_pack
from napari_slip.models.registry import Entry, add_entry, as_toml, known_models
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path


SQUEEZED, LINK = zipfile.ZIP_DEFLATED, stat.S_IFLNK | 0o777


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The machine with a network, on which a CLIP of the laboratory has a name."""
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "here"))
    save_clip(tmp_path / "lab-clip")
    add_entry(describe("ours", str(tmp_path / "lab-clip"), kind="clip", licence="CC0", title="our CLIP"))
    return tmp_path


@pytest.fixture
def pack(here):
    export_pack([known_models().get("clip", "ours")], here / "ours.zip")
    return here / "ours.zip"


@pytest.fixture
def there(pack, tmp_path, monkeypatch):
    """The microscope, which has nothing but the pack."""
    shutil.rmtree(tmp_path / "lab-clip")
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "there"))
    return tmp_path / "there"


def test_a_model_is_the_same_on_the_other_machine(here, tmp_path, pack, monkeypatch):
    before = load_clip("ours").encode_texts(SENTENCES)
    shutil.rmtree(tmp_path / "lab-clip")
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "there"))
    (entry,) = import_pack(pack)
    assert (entry.name, entry.licence, entry.title) == ("ours", "CC0", "our CLIP")
    np.testing.assert_array_equal(load_clip("ours").encode_texts(SENTENCES), before)
    import_pack(pack)  # again does no harm
    assert fetching.remove(known_models().get("clip", "ours")) > 0
    assert known_models().get("clip", "ours") is None


def test_a_pack_says_what_it_holds(pack):
    with zipfile.ZipFile(pack) as archive:
        names = archive.namelist()
        assert 'licence = "CC0"' in archive.read(f"ours/{CARD}").decode()
    assert {"ours/config.json", "ours/model.safetensors", "ours/tokenizer.json"} <= set(names)


def test_an_unpacking_that_is_stopped_or_damaged_leaves_nothing(pack, there):
    progress = Progress(lambda *_: progress.cancel())
    with pytest.raises(Cancelled):
        import_pack(pack, progress)
    data = pack.read_bytes()
    for damaged in (data[: len(data) // 2], data[:2000] + b"\0" * 100 + data[2100:], b"", b"text" * 100):
        pack.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"is no pack of models|are not those of its card"):
            import_pack(pack)
    assert [path.name for path in there.glob("*")] == []


def test_nothing_is_packed_over_a_file_or_from_nowhere(here, pack):
    with pytest.raises(InputError, match=r"ours.zip exists already"):
        export_pack([known_models().get("clip", "ours")], pack)
    with pytest.raises(ModelError, match=r"vit_b is not on this machine: fetch it first with napari-slip"):
        export_pack([known_models().get("sam", "vit_b")], here / "new.zip")
    with pytest.raises(InputError, match=r"part of napari-slip and are there already"):
        export_pack([known_models().get("sam", "mini")], here / "new.zip")
    assert not (here / "new.zip").exists()


def test_a_folder_of_ones_own_is_not_replaced(pack, there):
    own = there / "ours" / "notes.txt"
    own.parent.mkdir(parents=True)
    own.write_text("years of work")
    with pytest.raises(InputError, match=r"there/ours is there already and came from no pack.*move it away"):
        import_pack(pack)
    assert own.read_text() == "years of work"
    assert [path.name for path in there.iterdir()] == ["ours"]


def test_what_was_imported_stays_until_the_new_has_its_place(pack, there, monkeypatch):
    import_pack(pack)
    replace_file = os.replace

    def full(source, target):
        if "import-" in str(source) and not source.name.startswith("."):
            raise OSError(28, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr("napari_slip.models.packs.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        import_pack(pack)
    assert load_clip("ours").card.name == "ours"


@pytest.mark.parametrize("source", ["path", "somebody/clip"])
def test_a_name_that_means_another_model_here_is_not_imported(pack, there, source, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    if source == "path":
        save_clip(tmp_path / "other", hidden_size=48)
        source = str(tmp_path / "other")
    add_entry(describe("ours", source, kind="clip"))
    before = known_models().get("clip", "ours")
    with pytest.raises(InputError, match=r"ours means another model here .* remove that name .*remove ours"):
        import_pack(pack)
    assert fetching.known_hash(before) == ""
    assert not (there / "ours").exists()


def test_a_name_that_means_this_model_here_is_left_alone(here, pack):
    before = known_models().get("clip", "ours")
    assert [entry.name for entry in import_pack(pack)] == ["ours"]
    assert known_models().get("clip", "ours") == before
    assert not (here / "here" / "ours").exists()
    assert fetching.known_hash(before) == ""


def test_a_name_of_the_other_kind_or_of_a_preset_is_not_imported(there):
    for name in ("vit_b", "cells"):
        write(there.parent / "taken.zip", {f"{name}/{CARD}": card(name), f"{name}/w.safetensors": b"x"})
        with pytest.raises(InputError, match=rf"'{name}' is taken"):
            import_pack(there.parent / "taken.zip")
    assert not there.exists()


def test_a_pack_that_is_not_there_is_a_sentence(there):
    with pytest.raises(ModelError, match=r"There is no file .*nothing.zip: expected a pack"):
        import_pack(there / "nothing.zip")


def card(name: str = "ours", **values: str) -> str:
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of the letter x
    entry = Entry(name=name, kind="clip", source="/x", file="w.safetensors", sha256=sha256, size=1)
    return as_toml(replace(entry, **values))


def write(path: Path, files: dict[str, bytes | str], how: int = zipfile.ZIP_STORED, mode: int = 0) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = how
            info.external_attr = mode << 16
            archive.writestr(info, data)


@given(
    name=st.sampled_from(
        ["../evil", "ours/../../evil", "/tmp/evil", "C:\\evil", "ours\\..\\evil", "ours/C:evil", "evil"]
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_pack_that_writes_elsewhere_writes_nothing(there, name):
    path = there.parent / "evil.zip"
    write(path, {f"ours/{CARD}": card(), "ours/w.safetensors": b"x", name: b"evil"})
    with pytest.raises(ModelError, match=r"it would write to .* outside of the folder of models|no card"):
        import_pack(path)
    assert not there.exists() or not list(there.iterdir())
    assert not list(there.parent.glob("evil"))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (
            {f"ours/{CARD}": card(), "ours/w.safetensors": b"0" * 10**7},
            {"how": zipfile.ZIP_DEFLATED},
            "any size",
        ),
        (
            {f"ours/{CARD}": card(), "ours/link": b"/etc"},
            {"mode": stat.S_IFLNK | 0o777},
            "outside of the folder",
        ),
        ({"ours/w.safetensors": b"x"}, {}, "a folder has no card"),
        ({f"ours/{CARD}": card(), "other/w.safetensors": b"x"}, {}, "a folder has no card"),
        ({f"ours/{CARD}": "not = toml = at all"}, {}, "card of ours cannot be read"),
        ({f"ours/{CARD}": card("theirs")}, {}, "card in ours is of another model"),
        ({f"ours/{CARD}": card(), "ours/w.safetensors": b"y"}, {}, "are not those of its card"),
        ({f"ours/{CARD}": card(), "ours/W.txt": b"1", "ours/w.txt": b"2"}, {}, "two files of one name"),
        ({f"ours/{CARD}": card(), **{f"ours/{i}": b"" for i in range(1000)}}, {}, "it holds 1001 files"),
        (
            {f"clip_l14/{CARD}": card("clip_l14"), "clip_l14/w.safetensors": b"x"},
            {},
            "weights of clip_l14 are not those that were published",
        ),
    ],
    ids=["bomb", "link", "no card", "stranger", "bad card", "other card", "hash", "case", "many", "forged"],
)
def test_a_hostile_pack_is_a_sentence(there, files, options, message):
    path = there.parent / "evil.zip"
    write(path, files, **options)
    with pytest.raises(ModelError, match=message) as raised:
        import_pack(path)
    assert "\n" not in str(raised.value)
    assert not there.exists() or not list(there.iterdir())
