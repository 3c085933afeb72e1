"""Every choice that shapes a result, as frozen dataclasses: API, command line and dock fill the same ones."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Any, Literal, Self

from napari_slip.errors import InputError

View = Literal["black", "mean", "dimmed", "box"]
"""How a segment is shown to CLIP: around the mask black, mean colour, dimmed and blurred, or untouched."""


class _Settings:
    """Reading and writing shared by all settings."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in a provenance file."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote (lists serve as tuples, as JSON has them).

        Raises
        ------
        InputError
            If a name is unknown or a value is not allowed.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(set(values) - known):
            raise InputError(
                f"{unknown[0]!r} is no setting of {cls.__name__}: expected one of {', '.join(sorted(known))}."
            )
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not (isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high):
            raise InputError(f"{name} is {value!r}, but a number from {low:g} to {high:g} is expected.")

    def _range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        good = isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
        if not (good and low <= value[0] <= value[1] <= high):
            raise InputError(
                f"{name} is {value!r}, but a pair (low, high) within {low:g} to {high:g} is expected."
            )


@dataclass(frozen=True, kw_only=True)
class Contrast(_Settings):
    """Which pixel values become black and white.

    Parameters
    ----------
    limits : (low, high), optional
        In the image's own units; they win over the percentiles.
    percentiles : (low, high)
        In percent of the finite pixels.
    """

    limits: tuple[float, float] | None = None
    percentiles: tuple[float, float] = (0.5, 99.8)

    def __post_init__(self) -> None:
        """Check the values."""
        self._range("percentiles", 0, 100)
        if self.limits is not None:
            self._range("limits", -math.inf, math.inf)
            if not all(map(math.isfinite, self.limits)):
                raise InputError(
                    f"limits is {self.limits!r}, but a pair of finite numbers (low, high) is expected."
                )


