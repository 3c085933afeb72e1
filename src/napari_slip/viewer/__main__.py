"""``python -m napari_slip.viewer DIR``: what ``napari-slip demo --viewer`` starts as its own process."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_slip.errors import SlipError
from napari_slip.viewer.launch import show_demo


def main(arguments: list[str]) -> int:
    """Open napari on a folder of results and return the exit code."""
    if len(arguments) != 1:
        print("Name one folder that napari-slip demo or segment wrote its results to.", file=sys.stderr)
        return 2
    try:
        show_demo(Path(arguments[0]))
    except SlipError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
