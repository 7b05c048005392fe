"""What ``bench run`` does without a fleet: a plan is measured on one target, with progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._progress import bar, left_out, resumable

if TYPE_CHECKING:
    from bench.plan.case import Case, Plan
    from bench.rows.schema import Row
    from bench.transport.base import Reach


def measure(plan: Plan, cores: list[int], path: Path, skip: set[str], way: Reach) -> list[Row]:
    """Run the plan's cases that are not to be skipped, append each row and its samples, show progress on stderr."""
    from dataclasses import replace

    from bench.measure.runner import Observer, Runner
    from bench.rows import file as records

    todo = replace(plan, cases=tuple(case for case in plan.cases if case.id not in skip))
    left_out(len(plan.cases) - len(todo.cases), len(plan.cases))
    rows: list[Row] = []
    with resumable(path, len(todo.cases), lambda: len(rows)), bar(len(todo.cases)) as shown:

        def step(case: Case, wave: int, doing: str) -> None:
            shown.tell(f"launch {wave + 1}: {doing} {case}")

        observer = Observer(
            exporting=lambda case: shown.tell(f"exporting {case.model.canonical}"),
            converting=lambda case: shown.tell(f"converting {case.model.canonical} for {case.backend.name}"),
            step=step,
            samples=lambda found: records.append_samples(path, found),
        )
        for row in Runner(todo, cores, observer, reach=way).run():
            records.append(path, row)
            rows.append(row)
            shown.advance()
    return rows
