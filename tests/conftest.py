"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

# The same examples at every run, and no verdict on the speed of a busy machine.
patient = [HealthCheck.too_slow]
settings.register_profile("slip", derandomize=True, deadline=None, suppress_health_check=patient)
settings.load_profile("slip")


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep caches, settings and autosaves out of the user's folders.

    For the whole session, because napari draws its icons once and looks for them in the cache ever after.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
            patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
        yield


@pytest.fixture(scope="session", autouse=True)
def single_precision(private_folders: None) -> Iterator[None]:
    """Compute alike on every machine: where bfloat16 is faster it would be used, in commands of tests too."""
    import torch

    from napari_slip.models import precision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "_seconds", lambda device, dtype: 1.0)
        assert not precision.bfloat16_pays(torch.device("cpu"))  # which is kept in the cache
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder with the real pictures (bbbc038, emoji); without one, the test is skipped."""
    named = os.environ.get("NAPARI_SLIP_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    if named:
        pytest.fail(f"NAPARI_SLIP_DATA names {named}, which is not a folder.")
    pytest.skip(f"no data at {folder}; NAPARI_SLIP_DATA may name another folder")
