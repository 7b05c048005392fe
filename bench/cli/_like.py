"""``bench run --like``: rows are run again as they say, and both are printed side by side."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from bench.cli._progress import remark
from bench.report.text.print import say

# Options that say where, how long and what is printed; every other one is told by the rows.
BESIDE = ("like", "input", "places", "output", "launches", "budget", "timeout", "over", "energy", "format")


def rerun(
    source: str,
    places: tuple[str, ...],
    output: Path | None,
    launches: int | None,
    budget: float | None,
    timeout: float | None,
    over: str | None,
    energy: str,
    format: str,
    input: str | None = None,
) -> int:
    """Run what the rows say, append what was measured, print both; return the exit code.

    Raises:
        UsageError: an option was given that the rows tell, or the target is a fleet.
    """
    _alone()
    from bench.api import rerun
    from bench.api.measuring import run_protocol
    from bench.base.errors import UsageError
    from bench.cli import _fleet
    from bench.cli._local import measure
    from bench.cli.run import usual_output
    from bench.plan import given
    from bench.plan.pace import seconds
    from bench.report.text.like import exit_code, print_likeness
    from bench.rows import file
    from bench.rows.schema import Row
    from bench.transport import transport_to

    (there, *_), scheduler = _fleet.resolve(places, None)
    if scheduler:
        raise UsageError("--like measures on one machine, and this target is a fleet", "name a target of another kind")
    over_s = None if over is None else seconds(over)
    some = rerun.wanted(source, there, remark, None if input is None else given.read(input))
    plans = rerun.plans(some, lambda seed: run_protocol(launches, budget, timeout, seed, over_s=over_s, energy=energy))
    path, measured = output or usual_output(there.name), list[Row]()
    if plans:
        with file.writing(path) as note, closing(transport_to(there)) as transport:
            if note:
                remark(note)
            for plan in plans:
                measured += measure(plan, list(there.cores), path, set(), transport, [])
    found = rerun.judged(some, measured)
    print_likeness(found, format)
    if measured:
        say(f"rows: {path}", err=format != "table")
    return exit_code(found)


def _alone() -> None:
    """Raise UsageError where an option was given that the rows tell."""
    from bench.base.errors import UsageError

    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is click.core.ParameterSource.COMMANDLINE
        if given and option.name not in BESIDE:
            raise UsageError(
                f"--like runs what its rows say, and {option.opts[0]} says something else",
                f"leave {option.opts[0]} out",
            )
