"""One plane, from a file to its part: what a worker does, here or on another machine."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from napari_slip.batch.parts import write_part
from napari_slip.errors import Cancelled, InputError, SlipError
from napari_slip.io import open_stack
from napari_slip.progress import Progress
from napari_slip.settings import LinkSettings
from napari_slip.stacks import scan
from napari_slip.wording import unforeseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_slip.batch.inputs import Source
    from napari_slip.io import ModelRecord, RunSettings
    from napari_slip.pipeline import Slip
    from napari_slip.stacks import PlaneResult

_log = logging.getLogger(__name__)


class Recipe(Protocol):
    """How a process comes by its models; hashable, and small enough to be sent to workers."""

    @property
    def wanted(self) -> str:
        """Which models, and how they look at segments; not where they run."""

    def __call__(self, progress: Progress) -> Slip:
        """Load the models."""

    def record(self, slip: Slip) -> ModelRecord:
        """Say what was loaded."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What is done with each plane.

    Parameters
    ----------
    prompts : mapping
        From class names to their phrases.
    negatives : tuple of str
        Texts that a match must beat.
    settings : RunSettings
        All but the proposals, which are the model's own.
    proposals : mapping
        Changes to the model's own proposal settings.
    link : str
        Letter of the axis along which objects are linked; ``"auto"`` for time, or depth where there is none;
        ``"none"`` not to link.
    linking : LinkSettings
        How; along depth nothing divides.
    """

    prompts: Mapping[str, Sequence[str]]
    negatives: tuple[str, ...] = ()
    settings: RunSettings
    proposals: Mapping[str, Any] = field(default_factory=dict)
    link: str = "auto"
    linking: LinkSettings = field(default_factory=LinkSettings)


@dataclass(frozen=True)
class Task:
    """One plane of one image.

    Parameters
    ----------
    source : Source
        The image.
    index : tuple of int
        The plane.
    part : Path
        Where its part goes.
    stamp : str
        Of the part: changes with the file and with the orders.
    """

    source: Source
    index: tuple[int, ...]
    part: Path
    stamp: str


_slips: dict[Recipe, Slip] = {}
_busy = threading.Lock()  # a network serves one run at a time


def models_of(recipe: Recipe, progress: Progress | None = None) -> Slip:
    """Return the models of a recipe, which a process loads only once."""
    if recipe not in _slips:
        _slips.clear()
        _slips[recipe] = recipe(progress or Progress())
    return _slips[recipe]


def describe_models(recipe: Recipe) -> tuple[ModelRecord, dict[str, Any]]:
    """Return what the models are, and their own proposal settings as plain values."""
    with _busy:
        slip = models_of(recipe)
        return recipe.record(slip), slip.segmenter.proposals.to_dict()


def do_plane(recipe: Recipe, orders: Orders, task: Task, progress: Progress | None = None) -> str:
    """Segment and match one plane, and write its part.

    Returns
    -------
    str
        Why there is no result, in a sentence; empty if there is one.

    Raises
    ------
    Cancelled
        If `progress` was cancelled.
    InputError
        If the part cannot be written.
    """
    progress = progress or Progress()
    result: PlaneResult | str
    try:
        with _busy:
            slip = models_of(recipe, progress)
            with open_stack(task.source.path, channel_axis=task.source.channel_axis) as opened:
                (result,) = scan(
                    slip,
                    opened.stack,
                    orders.prompts,
                    negatives=orders.negatives,
                    contrast=orders.settings.contrast,
                    proposals=replace(slip.segmenter.proposals, **orders.proposals),
                    settings=orders.settings.match,
                    filters=orders.settings.filters,
                    planes=[task.index],
                    progress=progress,
                )
    except Cancelled:
        raise
    except SlipError as error:
        result = f"{task.source.path.name}: {error}"
    except Exception as error:  # whatever it is, the other planes are not to suffer from it
        _log.debug("%s %s failed", task.source.path, task.index, exc_info=True)
        result = unforeseen(task.source.path.name, error)
    try:
        write_part(task.part, task.stamp, result)
    except OSError as error:
        raise InputError(
            f"The results cannot be written to {task.part.parent}: {error.strerror or error}; make room and "
            "run again with --resume."
        ) from error
    return result if isinstance(result, str) else ""
