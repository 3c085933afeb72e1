"""Every choice of a training, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, Self

from napari_slip.errors import InputError
from napari_slip.settings import _one_of, _Settings

View = Literal["whole", "mean", "dimmed", "black"]
"""How an example is shown: the whole picture, or its object as a segment is shown to CLIP."""

OPEN_ENDED = ("epochs", "stop_after")
"""What can be changed when a training goes on."""

OF_NEW = ("image_model", "text_model", "pretrained", "projection", "image_size")
OF_OLD = ("keep",)
"""What only a new dual encoder, and only a model that is trained further, can be told."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(_Settings):
    """How a model is trained.

    Parameters
    ----------
    base : str
        ``"dual"`` for a new dual encoder; or the model to train further: ``"mini"``, a CLIP's name on the
        hub, or a folder.
    image_model, text_model : str
        Of a new dual encoder: a name in timm; and a type of transformers such as ``"distilbert"``, or with
        settings, ``"distilbert:dim=64,n_layers=2"``, which begins at random, or a name on the hub.
    pretrained : bool
        Whether a new dual encoder begins with published weights, which are fetched.
    projection : int
        Size of the common space of a new dual encoder.
    image_size : int
        Side of a new dual encoder's pictures, in pixels.
    train : str
        What learns: ``"all"``, ``"last:N"`` (the last N blocks and the heads), ``"heads"``, or ``"lora"``.
    templates : tuple of str
        Captions of class names, each with one ``{}``; each step draws one of them for each picture.
    views : tuple of {"whole", "mean", "dimmed", "black"}, optional
        How examples are shown; by default the whole picture, and where masks lie beside pictures
        also the object as matching shows segments.
    ground : bool
        Whether pieces of the ground are shown as "background", where masks say what is ground.
    augment : bool
        Whether pictures are mirrored, moved and relit at random.
    loss : {"clip", "soft"}
        CLIP's own, with a learnt temperature, or the paper's with soft targets.
    temperature : float
        Of the soft targets.
    head_rate, image_rate, text_rate : float
        Learning rates of projections, image encoder and text encoder.
    weight_decay : float
        On the heads.
    batch, epochs : int
        Pictures in a step, and the most passes.
    factor, patience : float, int
        The rates are multiplied by `factor` when the validation loss has not fallen for `patience` passes.
    stop_after : int
        Training ends when it has not fallen for so many passes.
    keep : float
        Weight of old knowledge: drawn things, their captions and the words that a model knows shall be seen
        and read as before; 0 lets it forget. For models that are trained further only.
    test_share : float
        Share of the pictures of each class that is kept for validation.
    hold_out : int
        How many classes are left out of training altogether.
    precision : {"float32", "bfloat16"}
        Of the arithmetic.
    seed : int
        Same seed, same split and, on a CPU, same numbers.

    Raises
    ------
    InputError
        If a value is not allowed.
    """

    base: str = "dual"
    image_model: str = "resnet50"
    text_model: str = "distilbert"
    pretrained: bool = False
    projection: int = 128
    image_size: int = 224
    train: str = "all"
    templates: tuple[str, ...] = ("{}",)
    views: tuple[View, ...] | None = None
    ground: bool = True
    augment: bool = True
    loss: Literal["clip", "soft"] = "clip"
    temperature: float = 1.0
    head_rate: float = 1e-4
    image_rate: float = 1e-4
    text_rate: float = 1e-5
    weight_decay: float = 1e-3
    batch: int = 64
    epochs: int = 100
    factor: float = 0.9
    patience: int = 5
    stop_after: int = 15
    keep: float = 4.0
    test_share: float = 0.2
    hold_out: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 42

    def __post_init__(self) -> None:
        """Check the values."""
        for template in self.templates:
            if template.count("{}") != 1:
                raise InputError(
                    f"The template {template!r} needs exactly one {{}}, where the class goes, such as "
                    "'This is an image of {}'."
                )
        useless = OF_OLD if self.base == "dual" else OF_NEW
        if told := [name for name in useless if getattr(self, name) != getattr(type(self), name)]:
            name, value = told[0].replace("_", "-"), getattr(self, told[0])
            whom = "models that are trained further" if useless is OF_OLD else "the base dual"
            raise InputError(
                f"{name} is {value!r}, but it is for {whom}, and the base is {self.base}: leave it out."
            )
        _one_of(self, "loss", ("clip", "soft"))
        _one_of(self, "precision", ("float32", "bfloat16"))
        for view in self.views or ():
            if view not in ("whole", "mean", "dimmed", "black"):
                raise InputError(f"{view!r} is no view: expected whole, mean, dimmed or black.")
        if not re.fullmatch(r"all|heads|lora|last:[1-9]\d*", self.train):
            raise InputError(
                f"train is {self.train!r}, but all, heads, lora, or last:N such as last:2 is expected."
            )
        for name, low, high in (
            ("projection", 1, 65536),
            ("image_size", 16, 4096),
            ("temperature", 1e-6, 1e6),
            ("batch", 2, 65536),
            ("epochs", 1, 1_000_000),
            ("factor", 0, 1),
            ("patience", 0, 1_000_000),
            ("stop_after", 1, 1_000_000),
            ("keep", 0, 1e6),
            ("test_share", 0.01, 0.9),
            ("hold_out", 0, 1_000_000),
            ("head_rate", 0, 10),
            ("image_rate", 0, 10),
            ("text_rate", 0, 10),
            ("weight_decay", 0, 10),
        ):
            self._within(name, low, high)

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """Return the paper's choices (arXiv 2405.07284): whole pictures, soft targets, nothing varied."""
        choices: dict[str, Any] = {"loss": "soft", "views": ("whole",), "augment": False, "ground": False}
        return cls(**{**choices, "stop_after": 100, **changes})
