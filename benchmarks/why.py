"""Why do guidelines fail here? Channels from 16 to 64, and Table 8 held to older instructions (docs/findings-why.md).

    python -m benchmarks.why OUTPUT.jsonl [--budget SECONDS] [--dry-run]

What `OUTPUT` has is not measured again, so a run that was ended goes on. Every sample lies beside it. `--dry-run` says
what there is left to measure and about how long it takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from bench import backends
from bench.base.errors import BenchError
from bench.findings import store
from bench.findings.evaluate import cases_of
from bench.findings.finding import TIME
from bench.findings.run import Campaign
from bench.findings.store import Evidence
from bench.findings.why import PROTOCOL, Stage, stages
from bench.transport.local import LocalTransport

# Seconds of one process, from its start to its end, on two cores of a VM; a runtime that is not named takes the longer.
PER_LAUNCH_S = {"onnxruntime": 0.7, "openvino": 0.8, "torch": 2.1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--budget", type=float, help="stop after so many seconds; the next run goes on")
    parser.add_argument("--dry-run", action="store_true", help="say what is left to measure, and measure nothing")
    given = parser.parse_args()
    try:
        return _plan(given.output) if given.dry_run else _run(given.output, given.budget)
    except BenchError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code


def _plan(output: Path) -> int:
    evidence = store.read(output) if output.exists() else Evidence()
    whole = 0.0
    for stage in stages():
        for spec, launches in _left(stage, evidence).items():
            seconds = launches * PER_LAUNCH_S.get(spec.partition(":")[0], max(PER_LAUNCH_S.values()))
            whole += seconds
            print(f"{stage.name}, {spec}: {launches} launches, about {seconds / 60:.1f} min")
    print(f"about {whole / 60:.0f} min in all, without exports")
    return 0


def _left(stage: Stage, evidence: Evidence) -> dict[str, int]:
    """Count the launches that a stage lacks, by backend."""
    found = {}
    for spec in stage.backends:
        cases = cases_of(stage.findings, backends.resolve(spec, here=False), (TIME,))
        had = [sum(case.id in replicate["sides"] for replicate in evidence.replicates) for case in cases]
        found[spec] = sum(max(0, PROTOCOL.replicates - n) for n in had)
    return found


def _run(output: Path, budget: float | None) -> int:
    begin = time.monotonic()
    transport = LocalTransport()
    evidence = store.open_file(output, output.exists(), PROTOCOL.seed, transport.environment())
    for stage in stages():
        left = None if budget is None else max(0.0, budget - (time.monotonic() - begin))
        refs = [backends.resolve(spec) for spec in stage.backends]
        done = Campaign(
            stage.findings, refs, output, evidence, PROTOCOL, left, partial(_told, stage.name), transport
        ).run()
        if not done:
            print("the budget ended it; the same command goes on", file=sys.stderr)
            return 3
    for id, error in evidence.errors.items():
        print(f"{id}: {error['status']}: {error['error']}", file=sys.stderr)
    return 1 if evidence.errors else 0


def _told(stage: str, line: str) -> None:
    print(f"{stage}: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
