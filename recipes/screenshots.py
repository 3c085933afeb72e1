"""Take the pictures of the dock that the documentation shows.

Needs a display; where there is none, put ``xvfb-run -a -s "-screen 0 1600x1200x24"`` before the command. Look
at what it makes before it is committed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Write a picture of the whole window."""
    rest(1)
    viewer.screenshot(str(out / f"dock-{name}.png"), canvas_only=False, flash=False)
    print(out / f"dock-{name}.png")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "DATA"):  # neither history nor sessions of whoever runs this
            os.environ[f"XDG_{kind}_HOME"] = home
        take(out)


def take(out: Path) -> None:
    """Open a viewer and go through what the documentation tells."""
    import napari

    from napari_slip.viewer import SlipDock

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    dock = SlipDock(viewer)
    viewer.window.add_dock_widget(dock, name="SLIP")
    open_sample(viewer, dock, "coins")
    ask(dock, "coin")
    shoot(viewer, out, "best")
    dock.rule.rule.setCurrentIndex(1)
    dock.rule.count.setValue(8)
    dock.filters.rows["area"].slider.setValue((3.2, dock.filters.rows["area"].slider.maximum()))
    rest(1)
    dock.desk.decisions.next_best()
    shoot(viewer, out, "filters")
    for title, section in dock.sections.items():
        if title in ("Results", "Classes", "Filters"):
            section.collapse(animate=False)
        else:
            section.expand(animate=False)
    shoot(viewer, out, "settings")
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
    for text in ("star", "diamond", "snail"):
        ask(dock, text)
    shoot(viewer, out, "light")
    viewer.close()


if __name__ == "__main__":
    main()
