"""What a network is and where its time goes, node by node and operator by operator, as Python and a notebook see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.api import html
from bench.base.errors import PANDAS, needs
from bench.base.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from bench.graph.counts import NodeCount
    from bench.graph.summary import Summary
    from bench.profiling.combine import OperatorTime, Profile


@dataclass(frozen=True, repr=False)
class Inspection:
    """What a model costs by its graph alone; iterating gives its nodes, in the graph's order.

    `summary` has the totals: ``macs`` (None where not all operators can be counted; ``macs_at_least`` is what can),
    ``params``, ``memory_access_bytes``, ``peak`` (the largest set of live activations) and ``classes``. FLOPs
    are twice the MACs. Sizes are in bytes.
    """

    summary: Summary

    def __iter__(self) -> Iterator[NodeCount]:
        return iter(self.summary.graph.nodes)

    def __len__(self) -> int:
        return len(self.summary.graph.nodes)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference; None where some operators (`summary.partial`) cannot be counted."""
        return self.summary.macs

    @property
    def params(self) -> int:
        """Number of parameters."""
        return self.summary.params

    def frame(self) -> pd.DataFrame:
        """Return a data frame with a line per node: names, class, MACs, parameters, elements and bytes moved."""
        needs(*PANDAS)
        import pandas as pd

        from bench.graph.summary import node_record

        return pd.DataFrame([node_record(node) for node in self])

    def __repr__(self) -> str:
        return f"{self.summary.model}: {self._totals()}, {counted(len(self), 'node')}"

    def _totals(self) -> str:
        summary = self.summary
        moved, live = summary.memory_access_bytes / 1e6, summary.peak.bytes / 1e6
        least = "at least " if summary.partial else ""
        counted = f"{least}{summary.macs_at_least / 1e6:.1f} M MACs, {summary.params / 1e6:.2f} M parameters"
        return f"{counted}, {moved:.1f} MB memory access, {live:.1f} MB live at most"

    def _repr_html_(self) -> str:
        rows = [
            (
                str(one.op_class),
                str(one.nodes),
                html.scaled(one.macs, 1e-6),
                html.scaled(one.params, 1e-6, 2),
                html.scaled(one.memory_access_bytes, 1e-6),
            )
            for one in self.summary.classes
        ]
        uncounted = self.summary.graph.uncounted
        said = [f"partly counted, without {', '.join(uncounted)}"] if uncounted else []
        said.append(f"{self.summary.model}: {self._totals()}")
        return html.table(("class", "nodes", "M MACs", "M params", "MB memory access"), rows, said)


@dataclass(frozen=True, repr=False)
class Breakdown:
    """Where the time of an inference goes; iterating gives the runtime's own operators.

    `profile` has the unprofiled latency with its interval and the residual, in ms: operators and residual add up to
    the latency.
    """

    profile: Profile

    def __iter__(self) -> Iterator[OperatorTime]:
        return iter(self.profile.operators)

    def __len__(self) -> int:
        return len(self.profile.operators)

    @property
    def latency_ms(self) -> float:
        """The latency without a profiler."""
        return self.profile.latency_ms

    def frame(self) -> pd.DataFrame:
        """Return a data frame with a line per operator: class, time in µs, share of the latency, MACs, layout."""
        needs(*PANDAS)
        import pandas as pd

        return pd.DataFrame([operator.record() for operator in self])

    def __repr__(self) -> str:
        return f"{self.profile.case}: {self._latency()} in {counted(len(self), 'operator')}"

    def _latency(self) -> str:
        found = self.profile
        latency = html.interval(found.latency_ms, found.latency_lo_ms, found.latency_hi_ms)
        return f"latency {latency} ms, of which {found.residual_ms:.3f} ms in no operator"

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                str(total["operators"]),
                html.scaled(total["time_ms"], 1, 3),
                html.scaled(total["share"], 100) + "%",
                html.scaled(total["macs"], 1e-6),
            )
            for name, total in self.profile.classes().items()
        ]
        said = [f"{self.profile.case} ({self.profile.effective['version']}): {self._latency()}"]
        return html.table(("class", "operators", "ms", "share", "M MACs"), rows, said)
