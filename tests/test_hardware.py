"""What depends on the machine: memory of a GPU (simulated), half precision, threads."""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import platformdirs
import pytest
import torch
from clips import save_clip
from hypothesis import given
from hypothesis import strategies as st
from models import loaded_tiny_sam
from segment_anything.modeling import Sam

from napari_slip.models import load_clip, load_sam, precision
from napari_slip.models.memory import fitting, in_chunks, rest, sparing
from napari_slip.progress import Progress
from napari_slip.segmentation import SamSegmenter
from napari_slip.segmentation.chunks import ON_A_PROCESSOR, chunk_size
from napari_slip.segmentation.decoder import Decoder
from napari_slip.settings import ProposalSettings

CUDA = torch.device("cuda")
NOTICE = "too little free memory for {}: it runs on the processor from now on"


def picture(shape=(90, 120)):
    return np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)


@pytest.fixture
def full_gpu(monkeypatch):
    """Simulate a GPU on which there is no room for a single tensor more."""
    move = torch.Tensor.to

    def to(tensor, *where, **how):
        if (
            where
            and torch.device(where[0] if not isinstance(where[0], torch.dtype) else "cpu").type == "cuda"
        ):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return move(tensor, *where, **how)

    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr("napari_slip.models.memory.free_memory", lambda device: 0)
    for user in ("models.clip", "segmentation.encoding"):
        monkeypatch.setattr(f"napari_slip.{user}.bfloat16_pays", lambda device: False)


def moved_to_gpu(kind, monkeypatch):
    """Let networks of a kind say that they are on the GPU until they are brought back."""
    monkeypatch.setattr(kind, "device", CUDA, raising=False)

    def back(network, device):
        monkeypatch.setattr(kind, "device", torch.device(device))
        return network

    monkeypatch.setattr(kind, "to", back)


# --- how many at once


@given(st.integers(0, 2**38), st.integers(1, 2**34), st.integers(1, 512))
def test_what_is_done_at_once_fits_in_half_of_the_free_memory(free, each, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_slip.models.memory.free_memory", lambda device: free)
        count = fitting(CUDA, each, on_processor=3, most=most)
        assert fitting(torch.device("cpu"), each, on_processor=3, most=most) == 3
    assert 1 <= count <= most
    assert count == 1 or count * each <= free / 2
    assert count == most or (count + 1) * each > free / 2


def test_prompts_at_once_grow_with_the_free_memory(monkeypatch):
    network = loaded_tiny_sam().network
    assert chunk_size(network) == ON_A_PROCESSOR
    gpu = SimpleNamespace(
        device=CUDA, prompt_encoder=network.prompt_encoder, mask_decoder=network.mask_decoder
    )
    sizes = []
    for free in (0, 2**28, 2**36):
        monkeypatch.setattr("napari_slip.models.memory.free_memory", lambda device, free=free: free)
        sizes.append(chunk_size(gpu))
    assert sizes[0] == 1 < sizes[1] <= sizes[2] == 256


# --- smaller pieces


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
def test_a_piece_too_large_for_the_memory_is_halved(count, size, room):
    tried, done = [], []

    def work(items):
        tried.append(len(items))
        if len(items) > room:
            raise torch.OutOfMemoryError("full")
        done.extend(items.tolist())

    in_chunks(torch.arange(count), size, work)
    assert done == list(range(count))
    assert sum(n > room for n in tried) <= size.bit_length()  # it does not try again what has failed


def test_without_memory_for_one_item_it_says_so():
    def work(_):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError, match="full"):
        in_chunks(torch.arange(3), 4, work)


def test_segments_are_the_same_where_prompts_must_be_asked_one_by_one(monkeypatch):
    segmenter = SamSegmenter(loaded_tiny_sam(box_nms_thresh=1.0, prompts="grid"))
    plane = segmenter.encode(picture(), Progress())
    expected = segmenter.propose(plane, segmenter.proposals, Progress())
    ask, asked = Decoder.__call__, []

    def short_of_memory(decoder, points):
        asked.append(len(points))
        if len(points) > 1:
            raise torch.OutOfMemoryError("full")
        return ask(decoder, points)

    monkeypatch.setattr(Decoder, "__call__", short_of_memory)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # smaller pieces are no reason to bother anybody
        segments = segmenter.propose(plane, segmenter.proposals, Progress())
    assert asked == [4, 2] + [1] * 16
    assert len(segments) == len(expected) > 3
    assert (segments.labels() != expected.labels()).mean() < 0.001  # sums of another order


