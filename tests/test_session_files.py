from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slip.errors import InputError
from napari_slip.objects import Pointing
from napari_slip.session import Autosave, Edit, Session, editing

SHAPE = (24, 32)


def square(y, x, side=4):
    mask = np.zeros(SHAPE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def worked_on():
    """A session with decisions, clicks, a track, and steps to undo and redo."""
    session = Session(SHAPE)
    session.classes = session.classes.add("cell", ["cell", "a round cell"]).add("débris")
    labels = np.zeros(SHAPE, np.uint16)
    labels[1:5, 1:6], labels[10:18, 3:12], labels[2:9, 20:30] = 3, 7, 900
    first, second, third = session.adopt(labels, class_name="cell", status="predicted")
    (other,) = session.adopt(np.where(labels == 3, 1, 0), plane=(1,), class_name="cell")
    session.accept([first])
    session.reject([second])
    session.apply(editing.reshape(session.objects[third], square(3, 21), Pointing(((22.5, 4.0, 1),))))
    session.link([(first, other)])
    session.rename_class("débris", "dirt")
    session.undo()
    session.settings = {"match": {"select": "best"}}
    return session


def same(one, other):
    assert one.shape == other.shape
    assert one.classes == other.classes
    assert one.table().equals(other.table())
    assert one.settings == other.settings
    for a, b in zip(one.objects.values(), other.objects.values(), strict=True):
        assert a.pointing == b.pointing
        np.testing.assert_array_equal(a.mask(one.shape), b.mask(one.shape))


def test_a_file_brings_back_the_work_and_its_history(tmp_path):
    session = worked_on()
    session.save(tmp_path / "a.slip")
    again = Session.load(tmp_path / "a.slip")
    assert not again.damage
    same(session, again)
    assert again.steps == session.steps == (7, 1)
    while session.undo():
        assert again.undo()
        same(session, again)
    while session.redo():
        assert again.redo()
    same(session, again)


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_file_that_breaks_off_is_opened_as_far_as_it_goes(kept, tmp_path):
    path = tmp_path / "a.slip"
    session = worked_on()
    session.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    again = Session.load(path)
    assert "is damaged" in again.damage
    for i, thing in again.objects.items():
        np.testing.assert_array_equal(thing.crop, session.objects[i].crop)
    for _ in range(again.steps[0]):  # what history there is can be gone through
        assert again.undo()


@settings(max_examples=30, deadline=None)
@given(example=st.data())
def test_any_damaged_byte_loses_no_more_than_its_line_and_what_hangs_on_it(example, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "a.slip"
    session = worked_on()
    session.save(path)
    content = bytearray(path.read_bytes())
    head = content.index(b"\n") + 1
    at = example.draw(st.integers(head, len(content) - 1))
    content[at] = (content[at] + example.draw(st.integers(1, 255))) % 256
    path.write_bytes(bytes(content))
    again = Session.load(path)
    assert len(again.objects) >= len(session.objects) - 2  # two objects may share a mask
    for i, thing in again.objects.items():
        np.testing.assert_array_equal(thing.crop, session.objects[i].crop)


def test_a_file_of_a_later_version_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "a.slip"
    text = json.dumps({"format": "napari-slip session", "version": 9, "shape": SHAPE, "next_id": 1})
    path.write_text(f"{zlib.crc32(text.encode()):08x} {text}\n")
    with pytest.raises(InputError, match=r"later version of napari-slip \(format 9"):
        Session.load(path)


def test_a_file_of_the_first_version_is_taken_over(tmp_path):
    header = {
        "format": "napari-slip session 1",
        "shape": SHAPE,
        "next_id": 9,
        "classes": [{"name": "cell", "colour": "#e69f00", "phrases": ["cell"]}],
        "objects": [
            {
                "id": 4,
                "class_name": "cell",
                "status": "accepted",
                "size": [2, 3],
                "origin": [5, 6],
                "plane": [],
                "segment": 2,
                "score": 0.75,
            }
        ],
    }
    bits = np.packbits(np.ones((2, 3), bool))
    path = tmp_path / "old.npz"
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), bits=bits)
    session = Session.load(path)
    assert session.table()[["id", "class", "status", "area", "score"]].to_numpy().tolist() == [
        [4, "cell", "accepted", 6, 0.75]
    ]
    session.save(tmp_path / "new.slip")
    same(session, Session.load(tmp_path / "new.slip"))


