"""``bench run``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.cli._fleet import place_options
from bench.cli._progress import remark
from bench.plan.protocol import MODES, PRECISIONS
from bench.report.text.print import fleeting, print_records, say, terminal

if TYPE_CHECKING:
    from bench.measure.ratios import Ratio
    from bench.plan.case import BackendRef, Plan
    from bench.plan.suite import Suite
    from bench.plan.target import Target
    from bench.rows.schema import Row


@click.command("run")
@click.option("--model", "models", multiple=True, metavar="SPEC", help="What to measure; repeatable.")
@click.option(
    "--suite", metavar="NAME", help="Models, backends, settings from a suite (bench list suites) or TOML file."
)
@click.option(
    "--like", metavar="FILE[#CASE]", help="Run again what the rows of a CSV say, or one case of it, and compare."
)
@options.BACKENDS
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(PRECISIONS),
    help="Ask every backend for it; repeatable; default: that of the weights.",
)
@options.WHEELS
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Inputs that --precision int8 is calibrated on; default: seeded draws.",
)
@options.several("threads", options.ONE)
@options.several("batch", options.USUAL.batch[0])
@click.option("--resolution", multiple=True, type=int, help="Side of the input in pixels; default: the paper's.")
@options.SHAPES
@options.INPUT
@click.option(
    "--pace", "paces", multiple=True, metavar="33ms|none", help="Start an inference on a schedule; repeatable."
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help=f"throughput: several inferences at once, told in samples/s.  [default: {MODES[0]}]",
)
@click.option(
    "--streams",
    multiple=True,
    type=options.Whole("left out, as many run at once as fill the cores"),
    help="Inferences at once in that mode, on --threads each; repeatable.  [default: as many as fill the cores]",
)
@place_options
@click.option("--max-latency", metavar="10ms", help="Hold each case's median against this limit.")
@click.option(
    "--max",
    "limits",
    multiple=True,
    metavar="p99=33ms",
    help="Hold p50, p90, p99, mean or first (inference) against a limit; repeatable.",
)
@click.option("--require-device", is_flag=True, help="Fail a case of which a part ran elsewhere than where it was to.")
@options.output("CSV to append to; default: results/DATE/TARGET.csv.")
@click.option("--resume", is_flag=True, help="Skip cases that --output already has a valid row for.")
@options.launches("Fresh processes per case, at least.", options.RUN.launches)
@options.budget("Per case.", 0.1, options.RUN.budget_s)
@options.timeout(options.RUN.timeout_s)
@click.option(
    "--over", metavar="2m|30s", help="Spread the launches over this time: narrows the interval for another run."
)
@click.option(
    "--sustain", metavar="30m", help="Keep the cases going for so long: a first minute, a settled state, a curve."
)
@click.option(
    "--energy",
    is_flag=False,
    flag_value="auto",
    metavar="[METER]",
    default="",
    help="Measure the energy of an inference, too: by RAPL, a board's rails, NVML or a plug-in (docs/targets.md).",
)
@options.seed("weights, input and order")
@options.FORMAT
def command(
    models: tuple[str, ...],
    suite: str | None,
    like: str | None,
    backends: tuple[str, ...],
    precisions: tuple[str, ...],
    calibration: Path | None,
    threads: tuple[int, ...],
    batch: tuple[int, ...],
    resolution: tuple[int, ...],
    shapes: tuple[str, ...],
    input: str | None,
    paces: tuple[str, ...],
    mode: str | None,
    streams: tuple[int, ...],
    places: tuple[str, ...],
    fleet: str | None,
    fleet_wait: float,
    max_latency: str | None,
    limits: tuple[str, ...],
    require_device: bool,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    output: Path | None,
    resume: bool,
    launches: int | None,
    budget: float | None,
    timeout: float | None,
    over: str | None,
    sustain: str | None,
    energy: str,
    seed: int,
    format: str,
) -> None:
    """Measure models on backends and append a row for each case.

    Several models, backends, threads, batches and resolutions give their cross product; the cases take turns in short
    blocks, so that a slow minute of the machine meets all of them. The exit code is 1 if any row is neither ok nor
    noisy, or fails a limit of --max-latency or --max; 3 if all that is left is whether one is kept.

    --like runs each case as its row says (network, backend, settings, seed) and prints both latencies, what differs of
    hardware and versions, and whether they agree. Its exit code is 0 if all agree, 1 if one differs, 3 if one has no
    verdict or cannot be run here.
    """
    if like is not None:
        from bench.cli._like import rerun

        raise click.exceptions.Exit(rerun(like, places, output, launches, budget, timeout, over, energy, format, input))
    from bench.api.measuring import run_protocol
    from bench.base.errors import UsageError
    from bench.cli import _fleet
    from bench.cli._local import measure
    from bench.plan import given, zoo
    from bench.plan import shapes as shape_texts
    from bench.plan.case import Plan, cross
    from bench.plan.pace import read as pace
    from bench.plan.pace import seconds
    from bench.rows import file as records
    from bench.rows.identity import finished
    from bench.rows.schema import MEASURED
    from bench.transport import transport_to

    tls = _fleet.tls(tls_ca, tls_cert, tls_key)
    theres, scheduler = _fleet.resolve(places, fleet)
    if scheduler and sustain is not None:
        raise UsageError("--sustain keeps cases going on one machine, and this is a fleet", "name one of its devices")
    base = _suite(suite, models)
    launches, budget = launches or base.launches, budget or base.budget
    protocol = run_protocol(
        launches,
        budget,
        timeout,
        seed,
        max_latency,
        limits,
        None if over is None else seconds(over),
        None if sustain is None else seconds(sustain),
        require_device or base.require_device,
        energy,
    )
    plans = []
    for there in theres:
        plan = cross(
            [zoo.resolve(text) for text in models or base.models],
            _backends(backends, precisions, calibration, base, there),
            threads or base.threads,
            batch or base.batch,
            resolution or base.resolution or (None,),
            there.name,
            protocol,
            shape_texts.parse(shapes),
            [pace(text) for text in paces] or (None,),
            mode or base.mode,
            streams or base.streams or (None,),
            None if input is None else given.read(input),
        )
        plans.append(_with_reference(plan, base.reference, there))
    plan, there = Plan(tuple(case for plan in plans for case in plan.cases), plans[0].protocol), theres[0]
    path = output or usual_output("fleet" if scheduler else there.name)
    compared: list[Ratio] = []
    with records.writing(path) as note:
        if note:
            remark(note)
        if scheduler:
            rows = _fleet.measure(plan, scheduler, path, resume, fleet_wait, tls)
        else:
            with closing(transport_to(there)) as transport:
                kept = records.read_any(path, remark) if resume else []
                done = finished(kept, plan, asdict(transport.environment())) if resume else {}
                new = measure(plan, list(there.cores), path, skip=set(done), transport=transport, compared=compared)
            of = done | {row.case_id: row for row in new}
            rows = [of[case.id] for case in plan.cases if case.id in of]
    _show(rows, format, path, compared)
    if not scheduler:
        _predicted(plan, rows, there)
    said = {row.limit_verdict for row in rows} if protocol.limits else set()
    if "fail" in said or any(row.status not in MEASURED for row in rows):
        raise click.exceptions.Exit(1)
    if "inconclusive" in said:
        raise click.exceptions.Exit(3)


def usual_output(name: str) -> Path:
    """Return where rows go that nobody said a place for."""
    return Path("results", datetime.now(UTC).date().isoformat(), f"{name}.csv")


def _suite(name: str | None, models: tuple[str, ...]) -> Suite:
    """Return the suite, or one that is nothing but the program's defaults."""
    from bench.base.errors import UsageError
    from bench.plan import suite

    if name is not None:
        return suite.resolve(name)
    if not models:
        raise UsageError(
            "nothing to measure",
            "e.g. bench run --model shufflenetv2 (`bench list models`), or --suite quick (`bench list suites`)",
        )
    return suite.Suite("", models)


