"""The worker's side of a run: model, segments and scores, each made only when it is not there yet."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slip.filtering import containment
from napari_slip.segmentation.adopting import adopt_labels
from napari_slip.segments import PackedMasks
from napari_slip.settings import Contrast, FilterSettings, MatchSettings
from napari_slip.store import DiskStore
from napari_slip.viewer._imports import import_beside_opengl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from napari_slip.matching import Head, Match
    from napari_slip.pipeline import Slip
    from napari_slip.progress import Progress
    from napari_slip.segments import Segments
    from napari_slip.viewer._source import Snapshot


_AS_IT_IS = Contrast(limits=(0, 255))


@dataclass(frozen=True)
class ModelChoice:
    """Which models run where.

    Parameters
    ----------
    preset : str
        Name of a preset of `napari_slip.models.known_models`; empty where `sam` and `clip` say it.
    sam, clip : str
        Names or paths.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    preset: str = "mini"
    sam: str = ""
    clip: str = ""
    device: str = "auto"


@dataclass(frozen=True)
class Request:
    """One run: what to look at, with what, and for what."""

    snapshot: Snapshot
    model: ModelChoice
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    negatives: tuple[str, ...] = ()
    settings: MatchSettings = field(default_factory=MatchSettings)
    filters: FilterSettings = field(default_factory=FilterSettings)
    head: Head | None = None
    """What was taught; it is left aside where it was taught to another CLIP."""


@dataclass(frozen=True, eq=False)
class Looked:
    """A plane that has been looked at.

    Parameters
    ----------
    segments : Segments
        With embeddings, on the whole plane.
    rgb : (h, w, 3) uint8 array
        The window that was segmented.
    corner : (row, column)
        Where the window begins on the plane.
    clip_sees : (h, w, 3) uint8 array
        The same window as it is shown to CLIP.
    """

    segments: Segments
    rgb: NDArray[np.uint8]
    corner: tuple[int, int]
    clip_sees: NDArray[np.uint8]
    held: tuple[Any, ...] = ()
    """Lazy arrays, kept alive so that no other takes their place in the memory."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run brings."""

    request: Request
    looked: Looked
    match: Match | None
    slip: Slip


def load_slip(choice: ModelChoice, progress: Progress) -> Slip:
    """Load the models that were chosen."""
    import_beside_opengl()
    import napari_slip

    store = DiskStore()
    if choice.preset:
        return napari_slip.load(choice.preset, device=choice.device, store=store, progress=progress)
    return napari_slip.load(
        sam=choice.sam, clip=choice.clip, device=choice.device, store=store, progress=progress
    )


