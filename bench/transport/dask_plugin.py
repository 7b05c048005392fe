"""Tells a Dask worker which target it is. Imports Dask, and is imported inside functions only."""

from __future__ import annotations

from distributed import Worker, WorkerPlugin

from bench.plan.target import Target
from bench.transport.dask import PLUGIN


class DevicePlugin(WorkerPlugin):  # type: ignore[misc]
    """Brings the target, with its cores, to where the cases run."""

    name = PLUGIN

    def __init__(self, target: Target) -> None:
        self.target = target

    def setup(self, worker: Worker) -> None:
        """Do nothing: `bench.transport.dask_device` looks the target up."""
