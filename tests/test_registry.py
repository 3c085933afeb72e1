from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slip import models
from napari_slip.errors import InputError, ModelError
from napari_slip.models import EncoderCard, known_models, known_words, load_clip, unknown_words
from napari_slip.models.adding import describe
from napari_slip.models.registry import Entry, add_entry, as_toml, drop_entry, read_entry


def card(*vocabulary: str) -> EncoderCard:
    return EncoderCard("mini", "sha256:0", 64, (0.5, 0.5, 0.5), vocabulary=frozenset(vocabulary))


def test_names_and_cards_come_without_torch():
    code = "import sys, napari_slip.models as m; m.known_models(), m.known_words; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())


def test_whatever_is_promised_is_there():
    assert all(getattr(models, name) is not None for name in models.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'load_everything'"):
        _ = models.load_everything


def test_the_default_needs_no_download_and_all_others_say_what_they_cost():
    presets = known_models().presets
    assert next(iter(presets)) == "mini"
    assert [name for name, preset in presets.items() if not preset.needs_download] == ["mini"]
    for name, preset in presets.items():
        assert preset.size_mb > 0, name
        assert preset.licence, name
        assert preset.title, name


@pytest.mark.parametrize(("kind", "folder"), [("sam", "."), ("clip", "clip")])
def test_what_is_shipped_is_as_large_as_is_said(kind, folder):
    entry = known_models().get(kind, "mini")
    assert (files("napari_slip.models") / "mini" / folder / entry.file).stat().st_size == entry.size


def test_every_preset_names_models_that_exist():
    known = known_models()
    for name, preset in known.presets.items():
        assert {preset.sam, preset.clip} <= {entry.name for entry in known.named(name)}
    # a model that shares another's image encoder is not whole without it
    assert [entry.name for entry in known.named("clip_multilingual")] == ["clip_multilingual", "clip_b32"]


@pytest.mark.parametrize("entry", known_models().models.values(), ids=lambda entry: entry.name)
def test_every_model_says_where_it_comes_from_and_what_it_may_be_used_for(entry):
    assert entry.size > 1e6
    assert entry.licence not in ("", "not stated")
    assert entry.title
    assert entry.good_at
    assert entry.paper
    assert entry.file
    assert entry.shipped or entry.repository.count("/") == 1 or entry.address.startswith("https://")
    assert not entry.sha256 or len(bytes.fromhex(entry.sha256)) == 32
    # a hash of a file that may be exchanged under its name would only ever fail
    assert not (entry.repository and entry.sha256) or len(entry.revision) == 40


def test_no_two_models_have_one_hash():
    hashes = [entry.sha256 for entry in known_models().models.values() if entry.sha256]
    assert len(set(hashes)) == len(hashes) > 5


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path))
    return tmp_path


words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


@given(
    title=words,
    licence=words.filter(bool),
    sha256=st.sampled_from(["", "a" * 64]),
    size=st.integers(0, 10**12),
)
def test_a_model_is_read_as_it_was_written(title, licence, sha256, size):
    entry = Entry(name="our.own-1", kind="sam", source="/a path/'x\".pth", title=title, licence=licence)
    entry = replace(entry, sha256=sha256, size=size, also=("*.json", "a b.txt"))
    assert read_entry(as_toml(entry)) == entry


def test_a_name_of_ones_own_is_known_until_it_is_dropped(folder):
    checkpoint = folder / "weights.pth"
    checkpoint.write_bytes(b"x")
    for name in ("ours", "theirs"):
        add_entry(describe(name, str(checkpoint), kind="sam"))
    known = known_models()
    assert known.get("sam", "ours").source == str(checkpoint)
    assert next(iter(known.presets)) == "mini"
    with pytest.raises(InputError, match=r"'ours' is taken: choose another name"):
        add_entry(describe("ours", str(checkpoint), kind="sam"))
    assert drop_entry(known.get("sam", "ours"))
    assert known_models().get("sam", "ours") is None
    assert known_models().get("sam", "theirs") is not None


@pytest.mark.parametrize("heading", ["[sam.'lab']", '[ sam . "lab" ]  # ours', "  [sam.lab]"])
def test_a_name_is_dropped_however_it_is_written_and_nothing_else(folder, heading):
    others = (
        '# of the group\n[sam."other"]\nsource = "/o.pth"\n\n[presets.too]\nsam = "other"\nclip = "mini"\n'
    )
    pair = "[presets.'pair']\nsam = 'lab'\nclip = 'mini'\n"
    (folder / "models.toml").write_text(f'{heading}\nsource = "/x.pth"\n\n{others}{pair}', encoding="utf-8")
    assert drop_entry(known_models().get("sam", "lab"))
    assert (folder / "models.toml").read_text(encoding="utf-8") == others
    assert "too" in known_models().presets