def test_pictures_are_seen_alike_where_they_must_be_looked_at_one_by_one(tmp_path, monkeypatch):
    save_clip(tmp_path / "clip")
    clip = load_clip(tmp_path / "clip", device="cpu")
    pictures = np.random.default_rng(0).integers(0, 255, (7, 32, 32, 3), dtype=np.uint8)
    expected = clip.encode_images(pictures)
    look, sizes = clip.network.get_image_features, []

    def short_of_memory(pixel_values):
        sizes.append(len(pixel_values))
        if len(pixel_values) > 1:
            raise torch.OutOfMemoryError("full")
        return look(pixel_values=pixel_values)

    monkeypatch.setattr(clip.network, "get_image_features", short_of_memory)
    np.testing.assert_allclose(clip.encode_images(pictures), expected, atol=1e-5)
    assert max(sizes[-7:]) == 1


# --- the processor instead


def test_a_full_gpu_leads_a_sam_to_the_processor_with_one_notice(full_gpu, monkeypatch):
    loaded = loaded_tiny_sam(box_nms_thresh=1.0, prompts="grid")
    expected = SamSegmenter(loaded)
    plane = expected.encode(picture(), Progress())
    expected = expected.propose(plane, loaded.proposals, Progress())
    moved_to_gpu(Sam, monkeypatch)
    segmenter = SamSegmenter(loaded)
    with pytest.warns(UserWarning, match=NOTICE.format("tiny")) as notices:
        plane = segmenter.encode(picture(), Progress())
        segments = segmenter.propose(plane, segmenter.proposals, Progress())
        segmenter.encode(picture((50, 60)), Progress())
    assert len(notices) == 1
    np.testing.assert_array_equal(segments.labels(), expected.labels())


def test_a_click_on_a_full_gpu_is_answered_by_the_processor(full_gpu, monkeypatch):
    segmenter = SamSegmenter(loaded_tiny_sam())
    plane = segmenter.encode(picture(), Progress())
    expected = segmenter.refine(plane, points=np.array([[30, 40]]))
    moved_to_gpu(Sam, monkeypatch)
    with pytest.warns(UserWarning, match=NOTICE.format("tiny")):
        refined = segmenter.refine(plane, points=np.array([[30, 40]]))
    np.testing.assert_array_equal(refined.mask, expected.mask)


