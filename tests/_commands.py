"""Commands, run in the process of the tests, with mini loaded only once."""

from __future__ import annotations

import functools

from PIL import Image
from skimage.data import coins
from typer.testing import CliRunner

import napari_slip
from napari_slip.cli import app
from napari_slip.loading import load


@functools.cache
def mini():
    return load("mini", device="cpu")


def commands(monkeypatch, cache):
    """Return a function that runs a command with a store of its own in the folder `cache`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("COLUMNS", "300")  # no sentence is cut in two

    def load_once(
        name=None, *, sam=None, clip=None, device="auto", crops=None, store=None, head=None, progress=None
    ):
        if (name or "mini", sam, clip, head) != ("mini", None, None, None) or device not in ("auto", "cpu"):
            return load(
                name,
                sam=sam,
                clip=clip,
                device=device,
                crops=crops,
                store=store,
                head=head,
                progress=progress,
            )
        return napari_slip.Slip(mini().segmenter, mini().encoder, crops=crops, store=store)

    monkeypatch.setattr("napari_slip.loading.load", load_once)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def save_coins(path, left=0):
    """Save a corner of the coins, small and quick."""
    Image.fromarray(coins()[:140, left : left + 200]).save(path)
    return path


def one_sentence(text):
    """What a person is told, checked to be no traceback and one line."""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]
