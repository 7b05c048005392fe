"""``bench targets serve`` and ``status``: this machine as a device of a fleet, and which devices a fleet has."""

from __future__ import annotations

from dataclasses import asdict

import click

from bench.cli import options
from bench.cli._fleet import tls, tls_options
from bench.report.text.print import print_records


@click.command("serve")
@click.argument("scheduler")
@click.option("--target", default="local", show_default=True, help="What this device is: a name or a TOML file.")
@click.option("--name", default="", help="Of this device in the fleet; default: its address.")
@tls_options
def serve(
    scheduler: str, target: str, name: str, tls_ca: str | None, tls_cert: str | None, tls_key: str | None
) -> None:
    """Measure what a fleet's coordinators ask for, one case at a time, until it is stopped.

    A Dask worker with one thread, one slot and the target's tag, and its nanny, which starts it again when it dies. A
    fleet needs a scheduler (`dask scheduler`), this on each device, and `bench run --fleet` where the rows are to be:
    docs/fleet.md.
    """
    from bench.base.errors import UsageError
    from bench.plan.target import resolve
    from bench.transport.dask_worker import serve as start

    here = resolve(target)
    if here.python:
        raise UsageError(f"the target {here.name} names an interpreter", "start `bench targets serve` with that one")
    start(scheduler, here, name, tls(tls_ca, tls_cert, tls_key))


@click.command("status")
@click.argument("scheduler")
@tls_options
@options.FORMAT
def status(scheduler: str, tls_ca: str | None, tls_cert: str | None, tls_key: str | None, format: str) -> None:
    """List a fleet's devices: name, target, address, whether one measures now."""
    from bench.transport.dask import client, devices

    connection = client(scheduler, tls(tls_ca, tls_cert, tls_key))
    try:
        found = sorted(devices(connection).values(), key=lambda device: (device.target, device.name))
    finally:
        connection.close(timeout=5)
    print_records([asdict(device) for device in found], format)