@dataclass(frozen=True, kw_only=True)
class ProposalSettings(_Settings):
    """What exists: how SAM is prompted and which of its masks are kept. Names as in segment-anything.

    Parameters
    ----------
    prompts : {"auto", "grid"}
        ``"auto"`` asks at the object centres that the model predicts, or, where it predicts none, on a
        coarse grid that is refined only where no mask has come; ``"grid"`` asks at every point.
    points_per_side : int
        Points along each side of the grid.
    pred_iou_thresh, stability_score_thresh : float
        Floors of SAM's own two quality scores, 0..1.
    stability_score_offset : float
        Shift of the cutoff with which the stability is measured, in logits.
    box_nms_thresh : float
        Box IoU above which the worse of two masks is dropped.
    min_area : int
        Smallest mask, in pixels of the plane.
    exact : bool
        Only savings that keep segment-anything's output: every grid point, float32.
    texts : tuple of str
        What a model that can be asked by texts, such as SAM 3, shall find, instead of everything.
    """

    prompts: Literal["auto", "grid"] = "auto"
    points_per_side: int = 32
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.9
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    min_area: int = 4
    exact: bool = False
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values."""
        _one_of(self, "prompts", ("auto", "grid"))
        texts: Any = self.texts
        if not (isinstance(texts, tuple) and all(isinstance(text, str) and text.strip() for text in texts)):
            raise InputError(
                f"texts is {self.texts!r}, but a list of words that say what to find is expected."
            )
        self._within("points_per_side", 1, 256)
        self._within("pred_iou_thresh", 0, 1)
        self._within("stability_score_thresh", 0, 1)
        self._within("stability_score_offset", 0, 100)
        self._within("box_nms_thresh", 0, 1)
        self._within("min_area", 0, math.inf)


@dataclass(frozen=True, kw_only=True)
class CropSettings(_Settings):
    """How each segment is shown to CLIP.

    Parameters
    ----------
    views : tuple of {"black", "mean", "dimmed", "box"}
        The embeddings of all views are averaged.
    margin : float
        Border around the bounding box in the ``"dimmed"`` and ``"box"`` views, as a share of its longer side.
    """

    views: tuple[View, ...] = ("mean", "dimmed")
    margin: float = 0.15

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.views:
            raise InputError("views is empty, but at least one of black, mean, dimmed, box is expected.")
        for view in self.views:
            if view not in typing.get_args(View):
                raise InputError(f"{view!r} is no view of a segment: expected black, mean, dimmed or box.")
        self._within("margin", 0, 4)


@dataclass(frozen=True, kw_only=True)
class FilterSettings(_Settings):
    """Which segments are shown and matched; none of them is ever deleted by it.

    Parameters
    ----------
    predicted_iou, stability_score, roundness, mean_intensity, score : (low, high)
        Ranges within 0..1, both ends included; `score` is the best calibrated score and counts
        only once there is a match.
    area : (low, high)
        In pixels.
    touching_edge : bool
        Whether segments that touch the border of the plane are kept.
    background : bool
        Whether segments marked as background are kept.
    containment : float or None
        A segment is dropped when more than this share of its area lies inside a larger one that is kept;
        None keeps all.
    """

    predicted_iou: tuple[float, float] = (0.0, 1.0)
    stability_score: tuple[float, float] = (0.0, 1.0)
    area: tuple[float, float] = (0.0, math.inf)
    roundness: tuple[float, float] = (0.0, 1.0)
    mean_intensity: tuple[float, float] = (0.0, 1.0)
    score: tuple[float, float] = (0.0, 1.0)
    touching_edge: bool = True
    background: bool = False
    containment: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("predicted_iou", "stability_score", "roundness", "mean_intensity", "score"):
            self._range(name, 0, 1)
        self._range("area", 0, math.inf)
        if self.containment is not None:
            self._within("containment", 0, 1)

    @classmethod
    def paper(cls) -> FilterSettings:
        """Return the annotation filter of the SLIP paper (arXiv 2405.07284).

        Predicted IoU of at least 0.9, and nothing that lies by more than 80 % inside a larger segment. The
        paper drops the largest segment as background; here the background is recognised by what it is.
        """
        return cls(predicted_iou=(0.9, 1.0), area=(1.0, math.inf), containment=0.8)


@dataclass(frozen=True, kw_only=True)
class MatchSettings(_Settings):
    """How texts are compared with segments and which segments a text accepts.

    Parameters
    ----------
    templates : tuple of str, optional
        Sentences with one ``{}`` for the prompt, whose embeddings are averaged; the model's own if None.
    select : str
        ``"best"``, ``"top:K"`` (the K best of each prompt) or ``"above:S"`` (calibrated score of at least S).
    min_score : float
        Calibrated score that ``"best"`` and ``"top:K"`` ask for; 0 shows the best in any case.
    """

    templates: tuple[str, ...] | None = None
    select: str = "best"
    min_score: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        for template in self.templates or ():
            if template.count("{}") != 1:
                raise InputError(f"The template {template!r} needs exactly one {{}}, where the prompt goes.")
        if self.templates is not None and not self.templates:
            raise InputError("templates is empty, but at least one sentence with a {} is expected.")
        self._within("min_score", 0, 1)
        Select.parse(self.select)


@dataclass(frozen=True, kw_only=True)
class LinkSettings(_Settings):
    """How objects of neighbouring planes are taken for one thing.

    Parameters
    ----------
    gap : int
        Planes in a row on which a thing may be missing.
    min_overlap : float
        Least likeness in place and size, 0..1; the IoU of the masks where they overlap.
    appearance : float
        Weight of what CLIP sees against place and size, 0..1.
    divides : bool
        Whether a thing that becomes two of half its size ends, and its halves begin as its children, as cells
        in time do; otherwise the better half goes on with the track, as in a z-stack.
    """

    gap: int = 2
    min_overlap: float = 0.1
    appearance: float = 0.5
    divides: bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        self._within("gap", 0, 1000)
        self._within("min_overlap", 0, 1)
        self._within("appearance", 0, 1)


@dataclass(frozen=True)
class Select:
    """A parsed ``select``: its rule, and its number where the rule has one."""

    rule: Literal["best", "top", "above"]
    number: float = 1

    @classmethod
    def parse(cls, text: str) -> Select:
        """Read ``best``, ``top:K`` or ``above:S``.

        Raises
        ------
        InputError
            If the text is none of these, K is no whole number from 1, or S does not lie within 0..1.
        """
        rule, colon, number = text.partition(":")
        if rule == "best" and not colon:
            return cls("best")
        if rule == "top" and number.isdecimal() and int(number) > 0:
            return cls("top", int(number))
        if rule == "above":
            try:
                score = float(number)
            except ValueError:
                score = math.nan
            if 0 <= score <= 1:
                return cls("above", score)
        raise InputError(
            f"{text!r} selects nothing: expected best, top:K with a whole number such as top:5, or above:S "
            "with a score from 0 to 1 such as above:0.5."
        )


def _one_of(settings: object, name: str, allowed: tuple[str, ...]) -> None:
    value = getattr(settings, name)
    if value not in allowed:
        raise InputError(f"{name} is {value!r}, but one of {', '.join(allowed)} is expected.")
