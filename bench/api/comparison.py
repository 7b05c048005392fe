"""A against B, as Python and a notebook see it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import html
from bench.base.errors import PANDAS, needs
from bench.base.words import counted
from bench.plan.protocol import LATENCY

if TYPE_CHECKING:
    import pandas as pd

    from bench.measure.pairs import Pair
    from bench.stats.alarms import Alarms
    from bench.stats.verdict import Verdict


@dataclass(frozen=True, repr=False)
class Comparison:
    """What pairs of fresh processes say about B against A; iterating gives the pairs that the verdict stands on.

    `verdict` has the word (``equivalent``, ``faster``, ``slower``, ``changed below threshold`` or ``inconclusive``),
    the ratio of B's latency over A's with its 95% interval, and the slowdown that would have been seen. `confirmed` is
    what fresh pairs said where a gate's first ones said slower; None where none were needed. `path` names the file
    whose samples lie beside it; None if they were not kept. `alarms` says how often the rule is wrong. In the `mode`
    ``throughput`` all latencies are times per sample.
    """

    a: str
    b: str
    verdict: Verdict
    pairs: tuple[Pair, ...]
    confirmed: bool | None = None
    path: Path | None = None
    alarms: Alarms | None = None
    mode: str = LATENCY

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def latency_ms(self) -> tuple[float, float]:
        """The medians of A and of B over the pairs, in milliseconds."""
        a, b = (statistics.median(pair.latency_ns[side] for pair in self.pairs) / 1e6 for side in (0, 1))
        return a, b

    @property
    def figures(self) -> tuple[float, float]:
        """What A and B are told by: `latency_ms`, or in mode throughput samples per second."""
        a, b = self.latency_ms
        return (a, b) if self.mode == LATENCY else (1e3 / a, 1e3 / b)

    def record(self) -> dict[str, object]:
        """Return it as one flat record, as ``bench ab --format json`` prints it."""
        from dataclasses import asdict

        unit = "ms" if self.mode == LATENCY else "per_s"
        figures = {f"{side}_{unit}": round(figure, 4) for side, figure in zip("ab", self.figures, strict=True)}
        record = {"a": self.a, "b": self.b, **figures} | asdict(self.verdict)
        if self.alarms is not None:
            record |= {f"false_alarms_{name}": share for name, share in asdict(self.alarms).items()}
        return record | ({} if self.confirmed is None else {"confirmed": self.confirmed})

    def frame(self) -> pd.DataFrame:
        """Return a data frame with a line per pair: its number, both latencies in ms, and the log of B over A.

        In mode throughput it is the time per sample, in ms.
        """
        needs(*PANDAS)
        import pandas as pd

        records = [(p.number, p.latency_ns[0] / 1e6, p.latency_ns[1] / 1e6, p.log_ratio) for p in self.pairs]
        return pd.DataFrame(records, columns=["pair", "a_ms", "b_ms", "log_ratio"])

    def change(self) -> str:
        """Say B's change against A with its 95% interval: ``+5.1%, 95% interval +4.8% to +5.4%``."""
        ratio, lo, hi = (f"{r - 1:+.2%}" for r in (self.verdict.ratio, self.verdict.lo, self.verdict.hi))
        what = "" if self.mode == LATENCY else "time per sample "
        return f"{what}{ratio}, 95% interval {lo} to {hi}"

    def caution(self) -> list[str]:
        """Say how often the same rule is wrong, and how small a slowdown these pairs would have shown."""
        from bench.stats.alarms import DRAWS

        said = [f"a slowdown of {self.verdict.detectable:.1%} would have been called slower"]
        if self.verdict.widened > 1:
            said.append(f"pairs in a row were alike: the interval is {self.verdict.widened:.1f} times as wide for it")
        if self.alarms is not None:
            recorded = counted(self.alarms.recorded, "pair")
            of = f"{DRAWS} comparisons drawn from {recorded} of equal sides on this machine"
            if not self.alarms.recorded:
                of = f"{DRAWS} comparisons simulated from the spread of these pairs; `bench ab X X` records equal sides"
            rates = f"{self.alarms.equal:.1%} of equal sides, {self.alarms.at_margin:.1%} of those just at the margin"
            said.append(f"false alarms of this rule: {rates} ({of})")
        return said

    def __repr__(self) -> str:
        pairs = counted(len(self), "pair")
        return f"B is {self.verdict.verdict} ({self.change()}, {pairs})\n  A  {self.a}\n  B  {self.b}"

    def _repr_html_(self) -> str:
        v = self.verdict
        a, b = (f"{figure:.3f}" for figure in self.figures)
        rows = [("A", self.a, a, "", ""), ("B", self.b, b, html.interval(v.ratio, v.lo, v.hi, 4), v.verdict)]
        heads = ("median ms", "B over A [95%]") if self.mode == LATENCY else ("samples/s", "B's time over A's [95%]")
        return html.table(("", "case", *heads, "verdict"), rows, self.caution())
