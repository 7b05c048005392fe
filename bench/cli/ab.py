"""``bench ab``."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli._target import TARGET, reached
from bench.cli.options import Percent
from bench.plan.protocol import CONFIRMING, PairProtocol
from bench.report.text.print import fleeting, print_records, say

if TYPE_CHECKING:
    from bench.measure.pairs import Pair
    from bench.plan.case import Case
    from bench.stats.verdict import Verdict
    from bench.transport.base import Reach

EXIT = {"slower": 1, "inconclusive": 3}

PAIRS = PairProtocol()


@click.command("ab")
@click.argument("a")
@click.argument("b")
@click.option("--backend", default="onnxruntime", show_default=True, metavar="SPEC", help="For a side that names none.")
@click.option("--threads", type=int, default=1, show_default=True, help="For a side that says nothing else.")
@click.option("--pace", metavar="33ms|none", help="For a side that says nothing else.")
@TARGET
@click.option(
    "--margin", type=Percent(0, 50), default="1%", show_default=True, metavar="PERCENT", help="What does not matter."
)
@click.option("--gate", is_flag=True, help="Confirm `slower` on fresh pairs alone before failing.")
@click.option("--pairs", type=click.IntRange(5, 1000), help=f"At most.  [default: {PAIRS.most}]")
@click.option(
    "--budget",
    type=click.FloatRange(1),
    metavar="SECONDS",
    help=f"For the comparison.  [default: {PAIRS.budget_s:g}]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, input and order.")
@click.option("--output", type=click.Path(path_type=Path), help="NAME.csv; raw pairs go to NAME.samples.jsonl.gz.")
@click.option(
    "--format", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True,
    help="On stdout; markdown is for a comment.",
)  # fmt: skip
def command(
    a: str,
    b: str,
    backend: str,
    threads: int,
    pace: str | None,
    target: str,
    margin: float,
    gate: bool,
    pairs: int | None,
    budget: float | None,
    seed: int,
    output: Path | None,
    format: str,
) -> None:
    """Compare two cases in pairs of fresh processes that take turns, and give a verdict.

    A and B are MODEL[@BACKEND][@key=value]..., e.g. shufflenetv2@openvino@threads=2 or
    net.onnx@onnxruntime:python=/old/bin/python; keys are threads, pace, batch, resolution and shape. The ratio is B's
    latency over A's. The exit code is 0 when B is not slower (equivalent, faster, changed below threshold), 1 when it
    is slower, 3 when inconclusive.
    """
    from bench.measure.cases import case
    from bench.plan.pace import read as read_pace
    from bench.stats.verdict import decide

    protocol = replace(PAIRS, seed=seed)
    if pairs is not None:
        protocol = replace(protocol, most=pairs, first=min(protocol.first, pairs))
    if budget is not None:
        protocol = replace(protocol, budget_s=budget)
    usual = {"threads": threads, "pace_ms": None if pace is None else read_pace(pace)}
    path = output or Path("results", datetime.now(UTC).date().isoformat(), "ab.csv")
    with reached(target) as (there, way):
        case_a, case_b = (case(text, backend, there, **usual) for text in (a, b))
        found = _collect(case_a, case_b, protocol, path, 0, way, list(there.cores))
        verdict = decide([pair.log_ratio for pair in found], margin)
        confirmed = None
        if gate and verdict.verdict == "slower":
            click.echo("slower: confirming on fresh pairs", err=True)
            again = replace(protocol, first=CONFIRMING, most=max(CONFIRMING, protocol.most))
            fresh = _collect(case_a, case_b, again, path, len(found), way, list(there.cores))
            verdict = decide([pair.log_ratio for pair in fresh], margin)
            confirmed = verdict.verdict == "slower"
            found = fresh
    _show(case_a, case_b, verdict, found, confirmed, format)
    raise click.exceptions.Exit(EXIT.get(verdict.verdict, 0))


def _collect(
    a: Case, b: Case, protocol: PairProtocol, path: Path, done: int, way: Reach, cores: list[int]
) -> list[Pair]:
    from bench.measure.pairs import collect
    from bench.rows import file as records
    from bench.stats.verdict import half_width

    records.prepare_samples(path)
    seen: list[float] = []

    def told(pair: Pair) -> None:
        seen.append(pair.log_ratio)
        identity = {"a": a.identity(), "b": b.identity(), "seed": protocol.seed}
        records.append_samples(path, [identity | pair.raw | {"log_ratio": pair.log_ratio}])
        width = half_width(seen)
        precision = f", ±{width:.2%}" if width < 10 else ""
        fleeting(f"pair {len(seen)} of at most {protocol.most}{precision}")

    return collect(a, b, protocol, told, done, way, cores)


def _show(a: Case, b: Case, verdict: Verdict, pairs: list[Pair], confirmed: bool | None, format: str) -> None:
    import statistics

    latency = [statistics.median(pair.latency_ns[i] for pair in pairs) / 1e6 for i in (0, 1)]
    record = {"a": str(a), "b": str(b), "a_ms": round(latency[0], 4), "b_ms": round(latency[1], 4)}
    record |= asdict(verdict) | ({"confirmed": confirmed} if confirmed is not None else {})
    if format in ("csv", "json"):
        print_records([record], format)
        return
    if format == "markdown":
        from bench.report.text.ab import markdown

        click.echo(markdown((str(a), str(b)), latency, verdict, confirmed))
        return
    say(f"A  {latency[0]:9.3f} ms  {a}")
    say(f"B  {latency[1]:9.3f} ms  {b}")
    change = f"{verdict.ratio - 1:+.2%}, 95% interval {verdict.lo - 1:+.2%} to {verdict.hi - 1:+.2%}"
    click.echo(f"B is {verdict.verdict} ({change}, {verdict.pairs} pairs)")
    if verdict.verdict == "inconclusive":
        click.echo(f"a slowdown of {verdict.detectable:.1%} would have been seen; more --pairs or --budget see less")
