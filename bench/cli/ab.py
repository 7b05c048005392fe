"""``bench ab``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import options
from bench.cli._progress import passing
from bench.plan.protocol import THROUGHPUT, WHOLE
from bench.report.text.print import print_records, say

if TYPE_CHECKING:
    from bench.api import Comparison

EXIT = {"slower": 1, "inconclusive": 3}


@click.command("ab", epilog="Example: bench ab shufflenetv2@onnxruntime shufflenetv2@openvino")
@click.argument("a")
@click.argument("b")
@options.backend("For a side that names none.")
@options.WHEELS
@options.threads("For a side that says nothing else.")
@click.option("--pace", metavar="33ms|none", help="For a side that says nothing else.")
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@options.TARGET
@options.margin()
@click.option("--gate", is_flag=True, help="Confirm `slower` on fresh pairs alone before failing.")
@click.option("--pairs", type=click.IntRange(*WHOLE["pairs"]), help=f"At most.  [default: {options.PAIRS.most}]")
@options.budget("For the comparison, once it has 10 pairs.", 1, options.PAIRS.budget_s)
@options.seed("weights, input and order")
@options.output("NAME.csv, of which NAME.samples.jsonl.gz is written: the raw pairs; there are no rows.")
@options.MARKDOWN
def command(
    a: str,
    b: str,
    backend: str,
    threads: int,
    pace: str | None,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    input: str | None,
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
    net.onnx@onnxruntime:version=1.22.1; keys are threads, pace, mode, streams, batch, resolution, shape, input. The
    ratio is B's latency over A's, or where both have mode=throughput B's time per sample. The exit code is 0
    when B is not slower (equivalent, faster, changed below threshold), 1 when it is slower, 3 when inconclusive.
    """
    from bench.api import measuring
    from bench.base.errors import UsageError
    from bench.measure.cases import case
    from bench.plan.pace import read as read_pace
    from bench.rows.file import samples_path

    protocol = measuring.pair_protocol(pairs, budget, seed)
    usual: dict[str, Any] = {"threads": threads, "pace_ms": None if pace is None else read_pace(pace)}
    usual |= options.network(batch, resolution, shapes, input)
    path = output or Path("results", datetime.now(UTC).date().isoformat(), "ab.csv")
    if path.exists():
        raise UsageError(f"{path} holds rows of a run: pairs are kept apart from them", "give --output another name")
    with measuring.reached(target) as (there, transport):
        cases = case(a, backend, there, **usual), case(b, backend, there, **usual)
        found = measuring.compare(cases, protocol, there.cores, transport, passing, margin, gate, path)
    _show(found, format)
    if format == "table":
        say(f"pairs: {samples_path(path)}")
    raise click.exceptions.Exit(EXIT.get(found.verdict.verdict, 0))


def _show(found: Comparison, format: str) -> None:
    if format in ("csv", "json"):
        print_records([found.record()], format)
        return
    verdict = found.verdict
    if format == "markdown":
        from bench.report.text.ab import markdown

        click.echo(markdown((found.a, found.b), found.figures, verdict, found.confirmed, found.caution(), found.mode))
        return
    for side, name, figure in zip("AB", (found.a, found.b), found.figures, strict=True):
        told = f"{figure:9.1f} samples/s" if found.mode == THROUGHPUT else f"{figure:9.3f} ms"
        say(f"{side}  {told}  {name}")
    click.echo(f"B is {verdict.verdict} ({found.change()}, {verdict.pairs} pairs)")
    for line in found.caution():
        say(line)
    if verdict.verdict == "inconclusive":
        say("more --pairs, or a larger --budget, may tell")
