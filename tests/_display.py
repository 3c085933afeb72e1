"""Bring the display that the viewer's tests need; run by tox before the tests.

On Linux these are Xvfb and the libraries of Qt and OpenGL. What is missing is installed by apt, as root
or with a sudo that asks for no password; otherwise one sentence says what to type. Elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth"}  # a program, and the Debian package that brings it
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
DRIVERS = "libgl1-mesa-dri"  # OpenGL in software: no library to load by name, but a folder of drivers


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing() -> list[str]:
    """Return the Debian packages that are needed and not there."""
    packages = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    packages += [package for library, package in LIBRARIES.items() if not loads(library)]
    usr = Path("/usr")
    if not any([*usr.glob("lib*/dri/*_dri.so"), *usr.glob("lib*/*/dri/*_dri.so")]):
        packages.append(DRIVERS)
    return packages


def privileges() -> list[str] | None:
    """Return what to write before a command to run it as root, or None where that is not allowed."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def main() -> str | None:
    """Install what is missing; return a sentence when that cannot be done."""
    if sys.platform != "linux" or not (packages := missing()):
        return None
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        return f"The viewer's tests need a display; install what Debian calls {', '.join(packages)}."
    advice = f"The viewer's tests need a display; type: sudo apt-get update && sudo {' '.join(install)}"
    root = privileges()
    if root is None:
        return advice
    quiet = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (["apt-get", "update"], install):
        if subprocess.run([*quiet, *command]).returncode != 0:
            return advice
    return f"Still missing after the installation: {', '.join(still)}." if (still := missing()) else None


if __name__ == "__main__":
    sys.exit(main())
