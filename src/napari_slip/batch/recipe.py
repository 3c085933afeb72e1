"""How the processes of a run come by their models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_slip.errors import InputError
from napari_slip.settings import CropSettings

if TYPE_CHECKING:
    from napari_slip.io import ModelRecord
    from napari_slip.matching import Head
    from napari_slip.pipeline import Slip
    from napari_slip.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """A preset, or a SAM and a CLIP, as `napari_slip.load` takes them; small enough to be sent to workers.

    Parameters
    ----------
    name, sam, clip : str, optional
        Names; or, of a SAM, a checkpoint, and of a CLIP, a folder.
    device : str
        Where they run.
    crops : CropSettings
        How segments are shown to CLIP.
    store : bool
        Whether segments are kept on disk between runs.
    head, head_hash : str, optional
        File of what was taught, and its ``sha256:...``; a file that is another by now is not used.
    """

    name: str | None = None
    sam: str | None = None
    clip: str | None = None
    device: str = "auto"
    crops: CropSettings = field(default_factory=CropSettings)
    store: bool = True
    head: str | None = None
    head_hash: str = ""

    @property
    def wanted(self) -> str:
        """Which models, and how they look at segments; not where they run."""
        return repr((self.name, self.sam, self.clip, self.crops, self.head, self.head_hash))

    def __call__(self, progress: Progress) -> Slip:
        """Load the models."""
        from napari_slip.loading import load
        from napari_slip.store import DiskStore

        return load(
            self.name,
            sam=self.sam,
            clip=self.clip,
            device=self.device,
            crops=self.crops,
            store=DiskStore() if self.store else None,
            head=self._head(),
            progress=progress,
        )

    def record(self, slip: Slip) -> ModelRecord:
        """Say what was loaded, for a provenance file."""
        import torch

        from napari_slip.io import ModelRecord
        from napari_slip.models.devices import resolve_device
        from napari_slip.models.precision import bfloat16_pays

        alone = self.sam is None and self.clip is None
        device = resolve_device(self.device)
        return ModelRecord(
            name=self.name or ("mini" if alone else None),
            sam=whole_path(self.sam),
            clip=whole_path(self.clip),
            device=str(device),
            sam_hash=slip.segmenter.hash,
            clip_hash=slip.encoder.card.hash,
            head=self.head,
            head_hash=self.head_hash,
            bfloat16=bfloat16_pays(device),
            threads=torch.get_num_threads(),
        )

    def _head(self) -> Head | None:
        if self.head is None:
            return None
        from napari_slip.hashing import file_hash
        from napari_slip.matching import Head, heads

        path = heads.place_of(self.head)
        if file_hash(path) != self.head_hash:
            raise InputError(
                f"{path} has changed since it was asked for: put back the head of that day, or run anew."
            )
        return Head.load(path)


def whole_path(model: str | None) -> str | None:
    """Make a path independent of the folder in which the command ran; leave names alone."""
    from napari_slip.models import known_models
    from napari_slip.models.folders import own_path
    from napari_slip.segmentation.adopted import PREFIX

    if model is not None and model.startswith(PREFIX):
        return PREFIX + str(whole_path(model.removeprefix(PREFIX)))
    if model is None or not own_path(model).exists():
        return model
    known = known_models()
    if known.get("sam", model) or known.get("clip", model):
        return model
    return str(own_path(model).resolve())
