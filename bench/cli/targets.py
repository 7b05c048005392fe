"""``bench targets``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.base.words import counted
from bench.cli import Group, options
from bench.cli._fleet import tls, tls_options
from bench.report.text.print import print_records

if TYPE_CHECKING:
    from bench.plan.target import Target


@click.group("targets", cls=Group)
def command() -> None:
    """List the machines that measure, check one, set one up, or make this one a device of a fleet."""


@command.command("list")
@options.FORMAT
def list_(format: str) -> None:
    """List the targets that come with the program."""
    from bench.plan.target import shipped

    print_records([record(target) for target in shipped().values()], format)


def record(target: Target) -> dict[str, str]:
    """Return what a list says of a target."""
    where = target.host or target.image or target.scheduler or target.serial
    return {"target": target.name, "reach": target.reach, "where": where, "notes": target.notes}


@command.command("check", epilog="Example: bench targets check local")
@click.argument("target")
@options.DOCTOR_THREADS
@options.FORMAT
def check(target: str, threads: int, format: str) -> None:
    """Reach a target, name its CPU, and say what `bench doctor` says there.

    TARGET is a name or a TOML file, perhaps with keys changed: arm64:host=board.local,user=me. The exit code is 1 if it
    lacks a backend that it should have or anything is bad, 2 if it cannot be reached.
    """
    from contextlib import closing

    from bench.measure.launch import runtimes
    from bench.plan import target as targets
    from bench.transport import transport_to

    there = targets.resolve(target)
    with closing(transport_to(there)) as transport:
        machine = transport.environment()
        symptoms, installed = [asdict(symptom) for symptom in transport.doctor(threads)], runtimes(transport)
    cores = counted(machine.cores, "core")
    lines = [
        _line("reach", "ok", f"{there.reach} {there.host or there.image or there.serial}".strip()),
        _line("CPU", "ok", f"{machine.cpu} ({machine.microarchitecture}, {machine.arch}), {cores}"),
        _line("memory", "ok", f"{machine.memory_mb} MiB"),
        _line("system", "ok", f"{machine.os}, kernel {machine.kernel}, Python {machine.python}"),
    ]
    for name in there.backends or [name for name, there_too in installed.items() if there_too]:
        if installed.get(name):
            lines.append(_line("backend", "ok", name))
        else:
            lines.append(_line("backend", "bad", f"{name} is missing", f"bench targets setup {there.name}"))
    lines += symptoms
    print_records(lines, format)
    if any(line["state"] == "bad" for line in lines):
        raise click.exceptions.Exit(1)


def _line(check: str, state: str, found: str, hint: str = "") -> dict[str, str]:
    from bench.machine.doctor import Symptom

    return asdict(Symptom(check, state, found, hint))


@command.command("setup", epilog="Example: bench targets setup board.toml")
@click.argument("target")
@click.option("--python", default="", metavar="PATH", help="Interpreter there; default: the newest from 3.11 on.")
@click.option("--offline", is_flag=True, help="Download the wheels here and upload them.")
@click.option("--wheels", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Upload these wheels.")
def setup(target: str, python: str, offline: bool, wheels: Path | None) -> None:
    """Install this version on a device behind ssh or adb, in a virtual environment of its own.

    It gets the core (no PyTorch) and what the target's `backends` need. May be repeated.
    """
    from bench import backends
    from bench.plan import target as targets
    from bench.transport.setup import Setup, install

    there = targets.resolve(target)
    extras = sorted({backends.get(name).extra for name in there.backends} - {""})
    install(there, Setup(python, offline, wheels, tuple(extras)), click.echo)
    click.echo(f"next: bench targets check {target}")


@command.command("serve", epilog="Example: bench targets serve tcp://scheduler:8786")
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


@command.command("status", epilog="Example: bench targets status tcp://scheduler:8786")
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
    none = "no device is there: `bench targets serve` on one makes it a device of this fleet"
    print_records([asdict(device) for device in found], format, none)
