"""What ``bench run`` does without a fleet: a plan is measured on one target, with progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._progress import bar, resumable

if TYPE_CHECKING:
    from bench.measure.ratios import Ratio
    from bench.plan.case import Plan
    from bench.rows.schema import Row
    from bench.transport.base import Transport


def measure(
    plan: Plan, cores: list[int], path: Path, skip: set[str], transport: Transport, compared: list[Ratio]
) -> list[Row]:
    """Run the plan's cases that are not to be skipped, append each row and its samples, show progress on stderr.

    How cases that took turns compare is added to `compared`.
    """
    from bench.api import measuring

    total = sum(case.id not in skip for case in plan.cases)
    rows: list[Row] = []
    with resumable(path, total, lambda: len(rows)), bar(total) as shown:
        for row in measuring.measure(plan, cores, transport, shown.hear, path, skip, compared.extend):
            rows.append(row)
            shown.advance()
    return rows
