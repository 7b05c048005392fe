"""What ``bench run`` does without a fleet: a plan is measured on one target, with progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._progress import bar, resumable

if TYPE_CHECKING:
    from bench.plan.case import Plan
    from bench.rows.schema import Row
    from bench.transport.base import Transport


def measure(plan: Plan, cores: list[int], path: Path, skip: set[str], transport: Transport) -> list[Row]:
    """Run the plan's cases that are not to be skipped, append each row and its samples, show progress on stderr."""
    from bench.api import measuring

    total = sum(case.id not in skip for case in plan.cases)
    rows: list[Row] = []
    with resumable(path, total, lambda: len(rows)), bar(total) as shown:
        for row in measuring.measure(plan, cores, transport, shown.hear, path, skip):
            rows.append(row)
            shown.advance()
    return rows
