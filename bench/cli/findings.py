"""``bench findings``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base.wire import Unchecked
from bench.base.words import counted
from bench.cli import Group, options
from bench.cli._fleet import place_options
from bench.plan.protocol import QUICK, ReplicateProtocol
from bench.report.text.print import print_records, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.findings.finding import Finding
    from bench.findings.fleet import Part
    from bench.plan.case import BackendRef

# What fits a terminal; CSV and JSON have everything.
EVIDENCE = (".jsonl", ".jsonl.gz")
COLUMNS = ("id", "experiment", "channels", "backend", "effect", "interval", "published", "verdict")


FILES = (*EVIDENCE, ".csv")  # the latter is the table beside the evidence, which the reader says


@click.group("findings", cls=Group)
def command() -> None:
    """Test on this device what papers claim of speed and FLOPs: experiments, effects, verdicts.

    An effect that was published for other conditions (device, runtime, threads, batch) transfers or does not transfer;
    under like ones it is reproduced, weaker, stronger, none or opposite. docs/findings-method.md has the rule.
    Accuracy is quoted, never tested: nothing is trained here.
    """


@command.command("list")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@options.FORMAT
def list_findings(ids: tuple[str, ...], format: str) -> None:
    """List findings: the claim in plain words, where it stands, and whether it can be run here."""
    from bench.findings.catalog import select

    found = [
        {
            "id": finding.id,
            "claim": finding.claim,
            "source": finding.source,
            "runnable": finding.runnable,
            "experiments": len(finding.experiments),
            "reason": finding.reason or None,
        }
        for finding in select(ids)
    ]
    print_records([_texts(row) for row in found] if format == "table" else found, format)


@command.command("run")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@options.BACKENDS
@place_options
@click.option("--quick", is_flag=True, help="One experiment or two of each of G1 to G4, and fewer turns.")
@click.option(
    "--suite",
    type=click.Choice(["core"]),
    help="core: what every machine should have, in half an hour: G1 to G4, Table 8, PP-LCNet, ten pairs.",
)
@click.option(
    "--threads",
    metavar="N|all",
    help="Measure what was published on several threads, and that alone, on so many; all: on as many as there are.",
)
@options.output("Evidence; default: results/DATE/findings.jsonl.")
@click.option("--resume", is_flag=True, help="Go on with --output; what it has is not measured again.")
@options.budget("Stop after that; --resume goes on.", 1)
@click.option(
    "--replicates",
    "--waves",
    "replicates",
    type=click.IntRange(3, 1000),
    help=f"Of fresh processes for each effect, at least.  [default: {options.REPLICATES.replicates}]",
)
@options.seed("weights, input and order")
@options.FORMAT
def run_findings(
    ids: tuple[str, ...],
    backends: tuple[str, ...],
    places: tuple[str, ...],
    fleet: str | None,
    fleet_wait: float,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    quick: bool,
    suite: str | None,
    threads: str | None,
    output: Path | None,
    resume: bool,
    budget: float | None,
    replicates: int | None,
    seed: int,
    format: str,
) -> None:
    """Run findings (all of them where none is named) and print effects and verdicts.

    The evidence goes to a file as it comes, so that --resume can go on; beside it, the same as a table (CSV) and every
    raw sample (NAME.samples.jsonl.gz). On a fleet every device measures all of it, into NAME-DEVICE.jsonl.
    The exit code is 0 when everything was measured, 1 when something could not be, 3 when the budget ended it.
    """
    from contextlib import closing
    from dataclasses import replace
    from functools import partial

    from bench.base.errors import UsageError
    from bench.cli import _fleet
    from bench.findings import catalog, store
    from bench.findings.fleet import Part
    from bench.findings.run import Campaign
    from bench.measure.cases import backend_of
    from bench.transport import transport_to

    if quick and suite:
        raise UsageError("--quick and --suite are two suites", "leave one of them out")
    name = "quick" if quick else suite
    findings = catalog.suite(name, ids) if name else catalog.select(ids)
    if not findings:
        left = "--quick is for G1, G2, G3 and G4" if quick else f"none of {', '.join(ids)} is in --suite {suite}"
        raise UsageError(left, f"leave {'--quick' if quick else '--suite'} out, or name others")
    protocol = replace(QUICK if quick else ReplicateProtocol(), seed=seed)
    if replicates is not None:
        protocol = replace(protocol, replicates=replicates, most=max(replicates, protocol.most))
    path = output or Path("results", datetime.now(UTC).date().isoformat(), "findings.jsonl")
    tls = _fleet.tls(tls_ca, tls_cert, tls_key)
    theres, scheduler = _fleet.resolve(places, fleet)
    if threads is not None and scheduler:
        raise UsageError("--threads is of one machine", "leave --fleet out")
    refs = [backend_of(text, theres[0]) for text in dict.fromkeys(backends or (options.RUNTIME,))]
    if scheduler:
        parts = _fleet.find(
            findings, refs, theres, scheduler, path, protocol, resume, budget, fleet_wait, tls
        )  # fmt: skip
        return _end(findings, refs, parts, format)
    with closing(transport_to(theres[0])) as transport:
        if threads is not None:
            findings = _threaded(findings, threads, len(theres[0].cores or transport.usable_cores()))
        evidence = store.open_file(path, resume, seed, transport.environment(), theres[0].name)
        told = partial(say, err=True)
        done = Campaign(findings, refs, path, evidence, protocol, budget, told, transport, theres[0].cores).run()
    _end(findings, refs, [Part("", theres[0].name, path, evidence, "done" if done else "over")], format)


def _threaded(findings: Sequence[Finding], threads: str, cores: int) -> list[Finding]:
    from bench.base.errors import UsageError
    from bench.findings.catalog import threaded

    if threads != "all" and not (threads.isdecimal() and 1 < int(threads) <= cores):
        told = f"--threads {threads}: this machine has {counted(cores, 'core')}"
        raise UsageError(told, "give all, or a number from 2 to that")
    found = threaded(findings, cores if threads == "all" else int(threads))
    if not found or cores < 2:
        why = "there is one core" if cores < 2 else "none of these was published on several threads"
        raise UsageError(f"--threads has nothing to measure: {why}", "leave it out")
    return found


def _end(findings: Sequence[Finding], refs: Sequence[BackendRef], parts: Sequence[Part], format: str) -> None:
    """Print what every device has found, and where the evidence is; leave with the exit code that says how it ended."""
    from bench.findings.evaluate import evaluate
    from bench.findings.table import write_csv

    records, missing = [], False
    for part in parts:
        if part.path is None:
            continue
        results = evaluate(findings, refs, part.evidence)
        write_csv(part.path.with_suffix(".csv"), results)
        device = {"device": part.device, "target": part.target} if part.device else {}
        records += [device | result.record() for result in results]
        missing = missing or any(result.reason and result.finding.runnable for result in results)
    _print(records, format)
    for part in parts:
        who = f"{part.device}: " if part.device else ""
        if part.path is not None:
            say(f"{who}evidence: {part.path}; table: {part.path.with_suffix('.csv')}", err=True)
        if part.reason:
            say(f"{who}{part.reason}", err=True)
    if not parts or any(part.state == "over" for part in parts):
        say("the budget ended it; --resume goes on", err=True)
        raise click.exceptions.Exit(3)
    if missing or any(part.state != "done" for part in parts):
        raise click.exceptions.Exit(1)


@command.command("show")
@click.argument("ids", nargs=-1, metavar="[EVIDENCE.jsonl]... [ID]...")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Evidence; default: the newest results/*/findings.jsonl."
)
@click.option("--page", is_flag=True, help="As a Markdown page, as docs/findings.md.")
@options.FORMAT
def show_findings(ids: tuple[str, ...], results: Path | None, page: bool, format: str) -> None:
    """Judge the evidence of an earlier run once more, and print effects and verdicts; nothing is measured.

    Of several files of evidence it says, effect by effect, where the machines agree.
    """
    from bench.findings import store
    from bench.findings.catalog import select
    from bench.findings.table import judged

    files = [*([results] if results else []), *(Path(name) for name in ids if name.endswith(FILES))]
    ids = tuple(name for name in ids if not name.endswith(FILES))
    if len(files) > 1:
        return _machines(files, ids, page, format)
    path = files[0] if files else _newest()
    evidence = store.read(path)
    found = judged(select(ids), evidence)
    if page:
        from bench.report.text.findings import page as write

        click.echo(write(found, evidence), nl=False)
    else:
        _print([result.record() for result in found], format)


def _machines(files: Sequence[Path], ids: tuple[str, ...], page: bool, format: str) -> None:
    from bench.base.errors import UsageError
    from bench.findings import machines, store
    from bench.findings.catalog import select

    if page:
        raise UsageError("--page is of one file of evidence", "name one")
    found = machines.side_by_side({path: store.read(path) for path in files}, select(ids))
    print_records([machines.texts(line) for line in found.records] if format == "table" else found.records, format)
    for line in (*found.machines, found.summary):
        say(line, err=True)


def _newest() -> Path:
    from bench.base.errors import UsageError

    found = sorted(Path("results").glob("*/findings*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UsageError("there is no results/*/findings.jsonl", "`bench findings run` writes one; or give --results")
    return found[-1]


def _print(records: list[Unchecked], format: str) -> None:
    if format == "table":
        for row in records:
            low, high = row["effect_lo"], row["effect_hi"]
            row["interval"] = None if low is None or low == high else f"{low:.3f} to {high:.3f}"
            row["verdict"] = f"{row['verdict']}: {row['reason']}" if row["reason"] else row["verdict"]
            for name in ("effect", "published"):
                row[name] = None if row[name] is None else f"{row[name]:.3f}"
        records = [{name: row[name] for name in ("device", *COLUMNS) if name in row} for row in records]
    print_records(records, format)


def _texts(row: Mapping[str, object]) -> dict[str, object]:
    return {**row, "runnable": "yes" if row["runnable"] else "no"}
