"""Which preset suits a machine and a kind of image, and how long a picture will take with it.

What a model costs stands in the registry as a number of multiplications; how many of them this machine does
in a second is measured on the spot, and so is a whole run with each preset that is here already.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_slip.errors import InputError, ModelError
from napari_slip.models import known_models
from napari_slip.models.fetching import find
from napari_slip.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from napari_slip.models import Registry
    from napari_slip.pipeline import Slip

KINDS = {
    "everyday": "everyday pictures",
    "light": "light microscopy",
    "electron": "electron microscopy",
    "medical": "medical images",
    "languages": "everyday pictures and prompts that are not English",
}
"""Kinds of images that presets suit, in words."""

SIDE = 1024
"""Width and height of the picture that times are told for, in pixels."""

PICTURES = 200
"""Pictures that CLIP sees of it: two of each of 100 segments."""

PATIENCE = 60.0
"""Seconds for one picture that are no trouble."""

BLOCK = 32_468
"""Millions of multiplications in the block that the speed is measured with."""

SPARE = 1 << 30
"""Bytes that a network needs for its work, besides its weights."""


@dataclass(frozen=True)
class Machine:
    """What models run on.

    Parameters
    ----------
    device : str
        As torch names it.
    memory : int
        Bytes that are free there.
    speed : float
        Millions of multiplications in a second, in a block of ViT-B's image encoder.
    """

    device: str
    memory: int
    speed: float


@dataclass(frozen=True)
class Advice:
    """What a preset costs on a machine.

    Parameters
    ----------
    preset : str
        Its name.
    seconds : float
        For a picture of 1024 x 1024 pixels with 100 segments.
    measured : bool
        Whether the whole run was measured; otherwise the time follows from the machine's speed.
    here : bool
        Whether nothing must be downloaded.
    fits : bool
        Whether the free memory suffices.
    """

    preset: str
    seconds: float
    measured: bool
    here: bool
    fits: bool


def measure(device: str = "auto") -> Machine:
    """Measure a machine's speed with a block of ViT-B's image encoder; takes about a second.

    Parameters
    ----------
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises
    ------
    InputError
        If this machine has no such device.
    """
    import psutil

    from napari_slip.models.devices import free_memory, resolve_device

    target = resolve_device(device)
    work, times = one_block(target), []
    for _ in range(4):  # the first one also sets things up
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    memory = free_memory(target) or int(psutil.virtual_memory().available)
    return Machine(str(target), memory, BLOCK / min(times[1:]))


def one_block(device: torch.device) -> Callable[[], float]:
    """Return what runs one block of ViT-B's image encoder on a device, in the precision that pays there."""
    import torch
    from segment_anything.modeling.image_encoder import Block

    from napari_slip.models.precision import bfloat16_pays

    block: Any = Block(768, 12, window_size=14, use_rel_pos=True, input_size=(14, 14)).to(device).eval()
    cells, halved = torch.ones(1, 64, 64, 768, device=device), bfloat16_pays(device)

    @torch.inference_mode()
    def work() -> float:
        with torch.autocast(device.type, torch.bfloat16, enabled=halved):
            return float(block(cells).sum())  # which waits for a GPU

    return work


def advise(
    machine: Machine, timed: Mapping[str, float | None] | None = None, known: Registry | None = None
) -> list[Advice]:
    """Tell what each preset costs.

    Parameters
    ----------
    machine : Machine
        From `measure`.
    timed : mapping, optional
        Seconds of whole runs by the names of their presets, from `time_presets`.
    known : Registry, optional
        All that has a name, if not given.

    Returns
    -------
    list of Advice
        In the registry's order; those of whose cost nothing is known, and those that cannot be run, are left
        out.
    """
    known, timed, advice = known or known_models(), timed or {}, []
    for name, preset in known.presets.items():
        sam, clip = known.get("sam", preset.sam), known.get("clip", preset.clip)
        if sam is None or clip is None or not (sam.work and clip.work):
            continue
        entries = known.named(name)
        here = all(entry.shipped or find(entry) is not None for entry in entries)
        seconds = timed.get(name, (sam.work + PICTURES * clip.work) / machine.speed)
        if seconds is None:
            continue
        fits = sum(entry.size for entry in entries) + SPARE <= machine.memory
        advice.append(Advice(name, seconds, name in timed, here, fits))
    return advice


