"""What ``bench doctor --learn`` measures, so that later runs know the machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.api.progress import Listener, Progress

if TYPE_CHECKING:
    from bench.plan.target import Target
    from bench.transport.base import Transport

# What a machine is learnt with: short, so that it feels what disturbs, and known to every runtime.
MODEL, RUNS, OVER_S = "shufflenetv2", 4, 60.0


def learn(there: Target, transport: Transport, threads: int, told: Listener) -> None:
    """Measure one small network on the runtimes there, a few times within a minute, and keep what that says.

    Raises:
        Unsupported: no runtime is installed there.
    """
    from bench import backends
    from bench.base.errors import Unsupported
    from bench.measure.cases import backend_of
    from bench.measure.launch import runtimes
    from bench.measure.runner import Runner
    from bench.plan import zoo
    from bench.plan.case import cross
    from bench.plan.protocol import LEARNING

    scripted = {backend.name for backend in backends.working() if backend.capabilities.scripted}
    names = [name for name, installed in runtimes(transport).items() if installed and name not in scripted]
    if not names:
        raise Unsupported(f"no runtime is installed on {there.name}", "pip install 'isoflops[onnxruntime]' there")
    begin = time.monotonic()
    for number in range(RUNS):
        time.sleep(max(0.0, begin + number * OVER_S / RUNS - time.monotonic()))
        told(Progress(number, RUNS, f"run {number + 1}: {MODEL} on {', '.join(names)}"))
        plan = cross([zoo.resolve(MODEL)], [backend_of(name, there) for name in names], (threads,), (1,),
                     (None,), there.name, LEARNING)  # fmt: skip
        for _ in Runner(plan, list(there.cores), transport=transport).run():
            pass
