"""Pictures for trainings that take seconds."""

from __future__ import annotations

import pytest

from napari_slip.synthesis.creatures import write_creatures
from napari_slip.training.own import read_examples, split


@pytest.fixture(scope="session")
def creatures(tmp_path_factory):
    """A folder with 4 kinds of creatures, 5 pictures of each."""
    path = tmp_path_factory.mktemp("creatures")
    write_creatures(path, classes=4, images=5, side=64)
    return path


@pytest.fixture(scope="session")
def parted(creatures):
    """The same, of which 4 are kept back."""
    return split(read_examples(creatures))
