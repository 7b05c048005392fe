"""``bench findings``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.plan.protocol import QUICK, ReplicateProtocol
from bench.report.text.print import print_records, say

if TYPE_CHECKING:
    from bench.findings.evaluate import Result

# What fits a terminal; CSV and JSON have everything.
COLUMNS = ("id", "experiment", "channels", "backend", "effect", "interval", "published", "verdict")


@click.group("findings")
def command() -> None:
    """Test on this device what papers claim of speed and FLOPs: experiments, effects, verdicts.

    A verdict is reproduced, not reproduced, opposite, inconclusive, or not testable here; docs/findings-method.md has
    the rule. Accuracy is quoted, never tested: nothing is trained here.
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
@options.TARGET
@click.option("--quick", is_flag=True, help="One experiment or two of each of G1 to G4, and fewer turns.")
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
    target: str,
    quick: bool,
    output: Path | None,
    resume: bool,
    budget: float | None,
    replicates: int | None,
    seed: int,
    format: str,
) -> None:
    """Run findings (all of them where none is named) and print effects and verdicts.

    The evidence goes to a file as it comes, so that --resume can go on; beside it, the same as a table (CSV) and every
    raw sample (NAME.samples.jsonl.gz).
    The exit code is 0 when everything was measured, 1 when something could not be, 3 when the budget ended it.
    """
    from dataclasses import replace
    from functools import partial

    from bench.api import measuring
    from bench.base.errors import UsageError
    from bench.findings import store
    from bench.findings.catalog import select
    from bench.findings.evaluate import evaluate
    from bench.findings.run import Campaign
    from bench.measure.cases import backend_of

    findings = select(ids or ("G1", "G2", "G3", "G4") if quick else ids)
    if quick and not any(e.quick for finding in findings for e in finding.experiments):
        raise UsageError("--quick is for G1, G2, G3 and G4", "leave --quick out, or name one of them")
    protocol = replace(QUICK if quick else ReplicateProtocol(), seed=seed)
    if replicates is not None:
        protocol = replace(protocol, replicates=replicates, most=max(replicates, protocol.most))
    path = output or Path("results", datetime.now(UTC).date().isoformat(), "findings.jsonl")
    with measuring.reached(target) as (there, transport):
        refs = [backend_of(text, there) for text in dict.fromkeys(backends or (options.RUNTIME,))]
        evidence = store.open_file(path, resume, seed, transport.environment(), there.name)
        told = partial(say, err=True)
        done = Campaign(findings, refs, path, evidence, protocol, quick, budget, told, transport, there.cores).run()
    results = evaluate(findings, refs, evidence, quick)
    from bench.findings.table import write_csv

    write_csv(path.with_suffix(".csv"), results)
    _print(results, format)
    click.echo(f"evidence: {path}; table: {path.with_suffix('.csv')}", err=True)
    if not done:
        click.echo("the budget ended it; --resume goes on", err=True)
        raise click.exceptions.Exit(3)
    if any(result.reason and result.finding.runnable for result in results):
        raise click.exceptions.Exit(1)


@command.command("show")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Evidence; default: the newest results/*/findings.jsonl."
)
@click.option("--page", is_flag=True, help="As a Markdown page, as docs/findings.md.")
@options.FORMAT
def show_findings(ids: tuple[str, ...], results: Path | None, page: bool, format: str) -> None:
    """Judge the evidence of an earlier run once more, and print effects and verdicts; nothing is measured."""
    from bench.findings import store
    from bench.findings.catalog import select
    from bench.findings.table import judged

    path = results or _newest()
    evidence = store.read(path)
    found = judged(select(ids), evidence)
    if page:
        from bench.report.text.findings import page as write

        click.echo(write(found, evidence), nl=False)
    else:
        _print(found, format)


def _newest() -> Path:
    from bench.base.errors import UsageError

    found = sorted(Path("results").glob("*/findings.jsonl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UsageError("there is no results/*/findings.jsonl", "`bench findings run` writes one; or give --results")
    return found[-1]


def _print(results: list[Result], format: str) -> None:
    records = [result.record() for result in results]
    if format == "table":
        for row in records:
            low, high = row["effect_lo"], row["effect_hi"]
            row["interval"] = None if low is None or low == high else f"{low:.3f} to {high:.3f}"
            row["verdict"] = f"{row['verdict']}: {row['reason']}" if row["reason"] else row["verdict"]
            for name in ("effect", "published"):
                row[name] = None if row[name] is None else f"{row[name]:.3f}"
        records = [{name: row[name] for name in COLUMNS} for row in records]
    print_records(records, format)


def _texts(row: Mapping[str, object]) -> dict[str, object]:
    return {**row, "runnable": "yes" if row["runnable"] else "no"}
