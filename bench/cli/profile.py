"""``bench profile``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli._progress import passing
from bench.report.text.print import FORMAT, prepare, print_records, say

if TYPE_CHECKING:
    from bench.profiling.combine import Profile


@click.command("profile")
@click.argument("model")
@click.option("--backend", default="onnxruntime", show_default=True, metavar="SPEC", help="What runs it.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--batch", type=int, default=1, show_default=True)
@click.option("--resolution", type=int, help="Side of the input in pixels; default: the paper's.")
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1x3x224x224", help="Of an ONNX file's input; repeatable."
)
@click.option("--launches", type=click.IntRange(1, 100), default=3, show_default=True, help="Fresh processes.")
@click.option("--loads", type=click.IntRange(1, 20), default=3, show_default=True, help="Of the model, in each launch.")
@click.option("--inferences", type=click.IntRange(1, 1000), help="Per block, at most.  [default: 25]")
@click.option("--top", type=click.IntRange(0), default=10, show_default=True, help="Costliest operators in the table.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="Per answer of a worker.  [default: 120]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and input.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="JSON file for the profile and the raw times of every inference."
)
@FORMAT
def command(
    model: str,
    backend: str,
    threads: int,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    launches: int,
    loads: int,
    inferences: int | None,
    top: int,
    timeout: float | None,
    seed: int,
    output: Path | None,
    format: str,
) -> None:
    """Say where the time of an inference goes, operator by operator.

    The operators are those of the runtime's own fused graph, led back to the nodes of the source graph. What the
    runtime's profiler costs is measured and taken out; operators and residual add up to the unprofiled latency.
    `bench explain` says why, in words. CSV has a row for each operator and one for the residual.
    """
    from bench import backends as registry
    from bench.api import measuring
    from bench.plan import shapes as shape_texts
    from bench.plan import zoo
    from bench.plan.case import cross

    plan = cross(
        [zoo.resolve(model)],
        [registry.resolve(backend)],
        (threads,),
        (batch,),
        (resolution,),
        shapes=shape_texts.parse(shapes),
    )
    protocol = measuring.profile_protocol(launches, loads, inferences, timeout, seed)
    if output is not None:
        prepare(output)
    (profile,), (raw,) = measuring.profile(list(plan.cases), protocol, passing)
    if output is not None:
        measured = {"case": plan.cases[0].identity(), "protocol": asdict(protocol), "launches": raw}
        output.write_text(json.dumps(measured | {"profile": profile.record()}), "utf-8")
    _show(profile, format, top)


def _show(profile: Profile, format: str, top: int) -> None:
    if format == "json":
        click.echo(json.dumps(profile.record(), indent=1))
    elif format == "csv":
        rows = [_flat(op.record()) for op in profile.operators]
        rows.append(dict.fromkeys(rows[0]) if rows else {"name": None, "time_us": None, "share": None})
        share = round(profile.residual_ms / profile.latency_ms, 6)
        rows[-1] |= {"name": "residual", "time_us": round(profile.residual_ms * 1e3, 3), "share": share}
        print_records(rows, "csv")
    else:
        _print_table(profile, top)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Write shapes and lists of names as text."""
    shapes = ["x".join(map(str, shape)) for shape in row["shapes_in"]]
    lists = {"shapes_in": " ".join(shapes), "shape_out": "x".join(map(str, row["shape_out"]))}
    lists["weight"] = "x".join(map(str, row["weight"]))
    return row | lists | {"sources": " ".join(row["sources"])}


def _print_table(profile: Profile, top: int) -> None:
    import sys

    from rich.console import Console

    from bench.report.text import profile as table

    for line in table.header(profile):
        say(line)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    console.print()
    console.print(table.classes(profile))
    if top:
        console.print()
        console.print(table.operators(profile, top))
