"""What a call of each runtime costs: one ReLU of 192 numbers, through `bench`'s own worker and loop.

    python -m benchmarks.call_overhead [--launches 8] [--seconds 0.2] [--output call-overhead.jsonl]

Runtimes take turns, in random order, a fresh process each time. The same command goes on where it was stopped, and
prints the table of `docs/method.md`; `--launches 0` prints what is there.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from bench.backends.loop import overhead_ns
from bench.machine.cores import quietest
from bench.machine.environment import usable_cores
from bench.plan.protocol import Warming
from bench.stats.summary import estimate
from benchmarks.turns import RUNTIMES, Line, Log, ready, timed

NETWORK = f"{Path(__file__).with_name('relu.py')}:relu"
WARMING = Warming(ms=100, least=50, block_ms=10, block_least=50)
HEAD = ("| runtime | version | a call, µs | 95% interval | launches |", "| --- | --- | --- | --- | --- |")


def table(lines: Sequence[Line]) -> list[str]:
    """Return the table: the geometric mean of the medians of launches, what the loop itself takes included."""
    found = list(HEAD)
    rows = []
    for runtime in dict.fromkeys(line["runtime"] for line in lines):
        mine = [line for line in lines if line["runtime"] == runtime]
        told = estimate([[line["ns"]] for line in mine])
        lo, hi = told.within_lo_ns or told.latency_ns, told.within_hi_ns or told.latency_ns
        interval = f"{lo / 1e3:.2f} to {hi / 1e3:.2f}" if len(mine) > 1 else ""
        version = ", ".join(dict.fromkeys(line["version"] for line in mine))
        rows.append(
            (told.latency_ns, f"| `{runtime}` | {version} | {told.latency_ns / 1e3:.2f} | {interval} | {len(mine)} |")
        )
    return found + [text for _, text in sorted(rows)]


def main() -> None:
    """Measure what is missing, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--launches", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each launch, after 100 ms of warm-up")
    parser.add_argument("--runtime", action="append", help="repeatable; all by default")
    parser.add_argument("--output", type=Path, default=Path("call-overhead.jsonl"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    log = Log(args.output, ("runtime", "launch"))
    order = random.Random(args.seed)
    wanted = tuple(args.runtime or RUNTIMES)
    cases = {runtime: ready(NETWORK, runtime) for runtime in (wanted if args.launches else ())}
    for launch in range(args.launches):
        for runtime in order.sample(wanted, len(wanted)):
            one = cases[runtime]
            if one is None:
                continue
            (core,) = quietest(1, usable_cores())
            beside = {"version": one.version, "loop_ns": overhead_ns()}
            log.once(
                (runtime, launch),
                lambda one=one, core=core, beside=beside: beside | timed(one, core, args.seconds, WARMING),
            )
    print("\n".join(table(log.lines)))


if __name__ == "__main__":
    main()