def choose(
    advice: Sequence[Advice], kind: str, patience: float = PATIENCE, known: Registry | None = None
) -> Advice:
    """Choose the finest preset that suits a kind of image, fits into the memory and takes no too long time.

    Parameters
    ----------
    advice : sequence of Advice
        From `advise`.
    kind : str
        One of `KINDS`.
    patience : float
        Seconds for one picture.
    known : Registry, optional
        As for `advise`.

    Returns
    -------
    Advice
        Where all take longer, the quickest of them.

    Raises
    ------
    InputError
        If nothing suits the kind.
    """
    presets = (known or known_models()).presets
    suiting = [each for each in advice if kind in presets[each.preset].suits]
    if not suiting:
        kinds = dict.fromkeys(suited for preset in presets.values() for suited in preset.suits)
        raise InputError(f"{kind!r} is no kind of image: expected one of {', '.join(kinds)}.")
    good = [each for each in suiting if each.fits and each.seconds <= patience]
    return good[-1] if good else min(suiting, key=lambda each: each.seconds)


def time_run(slip: Slip, progress: Progress | None = None) -> float:
    """Return the seconds that a whole run over a drawn picture takes, brought to 100 segments for CLIP.

    Parameters
    ----------
    slip : Slip
        Loaded.
    progress : Progress, optional
        Can stop it.
    """
    progress = progress or Progress()
    rgb = drawn_picture()
    start = time.perf_counter()
    segments = slip.propose(slip.encode(rgb, progress=progress), progress=progress)
    found = time.perf_counter() - start
    start = time.perf_counter()
    slip.embed(segments, rgb, progress=progress)
    seen = time.perf_counter() - start
    return found + seen * PICTURES / max(1, len(segments) * len(slip.crops.views))


def time_presets(
    advice: Sequence[Advice], load: Callable[[str], Slip], progress: Progress, patience: float = PATIENCE
) -> dict[str, float | None]:
    """Run each preset that is here, fits, and will not take too long, over a drawn picture.

    Parameters
    ----------
    advice : sequence of Advice
        From `advise`.
    load : callable
        Loads a preset by its name.
    progress : Progress
        Can stop it.
    patience : float
        Seconds that one may take.

    Returns
    -------
    dict of str to float
        Seconds by name; None for a preset of which a model is damaged.
    """
    timed: dict[str, float | None] = {}
    for each in advice:
        if each.here and each.fits and each.seconds <= patience:
            try:
                timed[each.preset] = time_run(load(each.preset), progress)
            except ModelError:
                timed[each.preset] = None
    return timed


def drawn_picture() -> NDArray[np.uint8]:
    """Draw discs on a grid, (1024, 1024, 3) uint8, which every model finds."""
    import numpy as np

    rows, columns = np.indices((SIDE, SIDE)) % 102 - 51
    inside = rows**2 + columns**2 < 30**2
    picture = np.where(inside[..., None], (200, 120, 60), (25, 25, 40))
    return picture.astype(np.uint8)


def in_words(chosen: Advice, machine: Machine, kind: str, known: Registry | None = None) -> str:
    """Tell a person in two sentences what to take, and what it costs."""
    preset = (known or known_models()).presets[chosen.preset]
    how = "measured just now" if chosen.measured else "expected from the speed measured just now"
    cost = "nothing to download" if chosen.here else f"{preset.size_mb} MB to download"
    slow = "" if chosen.fits else " The free memory is scarce for it."
    return (
        f"For {KINDS.get(kind, kind)} on this machine ({machine.device}): {chosen.preset}, "
        f"{preset.title.removeprefix(chosen.preset + ': ')}. About {seconds_in_words(chosen.seconds)} for a "
        f"picture of {SIDE} x {SIDE} pixels with 100 segments ({how}); {cost}; {preset.licence}.{slow}"
    )


def seconds_in_words(seconds: float) -> str:
    """Round a time as a person would."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
