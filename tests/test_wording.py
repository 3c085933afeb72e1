"""Numbers in sentences."""

from __future__ import annotations

import pytest

from napari_slip.wording import counted


@pytest.mark.parametrize(("n", "said"), [(0, "0 planes"), (1, "1 plane"), (2, "2 planes")])
def test_one_thing_is_counted_as_one(n, said):
    assert counted(n, "plane") == said
