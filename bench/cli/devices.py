"""``bench devices``: what others published of theirs, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.cli import Group, _contribute, options

F = TypeVar("F", bound=Callable[..., Any])
CHARTS = ("order", "pairs")


def filters(function: F) -> F:
    """Add the options that pick settings."""
    for option in (
        options.threads("Only settings of so many threads.", None),
        click.option("--runtime", default="", metavar="TEXT", help="Only runtimes whose name holds this."),
        click.option("--class", "kinds", multiple=True, metavar="CLASS", help="small core, big core, desktop CPU, "
                     "server CPU, GPU or NPU; may be repeated."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.group("devices", cls=Group, invoke_without_command=True)
@filters
@options.FORMAT
@click.pass_context
def command(ctx: click.Context, kinds: tuple[str, ...], runtime: str, threads: int | None, format: str) -> None:
    """Published devices: table, ranks, what yours is like; contribute one, check contributions.

    None of these latencies was measured by this program; where each comes from stands in models/published/devices/.
    """
    if ctx.invoked_subcommand is None:
        from bench.devices.settings import select, settings
        from bench.report.text.devices import print_table

        print_table(select(settings(), kinds, runtime, threads), format)


command.add_command(_contribute.add)
command.add_command(_contribute.check)


@command.command("show", epilog="Example: bench devices show 'Galaxy S24'")
@click.argument("name")
@options.FORMAT
def show(name: str, format: str) -> None:
    """Print every published row of the devices whose names hold NAME, doubtful ones too."""
    from bench.base.errors import UnknownName
    from bench.papers.devices import devices, networks, rows
    from bench.report.text.devices import print_rows

    found = [row for row in rows() if name.lower() in row.device.lower()]
    if not found:
        raise UnknownName("published device", name, devices(), "bench devices")
    print_rows(found, networks(), format)


@command.command("rank")
@filters
@click.option("--networks", type=click.Choice(["mobile", "all", "both"]), default="mobile", show_default=True,
              help="Networks for phones only, or all: size alone orders a range that goes up to VGG.")  # fmt: skip
@click.option("--by", type=click.Choice(["macs", "all"]), default="macs", show_default=True,
              help="MACs only, or parameters and memory access, too.")  # fmt: skip
@click.option("--ours", multiple=True, metavar="ROWS", help="Rows of one's own, as one more predictor.")
@click.option("--least", type=click.IntRange(3), default=8, show_default=True, help="Networks a setting must have.")
@options.FORMAT
def rank(
    kinds: tuple[str, ...],
    runtime: str,
    threads: int | None,
    networks: str,
    by: str,
    ours: tuple[str, ...],
    least: int,
    format: str,
) -> None:
    """Say on each published device how far MACs tell the order of latencies.

    Spearman's and Kendall's rank correlations, with intervals by resampling networks. Only networks count that were
    found to be a spec of the zoo by MACs, resolution and variant, or nearly one, which is told.
    """
    from bench.base.errors import UsageError
    from bench.devices import ranks
    from bench.devices.own import own
    from bench.devices.settings import select, settings
    from bench.report.text.devices import print_ranked
    from bench.rows.frame import load

    some = select(settings(), kinds, runtime, threads)
    groups = (ranks.MOBILE, ranks.ALL) if networks == "both" else (networks,)
    counts = (ranks.MACS,) if by == "macs" else (ranks.MACS, ranks.PARAMS, ranks.ACCESS)
    mine = own(load(ours)) if ours else None
    found = ranks.rank(some, least, mine, groups, counts)
    if not found:
        raise UsageError(f"no setting of these has {least} such networks", "--networks all, or a smaller --least")
    print_ranked(found, format)


@command.command("like", epilog="Example: bench devices like results")
@click.argument("sources", nargs=-1, required=True, metavar="ROWS...")
@options.FORMAT
def like(sources: tuple[str, ...], format: str) -> None:
    """Name the published devices that rows are like, and estimate the networks that were not measured.

    ROWS are files, folders or quoted patterns of rows that `bench run` wrote, of two networks of the tables or more:
    `bench run --suite probe` measures the three that tell the most. Each estimate has a 90% interval from devices that
    were left out; it is no measurement.
    """
    from bench.devices import like as likeness
    from bench.devices.own import own
    from bench.devices.settings import select, settings
    from bench.devices.transfer import tabulate
    from bench.report.text.devices import print_like
    from bench.rows.frame import load

    table = tabulate(select(settings(), ("small core", "big core", "desktop CPU", "server CPU")))
    print_like({name: likeness.like(times, table) for name, times in own(load(sources)).items()}, format)


@command.command("chart", epilog="Example: bench devices chart order --output order.svg")
@click.argument("kind", type=click.Choice(CHARTS))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Ends in .svg or .png.")
def chart(kind: str, output: Path) -> None:
    """Draw all devices in order of the rank correlation of MACs with latency, or pairs of networks on every device."""
    from bench.report.html.devices import write

    write(kind, output)
    click.echo(f"wrote {output}")
