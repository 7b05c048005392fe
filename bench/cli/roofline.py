"""``bench roofline``."""

from __future__ import annotations

import sys

import click

from bench.report.text.print import FORMAT, fleeting, print_records


@click.command("roofline")
@click.option("--backend", default="onnxruntime", show_default=True, metavar="SPEC", help="Runtime and precision.")
@click.option("--threads", type=click.IntRange(1, 4096), default=1, show_default=True)
@click.option("--again", is_flag=True, help="Measure, even if this machine's roofline is known.")
@FORMAT
def command(backend: str, threads: int, again: bool, format: str) -> None:
    """Measure the attainable peak and bandwidth of a runtime on this machine.

    Takes about 40 seconds once per machine, backend, version and thread count, and is remembered. From then on the
    rows of `bench run` tell their share of the peak and the floor of their latency. What is measured:
    docs/roofline.md.
    """
    from bench import backends as registry
    from bench.machine import roofs as store
    from bench.machine.environment import local
    from bench.measure import roofline as measure
    from bench.report.text.roofline import records, show

    ref = registry.resolve(backend)
    measure.refuse(ref)
    version = None if ref.python else _version(ref.name)
    roof = None if again else store.recall(local(), ref.canonical, version, threads)
    if roof is None:
        roof = measure.measure(ref, threads, tell=fleeting)
        store.remember(local(), roof)
    if format != "table":
        print_records(records(roof), format)
        return
    from rich.console import Console

    # A file or a pipe has no width: nothing is folded there.
    show(roof, Console(highlight=False, width=None if sys.stdout.isatty() else 200))


def _version(backend: str) -> str | None:
    """Return the installed version of a backend's runtime without importing it; None where that cannot be told."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(backend)
    except PackageNotFoundError:
        return None
