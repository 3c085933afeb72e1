"""The picture that shows the answer: dimmed image, bright matches, and what was asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_slip.io._caption import Line, add_caption
from napari_slip.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slip.matching import Match

COLOURS = (
    (240, 228, 66),
    (86, 180, 233),
    (230, 159, 0),
    (204, 121, 167),
    (0, 158, 115),
    (213, 94, 0),
)
"""One for each class: Okabe and Ito's colours, which colour-blind people tell apart, the brightest first."""

_SMALLEST, _LARGEST = (
    900,
    2400,
)  # longer side of the overlay in pixels: room for the caption, no needless megabytes

_PALE = (200, 200, 200)

_DIM = 0.42  # brightness that is left of what no text accepts
_GREY = 0.75  # share of its colour that it loses


@dataclass(frozen=True)
class _Layers:
    """What is drawn, in pixels of the overlay."""

    rgb: NDArray[np.uint8]
    segments: NDArray[Any]
    accepted: NDArray[Any]
    owner: NDArray[np.intp]
    """Class of each accepted id; the one with the highest score where there are several."""


def draw_overlay(rgb: NDArray[Any], match: Match) -> NDArray[np.uint8]:
    """Draw which segments of a plane a match accepts.

    What is accepted keeps its colours and gets a contour of its class, light within black, so that it is
    seen on every ground and without telling hues apart; the best of each class has a thicker one. The rest
    is dimmed, the other segments that the filter shows have thin contours. A caption says what was asked
    and how well it was answered.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 array
        The plane as the models saw it.
    match : Match
        Of its segments.

    Returns
    -------
    (h, w, 3) uint8 array
        Small planes are enlarged and large ones reduced, to be looked at and not to be measured.
    """
    layers = _scaled(rgb, match)
    picture = _dimmed(layers)
    _draw(picture, _edges(layers.segments) & (layers.accepted == 0), _PALE, opacity=0.7)
    width = max(2, round(max(picture.shape[:2]) / 500))
    classes = np.append(layers.owner, -1)[layers.accepted.astype(np.intp) - 1]
    for column, colour in zip(range(len(match.names)), itertools.cycle(COLOURS), strict=False):
        _outline(picture, np.where(classes == column, layers.accepted, 0), colour, width)
    for column, label in enumerate(match.best):
        if label is not None:
            owner = layers.owner[label - 1]
            colour = COLOURS[(owner if owner >= 0 else column) % len(COLOURS)]
            # one that is not accepted stays dim, with the contour of the others
            drawn = layers.accepted if owner >= 0 else layers.segments
            _outline(
                picture, np.where(drawn == label, drawn, 0), colour, 2 * width + 1 if owner >= 0 else width
            )
    return add_caption(picture, _lines(match))


def _scaled(rgb: NDArray[Any], match: Match) -> _Layers:
    height, width = rgb.shape[:2]
    longer = max(height, width)
    factor = max(1, -(-_SMALLEST // longer)) if longer < _SMALLEST else min(1.0, _LARGEST / longer)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    smooth = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BOX

    def ids(labels: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(Image.fromarray(labels.astype(np.int32)).resize(size, Image.Resampling.NEAREST))

    accepted = match.accepted()
    owner = np.where(accepted, match.calibrated, -1).argmax(axis=1) if accepted.shape[1] else np.zeros(0, int)
    return _Layers(
        rgb=np.asarray(Image.fromarray(rgb).resize(size, smooth)),
        segments=ids(match.segments.labels(match.selection)),
        accepted=ids(match.segments.labels(accepted.any(axis=1))),
        owner=np.where(accepted.any(axis=1), owner, -1),
    )


def _dimmed(layers: _Layers) -> NDArray[np.uint8]:
    """Take light and most of the colour from all but the accepted segments."""
    picture = layers.rgb.astype(np.float32)
    grey = picture.mean(axis=-1, keepdims=True)
    dim = (picture + (grey - picture) * _GREY) * _DIM
    return np.where(layers.accepted[..., None] > 0, layers.rgb, dim.astype(np.uint8))


def _edges(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of a segment whose right or lower neighbour belongs to something else: contours of one pixel."""
    edges = np.zeros(ids.shape, bool)
    edges[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    edges[:-1] |= ids[:-1] != ids[1:]
    return edges


def _outline(picture: NDArray[np.uint8], ids: NDArray[Any], colour: tuple[int, int, int], width: int) -> None:
    """Draw around the segments, so that small ones stay visible, and between those that touch."""
    inside = ids > 0
    ringed = _grown(inside, width)
    _draw(picture, _grown(ringed, max(1, width // 3)) & ~ringed, (0, 0, 0), opacity=0.85)
    _draw(picture, (ringed & ~inside) | (_edges(ids) & inside), colour)


def _grown(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Widen a mask by an octagon, which takes a tenth of the time of a disc and looks as round."""
    grown = ndimage.binary_dilation(mask, iterations=width - width // 2)
    if width > 1:
        grown = ndimage.binary_dilation(grown, np.ones((3, 3), bool), iterations=width // 2)
    return np.asarray(grown, bool)


def _draw(
    picture: NDArray[np.uint8], where: NDArray[np.bool_], colour: tuple[int, int, int], opacity: float = 1.0
) -> None:
    mixed = picture[where] * (1 - opacity) + np.asarray(colour, np.float32) * opacity
    picture[where] = mixed.astype(np.uint8)


def _lines(match: Match) -> list[Line]:
    """Say what was found of each class."""
    accepted = match.accepted().sum(axis=0)
    shown = counted(int(match.selection.sum()), "segment")
    lines = []
    for column, (name, label) in enumerate(zip(match.names, match.best, strict=True)):
        if label is None:
            says = f"no match among {shown}"
        else:
            score = match.calibrated[label - 1, column]
            verdict = f"{accepted[column]} of {shown} accepted" if accepted[column] else "not accepted"
            says = f"best score {score:.2f} (segment {label}), {verdict}"
        lines.append(Line(COLOURS[column % len(COLOURS)], name, says))
    return lines
