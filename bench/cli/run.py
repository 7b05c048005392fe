"""``bench run``."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli._fleet import place_options
from bench.report.text.print import print_records, say

if TYPE_CHECKING:
    from bench.plan.case import Plan
    from bench.plan.suite import Suite
    from bench.plan.target import Target
    from bench.rows.schema import Row


@click.command("run", no_args_is_help=True)
@click.option("--model", "models", multiple=True, metavar="SPEC", help="What to measure; repeatable.")
@click.option(
    "--suite", metavar="NAME", help="Models, backends, settings from a suite (bench list suites) or TOML file."
)
@options.BACKENDS
@options.several("threads", options.ONE)
@options.several("batch", options.USUAL.batch[0])
@click.option("--resolution", multiple=True, type=int, help="Side of the input in pixels; default: the paper's.")
@options.SHAPES
@click.option(
    "--pace", "paces", multiple=True, metavar="33ms|none", help="Start an inference on a schedule; repeatable."
)
@place_options
@options.output("CSV to append to; default: results/DATE/TARGET.csv.")
@click.option("--resume", is_flag=True, help="Skip cases that --output already has a valid row for.")
@options.launches("Fresh processes per case, at least.", options.RUN.launches)
@options.budget("Per case.", 0.1, options.RUN.budget_s)
@options.timeout(options.RUN.timeout_s)
@options.seed("weights, input and order")
@options.FORMAT
def command(
    models: tuple[str, ...],
    suite: str | None,
    backends: tuple[str, ...],
    threads: tuple[int, ...],
    batch: tuple[int, ...],
    resolution: tuple[int, ...],
    shapes: tuple[str, ...],
    paces: tuple[str, ...],
    places: tuple[str, ...],
    fleet: str | None,
    fleet_wait: float,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    output: Path | None,
    resume: bool,
    launches: int | None,
    budget: float | None,
    timeout: float | None,
    seed: int,
    format: str,
) -> None:
    """Measure models on backends and append a row for each case.

    Several models, backends, threads, batches and resolutions give their cross product; the cases take turns in short
    blocks, so that a slow minute of the machine meets all of them. The exit code is 1 if any row is neither ok nor
    noisy.
    """
    from bench.api.measuring import run_protocol
    from bench.cli import _fleet
    from bench.cli._local import measure
    from bench.measure.cases import backend_of
    from bench.plan import shapes as shape_texts
    from bench.plan import zoo
    from bench.plan.case import Plan, cross
    from bench.plan.pace import read as pace
    from bench.rows import file as records
    from bench.rows.identity import finished
    from bench.rows.schema import MEASURED
    from bench.transport import transport_to

    tls = _fleet.tls(tls_ca, tls_cert, tls_key)
    theres, scheduler = _fleet.resolve(places, fleet)
    base = _suite(suite, models)
    launches, budget = launches or base.launches, budget or base.budget
    protocol = run_protocol(launches, budget, timeout, seed)
    plans = []
    for there in theres:
        plan = cross(
            [zoo.resolve(text) for text in models or base.models],
            [backend_of(text, there) for text in backends or base.backends],
            threads or base.threads,
            batch or base.batch,
            resolution or base.resolution or (None,),
            there.name,
            protocol,
            shape_texts.parse(shapes),
            [pace(text) for text in paces] or (None,),
        )
        plans.append(_with_reference(plan, base.reference, there))
    plan, there = Plan(tuple(case for plan in plans for case in plan.cases), plans[0].protocol), theres[0]
    path = output or Path(
        "results", datetime.now(UTC).date().isoformat(), f"{'fleet' if scheduler else there.name}.csv"
    )
    records.prepare(path)
    if scheduler:
        rows = _fleet.measure(plan, scheduler, path, resume, fleet_wait, tls)
    else:
        with closing(transport_to(there)) as transport:
            done = finished(records.read_any(path), plan, asdict(transport.environment())) if resume else {}
            rows = [*done.values(), *measure(plan, list(there.cores), path, skip=set(done), transport=transport)]
        order = [case.id for case in plan.cases]
        rows.sort(key=lambda row: order.index(row.case_id))
    _show(rows, format, path)
    if any(row.status not in MEASURED for row in rows):
        raise click.exceptions.Exit(1)


def _suite(name: str | None, models: tuple[str, ...]) -> Suite:
    """Return the suite, or one that is nothing but the program's defaults."""
    from bench.base.errors import UsageError
    from bench.plan import suite

    if name is not None:
        return suite.resolve(name)
    if not models:
        raise UsageError("nothing to measure", "give --model SPEC or --suite NAME")
    return suite.Suite("", models)


def _with_reference(plan: Plan, reference: str, there: Target) -> Plan:
    """Add the case that a suite measures with everything, unless it is in the plan already."""
    if not reference:
        return plan
    from bench.measure import cases

    case = cases.case(reference, there=there)
    return plan if any(c.id == case.id for c in plan.cases) else replace(plan, cases=(case, *plan.cases))


def _show(rows: list[Row], format: str, path: Path) -> None:
    if format != "table":
        print_records([asdict(row) for row in rows], format)
        say(f"rows: {path}", err=True)
        return
    from rich.console import Console

    from bench.report.text.run import remarks, roofline_hint, table

    # A file or a pipe has no width: nothing is folded there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table(rows))
    for line in (*remarks(rows), roofline_hint(rows)):
        if line:
            say(line)
    say(f"rows: {path}")
