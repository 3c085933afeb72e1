from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from napari_slip.errors import Cancelled
from napari_slip.models.stopping import stoppable
from napari_slip.progress import Progress


def test_a_cancelled_run_ends_at_its_next_block_and_leaves_no_hook():
    network, progress = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Progress()
    progress.cancel()
    with pytest.raises(Cancelled, match="was cancelled"), stoppable(network, progress):
        network(torch.zeros(1, 2))
    assert network(torch.zeros(1, 2)).shape == (1, 2)


def test_a_cancelled_run_does_not_stop_another_threads_run_of_the_same_network():
    network, progress, done = nn.Sequential(nn.Linear(2, 2)), Progress(), []
    progress.cancel()
    with stoppable(network, progress):
        other = threading.Thread(target=lambda: done.append(network(torch.zeros(1, 2))))
        other.start()
        other.join(60)
    assert len(done) == 1
