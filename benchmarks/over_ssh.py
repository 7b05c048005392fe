"""Is a row over ssh the row from here, and what does a case cost more? To an sshd of its own on loopback.

python -m benchmarks.over_ssh [REPETITIONS]

Both ways take turns, each time with the same number of launches, connecting included.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench import backends
from bench.measure.runner import Runner
from bench.plan import target, zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol
from bench.rows.schema import Row
from bench.transport import transport_to
from tests.transport import sshd

PROTOCOL = Protocol(launches=5, max_launches=5)


def main() -> int:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    lacking = sshd.missing()
    if lacking:
        raise SystemExit(lacking)
    with tempfile.TemporaryDirectory() as folder:
        server = sshd.start(Path(folder, "sshd"))
        try:
            ways = {"local": target.resolve("local"), "ssh": target.resolve(str(server.target("loop")))}
            found: dict[str, list[tuple[float, Row]]] = {name: [] for name in ways}
            for name in [*ways, *(name for i in range(repetitions) for name in list(ways)[:: 1 if i % 2 else -1])]:
                found[name].append(once(ways[name]))
                seconds, row = found[name][-1]
                interval = f"[{row.latency_lo_ms or 0:.4f}, {row.latency_hi_ms or 0:.4f}]"
                print(f"{name:6} {seconds:6.2f} s  {row.latency_ms or 0:.4f} ms  {interval}  {row.status}", flush=True)
        finally:
            server.stop()
    # The first of each exports or copies the artifact.
    rest = {name: [seconds for seconds, _ in runs[1:]] for name, runs in found.items()}
    latency = {name: [row.latency_ms or 0.0 for _, row in runs[1:]] for name, runs in found.items()}
    cost = statistics.median(there - here for here, there in zip(rest["local"], rest["ssh"], strict=True))
    ratio = statistics.median(b / a for a, b in zip(latency["local"], latency["ssh"], strict=True))
    print(f"a case costs {cost:+.2f} s over ssh (with connecting); its latency differs by {ratio - 1:+.2%}")
    return 0


def once(there: target.Target) -> tuple[float, Row]:
    """Measure one case, from opening the way to closing it."""
    begin = time.monotonic()
    plan = cross([zoo.resolve("shufflenetv2")], [backends.resolve("onnxruntime")], target=there.name, protocol=PROTOCOL)
    with closing(transport_to(there)) as transport:
        (row,) = Runner(plan, transport=transport).run()
    return time.monotonic() - begin, row


if __name__ == "__main__":
    sys.exit(main())
