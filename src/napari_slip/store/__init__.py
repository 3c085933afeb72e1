"""Segments kept between runs, so that an image seen before is not segmented again."""

from __future__ import annotations

from napari_slip.store.disk import DiskStore, StoreInfo

__all__ = ["DiskStore", "StoreInfo"]
