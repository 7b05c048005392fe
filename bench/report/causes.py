"""Ten pairs of equal MACs: how long they take on every runtime, and where the time of each network goes.

The ratio comes from replicates in which both took turns. The split is that of a table of kernels (`bench predict`):
what the kernels of each cause take, timed alone, as a share of the network's latency; what no kernel accounts for is
memory and dispatch. So the parts add up to the latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.findings.evaluate import Result
from bench.graph.classes import OpClass
from bench.plan.zoo import resolve
from bench.predict.table import KernelTable
from bench.profiling.classes import classify
from bench.stats.ratio import Effect

DENSE, DEPTHWISE, GROUPED = "1x1 and dense convolution", "depthwise convolution", "grouped convolution"
LAYOUT, MOVED, REST = "change of layout", "shuffle, concat, split, copy", "element-wise, pooling"
BETWEEN, UNSPLIT = "memory and dispatch", "not split"
_OF = {
    **dict.fromkeys((OpClass.POINTWISE, OpClass.DENSE, OpClass.TRANSPOSED, OpClass.MATMUL), DENSE),
    OpClass.DEPTHWISE: DEPTHWISE,
    OpClass.GROUPED: GROUPED,
    OpClass.REORDER: LAYOUT,
    **dict.fromkeys((OpClass.SHUFFLE, OpClass.TRANSPOSE, OpClass.VIEW, OpClass.SPLIT), MOVED),
    **dict.fromkeys((OpClass.CONCAT, OpClass.PAD, OpClass.COPY), MOVED),
}
CAUSES = (DENSE, DEPTHWISE, GROUPED, LAYOUT, MOVED, REST, BETWEEN)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks: specs, millions of MACs, milliseconds and B's time over A's by runtime, shares of causes.

    `parts` has a dict of shares that add up to 1 per network, None where its kernels were not timed; they are of
    `split_on`.
    """

    a: str
    b: str
    macs: tuple[float, float]
    ms: dict[str, tuple[float, float]]
    ratios: dict[str, Effect]
    parts: tuple[dict[str, float] | None, dict[str, float] | None]
    split_on: str

    def difference(self) -> dict[str, float] | None:
        """Return B's time less A's by cause, in A's time; the parts add up to the ratio less 1."""
        a, b = self.parts
        if a is None or b is None or self.split_on not in self.ratios:
            return None
        ratio = math.exp(self.ratios[self.split_on].log)
        return {cause: ratio * b.get(cause, 0.0) - a.get(cause, 0.0) for cause in CAUSES}


def pairs(results: Iterable[Result], table: KernelTable | None) -> list[Pair]:
    """Gather pairs from the results of a finding whose effects are per MAC."""
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
        parts = (shares(table, e.a.model), shares(table, e.b.model)) if table else (None, None)
        split_on = table.context.backend if table else ""
        made.append(Pair(e.a.model, e.b.model, (a, b), ms, ratios, parts, split_on))
    return made


def shares(table: KernelTable, model: str) -> dict[str, float] | None:
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
