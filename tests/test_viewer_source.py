from __future__ import annotations

import dataclasses
import itertools

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_slip.errors import InputError
from napari_slip.viewer import _regions, _source


@pytest.fixture
def viewer():
    return ViewerModel()


def stack(shape=(3, 4, 20, 30)):
    return np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_plane_is_the_one_on_screen_whatever_the_order_of_the_dimensions(viewer, order):
    data = stack()
    layer = viewer.add_image(data)
    viewer.dims.current_step = (1, 2, 7, 11)
    viewer.dims.order = order
    place = _source.locate(viewer, layer)
    (plane,) = _source.take(viewer, [layer]).read()
    rows, columns = sorted(order[-2:])
    expected = data[tuple(slice(None) if axis in order[-2:] else (1, 2, 7, 11)[axis] for axis in range(4))]
    assert place.axes == (rows, columns)
    np.testing.assert_array_equal(plane, expected)


def test_a_layer_of_fewer_dimensions_than_the_viewer_is_found(viewer):
    viewer.add_image(stack())
    flat = viewer.add_image(np.zeros((20, 30)))
    place = _source.locate(viewer, flat)
    assert (place.axes, place.index, place.shape) == ((0, 1), (), (20, 30))


@pytest.mark.parametrize("step", [0, 2])
@pytest.mark.parametrize("shear", [(0.1, 0.3, 0.2), (0, 0, 0)])
def test_labels_of_a_plane_lie_on_it_and_on_no_other(viewer, step, shear):
    look = {"scale": (4, 2, 3), "translate": (5, -1, 2), "shear": shear, "rotate": (0, 0, 20)}
    image = viewer.add_image(stack((3, 20, 30)), **look)
    place = dataclasses.replace(_source.locate(viewer, image), index=(step,))
    labels = viewer.add_labels(place.lift(np.full((20, 30), 7, np.uint8)), **place.transform(image))
    for point in [(4, 9), (0, 0), (19, 29)]:
        world = image.data_to_world((step, *point))
        np.testing.assert_allclose(labels.data_to_world((0, *point)), world)
        np.testing.assert_allclose(place.to_world(image, np.array(point)), world)
    if not any(shear):
        for at in range(3):
            world = image.data_to_world((at, 4, 9))
            viewer.dims.set_point(0, world[0])
            assert labels.get_value(world, world=True) == (7 if at == step else None)


def test_labels_of_a_picture_with_channels_are_seen_on_every_channel(viewer):
    image = viewer.add_image(stack((4, 20, 30)), scale=(2, 1, 1), channel_axis=None)
    place = _source.locate(viewer, image, channel_axis=0)
    picture = np.full((20, 30), 5, np.uint8)
    labels = Labels(place.lift(picture), **place.transform(image))
    for channel in range(4):
        assert labels.get_value(image.data_to_world((channel, 3, 3)), world=True) == 5
    (pixels,) = _source.take(viewer, [image], channel_axis=0).read()
    assert pixels.shape == (4, 20, 30)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_channels_are_told_where_they_are_in_the_plane(viewer, axis):
    shape = [20, 30]
    shape.insert(axis, 3)
    image = viewer.add_image(stack(tuple(shape)), rgb=False)
    viewer.dims.order = (axis, *(each for each in range(3) if each != axis))
    taken = _source.take(viewer, [image], channel_axis=axis)
    (seen, _) = taken.pictures(taken.read())
    assert seen.shape == (20, 30, 3)
    assert taken.place.plane_channel_axis == axis


def test_a_volume_on_screen_ends_in_a_sentence(viewer):
    layer = viewer.add_image(stack())
    viewer.dims.ndisplay = 3
    with pytest.raises(InputError, match="switch to 2D"):
        _source.locate(viewer, layer)


def test_channels_that_are_on_screen_end_in_a_sentence(viewer):
    layer = viewer.add_image(stack())
    with pytest.raises(InputError, match=r"Axis 3 of .* is on screen"):
        _source.locate(viewer, layer, channel_axis=3)


def test_of_a_pyramid_the_finest_level_is_taken(viewer):
    fine = stack((64, 64))
    layer = viewer.add_image([fine, fine[::2, ::2], fine[::4, ::4]], multiscale=True)
    (plane,) = _source.take(viewer, [layer]).read()
    np.testing.assert_array_equal(plane, fine)


def test_what_is_in_sight_of_a_pyramid_is_told_in_pixels_of_the_finest_level(viewer):
    fine = stack((64, 64))
    layer = viewer.add_image([fine, fine[::2, ::2], fine[::4, ::4]], multiscale=True)
    layer.data_level = 2
    layer.corner_pixels = np.array([[2, 0], [10, 15]])
    place = _source.locate(viewer, layer)
    np.testing.assert_array_equal(_regions.in_sight(layer, place), [[8, 0], [40, 60]])


