"""``bench inspect``."""

from __future__ import annotations

import click

from bench.cli import options
from bench.report.text.print import print_json, print_records, say, terminal

DEFAULT_TOP = 10


@click.command("inspect", epilog="Example: bench inspect shufflenetv2")
@click.argument("model")
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@click.option("--depth", type=click.IntRange(1), metavar="N", help="Sum nodes by module, N names deep.")
@click.option(
    "--sort",
    type=click.Choice(["macs", "ops", "params", "bytes", "graph"]),
    help="Costliest first, or in the graph's order.  [default: macs; csv and json: graph]",
)
@click.option(
    "--top", type=click.IntRange(1), metavar="N", help=f"Nodes to print.  [default: {DEFAULT_TOP}; csv and json: all]"
)
@options.FORMAT
def command(
    model: str,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    input: str | None,
    depth: int | None,
    sort: str | None,
    top: int | None,
    format: str,
) -> None:
    """Count MACs, memory access, parameters and live memory of a model, node by node.

    MODEL may say more, MODEL[@batch=N][@resolution=N][@shape=NAME=1x3x224x224][@input=DATA].
    From the ONNX graph alone: nothing is measured and no weight is read. Memory access is what each node reads and
    writes. An operator that cannot be counted is named. What each count means: docs/profile.md.
    """
    from bench import api
    from bench.cli._progress import passing
    from bench.graph.summary import by_module, node_record, order

    given = {text.rpartition("=")[0]: text.rpartition("=")[2] for text in shapes}
    summary = api.inspect(
        model, batch=batch, resolution=resolution, shapes=given, input=input, progress=passing
    ).summary
    nodes = summary.graph.nodes
    rows = by_module(nodes, depth) if depth else [node_record(node) for node in nodes]
    key = sort or ("macs" if format == "table" else "graph")
    shown = order(rows, None if key == "graph" else key, top or (DEFAULT_TOP if format == "table" else None))
    if format == "json":
        print_json(summary.record(shown))
    elif format == "csv":
        if summary.graph.uncounted:
            from bench.report.text.inspect import missing

            say(f"not counted: {missing(summary)}", err=True)
        print_records([{k: _cell(v) for k, v in row.items()} for row in shown], "csv")
    else:
        from bench.report.text.inspect import show

        show(summary, shown, len(rows), key, terminal())


def _cell(value: object) -> object:
    """Write shapes as ``1x3x224x224``, several of them with spaces between."""
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], list):
        return " ".join(str(_cell(shape)) for shape in value)
    return "x".join(map(str, value))
