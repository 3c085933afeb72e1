from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from _fake_slip import fake_slip, spots
from hypothesis import given
from hypothesis import strategies as st

from napari_slip.errors import Cancelled, InputError
from napari_slip.progress import Progress
from napari_slip.settings import MatchSettings
from napari_slip.stacks import Stack, rank_planes, scan


def red_on(*planes, n=4):
    """A time series in which red spots are only on some planes."""
    return np.stack([spots(colours=("red", "red") if t in planes else ("green",)) for t in range(n)])


def kept(array, kind, tmp_path):
    if kind == "numpy":
        return array
    if kind == "dask":
        return da.from_array(array, chunks=(1, *array.shape[1:]))
    if kind == "multiscale":
        return [array, array[..., ::2, ::2]]
    stored = zarr.create_array(tmp_path / "a.zarr", shape=array.shape, dtype=array.dtype, chunks=array.shape)
    stored[:] = array
    return stored


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "multiscale"])
def test_planes_are_the_same_whatever_keeps_them(kind, tmp_path):
    array = np.arange(3 * 2 * 4 * 8 * 6, dtype=np.uint16).reshape(3, 2, 4, 8, 6)
    stack = Stack.of(kept(array, kind, tmp_path), axes="tczyx")
    assert (stack.steps, stack.step_axes, stack.shape, len(stack)) == ((3, 4), ("t", "z"), (8, 6), 12)
    assert list(stack)[:5] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    np.testing.assert_array_equal(stack.read((2, 1)), array[2, :, 1])
    assert stack.plane_channel_axis == 0


@given(st.permutations("tzcyx"))
def test_axes_may_lie_in_any_order(order):
    sizes = {"t": 2, "z": 3, "c": 4, "y": 5, "x": 6}
    array = np.arange(720).reshape([sizes[letter] for letter in order])
    stack = Stack.of(array, order)
    plane = stack.read([1] * 2)
    letters = [letter for letter in order if letter in "cyx"]
    expected = np.take(np.take(array, 1, order.index("t")), 1, [a for a in order if a != "t"].index("z"))
    np.testing.assert_array_equal(plane, expected)
    assert stack.plane_channel_axis == letters.index("c")
    assert len(stack) == 6


def test_only_one_plane_is_read_of_a_lazy_array():
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.zeros((1, 16, 16))

    lazy = da.map_blocks(block, chunks=((1,) * 5, (16,), (16,)), dtype=float)
    Stack.of(lazy).read((3,))
    assert read == [3]


@pytest.mark.parametrize(
    ("shape", "axes", "sentence"),
    [
        ((4, 5), "zyx", "are 3, but the array has 2"),
        ((2, 4, 5), "tyy", "do not tell the planes"),
        ((0, 4, 5), None, "is empty"),
        ((4,), None, "at least two are needed"),
    ],
)
def test_axes_that_do_not_fit_end_in_a_sentence(shape, axes, sentence):
    with pytest.raises(InputError, match=sentence):
        Stack.of(np.zeros(shape), axes)


def test_a_file_that_is_gone_ends_in_a_sentence():
    def gone():
        raise OSError("Stale file handle")

    stack = Stack.of(da.map_blocks(lambda: gone(), chunks=((1, 1), (4,), (4,)), dtype=float))
    with pytest.raises(InputError, match=r"plane \(1,\) could not be read \(OSError: Stale file handle"):
        stack.read((1,))


def test_each_plane_has_what_the_loop_over_single_planes_finds():
    stack = Stack.of(red_on(1, 3), "tyxs")
    slip, settings = fake_slip(), MatchSettings(select="above:0.5")
    results = list(scan(slip, stack, ["red"], settings=settings))
    assert [result.index for result in results] == [(0,), (1,), (2,), (3,)]
    assert [len(result) for result in results] == [0, 2, 0, 2]
    match = slip.match(slip.segment(stack.read((1,))), ["red"], settings=settings)
    assert [thing.segment for thing in results[1].objects()] == [1, 2]
    assert results[1].objects(5)[1].id == 6
    np.testing.assert_array_equal(results[1].objects()[0].mask(stack.shape), match.segments.mask(1))


def test_a_stopped_scan_goes_on_where_it_was():
    stack, progress, done = Stack.of(red_on(n=5), "tyxs"), Progress(), {}
    with pytest.raises(Cancelled):
        for result in scan(fake_slip(), stack, ["red"], progress=progress):
            done[result.index] = result
            if len(done) == 2:
                progress.cancel()
    left = [index for index in stack if index not in done]
    rest = [result.index for result in scan(fake_slip(), stack, ["red"], planes=left)]
    assert [*done, *rest] == list(stack)


def test_planes_that_show_a_text_come_first():
    stack = Stack.of(red_on(1, 3), "tyxs")
    best = {result.index: float(result.best[0]) for result in scan(fake_slip(), stack, ["red"])}
    assert rank_planes(best)[:2] == [(1,), (3,)]
    assert rank_planes({(0,): np.nan, (1,): 0.1}) == [(1,), (0,)]
