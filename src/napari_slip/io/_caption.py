"""Words beneath a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GROUND, _INK, _PALE = (24, 24, 24), (245, 245, 245), (185, 185, 185)


class Line(NamedTuple):
    """One line of a caption: a swatch of colour, what was asked, and the answer."""

    colour: tuple[int, int, int]
    name: str
    says: str


def add_caption(picture: NDArray[np.uint8], lines: Sequence[Line]) -> NDArray[np.uint8]:
    """Put lines of text beneath a picture, (H, W, 3) uint8, so that nothing of it is covered."""
    if not lines:
        return picture
    size = max(14, round(picture.shape[1] / 45))
    font = ImageFont.load_default(size)
    step, margin = round(1.5 * size), round(0.7 * size)
    strip = Image.new("RGB", (picture.shape[1], step * len(lines) + margin), _GROUND)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        y = margin // 2 + number * step + step // 2
        draw.rectangle((margin, y - size // 2, margin + size, y + size // 2), fill=line.colour)
        x = 2.0 * margin + size
        draw.text((x, y), line.name, font=font, fill=_INK, anchor="lm")
        x += draw.textlength(line.name, font=font) + margin
        draw.text((x, y), line.says, font=font, fill=_PALE, anchor="lm")
    return np.concatenate([picture, np.asarray(strip)])