def test_a_full_gpu_leads_a_clip_to_the_processor_with_one_notice(full_gpu, tmp_path, monkeypatch):
    save_clip(tmp_path / "clip")
    clip = load_clip(tmp_path / "clip", device="cpu")
    pictures = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    expected = clip.encode_images(pictures)
    moved_to_gpu(type(clip.network), monkeypatch)
    with pytest.warns(UserWarning, match="it runs on the processor from now on") as notices:
        seen = clip.encode_images(pictures)
        clip.encode_images(pictures)
        clip.encode_texts(["red"])
    assert len(notices) == 1
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_memory_that_does_not_suffice_on_the_processor_is_no_matter_of_a_gpu(monkeypatch):
    segmenter = SamSegmenter(loaded_tiny_sam())

    def full(*_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(Decoder, "__call__", full)
    plane = segmenter.encode(picture(), Progress())
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        segmenter.propose(plane, ProposalSettings(prompts="grid"), Progress())


# --- half precision


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Say how long a product takes in either precision, and count how often it is asked for."""
    seconds, asked = {torch.float32: 3.0, torch.bfloat16: 1.0}, []

    def say(device, dtype):
        asked.append(dtype)
        return seconds[dtype]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "_seconds", say)
    return seconds, asked


def again():
    """Ask as a process that has just started does."""
    precision._faster.cache_clear()
    pays = precision.bfloat16_pays(torch.device("cpu"))
    precision._faster.cache_clear()
    return pays


@pytest.mark.parametrize(("half", "pays"), [(1.0, True), (2.9, False), (6.0, False)])
def test_the_faster_precision_is_measured_once_and_kept(measured, half, pays):
    seconds, asked = measured
    seconds[torch.bfloat16] = half
    assert again() is pays
    seconds[torch.bfloat16] = 10 - half  # the next start meets a busy moment
    assert again() is pays
    assert len(asked) == 2


@pytest.mark.parametrize("damage", ["", "[1, 2]", '{"torch', '{"other machine": true}'])
def test_an_answer_that_cannot_be_read_is_measured_again(measured, damage):
    _, asked = measured
    again()
    file = platformdirs.user_cache_path("napari-slip") / "precision.json"
    file.write_text(damage)
    assert again() is True
    assert len(asked) == 4
    assert True in json.loads(file.read_text()).values()


def test_mini_is_the_same_on_every_machine(measured):
    clip = load_clip("mini", device="cpu")
    pictures = np.random.default_rng(0).integers(
        0, 255, (2, clip.card.image_size, clip.card.image_size, 3), dtype=np.uint8
    )
    precision._faster.cache_clear()
    halved = clip.encode_images(pictures)
    measured[0][torch.bfloat16] = 9.0
    assert again() in (True, False)
    np.testing.assert_array_equal(clip.encode_images(pictures), halved)


def test_half_precision_turns_the_embeddings_little(tmp_path, monkeypatch):
    save_clip(tmp_path / "clip")
    clip = load_clip(tmp_path / "clip", device="cpu")
    pictures = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    whole = clip.encode_images(pictures)
    monkeypatch.setattr("napari_slip.models.clip.WIDE", 1)
    monkeypatch.setattr("napari_slip.models.clip.bfloat16_pays", lambda device: True)
    halved = clip.encode_images(pictures)
    assert halved.dtype == np.float32
    assert 0 < np.abs(halved - whole).max() < 0.05
    assert (halved * whole).sum(axis=1).min() > 0.995


# --- threads


def test_a_worker_thread_counts_as_many_threads_as_the_main_thread():
    before = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with ThreadPoolExecutor(1) as worker:
                assert worker.submit(torch.get_num_threads).result() == count
    finally:
        torch.set_num_threads(before)


def test_mini_finds_the_same_in_a_worker_thread():
    segmenter = SamSegmenter(load_sam("mini", device="cpu"))

    def segment():
        plane = segmenter.encode(picture((128, 128)), Progress())
        return segmenter.propose(plane, segmenter.proposals, Progress()).labels()

    with ThreadPoolExecutor(1) as worker:
        np.testing.assert_array_equal(worker.submit(segment).result(), segment())


# --- room for others


class Network:
    """What says where it is, and refuses a GPU that is full."""

    def __init__(self):
        self.device, self.full, self.moves = CUDA, False, []

    def to(self, device):
        self.moves.append(torch.device(device).type)
        if self.full and self.moves[-1] == "cuda":
            raise torch.OutOfMemoryError("full")
        self.device = torch.device(device)


def where(network):
    return sparing(network, "ours", lambda: network.device.type)


def test_models_that_nobody_works_with_make_room_and_come_back():
    network, busy = Network(), Network()
    assert where(network) == where(busy) == "cuda"
    assert rest(idle=1000) == 0
    assert rest() == 2
    assert (network.device.type, rest()) == ("cpu", 0)
    assert where(network) == "cuda"
    assert (network.moves, busy.device.type) == (["cpu", "cuda"], "cpu")


def test_a_model_that_finds_its_gpu_taken_stays_on_the_processor():
    network = Network()
    where(network)
    rest()
    network.full = True
    with pytest.warns(UserWarning, match=NOTICE.format("ours")):
        assert where(network) == "cpu"
    network.full = False
    assert where(network) == "cpu"  # one notice, and no moving to and fro
    assert rest() == 0


def test_networks_on_a_processor_do_not_move():
    network = Network()
    network.device = torch.device("cpu")
    assert where(network) == "cpu"
    assert (rest(), network.moves) == (0, [])
