"""What the harness itself costs: the timed loop around a session that does nothing, and the parent while it waits.

python benchmarks/overhead.py [--model shufflenetv2] [--backend onnxruntime]
"""

from __future__ import annotations

import argparse
import time
from typing import Any
from unittest import mock

from bench import backends, export
from bench.backends.loop import overhead_ns
from bench.measure.launch import Launch
from bench.measure.runner import Runner
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="shufflenetv2")
    parser.add_argument("--backend", default="onnxruntime")
    args = parser.parse_args()
    print(f"timed region of a session that does nothing: {sorted(overhead_ns() for _ in range(5))[2]:.0f} ns (median)")
    protocol = Protocol(launches=3, max_launches=3, rounds=20)
    plan = cross([zoo.resolve(args.model)], [backends.resolve(args.backend)], protocol=protocol)
    export.ensure(plan.cases[0].network)
    spent = {"wall": 0.0, "cpu": 0.0}
    ask = Launch.ask

    def watched(launch: Launch, do: str, **request: Any) -> dict[str, Any]:
        begin = time.monotonic(), time.process_time()
        answer = ask(launch, do, **request)
        if do == "block":
            spent["wall"] += time.monotonic() - begin[0]
            spent["cpu"] += time.process_time() - begin[1]
        return answer

    with mock.patch.object(Launch, "ask", watched):
        (row,) = Runner(plan).run()
    share = spent["cpu"] / spent["wall"]
    print(f"parent while {row.blocks} blocks ran: {spent['cpu']:.3f} s CPU in {spent['wall']:.2f} s = {share:.2%}")


if __name__ == "__main__":
    main()
