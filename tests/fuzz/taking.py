"""What is taken for granted when an input is taken: errors that a person is told are none."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from bench.base.errors import BenchError


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Let pass what a person is told in a line: a `BenchError`, a wrong command line, an exit code."""
    import click

    with contextlib.suppress(BenchError, click.ClickException, click.exceptions.Exit, click.Abort):
        yield


def command(words: list[str]) -> None:
    """Call the command line in this process, in silence."""
    from bench.cli import cli

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), told():
        cli.main(words, prog_name="bench", standalone_mode=False)


def gathered(folder: Path) -> None:
    """Gather what a report shows of a folder."""
    from bench.report.html.data import gather
    from bench.report.html.headline import headline, lead

    data = gather([str(folder)])
    headline(data)
    lead(data)
