from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from _series import ORDERS, FakeRecipe, write_series
from test_batch_stacks import content

from napari_slip.batch import Cluster, find_sources, run_stacks
from napari_slip.errors import InputError

# What dask says while processes are lost on purpose.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_two_workers_load_the_models_once_each_and_a_lost_one_costs_only_its_planes(tmp_path):
    sources = find_sources(
        [str(write_series(tmp_path / "a.tif", 24)), str(write_series(tmp_path / "b.tif", 3))]
    )
    notes = tmp_path / "notes"
    recipe = FakeRecipe(str(notes), delay=0.15)
    with Cluster(1), Cluster(2) as cluster:  # another run beside it does no harm
        run_stacks(sources, tmp_path / "two", recipe, ORDERS, workers=cluster)
        loaded = notes.read_text().split()
        assert len(set(loaded)) == len(loaded) == 2
        victims = list(cluster.client.run(os.getpid).values())
        assert set(loaded) == set(map(str, victims))
        heard = []

        def kill_one():
            heard.append(1)
            if len(heard) == 5:
                os.kill(victims[0], signal.SIGKILL)

        report = run_stacks(sources, tmp_path / "lost", recipe, ORDERS, workers=cluster, heard=kill_one)
    assert (report.planes, report.failures) == (27, [])
    assert len(heard) == 27
    run_stacks(sources, tmp_path / "plain", recipe, ORDERS)
    assert content(tmp_path / "two") == content(tmp_path / "lost") == content(tmp_path / "plain")


THREADS = "import torch; print(torch.get_num_threads())"


def number_of_threads():
    import torch

    return torch.get_num_threads()


def threads_told(environment):
    return {name: value for name, value in environment.items() if name.endswith("_NUM_THREADS")}


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_share_the_cores_and_this_process_keeps_its_own(monkeypatch, workers):
    for name in threads_told(os.environ):
        monkeypatch.delenv(name)
    share = {"OMP_NUM_THREADS": str(max(1, os.cpu_count() // workers))}
    alone = subprocess.run(  # of a share of hyperthreads torch may use half
        [sys.executable, "-c", THREADS],
        env={**os.environ, **share},
        capture_output=True,
        text=True,
        check=True,
    )
    with Cluster(workers) as cluster:
        each = set(cluster.client.run(number_of_threads).values())
    assert each == {int(alone.stdout)}
    assert not threads_told(os.environ)  # for whatever is started afterwards


def test_a_scheduler_that_is_not_there_ends_in_a_sentence(monkeypatch):
    monkeypatch.setattr("napari_slip.batch.cluster.PATIENCE_S", 1)
    with pytest.raises(InputError, match=r"no dask scheduler at tcp://127\.0\.0\.1:1"):
        Cluster(scheduler="tcp://127.0.0.1:1")
