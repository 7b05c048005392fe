"""The program's timing held against two others in one process: a bare loop over events, and torch.utils.benchmark.

The three take turns on the same module and inputs. The device's time is held against the events of a loop that is
written as people write it; the host's against the benchmark's timer around one inference, which waits for the device
before and after, as the program does.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import backends, export
from bench.backends.loop import time_block
from bench.backends.torch import TorchSession
from bench.plan import zoo
from bench.plan.case import Network, Settings
from bench.stats.ratio import Effect, effect
from tests.gpu import tables
from tests.gpu.steps import DEVICE, NETWORKS

ROUNDS, INFERENCES = 10, 20
WITHIN = 0.03
EVENTS, TIMER = "device time, bare events", "host time, torch.utils.benchmark"


def load(model: str, device: str = DEVICE) -> TorchSession:
    """Load a network as a run does."""
    ref = backends.resolve(device)
    artifact = export.ensure(Network(zoo.resolve(model)))
    session = backends.session(backends.get(ref.name), artifact, Settings(), ref.options)
    assert isinstance(session, TorchSession)
    return session


def compare(session: TorchSession, rounds: int = ROUNDS, n: int = INFERENCES) -> dict[str, tuple[Effect, float, float]]:
    """Return for each peer the ratio of our time to its, and the medians of both in ms."""
    import torch
    from torch.utils.benchmark import Timer

    run, inputs = session._run, session._inputs
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    timer = Timer("run(*inputs)", globals={"run": run, "inputs": inputs})

    def ours() -> tuple[float, float]:
        device, host = time_block(session.infer, n, device_ns=session.clocks.device_ns)
        assert host is not None
        return statistics.median(device) / 1e6, statistics.median(host) / 1e6

    def bare() -> float:
        found = []
        for _ in range(n):
            begin.record()
            run(*inputs)
            end.record()
            torch.cuda.synchronize()
            found.append(begin.elapsed_time(end))
        return statistics.median(found)

    def theirs() -> float:
        return statistics.median(timer.timeit(1).median * 1e3 for _ in range(n))

    for warm in (ours, bare, theirs):
        warm()
    mine: dict[str, list[float]] = {EVENTS: [], TIMER: []}
    others: dict[str, list[float]] = {EVENTS: [], TIMER: []}
    for number in range(rounds):
        turns: list[tuple[str, Callable[[], Any]]] = [("ours", ours), (EVENTS, bare), (TIMER, theirs)]
        for name, turn in turns[number % 3 :] + turns[: number % 3]:
            found = turn()
            if name == "ours":
                mine[EVENTS].append(found[0])
                mine[TIMER].append(found[1])
            else:
                others[name].append(found)
    return {
        name: (
            effect([math.log(a / b) for a, b in zip(mine[name], others[name], strict=True)]),
            statistics.median(mine[name]),
            statistics.median(others[name]),
        )
        for name in mine
    }


def main() -> int:
    """Write ``peers.csv``; a ratio beyond the bound is for the summary to tell."""
    path = Path("peers.csv")
    done = {line["model"] for line in tables.read(path)}
    for model in NETWORKS:
        if model in done:
            continue
        session = load(model)
        for name, (found, ours_ms, peer_ms) in compare(session).items():
            ratio, lo, hi = found.ratios
            told = {"model": model, "against": name, "ratio": f"{ratio:.4f}", "lo": f"{lo:.4f}", "hi": f"{hi:.4f}"}
            within = abs(ratio - 1) <= WITHIN
            tables.append(path, told | {"ours_ms": f"{ours_ms:.4f}", "peer_ms": f"{peer_ms:.4f}", "within": within})
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
