"""Take the pictures of the dock that the documentation shows.

Needs a display; where there is none, put ``xvfb-run -a -s "-screen 0 1600x1200x24"`` before the command. Look
at what it makes before it is committed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari

    from napari_slip.viewer import SlipDock

OUT = Path(__file__).parents[1] / "docs" / "images"
SIZE = (1400, 1000)


def wait(until: Callable[[], bool], seconds: float = 600) -> None:
    """Let the window live until something has happened."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def rest(seconds: float = 0.5) -> None:
    """Let the window be painted."""
    wait(lambda: False, seconds)


def ask(dock: SlipDock, text: str) -> None:
    """Type a text and wait for what comes of it."""
    dock.prompt.setText(text)
    dock.prompt.returnPressed.emit()
    wait(lambda: dock.desk.runner.state == "idle")
    rest()


def open_sample(viewer: napari.Viewer, dock: SlipDock, name: str) -> None:
    """Show one sample alone."""
    from napari_slip.viewer import samples

    for pixels, options, _ in getattr(samples, name)():
        dock.images.choose(viewer.add_image(pixels, **options))
    dock.desk.show_alone()
    rest()
    viewer.reset_view()


def shoot(viewer: napari.Viewer, out: Path, name: str) -> None:
    """Write a picture of the whole window, of 256 colours, so that the documentation stays small."""
    from PIL import Image

    rest(1)
    window = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    window.quantize(256).save(out / f"{name}.png", optimize=True)
    print(out / f"{name}.png")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", choices=PICTURES, help="not the others")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, take in PICTURES.items():
        if chosen.only in (None, name):
            with docked() as (viewer, dock):
                take(viewer, dock, chosen.out)


@contextmanager
def docked() -> Iterator[tuple[napari.Viewer, SlipDock]]:
    """Open a viewer with the dock, which knows neither history nor sessions of whoever was here before."""
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "DATA"):
            os.environ[f"XDG_{kind}_HOME"] = home
        yield from _docked()


def _docked() -> Iterator[tuple[napari.Viewer, SlipDock]]:
    import napari

    from napari_slip.viewer import SlipDock

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    dock = SlipDock(viewer)
    viewer.window.add_dock_widget(dock, name="SLIP")
    yield viewer, dock
    dock.dispose()
    viewer.close()


def take_dock(viewer: napari.Viewer, dock: SlipDock, out: Path) -> None:
    """Go through what the documentation tells of single planes."""
    open_sample(viewer, dock, "coins")
    ask(dock, "coin")
    shoot(viewer, out, "dock-best")
    dock.rule.rule.setCurrentIndex(1)
    dock.rule.count.setValue(8)
    dock.filters.rows["area"].slider.setValue((3.2, dock.filters.rows["area"].slider.maximum()))
    rest(1)
    dock.desk.decisions.next_best()
    shoot(viewer, out, "dock-filters")
    for title, section in dock.sections.items():
        if title in ("Results", "Classes", "Filters"):
            section.collapse(animate=False)
        else:
            section.expand(animate=False)
    shoot(viewer, out, "dock-settings")
    for title, section in dock.sections.items():
        if title in ("Results", "Classes", "Filters"):
            section.expand(animate=False)
        else:
            section.collapse(animate=False)
    dock.filters.everything.click()
    dock.rule.rule.setCurrentIndex(0)
    viewer.theme = "light"
    open_sample(viewer, dock, "objects")
    dock.desk.class_changes.tick("coin", False)
    wait(lambda: dock.desk.runner.state == "idle")
    for text in ("key", "pollen", "cup"):
        ask(dock, text)
    shoot(viewer, out, "dock-light")


def take_tracks(viewer: napari.Viewer, dock: SlipDock, out: Path) -> None:
    """Label a series of things that move and divide, link them, and show their tracks."""
    label_stack(viewer, dock, "divide", "t", planes=16, things=6)
    viewer.dims.set_point(0, 14)
    press(dock, "Tracks")
    viewer.layers["series tracks"].tail_length = 20
    viewer.layers["series tracks"].tail_width = 10
    viewer.reset_view()
    rest()
    shoot(viewer, out, "stack-tracks")


