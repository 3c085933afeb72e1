"""What a user of the cache would notice: hits, misses, limits, damage, company."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.errors import InputError
from napari_slip.segments import PackedMasks, Segments
from napari_slip.store import DiskStore, keys
from napari_slip.store.keys import key_of

ORIGIN = {"sam": "sha256:1", "clip": "sha256:2", "proposals": "...", "crops": "..."}


def plane(seed=0, shape=(40, 50)):
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)


def some_segments(n=3, origin=ORIGIN, embedding=True):
    rng = np.random.default_rng(n)
    crops = [rng.random((5, 7)) > 0.3 for _ in range(n)]
    scores = rng.random(n, dtype=np.float32)
    return Segments(
        shape=(40, 50),
        masks=PackedMasks.pack(crops, [(i, 2 * i) for i in range(n)]),
        predicted_iou=scores,
        stability_score=scores / 2,
        mean_intensity=scores / 3,
        area=np.array([c.sum() for c in crops], np.int64),
        roundness=scores,
        parent=np.full(n, -1, np.int32),
        background=np.zeros(n, bool),
        embedding=rng.random((n, 8), dtype=np.float32) if embedding else None,
        origin=dict(origin),
    )


@pytest.mark.parametrize("embedding", [True, False])
@pytest.mark.parametrize("n", [0, 3])
def test_what_is_saved_is_loaded(tmp_path, n, embedding):
    store, segments = DiskStore(tmp_path), some_segments(n, embedding=embedding)
    store.save(plane(), segments)
    loaded = DiskStore(tmp_path).load(plane(), ORIGIN)
    assert loaded is not None
    assert loaded.origin == ORIGIN
    np.testing.assert_array_equal(loaded.labels(), segments.labels())
    np.testing.assert_array_equal(loaded.predicted_iou, segments.predicted_iou)
    assert (loaded.embedding is None) == (not embedding)
    if embedding:
        np.testing.assert_array_equal(loaded.embedding, segments.embedding)
    assert loaded.table().equals(segments.table())


def test_other_pixels_models_or_settings_are_another_entry(tmp_path):
    store = DiskStore(tmp_path)
    store.save(plane(), some_segments())
    assert store.load(plane(1), ORIGIN) is None
    assert store.load(plane().reshape(50, 40, 3), ORIGIN) is None
    for name in ORIGIN:
        assert store.load(plane(), ORIGIN | {name: "other"}) is None


@given(st.tuples(st.integers(0, 39), st.integers(0, 49), st.integers(0, 2)))
def test_every_pixel_counts(where):
    changed = plane()
    changed[where] ^= 1
    assert key_of(changed, ORIGIN) != key_of(plane(), ORIGIN)


def test_the_key_is_of_the_pixels_not_of_their_layout():
    assert key_of(np.asfortranarray(plane()), ORIGIN) == key_of(plane(), ORIGIN)


def test_what_another_version_has_kept_is_not_used(tmp_path, monkeypatch):
    store = DiskStore(tmp_path)
    store.save(plane(), some_segments())
    assert store.load(plane(), ORIGIN) is not None
    monkeypatch.setattr(keys, "__version__", "99.0")
    assert store.load(plane(), ORIGIN) is None


def test_the_least_recently_used_goes_first(tmp_path):
    store = DiskStore(tmp_path)
    store.save(plane(0), some_segments())
    size = store.info().size
    store = DiskStore(tmp_path, quota=int(3.5 * size))
    for seed in (1, 2):
        time.sleep(0.01)
        store.save(plane(seed), some_segments())
    time.sleep(0.01)
    assert store.load(plane(0), ORIGIN) is not None  # used: now 1 is the oldest
    time.sleep(0.01)
    store.save(plane(3), some_segments())
    assert store.load(plane(1), ORIGIN) is None
    assert all(store.load(plane(seed), ORIGIN) is not None for seed in (0, 2, 3))
    assert store.info().size <= store.quota


def test_what_has_just_come_is_kept_even_over_the_quota(tmp_path):
    store = DiskStore(tmp_path, quota=1)
    store.save(plane(0), some_segments())
    store.save(plane(1), some_segments())
    assert store.load(plane(0), ORIGIN) is None
    assert store.load(plane(1), ORIGIN) is not None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text"])
def test_a_corrupt_entry_is_made_again(tmp_path, damage):
    store = DiskStore(tmp_path)
    store.save(plane(), some_segments())
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": bytes(content), "cut": content[:100], "empty": b"", "text": b"hello"}[damage])
    assert store.load(plane(), ORIGIN) is None
    store.save(plane(), some_segments())
    assert store.load(plane(), ORIGIN) is not None


def test_a_corrupt_entry_that_may_not_be_taken_away_is_none(tmp_path, monkeypatch):
    store = DiskStore(tmp_path)
    store.save(plane(), some_segments())
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"hello")

    def unlink(self, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "unlink", unlink)
    assert store.load(plane(), ORIGIN) is None


def test_info_and_clear(tmp_path):
    store = DiskStore(tmp_path / "new")
    assert (store.info().entries, store.info().size) == (0, 0)
    store.save(plane(0), some_segments())
    store.save(plane(1), some_segments())
    (tmp_path / "new" / "left over.part").write_bytes(b"x")
    size = store.info().size
    assert store.info().entries == 2
    assert store.clear() == size > 0
    assert not list((tmp_path / "new").iterdir())


def test_a_place_that_cannot_be_written_loses_nothing(tmp_path):
    (tmp_path / "file").write_text("no folder")
    store = DiskStore(tmp_path / "file")
    store.save(plane(), some_segments())
    assert store.load(plane(), ORIGIN) is None


def test_a_quota_of_nothing_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="quota is 0, but a positive number of bytes is expected"):
        DiskStore(tmp_path, quota=0)


WRITER = """
import sys
sys.path[:0] = {path!r}
from test_store import *
store = DiskStore({folder!r}, quota={quota})
for i in range(40):
    store.save(plane(i % 4), some_segments())
    store.load(plane((i + 1) % 4), ORIGIN)
"""


def test_two_processes_in_one_folder(tmp_path):
    store = DiskStore(tmp_path)
    store.save(plane(0), some_segments())
    quota = int(store.info().size * 2.5)  # both write and throw out all the time
    program = WRITER.format(path=sys.path, folder=str(tmp_path), quota=quota)
    writers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    done = threading.Event()
    threading.Thread(target=lambda: ([w.wait() for w in writers], done.set())).start()
    found = 0
    while not done.wait(0.005):
        for seed in range(4):
            loaded = store.load(plane(seed), ORIGIN)
            if loaded is not None:
                found += 1
                assert len(loaded) == 3
    assert [w.returncode for w in writers] == [0, 0]
    assert found
    assert not list(tmp_path.glob("*.part"))
