"""``bench profile``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.report.text.print import FORMAT, fleeting, prepare, print_records, say

if TYPE_CHECKING:
    from bench.plan.case import Case
    from bench.plan.protocol import ProfileProtocol
    from bench.profile.combine import Profile


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

    MODEL may say more, MODEL[@BACKEND][@key=value]..., with keys threads, pace, batch, resolution and shape.
    The operators are those of the runtime's own fused graph, led back to the nodes of the source graph. What the
    runtime's profiler costs is measured and taken out; operators and residual add up to the unprofiled latency.
    `bench explain` says why, in words. CSV has a row for each operator and one for the residual.
    """
    from bench.measure.cases import case
    from bench.plan import shapes as shape_texts
    from bench.plan.protocol import ProfileProtocol

    one = case(model, backend, threads=threads, batch=batch, resolution=resolution, shapes=shape_texts.parse(shapes))
    protocol = ProfileProtocol(launches=launches, loads=loads, seed=seed)
    if inferences is not None:
        protocol = replace(protocol, most=inferences, least=min(inferences, protocol.least))
    if timeout is not None:
        protocol = replace(protocol, timeout_s=timeout)
    if output is not None:
        prepare(output)
    _show(_measure(one, protocol, output), format, top)


def _measure(case: Case, protocol: ProfileProtocol, output: Path | None) -> Profile:
    import json

    from bench.measure.profiles import measure
    from bench.profile.combine import combine

    artifact, launches = measure(case, protocol, lambda number: fleeting(f"launch {number} of {protocol.launches}"))
    profile = combine(case, artifact, launches)
    if output is not None:
        raw = {"case": case.identity(), "protocol": asdict(protocol), "launches": launches}
        output.write_text(json.dumps(raw | {"profile": profile.record()}), "utf-8")
    return profile


def _show(profile: Profile, format: str, top: int) -> None:
    import json

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
