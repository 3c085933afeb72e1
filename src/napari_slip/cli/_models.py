"""Which models a command asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slip.io import ModelRecord
    from napari_slip.pipeline import Slip, Store
    from napari_slip.progress import Progress
    from napari_slip.settings import CropSettings


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A preset, or a SAM and a CLIP, as `napari_slip.load` takes them.

    Parameters
    ----------
    name, sam, clip : str, optional
        Names; or, of a SAM, a checkpoint, and of a CLIP, a folder.
    device : str
        Where they run.
    """

    name: str | None = None
    sam: str | None = None
    clip: str | None = None
    device: str = "auto"

    def load(self, crops: CropSettings, store: Store | None, progress: Progress) -> Slip:
        """Load the models."""
        from napari_slip.loading import load

        return load(
            self.name,
            sam=self.sam,
            clip=self.clip,
            device=self.device,
            crops=crops,
            store=store,
            progress=progress,
        )

    def record(self, slip: Slip) -> ModelRecord:
        """Say what was loaded, for a provenance file."""
        from napari_slip.batch.recipe import ModelRecipe

        named = ModelRecipe(name=self.name, sam=self.sam, clip=self.clip, device=self.device)
        return named.record(slip)
