"""Fine-tuning from the dock: a process of its own trains; what is better than the old model gets a name."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import platformdirs
from qtpy.QtCore import QObject, QProcess, Signal

import napari_slip
from napari_slip.errors import InputError, SlipError
from napari_slip.models import Preset, known_models
from napari_slip.viewer._exchange import stack_of, stem_of

if TYPE_CHECKING:
    from napari_slip.progress import Progress
    from napari_slip.viewer._desk import Desk
    from napari_slip.viewer._engine import ModelChoice

START = (
    "import sys; sys.path.append({path!r}); "
    "from napari_slip.training.own.fine_tuning import main; raise SystemExit(main())"
)

STEPS = {
    "model": "Loading the model",
    "pictures": "Reading the examples",
    "remembering": "Drawing what it knows already",
    "training": "Training",
    "settling": "Weighing the old against the new",
    "comparison": "Comparing old and new",
}


def folder() -> Path:
    """Where fine-tuned models and their examples are kept."""
    return Path(platformdirs.user_data_dir("napari-slip", appauthor=False)) / "fine-tuned"


class FineTuning(QObject):
    """One training at a time, in a process of its own.

    Parameters
    ----------
    desk : Desk
        Whose Objects are the examples, and whose model is trained further.
    """

    changed = Signal()
    """Another step, pass or state."""
    trained = Signal(str)
    """The name of a new model that is better than the old one."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.passes: list[dict[str, Any]] = []
        self.sentence = ""
        self.better = ""
        """Name of the model that the last training has brought, if it is better."""
        self._desk = desk
        self._process: QProcess | None = None
        self.preparing = False
        """Whether the examples are being written; Cancel of the dock stops that."""
        self._job = ("", Path(), "", 0)  # name, folder, SAM, most passes
        self._step, self._rest, self._ended = "", "", ""
        self._began = 0.0

    @property
    def running(self) -> bool:
        """Whether a training is going on, or its examples are being written."""
        return self._process is not None or self.preparing

    def begin(self, name: str, data: Path | None = None, epochs: int = 40) -> None:
        """Train the model of the dock further, or go on with what was stopped under this name.

        Parameters
        ----------
        name : str
            Of the new model; a number is added where it is taken.
        data : Path, optional
            A folder by class; the accepted and corrected objects of this dock if not given.
        epochs : int
            The most passes.

        Raises
        ------
        InputError
            If there is nothing to learn from, or the name is none.
        """
        if self.running:
            return
        name = free_name(name)
        place = folder() / name
        if data is not None:
            self._start(name, place, data, epochs)
            return
        write = self._examples(place / "examples")
        self.passes, self.sentence, self.better = [], "Writing the examples...", ""
        self.preparing = True
        self._desk.runner.submit(
            write,
            lambda _: self._start(name, place, place / "examples", epochs),
            gone=self._not_prepared,
            what="the fine-tuning",
        )
        self.changed.emit()

    def cancel(self) -> None:
        """Stop; what was learnt until the last whole pass is kept, and the same name goes on from there."""
        if self._process is not None:
            self._ended = "Stopped; press Fine-tune again to go on from the last whole pass."
            self._process.kill()

    def dispose(self) -> None:
        """Stop for good; a training that was going on can be gone on with."""
        if (process := self._process) is not None:
            process.finished.disconnect(self._finished)
            self._process = None
            process.kill()
            process.waitForFinished(2000)

    def _examples(self, place: Path) -> Any:
        """Return work that writes the accepted and corrected objects of all images as crops by class."""
        from napari_slip.session import Session

        todo = []
        for sheet in self._desk.teaching.sheets:
            sheet.absorb()
            session = Session.of(sheet.workspace.session.contents())
            if any(o.status in ("accepted", "corrected") for o in session.objects.values()):
                stem = f"{stem_of(sheet.image)}-{crc32(sheet.opened.path.name.encode()):08x}"
                todo.append((session, stem, stack_of(sheet.image, sheet.place)))
        if not todo:
            raise InputError(
                "There is nothing to learn from yet: accept or correct objects of two classes or more, or "
                "choose a folder with one folder of pictures for each class."
            )

        def write(progress: Progress) -> None:
            import shutil

            from napari_slip.io import export_session
            from napari_slip.io.crops import write_phrases

            for session, stem, stack in todo:
                export_session(
                    session, place.with_name("crops"), stem, ["crops"], stack=stack, progress=progress
                )
            shutil.rmtree(place, ignore_errors=True)
            for path in sorted(place.with_name("crops").glob("*/*/*.png")):
                target = place / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
            shutil.rmtree(place.with_name("crops"), ignore_errors=True)
            phrases: dict[str, tuple[str, ...]] = {}
            for c in (c for session, *_ in todo for c in session.classes):
                phrases[c.name] = tuple(dict.fromkeys((*phrases.get(c.name, ()), *c.phrases)))
            write_phrases(place, phrases)

        return write

    def _not_prepared(self) -> None:
        self.preparing, self.sentence = False, "The examples were not written: press Fine-tune to try again."
        self.changed.emit()

    def _start(self, name: str, place: Path, data: Path, epochs: int) -> None:
        self.preparing = False
        sam, clip = models_of(self._desk.memory.model)
        self._job = name, place, sam, epochs
        self.passes, self.sentence, self.better = [], "Starting...", ""
        self._step, self._rest, self._ended, self._began = "", "", "", time.monotonic()
        self._process = process = QProcess(self)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        code = START.format(path=str(Path(napari_slip.__file__).parents[1]))
        device = self._desk.memory.model.device
        arguments = [str(data), str(place), "--base", clip, "--epochs", str(epochs), "--device", device]
        process.start(sys.executable, ["-c", code, *arguments])
        self.changed.emit()

    def _read(self) -> None:
        process = self._process
        if process is None:
            return
        text = self._rest + bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        *lines, self._rest = text.split("\n")
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:  # a library has printed something
                continue
            if isinstance(said, dict):
                self._hear(said)
        self.changed.emit()

    def _hear(self, said: dict[str, Any]) -> None:
        if "epoch" in said:
            epoch = said["epoch"]
            self.passes = [*(p for p in self.passes if p["number"] < epoch["number"]), epoch]
        elif "error" in said:
            self._ended = said["error"]
        elif "comparison" in said:
            self._compared(**said["comparison"])
            return
        else:
            self._step = STEPS.get(said["step"], self._step)
        self.sentence = self._where()

    def _where(self) -> str:
        epochs = self._job[3]
        if not self.passes or self._step not in ("", STEPS["training"]):
            return f"{self._step}..."
        done, last = self.passes[-1]["number"], self.passes[-1]
        left = (epochs - done) * sum(p["seconds"] for p in self.passes) / len(self.passes)
        time_left = f"{left / 60:.0f} minutes" if left >= 90 else f"{left:.0f} seconds"
        return (
            f"Pass {done} of at most {epochs}: right for {last['accuracy']:.0%} of the pictures that check "
            f"it; at most {time_left} left."
        )

    def _compared(self, old: int, new: int, asked: int) -> None:
        name, place, sam, _ = self._job
        counts = (
            f"of {asked} pictures that neither had learnt from, the new model names {new} rightly, the old"
        )
        if new <= old:
            self._ended = f"The old model stays: {counts} {old}. More examples help most."
            return
        try:
            keep(name, place / "model", sam)
        except (SlipError, OSError) as error:
            self._ended = f"The new model lies in {place / 'model'}, but could not be listed: {error}"
            return
        self.better = name
        self._ended = f"Better: {counts} {old}. It is in the list of models as {name!r}."

    def _finished(self, code: int, status: Any = None) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if not self._ended:
            errors = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
            why = errors.splitlines()[-1] if errors else f"exit code {code}"
            self._ended = f"The training has ended early ({why}): press Fine-tune to go on."
        self.sentence = self._ended
        process.deleteLater()
        self.changed.emit()
        if self.better:
            self.trained.emit(self.better)
        self._desk.said.emit(self.sentence)

    def _failed(self, error: Any) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._ended = f"No process could be started with {sys.executable}: use napari-slip train instead."
            self._finished(1)


def models_of(choice: ModelChoice) -> tuple[str, str]:
    """Return the SAM and the CLIP of a choice."""
    if choice.preset:
        preset = known_models().presets[choice.preset]
        return preset.sam, preset.clip
    return choice.sam, choice.clip


def free_name(name: str) -> str:
    """Return a name as models have it, with a number where it is taken.

    Raises
    ------
    InputError
        If nothing is left of it.
    """
    plain = re.sub(r"[^\w.-]+", "-", name.strip()).strip("-.")
    if not plain:
        raise InputError("The new model needs a name: type one with letters or digits.")
    known = known_models()
    taken = {*known.presets, *known.of("clip"), *known.of("sam")}
    number, free = 2, plain
    while free in taken:
        free, number = f"{plain}-{number}", number + 1
    return free


def keep(name: str, model: Path, sam: str) -> None:
    """Give a fine-tuned CLIP a name, and list it together with a SAM."""
    from napari_slip.models.adding import describe
    from napari_slip.models.registry import add_entry, add_preset

    title = f"{name}, fine-tuned in the dock"
    add_entry(describe(name, str(model), kind="clip", title=title, licence="that of its base and pictures"))
    add_preset(name, Preset(sam, name, title))
