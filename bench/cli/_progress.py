"""What measuring a plan shows on stderr, here or on a fleet: a bar of cases; and what a broken run leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base.files import FULL, Unwritable
from bench.base.words import counted
from bench.report.text.print import fleeting, say

if TYPE_CHECKING:
    from bench.api.progress import Progress


@dataclass(frozen=True)
class Bar:
    """`tell` says what is being done; `advance` counts a case that has ended."""

    tell: Callable[[str], None]
    advance: Callable[[], None]

    def hear(self, step: Progress) -> None:
        """Tell a step of the API; a remark stays, above the bar."""
        if step.remark:
            say(step.doing, err=True)
        else:
            self.tell(step.doing)


def remark(text: str) -> None:
    """Say on stderr what stays there."""
    say(text, err=True)


def passing(step: Progress) -> None:
    """Show a step without a bar: a line that the next one writes over; a remark stays."""
    if step.remark:
        say(step.doing, err=True)
    else:
        fleeting(step.doing)


@contextmanager
def bar(total: int) -> Iterator[Bar]:
    """Show a bar of cases while the block runs; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from bench.base.escape import plain

    console = Console(stderr=True)
    # Nothing refreshes by itself: a timer in the parent would wake up in the middle of a block.
    progress = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, auto_refresh=False, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    task = progress.add_task("starting", total=total)

    def tell(text: str) -> None:
        progress.update(task, description=plain(text))
        progress.refresh()

    with progress:
        yield Bar(tell, lambda: progress.advance(task))


@contextmanager
def resumable(path: Path, total: int, finished: Callable[[], int]) -> Iterator[None]:
    """Say what is kept in `path` when the block is interrupted, or can keep no more there.

    Raises:
        Exit: 130, of an interrupted run.
        OutputError: the file cannot be written any more.
    """
    try:
        yield
    except KeyboardInterrupt:
        done, cases = finished(), counted(total, "case")
        where = f"{done} of {cases} finished, in {path}" if done else f"none of {cases} finished"
        say(f"interrupted: {where}; the same command with --resume goes on", err=True)
        raise click.exceptions.Exit(130) from None
    except Unwritable as error:
        from bench.base.errors import OutputError

        first = "make room and" if error.errno in FULL else "see to that, then"
        raise OutputError(
            f"{path} cannot be written any more: {error.strerror}", f"{first} run the same command with --resume"
        ) from error
