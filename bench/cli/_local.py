"""What ``bench run`` does without a fleet: a plan is measured on one target, with progress on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli._print import say

if TYPE_CHECKING:
    from bench.case import Case, Plan
    from bench.reach.base import Reach
    from bench.records import Row


def measure(plan: Plan, cores: list[int], path: Path, skip: set[str], way: Reach) -> list[Row]:
    """Run the plan's cases that are not to be skipped, append each row and its samples, show progress on stderr."""
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from bench import records
    from bench.escape import plain
    from bench.measure.runner import Observer, Runner

    todo = replace(plan, cases=tuple(case for case in plan.cases if case.id not in skip))
    if skip:
        click.echo(f"{len(plan.cases) - len(todo.cases)} of {len(plan.cases)} cases are measured already", err=True)
    console = Console(stderr=True)
    # Nothing refreshes by itself: a timer in the parent would wake up in the middle of a block.
    progress = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, auto_refresh=False, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    task = progress.add_task("starting", total=len(todo.cases))

    def tell(text: str) -> None:
        progress.update(task, description=plain(text))
        progress.refresh()

    def step(case: Case, wave: int, doing: str) -> None:
        tell(f"launch {wave + 1}: {doing} {case}")

    observer = Observer(
        exporting=lambda case: tell(f"exporting {case.model.canonical}"),
        step=step,
        samples=lambda found: records.append_samples(path, found),
    )
    rows = []
    try:
        with progress:
            for row in Runner(todo, cores, observer, reach=way).run():
                records.append(path, row)
                rows.append(row)
                progress.advance(task)
    except KeyboardInterrupt:
        say(
            f"interrupted: {len(rows)} of {len(todo.cases)} cases are finished and in {path}; "
            "the same command with --resume goes on",
            err=True,
        )
        raise click.exceptions.Exit(130) from None
    except OSError as error:
        from bench.errors import OutputError

        raise OutputError(
            f"{path} cannot be written any more: {error.strerror}", "make room and run the same command with --resume"
        ) from error
    return rows