class Engine:
    """Loads models, looks at planes and scores them, and remembers what it has done.

    Parameters
    ----------
    load : callable
        Makes a `Slip` of a choice.
    planes : int
        How many planes are kept in memory.
    """

    def __init__(self, load: Callable[[ModelChoice, Progress], Slip] = load_slip, planes: int = 32) -> None:
        self._load = load
        self._planes = planes
        self._slips: OrderedDict[ModelChoice, Slip] = OrderedDict()
        self._looked: OrderedDict[tuple[Any, ...], Looked] = OrderedDict()

    def run(self, request: Request, progress: Progress) -> Outcome:
        """Do whatever of the chain is not done yet.

        Raises
        ------
        SlipError
            Whatever of the chain goes wrong.
        Cancelled
            If `progress` was cancelled.
        """
        slip = self.slip(request.model, progress)
        looked = self._look(request.snapshot, slip, progress)
        progress("text", 0, 1)
        outcome = Outcome(request, looked, _match(request, looked, slip), slip)
        progress("text", 1, 1)
        return outcome

    def again(self, outcome: Outcome, prompts: Mapping[str, tuple[str, ...]], head: Head | None) -> Outcome:
        """Score what was found on a plane once more, with other texts or another head."""
        request = replace(outcome.request, prompts=prompts, head=head)
        return replace(outcome, request=request, match=_match(request, outcome.looked, outcome.slip))

    def slip(self, choice: ModelChoice, progress: Progress) -> Slip:
        """Return models that were chosen, loaded; for the worker."""
        if choice not in self._slips:
            progress("model", 0, 1)
            while len(self._slips) > 1:
                self._slips.popitem(last=False)  # a model in use elsewhere stays alive there
            self._slips[choice] = self._load(choice, progress)
            progress("model", 1, 1)
        self._slips.move_to_end(choice)
        return self._slips[choice]

    def _look(self, snapshot: Snapshot, slip: Slip, progress: Progress) -> Looked:
        made_by = tuple(sorted(slip.origin(slip.segmenter.proposals).items()))
        lazy = (made_by, repr(snapshot.place), *map(id, snapshot.data), snapshot.look)
        if (known := self._recall(lazy)) is not None:
            return known
        pixels = snapshot.read()
        key = (made_by, snapshot.digest(pixels))
        if (known := self._recall(key)) is not None:
            return known
        progress("picture", 0, 1)
        sam_sees, clip_sees = snapshot.pictures(pixels)
        if snapshot.labels is not None:
            found = adopt_labels(snapshot.labels[snapshot.window], sam_sees, progress)
            found = slip.embed(found, clip_sees, progress=progress)
            found = found.replace(origin={"segments": "labels"} | found.origin)
        elif clip_sees is sam_sees:
            found = slip.segment(sam_sees, contrast=_AS_IT_IS, progress=progress)
        else:
            found = slip.propose(slip.encode(sam_sees, progress=progress), progress=progress)
            found = slip.embed(found, clip_sees, progress=progress).replace(origin=dict(made_by))
        looked = Looked(
            _on_the_plane(found, snapshot),
            sam_sees,
            (snapshot.window[0].start, snapshot.window[1].start),
            clip_sees,
        )
        containment(looked.segments.masks)  # measures overlaps, which sliders then find measured
        self._remember(key, looked)
        if snapshot.lazy:
            held = replace(looked, held=snapshot.data)
            self._remember(lazy, held)
        return looked

    def _recall(self, key: tuple[Any, ...]) -> Looked | None:
        if key in self._looked:
            self._looked.move_to_end(key)
        return self._looked.get(key)

    def _remember(self, key: tuple[Any, ...], looked: Looked) -> None:
        self._looked[key] = looked
        while len(self._looked) > self._planes:
            self._looked.popitem(last=False)


def _match(request: Request, looked: Looked, slip: Slip) -> Match | None:
    if not request.prompts:
        return None
    head = request.head
    return slip.match(
        looked.segments,
        request.prompts,
        negatives=request.negatives,
        settings=request.settings,
        filters=request.filters,
        head=head if head is not None and head.clip == slip.encoder.card.hash else None,
    )


def _on_the_plane(segments: Segments, snapshot: Snapshot) -> Segments:
    """Move segments to where their window lies on the plane, and leave out what its outlines leave out."""
    if snapshot.region.window is None:
        return segments
    rows, columns = snapshot.window
    x, y = columns.start, rows.start
    masks = PackedMasks(
        segments.masks.boxes + np.array([x, y, x, y], np.int32), segments.masks.bits, segments.masks.starts
    )
    moved = segments.replace(shape=snapshot.place.shape, masks=masks)
    if not snapshot.region.outlines:
        return moved
    return take_rows(moved, np.flatnonzero(_inside(moved, snapshot)))


def _inside(segments: Segments, snapshot: Snapshot) -> NDArray[np.bool_]:
    from skimage.draw import polygon2mask

    inside = np.zeros(segments.shape, bool)
    for outline in snapshot.region.outlines:
        inside |= polygon2mask(segments.shape, outline)
    share = [inside[segments.window(row)][segments.masks.crop(row)].mean() for row in range(len(segments))]
    return np.asarray(share, float) > 0.5


def take_rows(segments: Segments, rows: NDArray[np.intp]) -> Segments:
    """Return some of the segments as segments of their own; a parent that is not among them is forgotten."""
    new_row = np.full(len(segments) + 1, -1, np.int32)
    new_row[rows] = np.arange(len(rows))
    one_each = ("predicted_iou", "stability_score", "mean_intensity", "area", "roundness", "background")
    embedding = None if segments.embedding is None else segments.embedding[rows]
    return segments.replace(
        masks=segments.masks.take(rows),
        parent=new_row[segments.parent[rows]],
        embedding=embedding,
        **{name: getattr(segments, name)[rows] for name in one_each},
    )
