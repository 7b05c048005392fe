"""What ``bench doctor --learn`` measures, so that later runs know the machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.api.progress import Listener, Progress

if TYPE_CHECKING:
    from bench.plan.target import Target
    from bench.plan.zoo import ModelRef
    from bench.transport.base import Transport

# What a machine is learnt with: short, so that it feels what disturbs, and known to every runtime.
MODEL, RUNS, OVER_S = "shufflenetv2", 4, 60.0
# And where there is no PyTorch that could export it: of the kind of blocks that mobile networks have.
DRAWN = {
    "side": 224,
    "blocks": [
        {"block": "conv", "out": 24, "stride": 2},
        {"block": "pool", "kind": "MaxPool", "kernel": 3, "stride": 2},
        *({"block": "inverted", "out": out, "stride": stride} for out in (32, 64, 128) for stride in (2, 1)),
        {"block": "head"},
    ],
}


def learn(there: Target, transport: Transport, threads: int, told: Listener) -> dict[str, str]:
    """Measure one small network on the runtimes there, a few times within a minute, and keep what that says.

    Returns why nothing was learnt, by the runtimes of which no run counts.

    Raises:
        Unsupported: no runtime is installed there.
    """
    from bench import backends
    from bench.base.errors import Unsupported
    from bench.measure.cases import backend_of
    from bench.measure.launch import runtimes
    from bench.measure.runner import Runner
    from bench.plan.case import cross
    from bench.plan.protocol import LEARNING

    scripted = {backend.name for backend in backends.working() if backend.capabilities.scripted}
    names = [name for name, installed in runtimes(transport).items() if installed and name not in scripted]
    if not names:
        raise Unsupported(f"no runtime is installed on {there.name}", "pip install 'isoflops[onnxruntime]' there")
    model, heard = _network(), set[str]()
    nothing: dict[str, str] = {}
    begin = time.monotonic()
    for number in range(RUNS):
        time.sleep(max(0.0, begin + number * OVER_S / RUNS - time.monotonic()))
        told(Progress(number, RUNS, f"run {number + 1}: {model.canonical} on {', '.join(names)}"))
        plan = cross([model], [backend_of(name, there) for name in names], (threads,), (1,),
                     (None,), there.name, LEARNING)  # fmt: skip
        for row in Runner(plan, list(there.cores), transport=transport).run():
            if row.latency_ms is None or row.set_aside == 1:
                nothing[row.backend] = row.error or ""
            else:
                heard.add(row.backend)
    return {backend: why for backend, why in nothing.items() if backend not in heard}


def _network() -> ModelRef:
    """Return what is measured: of the zoo, or what needs nothing that the base install lacks."""
    from importlib.util import find_spec

    from bench.base import cache
    from bench.base.files import write_whole
    from bench.measure.probe_blocks import network
    from bench.plan import zoo

    if find_spec("torch"):
        return zoo.resolve(MODEL)
    path = cache.folder("learning") / "inverted.onnx"
    if not path.exists():
        write_whole(path, network(DRAWN).SerializeToString())
    return zoo.resolve(str(path))