def _backends(
    given: tuple[str, ...], precisions: tuple[str, ...], calibration: Path | None, base: Suite, there: Target
) -> list[BackendRef]:
    """Look up the backends that were given, or those of the suite, each in every precision.

    Where the suite goes on without runtimes that are not installed, the target is asked which are.
    """
    from bench.measure.cases import backends_of
    from bench.measure.launch import installed_on

    lenient = installed_on(there) if base.installed_only and not given else None
    told = str(calibration) if calibration else ""
    return backends_of(given or base.backends, there, precisions or base.precisions, told, remark, lenient)


def _with_reference(plan: Plan, reference: str, there: Target) -> Plan:
    """Add the case that a suite measures with everything, unless it is in the plan already."""
    if not reference:
        return plan
    from bench.measure import cases

    case = cases.case(reference, there=there)
    return plan if any(c.id == case.id for c in plan.cases) else replace(plan, cases=(case, *plan.cases))


def _predicted(plan: Plan, rows: list[Row], there: Target) -> None:
    """Say on stderr what `bench predict` expected of each row, where it was trained on this machine."""
    from bench.base import cache

    if not any((cache.root() / "predict").glob("*.json.gz")):
        return
    from bench.predict.beside import beside
    from bench.transport import transport_to

    with closing(transport_to(there)) as transport:
        for line in beside(plan, rows, transport, list(there.cores), fleeting):
            remark(line)


def _show(rows: list[Row], format: str, path: Path, compared: list[Ratio]) -> None:
    from bench.report.text.run import baseline_hint, conclusions, roofline_hint, table
    from bench.rows.reasons import reasons

    said = conclusions(rows, compared)
    if format != "table":
        print_records([asdict(row) for row in rows], format)
        for line in (*said, f"rows: {path}"):
            say(line, err=True)
        return
    terminal().print(table(rows))
    for line in (*reasons(rows), baseline_hint(rows), roofline_hint(rows), *said):
        if line:
            say(line)
    say(f"rows: {path}")
