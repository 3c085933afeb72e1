from __future__ import annotations

import threading

import pytest

from napari_slip.errors import Cancelled, SlipError
from napari_slip.progress import Progress


def test_steps_are_reported():
    steps = []
    progress = Progress(lambda *step: steps.append(step))
    progress("crops", 1, 2)
    progress("crops", 2, 2)
    assert steps == [("crops", 1, 2), ("crops", 2, 2)]


def test_nobody_need_listen():
    progress = Progress()
    progress("crops", 1, 2)
    progress.check()
    assert not progress.cancelled


def test_a_cancelled_run_raises_before_it_reports_again():
    steps = []
    progress = Progress(lambda *step: steps.append(step))
    progress.cancel()
    assert progress.cancelled
    with pytest.raises(Cancelled, match="nothing was changed"):
        progress.check()
    with pytest.raises(Cancelled):
        progress("crops", 1, 2)
    assert steps == []


def test_another_thread_can_cancel():
    progress = Progress()
    thread = threading.Thread(target=progress.cancel)
    thread.start()
    thread.join()
    with pytest.raises(Cancelled):
        progress.check()


def test_no_error_of_ours_is_a_runtime_error():
    # napari's workers swallow these, and torch raises them for anything
    def children(kind: type) -> set[type]:
        return {kind}.union(*(children(child) for child in kind.__subclasses__()))

    assert not any(issubclass(kind, RuntimeError) for kind in children(SlipError))
