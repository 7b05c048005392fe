"""Every family of the zoo on the device, in each precision: what ran, and how far its output is from the CPU's.

The times beside are those of a few inferences in one process: a first look, and no measurement.
"""

from __future__ import annotations

import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import backends, export
from bench.artifact.reference import relative_l2, top1_agrees
from bench.backends.base import PARITY_TOLERANCE
from bench.backends.loop import time_block
from bench.base.errors import BenchError, first_line
from bench.plan import zoo
from bench.plan.case import Network, Settings
from tests.gpu import tables
from tests.gpu.steps import BATCHES, DEVICE, NETWORKS, PAIR, PRECISIONS, SAME

FP32 = 1e-5  # what TF32 off is to keep
INFERENCES, WARMING = 20, 3


def networks() -> list[Network]:
    """Return all that the steps measure, of which the findings' alone are not of the zoo's defaults."""
    found = [Network(zoo.resolve(family)) for family in sorted(zoo.cards())]
    found += [Network(zoo.resolve(name)) for name in (*NETWORKS, SAME)]
    found += [Network(zoo.resolve(name), batch) for name in PAIR for batch in BATCHES]
    return list({str(network): network for network in found}.values())


def export_all() -> int:
    """Export everything, as many at once as there are cores; return how many could not be."""

    def one(network: Network) -> str:
        try:
            export.ensure(network)
        except BenchError as error:
            return f"{network}: {error.message}"
        return ""

    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) // 2)) as pool:
        failed = [said for said in pool.map(one, networks()) if said]
    print("\n".join(failed))
    return len(failed)


def row(family: str, options: str, device: str = DEVICE) -> dict[str, object]:
    """Run a family once with these options of the backend."""
    told: dict[str, object] = {"model": family, "options": options or "fp32"}
    empty = dict.fromkeys(("rel_l2", "top1", "precision", "device_ms", "host_ms"))
    try:
        ref = backends.resolve(f"{device},{options}" if options else device)
        artifact = export.ensure(Network(zoo.resolve(family)))
        runtime = backends.get(ref.name)
        session = backends.session(runtime, artifact, Settings(), ref.options)
        latencies, host = time_block(session.infer, WARMING + INFERENCES, device_ns=session.clocks.device_ns)
        outputs, reference = session.outputs(), artifact.reference()[1]
        ran, asked = session.effective().precision, runtime.asked_precision(artifact, ref.options)
        session.close()
    except Exception as error:  # whatever torch raises belongs to this family
        return told | empty | {"status": "failed", "error": first_line(error)}
    parity = relative_l2(outputs, reference)
    allowed = FP32 if ran == "fp32" else PARITY_TOLERANCE[ran]
    status = "downgraded" if ran != asked else "ok" if parity <= allowed else "above"
    return told | {
        "rel_l2": f"{parity:.3g}",
        "top1": top1_agrees(outputs, reference),
        "precision": ran,
        "device_ms": f"{statistics.median(latencies[WARMING:]) / 1e6:.4f}",
        "host_ms": f"{statistics.median((host or latencies)[WARMING:]) / 1e6:.4f}",
        "status": status,
        "error": "" if status == "ok" else f"{allowed:g} is allowed, {asked} was asked for",
    }


def main() -> int:
    """Add what is missing to ``parity.csv``; return 1 where a family is not as it should be."""
    if "--export" in sys.argv:
        return min(export_all(), 1)
    path = Path("parity.csv")
    done = {(line["model"], line["options"]) for line in tables.read(path) if line["status"] != "failed"}
    for family in sorted(zoo.cards()):
        for options in PRECISIONS:
            if (family, options or "fp32") not in done:
                tables.append(path, row(family, options))
    return int(any(line["status"] != "ok" for line in tables.read(path)))


if __name__ == "__main__":
    sys.exit(main())