def test_of_a_lazy_stack_one_plane_is_computed_and_only_when_it_is_read(viewer):
    computed = []

    def block(block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return np.full((1, 20, 30), 7, np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 50, (20,), (30,)), dtype=np.uint8)
    layer = viewer.add_image(lazy, contrast_limits=(0, 255))
    viewer.dims.set_point(0, 33)
    computed.clear()
    taken = _source.take(viewer, [layer])
    assert computed == []
    taken.read()
    assert computed == [(33, 0, 0)]


def test_what_a_lazy_array_cannot_read_is_a_sentence(viewer):
    def broken(block_info=None):
        raise OSError("the disk is gone")

    lazy = da.map_blocks(broken, chunks=((20,), (30,)), dtype=np.uint8)
    taken = _source.Snapshot((lazy,), _source.Place((0, 1), (), (20, 30), (20, 30)), (_source.Contrast(),))
    with pytest.raises(InputError, match=r"could not be read .*the disk is gone"):
        taken.read()


def test_an_edit_during_the_run_does_not_reach_the_worker(viewer):
    data = stack((20, 30))
    layer = viewer.add_image(data)
    taken = _source.take(viewer, [layer])
    before = data.copy()
    data[:] = 0
    np.testing.assert_array_equal(taken.read()[0], before)


def test_pictures_are_told_apart_by_pixels_and_by_how_they_are_looked_at(viewer):
    layer = viewer.add_image(stack((20, 30)), contrast_limits=(10, 90))
    looks = [
        _source.take(viewer, [layer]),
        _source.take(viewer, [layer], displayed_contrast=True),
        _source.take(viewer, [layer], region=_regions.Region((slice(0, 9), slice(0, 9)))),
    ]
    digests = [look.digest(look.read()) for look in looks]
    assert len(set(digests)) == 3
    again = _source.take(viewer, [layer])
    assert again.digest(again.read()) == digests[0]
    layer.data[0, 0] += 1
    edited = _source.take(viewer, [layer])
    assert edited.digest(edited.read()) not in digests


def test_the_displayed_contrast_is_what_the_models_see(viewer):
    layer = viewer.add_image(np.linspace(0, 1000, 600, dtype=np.float32).reshape(20, 30))
    layer.contrast_limits = (400, 500)
    taken = _source.take(viewer, [layer], displayed_contrast=True)
    seen, _ = taken.pictures(taken.read())
    assert (seen[layer.data < 400] == 0).all() and (seen[layer.data > 500] == 255).all()


def test_single_channels_make_one_picture_and_clip_may_see_one_of_them(viewer):
    dapi, gfp = np.zeros((20, 30), np.uint16), np.zeros((20, 30), np.uint16)
    dapi[2:8, 2:8], gfp[10:18, 10:18] = 900, 30_000
    layers = [viewer.add_image(dapi, name="dapi"), viewer.add_image(gfp, name="gfp")]
    taken = _source.take(viewer, layers, clip_sees=1)
    sam, clip = taken.pictures(taken.read())
    assert sam[5, 5].max() > 200 and sam[15, 15].max() > 200
    assert not np.array_equal(sam[5, 5] > 99, sam[15, 15] > 99)  # in hues of their own
    assert clip[5, 5].max() == 0 and clip[15, 15].max() > 200


def test_channels_of_other_shapes_end_in_a_sentence(viewer):
    layers = [viewer.add_image(np.zeros((20, 30))), viewer.add_image(np.zeros((20, 31)), name="odd")]
    with pytest.raises(InputError, match="'odd' cannot be a channel"):
        _source.take(viewer, layers)


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "polygon"])
def test_a_drawn_region_is_found_on_the_plane(viewer, kind):
    image = viewer.add_image(np.zeros((40, 60)), scale=(2, 0.5), translate=(7, 3))
    corners = [image.data_to_world(point) for point in [(10, 20), (10, 50), (30, 50), (30, 20)]]
    shapes = viewer.add_shapes([np.asarray(corners)], shape_type=kind)
    region = _regions.drawn(shapes, image, _source.locate(viewer, image))
    rows, columns = region.window
    assert (rows.start, columns.start) == (10, 20)
    assert abs(rows.stop - 31) <= 1 and abs(columns.stop - 51) <= 1
    assert len(region.outlines) == 1


def test_a_region_beside_the_image_ends_in_a_sentence(viewer):
    image = viewer.add_image(np.zeros((40, 60)), name="small")
    shapes = viewer.add_shapes([[(100, 100), (120, 130)]], shape_type="rectangle", name="far")
    with pytest.raises(InputError, match="No shape of 'far' lies on 'small'"):
        _regions.drawn(shapes, image, _source.locate(viewer, image))


def test_the_field_of_view_is_what_the_canvas_shows(viewer):
    image = viewer.add_image(np.zeros((40, 60)), name="small")
    image.corner_pixels = np.array([[5, 10], [20, 33]])
    region = _regions.visible(image, _source.locate(viewer, image))
    assert region.window == (slice(5, 21), slice(10, 34))
    image.corner_pixels = np.array([[0, 0], [0, 0]])
    with pytest.raises(InputError, match="Nothing of 'small' is in the field of view"):
        _regions.visible(image, _source.locate(viewer, image))
