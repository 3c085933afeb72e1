"""Planes on a dask cluster: one that is started here, or one that is there already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from napari_slip.batch.work import describe_models, do_plane
from napari_slip.errors import Cancelled, InputError, SlipError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from napari_slip.batch.work import Orders, Recipe, Task
    from napari_slip.io import ModelRecord
    from napari_slip.progress import Progress

AHEAD = 4
"""Planes that wait at each worker, so that none stands idle while the next one is sent."""

WAIT_S = 0.5
"""How long a finished plane is waited for before it is asked whether to stop."""

LEFT_ALONE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"))
"""Numbers of threads that dask would set to one in this very process, for whatever it starts afterwards."""

PATIENCE_S = 60
"""How long a scheduler, and then its first worker, may take to answer."""


class Cluster:
    """Does planes in the processes of a dask cluster; implements `napari_slip.batch.Workers`.

    Each process loads the models once. Workers read the images and write their results themselves, so they
    need the same folders as this machine; only names go through the scheduler. The planes of a worker that is
    lost are done by others.

    Parameters
    ----------
    workers : int, optional
        Processes to start on this machine.
    scheduler : str, optional
        Address of a cluster that is there already, such as ``"tcp://host:8786"``.

    Raises
    ------
    InputError
        If the cluster cannot be reached.
    """

    def __init__(self, workers: int | None = None, scheduler: str | None = None) -> None:
        import dask
        from distributed import Client, LocalCluster

        self._local: LocalCluster | None = None
        if scheduler is None:
            n = workers or 1
            threads = str(max(1, (os.cpu_count() or 1) // n))
            with dask.config.set({"distributed.nanny.pre-spawn-environ": LEFT_ALONE}):
                self._local = LocalCluster(
                    n_workers=n,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    # without a dashboard its port would still be taken, and asked for by the next run
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                    memory_limit=0,
                    env={"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads)},
                )
        try:
            self.client = Client(self._local or scheduler, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"There is no dask scheduler at {scheduler} ({error}): start one, for example with 'dask "
                "scheduler', and give its address, such as tcp://host:8786."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""
        self.client.close()
        if self._local is not None:
            self._local.close()

    def describe(self, recipe: Recipe) -> tuple[ModelRecord, dict[str, Any]]:
        """Ask a worker what the models are, and for their own proposal settings."""
        from distributed import TimeoutError as NoWorker

        try:
            self.client.wait_for_workers(1, timeout=PATIENCE_S)
        except (NoWorker, TimeoutError) as error:
            raise InputError(
                "The dask cluster has no workers: start some, for example with 'dask worker ADDRESS'."
            ) from error
        told: tuple[ModelRecord, dict[str, Any]] = self.client.submit(
            describe_models, recipe, pure=False
        ).result()
        return told

    def work(
        self, recipe: Recipe, orders: Orders, tasks: Iterable[Task], progress: Progress
    ) -> Iterator[tuple[Task, str]]:
        """Do planes; yields each with the sentence that says why it failed, as they come."""
        from distributed import TimeoutError as Waiting
        from distributed import wait

        waiting, running = iter(tasks), dict[Any, Any]()
        try:
            while True:
                room = AHEAD * max(1, len(self.client.scheduler_info(n_workers=-1)["workers"])) - len(running)
                for _, task in zip(range(max(0, room)), waiting, strict=False):
                    running[self.client.submit(do_plane, recipe, orders, task, pure=False, retries=2)] = task
                if not running:
                    return
                progress.check()
                try:
                    with self.client.as_current():  # which is nobody's default
                        ready = list(wait(list(running), timeout=WAIT_S, return_when="FIRST_COMPLETED").done)
                except (Waiting, TimeoutError):
                    continue
                while ready:
                    # let go of one by one: what is still held is done again if its worker is lost
                    task = running.pop(ready[-1])
                    outcome = _outcome(ready.pop(), task)
                    yield task, outcome
        finally:
            self.client.cancel(list(running))


def _outcome(future: Any, task: Task) -> str:
    """Return why a plane has failed; a plane that takes every worker down with it is told, too."""
    error = future.exception()
    if error is None:
        return str(future.result())
    if isinstance(error, SlipError) and not isinstance(error, Cancelled):
        raise error
    return f"{task.source.path.name}, plane {task.index}: every worker that did it was lost ({error})."