def test_a_thousand_objects_and_two_hundred_steps_take_little_room(tmp_path):
    session = Session((1000, 1000))
    labels = np.zeros((1000, 1000), np.int32)
    for i in range(1000):
        y, x = divmod(i, 32)
        labels[y * 30 + 3 : y * 30 + 23, x * 30 + 3 : x * 30 + 23] = i + 1
    ids = session.adopt(labels, status="predicted")
    for i in ids[:150]:
        session.accept([i])
    session.save(tmp_path / "a.slip")
    assert (tmp_path / "a.slip").stat().st_size < 600_000
    again = Session.load(tmp_path / "a.slip")
    assert again.steps == (151, 0)
    assert len(again.objects) == 1000


def test_a_row_of_quick_decisions_is_saved_once_and_soon(tmp_path):
    session = worked_on()
    autosave = Autosave(session, tmp_path / "a.slip", wait=0.05)
    for _ in range(20):
        session.undo()
        session.redo()
    deadline = time.monotonic() + 20
    while not autosave.path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    same(session, Session.load(autosave.path))
    session.delete([1])
    autosave.close()
    same(session, Session.load(autosave.path))
    session.undo()
    autosave.flush()
    assert 1 not in Session.load(autosave.path).objects  # closed: it listens no more


def test_a_file_that_cannot_be_written_is_told_and_tried_again(tmp_path):
    session = worked_on()
    (tmp_path / "folder").write_text("in the way")
    autosave = Autosave(session, tmp_path / "folder" / "a.slip", wait=60)
    session.undo()
    with pytest.raises(OSError, match="folder"):
        autosave.flush()
    (tmp_path / "folder").unlink()
    autosave.flush()
    same(session, Session.load(autosave.path))


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from napari_slip.session import Autosave, Session

session = Session((200, 200))
labels = np.zeros((200, 200), np.int32)
for i in range(100):
    labels[i // 10 * 20 : i // 10 * 20 + 15, i % 10 * 20 : i % 10 * 20 + 15] = i + 1
ids = session.adopt(labels, status="predicted")
autosave = Autosave(session, Path(sys.argv[1]))
for turn in range(10_000):
    (session.accept if turn // 100 % 2 == 0 else session.reject)([ids[turn % 100]])
    print(turn, time.time(), flush=True)
    time.sleep(0.03)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_loses_nothing_older_than_two_seconds(tmp_path):
    rng = np.random.default_rng(0)
    for batch in range(5):
        logs, running = [], []
        for i in range(4):
            path = tmp_path / f"{batch}-{i}.slip"
            logs.append(path.with_suffix(".log"))
            with logs[-1].open("w") as log:
                work = subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=log)
            running.append((work, path))
        for (work, path), log in zip(running, logs, strict=True):
            deadline = time.monotonic() + 60
            while len(log.read_text().splitlines()) < 10 and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(float(rng.uniform(1.0, 2.5)))
            os.kill(work.pid, signal.SIGKILL)
            work.wait()
            killed = time.time()
            done = [line.split() for line in log.read_text().splitlines()[:-1]]  # the last may break off
            due = max(int(turn) for turn, when in done if float(when) < killed - 2)
            session = Session.load(path)
            assert not session.damage
            decided = [o for o in session.objects.values() if o.status != "predicted"]
            assert len(decided) >= min(due + 1, 100)
            assert session.steps[0] >= min(due + 2, 200)


def test_edit_is_one_step_and_new_objects_get_their_own_ids():
    session = worked_on()
    before = session.picture()
    steps = session.steps[0]
    thing = session.objects[3]
    session.apply(editing.split(thing, [(21.5, 3.5), (24.5, 6.5)], SHAPE))
    assert session.steps[0] == steps + 1
    assert len([o for o in session.objects.values() if o.status == "corrected"]) == 2
    np.testing.assert_array_equal(session.picture() > 0, before > 0)
    session.undo()
    np.testing.assert_array_equal(session.picture(), before)
    with pytest.raises(InputError, match="no object 99"):
        session.apply(Edit(removed=(99,)))
