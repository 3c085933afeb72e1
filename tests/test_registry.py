from __future__ import annotations

import subprocess
import sys

import pytest

from napari_slip import models
from napari_slip.models import PRESETS, WEIGHTS, EncoderCard, known_words, unknown_words


def card(*vocabulary: str) -> EncoderCard:
    return EncoderCard("mini", "sha256:0", 64, (0.5, 0.5, 0.5), vocabulary=frozenset(vocabulary))


def test_names_and_cards_come_without_torch():
    code = "import sys, napari_slip.models as m; m.PRESETS, m.known_words; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())


def test_whatever_is_promised_is_there():
    assert all(getattr(models, name) is not None for name in models.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'load_everything'"):
        _ = models.load_everything


def test_the_default_needs_no_download_and_all_others_say_what_they_cost():
    assert next(iter(PRESETS)) == "mini"
    assert [name for name, preset in PRESETS.items() if not preset.needs_download] == ["mini"]
    for name, preset in PRESETS.items():
        assert preset.size_mb > 0, name
        assert preset.licence, name
        assert preset.title, name


def test_every_preset_names_models_that_exist():
    for preset in PRESETS.values():
        assert preset.sam == "mini" or preset.sam in WEIGHTS
        assert preset.clip == "mini" or "/" in preset.clip


def test_weights_are_told_apart_by_their_hashes():
    hashes = [weights.sha256 for weights in WEIGHTS.values()]
    assert len(set(hashes)) == len(hashes)
    for weights in WEIGHTS.values():
        assert len(bytes.fromhex(weights.sha256)) == 32
        assert weights.url.startswith("https://")
        assert weights.url.endswith(weights.file)
        # what a SAM of that many numbers of four bytes weighs
        assert weights.size > 300e6


def test_the_words_that_a_model_has_never_seen():
    mini = card("red", "circle", "cell", "nucleus", "ice", "cream", "berry")
    assert unknown_words("a red circle", mini) == []
    assert unknown_words("the axon of a CELL", mini) == ["axon"]
    assert known_words("the axon of a CELL", mini) == ["the", "of", "a", "cell"]
    assert unknown_words("cells, circles and berries", mini) == []
    assert unknown_words("ice-cream", mini) == []
    assert unknown_words("ice-hockey", mini) == ["ice-hockey"]
    assert unknown_words("", mini) == []


def test_a_model_without_a_vocabulary_knows_every_word():
    everything = EncoderCard("big", "sha256:0", 224, (0.5, 0.5, 0.5))
    assert unknown_words("axon hillock", everything) == []
    assert known_words("axon hillock", everything) == ["axon", "hillock"]
