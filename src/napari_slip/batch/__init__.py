"""Many images, one after the other, with the failures of some kept from the others."""

from __future__ import annotations

from napari_slip.batch.images import Batch, Job, Outcome, run_images

__all__ = ["Batch", "Job", "Outcome", "run_images"]
