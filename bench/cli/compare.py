"""``bench compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.base.words import counted
from bench.cli import options
from bench.cli.options import CASE, POOL, Percent

if TYPE_CHECKING:
    from bench.rows.frame import Rows

AXES = ("target", "cpu", "backend", "threads")


@click.command("compare", epilog="Example: bench compare old.csv new.csv")
@click.argument("rows", nargs=-1, required=True, metavar="BASE NEW | ROWS...")
@click.option("--across", type=click.Choice(AXES), help="Instead of BASE and NEW: hold targets (or ...) side by side.")
@click.option("--gate", type=Percent(0.1, 100), metavar="PERCENT", help="Leave with 1 if a case is slower by that.")
@options.margin()
@click.option("--reference", metavar=CASE, help="Divide by this case of the same run first.")
@POOL
@click.option(
    "--job-sd", type=Percent(0.01, 50), default="3%", show_default=True, metavar="PERCENT",
    help="How much two jobs differ where the rows do not tell.",
)  # fmt: skip
@options.MARKDOWN
def command(
    rows: tuple[str, ...],
    across: str | None,
    gate: float | None,
    margin: float,
    reference: str | None,
    pool: str | None,
    job_sd: float,
    format: str,
) -> None:
    """Compare two sets of rows, or targets with each other, with an interval and a verdict per case.

    BASE and NEW are files, folders or quoted patterns of rows that `bench run` wrote. The ratio is NEW's latency over
    BASE's, its interval that over jobs (runs); only ok rows of the same target and CPU are compared (--pool cpu: of the
    same CPU). With --gate the exit code is 0 when every case is shown to be slower by less, 1 when one is slower (its
    estimate at least half of it, and beyond the margin at 99% over all cases), 3 when that remains open. Cases in mode
    throughput are compared with each other alone, by time per sample; --reference and --across leave them out.
    """
    from bench.base.errors import UsageError

    if across is not None:
        if gate is not None:
            raise UsageError("--gate goes with BASE and NEW, not with --across", "leave one of them out")
        _across(rows, across, reference, pool, job_sd, format)
        return
    if len(rows) != 2:
        raise UsageError(
            f"{counted(len(rows), 'set')} of rows given",
            "give BASE and NEW (bench compare old.csv new.csv), or --across; quote patterns",
        )
    from bench.report.text.compare import print_comparison
    from bench.rows.sides import Options, compare

    base, new = (_load((side,), reference, pool, rates=True) for side in rows)
    result = compare(base, new, Options(margin, gate, job_sd))
    print_comparison(result, gate, format)
    raise click.exceptions.Exit(result.exit_code)


def _load(sources: tuple[str, ...], reference: str | None, pool: str | None, rates: bool = False) -> Rows:
    from bench.measure.cases import canonical
    from bench.rows.frame import load
    from bench.rows.reference import relative

    if reference is not None:
        return relative(load(sources, pool=pool or ""), reference, canonical)
    return load(sources, pool=pool or "", rates=rates)


def _across(
    rows: tuple[str, ...], axis: str, reference: str | None, pool: str | None, job_sd: float, format: str
) -> None:
    from bench.report.text.across import print_across
    from bench.rows.across import across

    print_across(across(_load(rows, reference, pool), axis, job_sd), format)
