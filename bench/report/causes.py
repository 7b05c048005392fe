"""Ten pairs of equal MACs: how long they take on every runtime, and where the time of each network goes.

The ratio comes from replicates in which both took turns. The split is that of a profile of each network on the same
runtime: its operators by what they do, and what no operator accounts for, which is dispatch; of a convolution, the part
of its MACs that are of padding is padding. Where there is no profile, it is that of a table of kernels
(`bench predict`): what the kernels of each cause take, timed alone, as a share of the latency, and what no kernel
accounts for, memory and dispatch. Either way the parts add up to the latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.backends import resolve as backend_of
from bench.base.wire import Unchecked
from bench.findings.evaluate import Result
from bench.findings.side import Side
from bench.findings.store import Evidence
from bench.graph.classes import OpClass
from bench.plan.zoo import resolve
from bench.predict.table import KernelTable
from bench.profiling.classes import classify
from bench.stats.ratio import Effect

DENSE, DEPTHWISE, GROUPED = "1x1 and dense convolution", "depthwise convolution", "grouped convolution"
LAYOUT, MOVED, REST = "change of layout", "shuffle, concat, split, copy", "element-wise, pooling"
PADDING, BETWEEN, DISPATCH, UNSPLIT = "padding of channels", "memory and dispatch", "dispatch", "not split"
_OF = {
    **dict.fromkeys((OpClass.POINTWISE, OpClass.DENSE, OpClass.TRANSPOSED, OpClass.MATMUL), DENSE),
    OpClass.DEPTHWISE: DEPTHWISE,
    OpClass.GROUPED: GROUPED,
    OpClass.REORDER: LAYOUT,
    **dict.fromkeys((OpClass.SHUFFLE, OpClass.TRANSPOSE, OpClass.VIEW, OpClass.SPLIT), MOVED),
    **dict.fromkeys((OpClass.CONCAT, OpClass.PAD, OpClass.COPY), MOVED),
}
CAUSES = (DENSE, DEPTHWISE, GROUPED, PADDING, LAYOUT, MOVED, REST, BETWEEN, DISPATCH)
Parts = dict[str, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks: specs, millions of MACs, milliseconds and B's time over A's by runtime, shares of causes.

    `splits` has for a runtime a dict of shares that add up to 1 for each of the two; a runtime that is not in it tells
    no split.
    """

    a: str
    b: str
    macs: tuple[float, float]
    ms: dict[str, tuple[float, float]]
    ratios: dict[str, Effect]
    splits: dict[str, tuple[Parts, Parts]]

    def difference(self, runtime: str) -> Parts | None:
        """Return B's time less A's by cause, in A's time; the parts add up to the ratio less 1."""
        if runtime not in self.splits or runtime not in self.ratios:
            return None
        a, b = self.splits[runtime]
        ratio = math.exp(self.ratios[runtime].log)
        return {cause: ratio * b.get(cause, 0.0) - a.get(cause, 0.0) for cause in CAUSES}


def pairs(results: Iterable[Result], evidence: Evidence, table: KernelTable | None = None) -> list[Pair]:
    """Gather pairs from the results of a finding whose effects are per MAC, with profiles of the same evidence."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.found is not None and result.experiment is not None and result.a_ms and result.b_ms:
            found.setdefault(result.experiment.name, []).append(result)
    made = []
    for mine in found.values():
        e, (a, b) = mine[0].experiment, mine[0].macs
        if e is None or e.b is None or not a or not b:
            continue
        more = math.log(b / a) if e.per_mac else 0.0
        ratios = {r.backend: Effect(r.found.log + more, r.found.lo + more, r.found.hi + more, r.found.n)
                  for r in mine if r.found}  # fmt: skip
        ms = {r.backend: (r.a_ms or 0.0, r.b_ms or 0.0) for r in mine}
        splits = {}
        for backend in ratios:
            first, second = (_split(side, backend, evidence, table) for side in (e.a, e.b))
            if first and second:
                splits[backend] = (first, second)
        made.append(Pair(e.a.model, e.b.model, (a, b), ms, ratios, splits))
    return made


def _split(side: Side, backend: str, evidence: Evidence, table: KernelTable | None) -> Parts | None:
    case = side.case(backend_of(backend, here=False))
    lines = [line for line in evidence.shares.get(case.id, []) if "classes" in line]
    if lines:
        return profiled(lines)
    return shares(table, side.model) if table is not None and table.context.backend == backend else None


def profiled(lines: Sequence[Unchecked]) -> Parts:
    """Return the share of each cause in the latency, from profiled launches (``share`` lines of evidence)."""
    found = dict.fromkeys(CAUSES, 0.0)
    for line in lines:
        for name, share in line["classes"].items():
            padding = line["padded"].get(name, 0.0)
            found[PADDING] += padding / len(lines)
            found[_OF.get(OpClass(name), REST)] += (share - padding) / len(lines)
    found[DISPATCH] = 1 - math.fsum(found.values())
    return found


def shares(table: KernelTable, model: str) -> Parts | None:
    """Return the share of each cause in a network's latency; None where the table has not all of it."""
    ref = resolve(model)
    wanted = (ref.canonical, f"resolution={ref.resolution}", "batch=1")
    network = next((n for n in table.networks.values() if set(n.name.split(" ")) == set(wanted)), None)
    if network is None or not network.latency_ns or network.lost:
        return None
    baseline = table.baseline_gemm_ns
    found = dict.fromkeys(CAUSES, 0.0)
    for key in network.keys:
        timing = table.timings[key]
        kernel = timing.kernel
        if kernel.moves_nothing:
            continue
        if not timing.runs:
            return None
        weight = tuple(kernel.inputs[1].shape) if len(kernel.inputs) > 1 else ()
        op_class = classify(kernel.op, weight, int(kernel.attributes.get("group", 1)))
        found[_OF.get(op_class, REST)] += timing.hot_ns(baseline) / network.latency_ns
    found[BETWEEN] = 1 - math.fsum(found.values())
    return found