def test_a_name_that_only_a_person_can_take_out_is_a_sentence(folder):
    text = '[sam]\nlab = { source = "/x.pth" }\nother.source = "/o.pth"\n'
    (folder / "models.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"lab is no table of its own in .*models.toml.*take out its lines"):
        drop_entry(known_models().get("sam", "lab"))
    assert (folder / "models.toml").read_text(encoding="utf-8") == text


def test_a_pair_of_ones_own_can_be_asked_for(folder):
    (folder / "models.toml").write_text(
        '[sam.ours]\nsource = "/x.pth"\n\n[presets.lab]\nsam = "ours"\nclip = "mini"\n', encoding="utf-8"
    )
    preset = known_models().presets["lab"]
    assert (preset.sam, preset.clip, preset.needs_download) == ("ours", "mini", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sam.ours", "models.toml is no list of models"),
        ("[sam.ours]\n", "sam.ours says no source"),
        ("[sam.ours]\nsource = 3\n", "sam.ours has source = 3"),
        ('[sam.ours]\nsource = "x"\ncolour = "red"\n', "sam.ours has colour = 'red'"),
        ('[sam.ours]\nsource = "x"\nfile = "../x"\n', "a file that is no plain name"),
        ('[sam.ours]\nsource = "x"\nsha256 = "12"\n', "a sha256 that is no 64 hexadecimal digits"),
        ("[models.ours]\n", "unknown table models"),
        ('sam = "vit_b"\n', "models.toml is no list of models .sam = 'vit_b' is no table"),
        ('[sam]\nlab = "/data/x.pth"\n', "sam.lab = '/data/x.pth' is no table"),
        ('[presets]\nlab = "vit_b"\n', "presets.lab = 'vit_b' is no table"),
        ('[presets.lab]\nsam = "mini"\nclip = "mini"\ntitle = 3\n', "presets.lab has a title that is no"),
        (
            '[clip.x]\nsource = "/x"\nimages = "nosuch"\n[presets.lab]\nsam = "mini"\nclip = "x"\n',
            "clip.x has images = 'nosuch', which names no clip",
        ),
    ],
)
def test_a_list_of_ones_own_that_cannot_be_read_is_a_sentence(folder, text, message):
    (folder / "models.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        known_models()


@pytest.mark.parametrize(
    ("name", "source", "kind", "sha256", "message"),
    [
        ("two words", "owner/name", "clip", "", "is no name for a model: expected letters"),
        ("vit_b", "owner/name", "sam", "", "'vit_b' is taken"),
        ("vit_b", "owner/name", "clip", "", "'vit_b' is taken"),  # both would have one folder
        ("ours", "/nowhere/at/all.pth", "sam", "", "is no source of a model: expected a path that exists"),
        ("ours", "https://x.org/clip.zip", "sam", "", "is no address of a checkpoint"),
        ("ours", "owner/name", "vision", "", "'vision' is no kind of model: expected sam or clip"),
        ("ours", "owner/name", "sam", "12", "'12' is no SHA-256"),
    ],
)
def test_what_cannot_be_added_is_a_sentence(folder, name, source, kind, sha256, message):
    with pytest.raises(InputError, match=message):
        add_entry(describe(name, source, kind=kind, sha256=sha256))


@pytest.mark.parametrize(("kind", "name"), [("clip", "empty"), ("sam", "empty"), ("clip", "w.pth")])
def test_what_holds_no_weights_cannot_be_added(folder, kind, name):
    (folder / "empty").mkdir()
    (folder / "w.pth").write_bytes(b"x")
    with pytest.raises(InputError, match=rf"{name} holds no weights of a {kind.upper()}: expected"):
        describe("ours", str(folder / name), kind=kind)


def test_what_nothing_is_called_is_a_sentence():
    with pytest.raises(InputError, match=r"No model is called 'sam9': expected one of mini, mobile, sam2"):
        known_models().named("sam9")


def test_the_words_that_a_model_has_never_seen():
    mini = card("red", "circle", "cell", "nucleus", "ice", "cream", "berry")
    assert unknown_words("a red circle", mini) == []
    assert unknown_words("the axon of a CELL", mini) == ["axon"]
    assert known_words("the axon of a CELL", mini) == ["the", "of", "a", "cell"]
    assert unknown_words("cells, circles and berries", mini) == []
    assert unknown_words("ice-cream", mini) == []
    assert unknown_words("ice-hockey", mini) == ["ice-hockey"]
    assert unknown_words("", mini) == []


@pytest.mark.parametrize("prompt", ["H&E nuclei", "knives and leaves", "cups of coffee", "fleurs-de-lis"])
def test_mini_knows_its_own_words_and_their_plurals(prompt):
    assert unknown_words(prompt, load_clip("mini").card) == []


def test_a_model_without_a_vocabulary_knows_every_word():
    everything = EncoderCard("big", "sha256:0", 224, (0.5, 0.5, 0.5))
    assert unknown_words("axon hillock", everything) == []
    assert known_words("axon hillock", everything) == ["axon", "hillock"]
