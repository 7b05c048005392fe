"""How a fleet scales: scripted cases that mostly wait, on 1, 2 and 4 devices on loopback; and the coordinator's memory.

python benchmarks/fleet_scaling.py [--devices 1 2 4] [--cases 20] [--kill] [--idle 10]

Each case is one launch of the scripted backend that really sleeps (`sleep_ms`) in each of its 45 inferences, so that
several devices fit one machine; what is left of a launch is the start of a Python process, which does not. `--cases` is
per device. `--kill` kills one device (kill -9) when a quarter of the rows are there.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
from onnx import TensorProto, helper, numpy_helper

from bench import backends
from bench.measure.fleet import Coordinator
from bench.plan import zoo
from bench.plan.case import Plan, cross
from bench.plan.protocol import Protocol
from bench.rows import file as records
from bench.transport.dask import client, devices

TARGETS = ("even", "odd")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cases", type=int, default=20, help="per device")
    parser.add_argument("--sleep-ms", type=float, default=25.0)
    parser.add_argument("--kill", action="store_true", help="kill one device in the middle")
    parser.add_argument("--idle", type=float, default=0.0, help="seconds to watch idle devices for")
    args = parser.parse_args()
    alone = None
    for n in args.devices:
        with tempfile.TemporaryDirectory() as folder, fleet(Path(folder), n) as (connection, processes):
            if args.idle:
                print(f"{n} devices, idle: {idle_share(list(processes.values()), args.idle) / n:.2%} of a core each")
            measured(connection, plan(Path(folder), n, n, 0.0), Path(folder, "warm.csv"))  # uploads the artifact
            path = Path(folder, "rows.csv")
            victim = processes["device-1"] if args.kill else None
            todo = plan(Path(folder), n * args.cases, n, args.sleep_ms)
            seconds, memory = measured(connection, todo, path, victim)
            rate = n * args.cases / seconds
            alone = alone or rate / n
            rows, cases = records.read(path), len({row.case_id for row in records.read(path)})
            statuses = dict(Counter(row.status for row in rows))
            print(
                f"{n} devices: {len(rows)} rows ({cases} cases, {statuses}) in {seconds:.1f} s, "
                f"{rate:.2f} a second, {rate / (n * alone):.0%} of linear; coordinator's RSS by rows: {memory}",
                flush=True,
            )


def plan(folder: Path, cases: int, n: int, sleep_ms: float) -> Plan:
    """Cases for the targets that `n` devices have, in equal numbers."""
    model = folder / "tiny.onnx"
    if not model.exists():
        weights = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "w")
        tensors = [helper.make_tensor_value_info(t, TensorProto.FLOAT, [1, c, s, s]) for t, c, s in SHAPES]
        graph = helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"])], "tiny", *[[t] for t in tensors], [weights]
        )
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), model)
    protocol = Protocol(launches=1, max_launches=1)
    targets = TARGETS[: min(n, 2)]
    found = []
    for target in targets:
        specs = [f"fake:latency_ms={20 + i / 100},sleep_ms={sleep_ms:g}" for i in range(cases // len(targets))]
        refs = [backends.resolve(spec) for spec in specs]
        found += cross([zoo.resolve(str(model))], refs, target=target, protocol=protocol).cases
    return Plan(tuple(found), protocol)


SHAPES = (("x", 3, 16), ("y", 8, 14))


def measured(
    connection: Any, plan: Plan, path: Path, victim: subprocess.Popen[bytes] | None = None
) -> tuple[float, dict[int, str]]:
    """Run the plan as ``bench run --fleet`` does; return seconds and, at every 50th row, the coordinator's memory."""
    memory = {}
    records.prepare(path)
    begin = time.monotonic()
    for i, (row, samples) in enumerate(Coordinator(connection, plan).run(), 1):
        records.append_samples(path, samples)
        records.append(path, row)
        if i % 50 == 0:
            gc.collect()
            memory[i] = f"{psutil.Process().memory_info().rss / 2**20:.1f} MiB"
        if victim is not None and i == len(plan.cases) // 4:
            victim.send_signal(signal.SIGKILL)
    return time.monotonic() - begin, memory


@contextlib.contextmanager
def fleet(folder: Path, n: int) -> Iterator[tuple[Any, dict[str, subprocess.Popen[bytes]]]]:
    """A scheduler and `n` devices of two targets, each with a cache of its own; and a client."""
    told = folder / "scheduler.json"
    processes = {}

    def start(name: str, *command: object) -> None:
        environment = os.environ | {"ISOFLOPS_CACHE": str(folder / name), "DASK_TEMPORARY_DIRECTORY": str(folder)}
        with (folder / f"{name}.log").open("wb") as log:
            command_line = [sys.executable, "-m", *map(str, command)]
            processes[name] = subprocess.Popen(command_line, env=environment, stdout=log, stderr=log, cwd=folder)

    os.environ["ISOFLOPS_CACHE"] = str(folder / "coordinator")
    try:
        start("scheduler", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
              "--dashboard-address", "127.0.0.1:0", "--scheduler-file", told)  # fmt: skip
        while not told.exists() or not told.read_text():
            time.sleep(0.1)
        address = json.loads(told.read_text())["address"]
        for i in range(n):
            file = folder / f"{TARGETS[i % 2]}.toml"
            file.write_text(f'name = "{TARGETS[i % 2]}"\n')
            start(f"device-{i}", "bench", "fleet", "worker", address, "--target", file, "--name", f"device-{i}")
        connection = client(address)
        while len(devices(connection)) < n:
            time.sleep(0.1)
        try:
            yield connection, {name: p for name, p in processes.items() if name != "scheduler"}
        finally:
            connection.close()
    finally:
        for process in reversed(processes.values()):
            process.terminate()
        for process in processes.values():
            process.wait()


def idle_share(processes: list[subprocess.Popen[bytes]], seconds: float) -> float:
    """CPU time of devices that have nothing to do, all their processes, over the time watched."""

    def spent() -> float:
        trees = [[psutil.Process(p.pid), *psutil.Process(p.pid).children(recursive=True)] for p in processes]
        return sum(sum(p.cpu_times()[:2]) for tree in trees for p in tree)

    time.sleep(2.0)
    before = spent()
    time.sleep(seconds)
    return (spent() - before) / seconds


if __name__ == "__main__":
    main()
