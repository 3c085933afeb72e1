"""Files of weights on their way here: whole and as published, or not at all."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from _server import cut, other, reset, serving, status

from napari_slip.batch.recipe import whole_path
from napari_slip.errors import Cancelled, InputError, ModelError
from napari_slip.hashing import file_hash
from napari_slip.models import download, fetching
from napari_slip.models.adding import describe
from napari_slip.models.folders import names_recorded, record
from napari_slip.models.registry import Entry, add_entry, known_models
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = random.Random(0).randbytes(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site():
    with serving() as running:
        running.files["w.pth"] = CONTENT
        yield running


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SLIP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def entry(site):
    return Entry(
        name="ours",
        kind="sam",
        source=f"{site.root}/w.pth",
        file="ours.pth",
        sha256=SHA,
        size=len(CONTENT),
        licence="CC0",
    )


def stopping_after(size: int) -> Progress:
    progress = Progress(lambda step, done, total: progress.cancel() if done > size else None)
    return progress


def is_whole(path: Path) -> bool:
    return path.read_bytes() == CONTENT


def test_a_model_is_downloaded_once(site, folder, entry):
    told = []
    path = fetching.fetch(entry, Progress(lambda *step: told.append(step)))
    assert path == folder / "ours.pth"
    assert is_whole(path)
    assert told[-1] == ("download", len(CONTENT), len(CONTENT))
    assert fetching.fetch(entry) == path
    assert len(site.asked) == 1
    fetching.check(entry, file_hash(path))


def test_what_has_arrived_is_not_fetched_again(site, folder, entry):
    with pytest.raises(Cancelled):
        fetching.fetch(entry, stopping_after(300_000))
    assert fetching.find(entry) is None
    assert is_whole(fetching.fetch(entry))
    _, wanted = site.asked[-1]
    assert int(wanted.removeprefix("bytes=").rstrip("-")) > 300_000


@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_who_stops_while_the_file_is_hashed_keeps_it(site, folder, entry, monkeypatch, size):
    entry = replace(entry, size=size)

    def stop(_part):
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr(download._Part, "_hash", stop)
        with pytest.raises(Cancelled):
            fetching.fetch(entry)
    assert is_whole(folder / "ours.pth.part")
    assert is_whole(fetching.fetch(entry))
    assert len(site.asked) == 1


def test_hashing_can_be_stopped(folder, entry):
    folder.mkdir()
    (folder / "ours.pth.part").write_bytes(CONTENT)
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        download._Part(folder / "ours.pth", SHA, len(CONTENT), progress)._hash()


@pytest.mark.parametrize(
    "replies",
    [
        [cut(0)],
        [cut(1), cut(100_000), cut(5)],
        [reset(100_000)],
        [status(429, Retry_After="0"), status(503, Retry_After="0")],
        [status(302, Location="/w.pth")],
        [cut(100_000), other(b"other")],  # exchanged in the middle: what came before is of no use
        [cut(100_000), status(416)],
    ],
    ids=["at once", "three times", "reset", "busy", "redirected", "exchanged", "refused"],
)
def test_a_server_that_stumbles_is_asked_again(site, folder, entry, replies):
    site.next = list(replies)
    assert is_whole(fetching.fetch(entry))
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".lock") == ["ours.pth"]


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([other(b"no weights")] * 3, "another file: its hash is not the known one"),
        ([status(404)], "the server answers 404"),
        ([status(403)], "the server answers 403"),
        ([status(500, Retry_After="0")] * 9, "the server is busy"),
        ([cut(0)] * 9, "the connection broke again and again"),
    ],
)
def test_what_cannot_be_had_is_a_sentence_and_no_model(site, folder, entry, replies, message):
    site.next = list(replies)
    with pytest.raises(ModelError, match=message) as raised:
        fetching.fetch(entry)
    assert "\n" not in str(raised.value)
    assert fetching.find(entry) is None


def test_a_file_of_another_size_is_not_even_fetched(site, folder, entry):
    site.files["w.pth"] = CONTENT * 2
    with pytest.raises(ModelError, match=r"it has 1400000 bytes, but 700000 are expected"):
        fetching.fetch(entry)
    assert fetching.find(entry) is None


@pytest.mark.parametrize("name", ["~nosuch/x.pth", "weights/sam.pth", "weights/clip.safetensors"])
def test_a_mistyped_path_is_a_path_that_is_not_there(folder, name):
    place, entry = fetching.place_of("sam", name)
    assert (str(place), place.exists(), entry) == (name, False, None)
    assert whole_path(name) == name
    with pytest.raises(InputError, match=r"is no source of a model: expected a path that exists"):
        describe("ours", name, kind="sam")


def test_without_a_network_the_sentence_says_how_the_model_comes_here(folder, entry):
    nowhere = replace(entry, source="http://127.0.0.1:9/w.pth", size=375_000_000)
    sentence = (
        r"ours \(375 MB\) is not on this machine .*there is no connection to the server.*: on a machine with "
        r"a network run napari-slip models fetch ours and napari-slip models export ours, and here "
        r"napari-slip models import ours\.zip; or put its files into .*models/ours\."
    )
    with pytest.raises(ModelError, match=sentence):
        fetching.fetch(nowhere)


def test_offline_nothing_is_asked(site, folder, entry, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"could not be downloaded \(HF_HUB_OFFLINE is set\)"):
        fetching.fetch(entry)
    assert site.asked == []


def test_a_mirror_is_asked_first_and_may_fail(site, folder, entry, monkeypatch):
    site.files["mirror/ours.pth"] = CONTENT
    monkeypatch.setenv("NAPARI_SLIP_MIRROR", f"{site.root}/mirror/")
    assert is_whole(fetching.fetch(entry))
    assert [name for name, _ in site.asked] == ["mirror/ours.pth"]
    fetching.remove(entry)
    site.files["mirror/ours.pth"] = b"a page that says sorry"
    assert is_whole(fetching.fetch(entry))
    assert [name for name, _ in site.asked][1:] == ["mirror/ours.pth", "w.pth"]


def test_where_no_hash_is_published_the_first_one_counts(site, folder, entry):
    unknown = replace(entry, sha256="", size=0)
    path = fetching.fetch(unknown)
    assert fetching.known_hash(unknown) == SHA
    fetching.check(unknown, f"sha256:{SHA}")
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelError, match=r"weights of ours are not those that were published or first"):
        fetching.check(unknown, file_hash(path))


def test_another_file_at_a_later_download_is_refused_until_the_first_is_forgotten(site, folder, entry):
    unknown = replace(entry, sha256="", size=0)
    fetching.fetch(unknown).unlink()
    site.files["w.pth"] = b"another"
    with pytest.raises(ModelError, match=r"models remove ours, which forgets the first hash too, and fetch"):
        fetching.fetch(unknown)
    assert fetching.known_hash(unknown) == SHA
    fetching.remove(unknown)
    assert fetching.fetch(unknown).read_bytes() == b"another"
    assert fetching.known_hash(unknown) == hashlib.sha256(b"another").hexdigest()


def test_what_many_write_at_once_is_all_remembered(folder):
    def work(number: int) -> None:
        record("sam", f"model{number}", {"sha256": SHA})
        add_entry(Entry(name=f"model{number}", kind="sam", source="/x.pth"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    names = {f"model{number}" for number in range(24)}
    assert {name for _, name in names_recorded()} == names
    assert names <= set(known_models().of("sam"))


def test_a_model_that_is_removed_is_gone(site, folder, entry):
    fetching.fetch(entry)
    assert fetching.remove(entry) == len(CONTENT)
    assert fetching.find(entry) is None
    assert fetching.remove(entry) == 0


def test_two_processes_do_not_write_into_one_file(site, folder, entry):
    code = (
        "import sys; from napari_slip.models import fetching; from napari_slip.models.registry import Entry; "
        f"fetching.fetch(Entry(name='ours', kind='sam', source={entry.source!r}, file='ours.pth', "
        f"sha256={SHA!r}, size={len(CONTENT)}))"
    )
    site.next = [lambda handler, data: (time.sleep(0.5), cut(200_000)(handler, data))] * 2
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert is_whole(folder / "ours.pth")


@pytest.mark.slow
def test_two_hundred_interruptions_leave_no_bad_file(site, folder, entry):
    chance = random.Random(7)
    path = folder / "ours.pth"
    interruptions = finished = 0
    while interruptions < 200:
        kind = chance.choice(["cancel", "cut", "reset", "wrong", "busy", "missing", "slow"])
        at = chance.randrange(len(CONTENT))
        unknown = chance.random() < 0.3  # a model without a published hash must not be fooled either
        wanted = replace(entry, sha256="", size=0) if unknown and kind != "wrong" else entry
        site.next = {
            "cut": [cut(chance.randrange(at + 1)) for _ in range(2)],
            "reset": [reset(at), status(500, Retry_After="0")],
            "wrong": [other(chance.randbytes(9))] * 2,
            "busy": [status(429, Retry_After="0"), cut(at // 2)],
            "missing": [status(404)],
            "slow": [lambda handler, data, at=at: (time.sleep(0.01), cut(at)(handler, data))],
        }.get(kind, [])
        progress = stopping_after(at if kind == "cancel" else len(CONTENT))
        try:
            fetching.fetch(wanted, progress)
        except (Cancelled, ModelError):
            interruptions += 1
            assert not path.exists()
        else:
            interruptions += kind != "cancel"
            finished += 1
            assert is_whole(path)
            if chance.random() < 0.7:
                fetching.remove(entry)
            else:  # what was begun before is still there, of this file or of another
                path.unlink()
                (folder / "ours.pth.part").write_bytes(chance.choice([CONTENT, b"?" * 900_000])[: at + 1])
    assert finished > 20
    site.next = []
    assert is_whole(fetching.fetch(entry))


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_no_bad_file(site, folder, entry):
    code = (
        "from napari_slip.models import fetching; from napari_slip.models.registry import Entry; "
        f"e = Entry(name='ours', kind='sam', source={entry.source!r}, file='ours.pth', sha256={SHA!r}, "
        f"size={len(CONTENT)}); print('go', flush=True); fetching.fetch(e)"
    )

    def drip(handler, data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        for start in range(0, len(data), 50_000):
            handler.wfile.write(data[start : start + 50_000])
            time.sleep(0.03)

    for wait in (0.0, 0.3, 0.5, 0.7):
        site.next = [drip]
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "go\n"
        time.sleep(wait)
        process.kill()
        process.wait()
        process.stdout.close()
        assert fetching.find(entry) is None or is_whole(folder / "ours.pth")
    site.next = []
    assert is_whole(fetching.fetch(entry))