def take_volume(viewer: napari.Viewer, dock: SlipDock, out: Path) -> None:
    """Label sections of balls, link them, and show them in 3D."""
    label_stack(viewer, dock, "sections", "z", planes=24, things=14)
    viewer.layers["series"].visible = False
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    viewer.scene.camera.angles = (-25, 35, 65)
    shoot(viewer, out, "stack-volume")


def label_stack(
    viewer: napari.Viewer,
    dock: SlipDock,
    kind: Literal["divide", "sections"],
    axis: str,
    *,
    planes: int,
    things: int,
) -> None:
    """Show a drawn stack, label it for two classes, and link its objects."""
    import numpy as np

    from napari_slip.settings import MatchSettings
    from napari_slip.synthesis import draw_series

    pictures = draw_series(kind, planes, (256, 256), things, np.random.default_rng(11)).pictures
    thick = 3 if axis == "z" else 1
    names = (axis, "y", "x")
    viewer.add_image(pictures, rgb=True, name="series", axis_labels=names, scale=(thick, 1, 1))
    viewer.dims.set_point(0, 10)
    for title, section in dock.sections.items():
        (section.expand if title in ("Results", "Stack") else section.collapse)(animate=False)
    dock.rule.choose(MatchSettings(select="above:0.5"))
    viewer.reset_view()
    dock.stack.scope.setCurrentIndex(2)
    for text in ("red", "blue"):
        ask(dock, text)
        wait(lambda: dock.desk.runner.state == "idle" and not dock.desk.scan.running)
    press(dock, "Link")
    wait(lambda: dock.desk.runner.state == "idle")
    viewer.layers["series segments"].visible = False


def press(dock: SlipDock, text: str) -> None:
    """Press a button of the section Stack."""
    from qtpy.QtWidgets import QToolButton

    next(button for button in dock.stack.findChildren(QToolButton) if button.text() == text).click()
    rest()


def take_correct(viewer: napari.Viewer, dock: SlipDock, out: Path) -> None:
    """Correct a coin by three clicks, beside two that are accepted and some that wait."""
    import numpy as np

    from napari_slip.segments import mask_extent
    from napari_slip.settings import MatchSettings

    open_sample(viewer, dock, "coins")
    dock.rule.choose(MatchSettings(select="top:7"))
    ask(dock, "coin")
    for title, section in dock.sections.items():
        (section.expand if title == "Correct" else section.collapse)(animate=False)
    desk = dock.desk
    session = desk.sheet.workspace.session
    *_, clicked = ids = session.unsure()
    for i in ids[:2]:
        session.accept([i])
    desk.correction.choose([clicked])
    desk.decisions.refine()
    wait(lambda: desk.runner.state == "idle")
    x0, y0, x1, y1 = mask_extent(session.objects[clicked].mask(session.shape))
    middle, right = ((x0 + x1) / 2, (y0 + y1) / 2), (x1 + 1.5, (y0 + y1) / 2)
    for (x, y), sign in ((middle, 1), (right, 1), ((x0 - 2, y0 - 2), 0)):
        desk.correction.click(*np.clip((x, y), 0, None), sign)
        wait(lambda: desk.runner.state == "idle")
        rest()
    shoot(viewer, out, "dock-correct")


def take_keys(viewer: napari.Viewer, dock: SlipDock, out: Path) -> None:
    """Show the keys on the plugin's page of napari's preferences."""
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog
    from qtpy.QtCore import Qt

    dialog = PreferencesDialog(viewer.window._qt_window)
    dialog.resize(900, 800)
    dialog.show()
    pages = dialog._list
    pages.setCurrentRow(pages.row(pages.findItems("napari-slip", Qt.MatchFlag.MatchExactly)[0]))
    rest(1)
    dialog.grab().save(str(out / "dock-keys.png"))
    dialog.close()


PICTURES = {
    "correct": take_correct,
    "dock": take_dock,
    "keys": take_keys,
    "tracks": take_tracks,
    "volume": take_volume,
}
"""What is taken, each in a viewer of its own."""


if __name__ == "__main__":
    main()
