"""``bench roofline``."""

from __future__ import annotations

import click

from bench.cli import options
from bench.report.text.print import fleeting, print_records, terminal


@click.command("roofline")
@options.backend("Runtime and precision.")
@options.threads()
@options.TARGET
@click.option("--again", is_flag=True, help="Measure, even if the machine's roofline is known.")
@options.FORMAT
def command(backend: str, threads: int, target: str, again: bool, format: str) -> None:
    """Measure the attainable peak and bandwidth of a runtime on this machine.

    Takes about 40 seconds once per machine, backend, version and thread count, and is remembered. From then on the
    rows of `bench run` tell their share of the peak and the floor of their latency. What is measured:
    docs/profile.md.
    """
    from bench.api import measuring
    from bench.machine import roofs as store
    from bench.measure import roofline as measure
    from bench.measure.cases import backend_of
    from bench.measure.launch import version_of
    from bench.report.text.roofline import records, show

    with measuring.reached(target) as (there, transport):
        ref = backend_of(backend, there)
        measure.refuse(ref)
        machine = transport.environment()
        roof = None if again else store.recall(machine, ref.canonical, version_of(ref, transport) or None, threads)
        if roof is None:
            roof = measure.measure(ref, threads, there.cores, fleeting, transport)
            store.remember(machine, roof)
    if format != "table":
        print_records(records(roof), format)
        return
    show(roof, terminal())
