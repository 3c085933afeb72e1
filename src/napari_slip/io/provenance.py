"""What was done, so that it can be done again: versions, models, settings, texts and images of one run."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

from napari_slip import __version__
from napari_slip.atomic import replacing
from napari_slip.errors import InputError
from napari_slip.settings import Contrast, CropSettings, FilterSettings, MatchSettings, ProposalSettings

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1

_PACKAGES = (
    "numpy",
    "pandas",
    "scikit-image",
    "scipy",
    "segment-anything",
    "tifffile",
    "torch",
    "transformers",
)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Every choice of a run but the models and the texts.

    Parameters
    ----------
    contrast, proposals, crops, filters, match
        As `Slip.segment` and `Slip.match` take them.
    """

    contrast: Contrast = field(default_factory=Contrast)
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    crops: CropSettings = field(default_factory=CropSettings)
    filters: FilterSettings = field(default_factory=FilterSettings)
    match: MatchSettings = field(default_factory=MatchSettings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote, also after a journey through JSON."""
        return cls(
            contrast=Contrast.from_dict(values["contrast"]),
            proposals=ProposalSettings.from_dict(values["proposals"]),
            crops=CropSettings.from_dict(values["crops"]),
            filters=FilterSettings.from_dict(values["filters"]),
            match=MatchSettings.from_dict(values["match"]),
        )


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """Which models worked, and how to ask for them again.

    Parameters
    ----------
    name, sam, clip : str, optional
        As `napari_slip.load` took them; files and folders with their whole path.
    device : str
        On which they ran.
    sam_hash, clip_hash : str
        ``sha256:...`` of their weights.
    head, head_hash : str
        The whole path of what was taught, if it was used, and ``sha256:...`` of the file.
    bfloat16 : bool, optional
        Whether image encoders could run in half precision, which changes pixels a little; None where an
        earlier version did not tell.
    threads : int, optional
        Of the processor, which add up in another order if they are others; None likewise.
    """

    name: str | None
    sam: str | None
    clip: str | None
    device: str
    sam_hash: str
    clip_hash: str
    head: str | None = None
    head_hash: str = ""
    bfloat16: bool | None = None
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One image of a run: what was asked of it, and what came of it.

    Parameters
    ----------
    path : str
        The whole path.
    beside : str
        The path as seen from the provenance file, for folders that move together.
    sha256 : str, optional
        ``sha256:...`` of the file; None if it could not be read.
    prompts : dict
        From class names to their phrases; a plain prompt is a class of its own.
    negatives : tuple of str
        Texts that a match had to beat.
    channel_axis : int, optional
        As the user told it; None leaves it to the file.
    error : str, optional
        Why there is no result, in a sentence.
    files : dict
        Names of the results, which lie beside the provenance file; the keys are those of `io.RESULTS`.
    pixels : dict
        ``sha256:...`` of the ids in the two label pictures.
    n_segments : int
        How many there are.
    answers : tuple of dict
        For each prompt, its best label and score, and how many segments it accepts.
    """

    path: str
    beside: str
    sha256: str | None
    prompts: dict[str, list[str]]
    negatives: tuple[str, ...] = ()
    channel_axis: int | None = None
    error: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    pixels: dict[str, str] = field(default_factory=dict)
    n_segments: int = 0
    answers: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """A run as its provenance file tells it.

    Parameters
    ----------
    models, settings, images
        With what, how, and on what.
    created : str
        When, in ISO 8601.
    versions : dict
        Of this project, Python and the libraries that shape pixels.
    schema_version : int
        Of the file.
    """

    models: ModelRecord
    settings: RunSettings
    images: tuple[ImageRecord, ...] = ()
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    versions: dict[str, str] = field(default_factory=lambda: current_versions())
    schema_version: int = SCHEMA_VERSION


def current_versions() -> dict[str, str]:
    """Versions of what shapes the pixels of a result, here and now."""
    found = {"napari-slip": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # e.g. a torch that was built by hand
            found[package] = "unknown"
    return found


def write_provenance(path: Path, provenance: Provenance) -> None:
    """Write a provenance file, whole or not at all, in place of what `path` held before."""
    with replacing(path) as unfinished:
        unfinished.write_text(as_json(finite(asdict(provenance))) + "\n", encoding="utf-8")


def read_provenance(path: Path) -> Provenance:
    """Read a provenance file.

    Raises
    ------
    InputError
        If there is no such file, it is no provenance file, or a later version of this project wrote it.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: name the provenance.json of an earlier run.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): name a provenance.json.") from error
    except ValueError as error:
        raise InputError(f"{path} is no provenance file: it is not JSON ({error}).") from error
    if isinstance(values, dict) and "run" in values and "decided" in values:
        values = values["run"]  # what an export tells beside a person's decisions
        if isinstance(values, str):
            raise InputError(f"{path} tells of work that cannot be done again by itself: {values}.")
    found = values.get("schema_version") if isinstance(values, dict) else None
    if not isinstance(found, int):
        raise InputError(f"{path} is no provenance file: it names no schema_version.")
    if found > SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {found}, but napari-slip {__version__} reads only up to "
            f"{SCHEMA_VERSION}: install a newer one."
        )
    try:
        return _from_dict(_infinite(values))
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"{path} is a damaged provenance file ({error}): make it again with a new run."
        ) from error


def _from_dict(values: dict[str, Any]) -> Provenance:
    images = tuple(
        ImageRecord(**{**image, "negatives": tuple(image["negatives"]), "answers": tuple(image["answers"])})
        for image in values["images"]
    )
    models, settings = ModelRecord(**values["models"]), RunSettings.from_dict(values["settings"])
    return Provenance(**{**values, "images": images, "models": models, "settings": settings})


def as_json(value: Any) -> str:
    """Return JSON as people read it; letters are spelt out only where a file's name is no text."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = json.dumps(value, indent=2, allow_nan=False)
    return text


def finite(value: Any) -> Any:
    """JSON has no infinity, so the text "inf" stands for it."""
    if isinstance(value, dict):
        return {name: finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _infinite(values: dict[str, Any]) -> dict[str, Any]:
    """Undo `finite` where numbers stand, which is in the settings alone; a prompt may well be "inf"."""
    settings = {
        group: {name: _number(v) for name, v in inner.items()} for group, inner in values["settings"].items()
    }
    return {**values, "settings": settings}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(v) for v in value]
    return float(value) if value in ("inf", "-inf") else value
