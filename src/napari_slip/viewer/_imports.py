"""Torch beside OpenGL: what must be loaded with care in a process that draws."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys


def import_beside_opengl() -> None:
    """Import triton, which torch brings on Linux, so that it binds to its own LLVM.

    Mesa's software OpenGL loads an LLVM of its own into the process. Triton's library, imported after it,
    takes that one's functions for its own and ends the process with a segmentation fault (seen with
    triton 3.9 and Mesa's LLVM 15; the same clash with TensorFlow's LLVM is tensorflow issue 124205).
    ``RTLD_DEEPBIND`` lets it look into itself first.
    """
    if not hasattr(os, "RTLD_DEEPBIND") or "triton" in sys.modules:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with contextlib.suppress(ImportError):  # a torch without CUDA has none
            importlib.import_module("triton")
    finally:
        sys.setdlopenflags(flags)
