"""The worker's side of a correction: planes kept encoded for clicks, and new scores. No Qt."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from napari_slip.segments import PackedMasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slip.objects import Object
    from napari_slip.pipeline import Slip
    from napari_slip.progress import Progress
    from napari_slip.segmentation import EncodedPlane
    from napari_slip.session import ClassList
    from napari_slip.viewer._engine import Engine, ModelChoice
    from napari_slip.viewer._source import Snapshot

PLANES = 3
"""How many planes stay encoded."""


class Eye:
    """Looks at planes and keeps them encoded, so that a click costs the decoder alone.

    Parameters
    ----------
    engine : Engine
        Has the models.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: OrderedDict[tuple[int, ModelChoice], tuple[Snapshot, Slip, EncodedPlane]] = OrderedDict()

    def look(self, snapshot: Snapshot, model: ModelChoice, progress: Progress) -> tuple[Slip, EncodedPlane]:
        """Return a plane as SAM sees it, and what sees it."""
        key = id(snapshot), model  # the snapshot is kept, so that no other takes its place in the memory
        if key not in self._seen:
            slip = self._engine.slip(model, progress)
            progress("picture", 0, 1)
            sam_sees, _ = snapshot.pictures(snapshot.read())
            self._seen[key] = snapshot, slip, slip.encode(sam_sees, progress=progress)
            while len(self._seen) > PLANES:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        _, slip, plane = self._seen[key]
        return slip, plane


def scored(
    slip: Slip,
    rgb: NDArray[np.uint8],
    things: Sequence[Object],
    classes: ClassList,
    negatives: Sequence[str],
    progress: Progress,
) -> dict[Object, float]:
    """Return how well objects of a plane, (H, W, 3) uint8, are what their classes say."""
    from napari_slip.segmentation.description import describe

    masks = PackedMasks.pack([o.crop for o in things], [o.origin for o in things])
    sure = np.ones(len(things), np.float32)
    segments = slip.embed(describe(masks, rgb, sure, sure, progress), rgb, progress=progress)
    names = dict.fromkeys(o.class_name for o in things)
    prompts = {name: classes[name].phrases for name in names}
    match = slip.match(segments, prompts, negatives=negatives)
    columns = [match.names.index(o.class_name) for o in things]
    return {o: float(match.calibrated[row, columns[row]]) for row, o in enumerate(things)}
