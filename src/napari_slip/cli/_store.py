"""The store on disk that commands share with the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slip.store import DiskStore


def disk_store() -> DiskStore:
    """Open the user's store."""
    from napari_slip.store import DiskStore

    return DiskStore()
