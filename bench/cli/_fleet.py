"""What commands that know fleets share: where to measure, the options of TLS; plans and findings on a fleet."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bench.cli._progress import bar, remark, resumable
from bench.cli.options import Seconds
from bench.report.text.print import say

if TYPE_CHECKING:
    from bench.findings.finding import Finding
    from bench.findings.fleet import Part
    from bench.plan.case import BackendRef, Plan
    from bench.plan.protocol import ReplicateProtocol
    from bench.plan.target import Target
    from bench.rows.schema import Row
    from bench.transport.dask import Tls

F = TypeVar("F", bound=Callable[..., object])


def tls_options(command: F) -> F:
    """Add ``--tls-ca``, ``--tls-cert`` and ``--tls-key`` to a command."""
    for name, help in (
        ("key", "The key of --tls-cert."),
        ("cert", "This side's certificate."),
        ("ca", "Certificate of the authority that a fleet trusts (PEM); for a tls:// scheduler."),
    ):
        command = click.option(f"--tls-{name}", type=click.Path(exists=True, dir_okay=False), help=help)(command)
    return command


def place_options(command: F) -> F:
    """Add ``--target``, ``--fleet``, ``--fleet-wait`` and the options of TLS to a command that measures."""
    command = tls_options(command)
    for option in (
        click.option(
            "--fleet-wait",
            type=Seconds(0),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="For a device of the target.",
        ),
        click.option(
            "--fleet", metavar="ADDRESS", help="Measure on the devices of the Dask scheduler at tcp://HOST:8786."
        ),
        click.option(
            "--target",
            "places",
            multiple=True,
            metavar="TEXT",
            help="A name (bench targets list) or a TOML file; with --fleet repeatable.  "
            "[default: local; with --fleet: any]",
        ),
    ):
        command = option(command)
    return command


def tls(ca: str | None, cert: str | None, key: str | None) -> Tls | None:
    """Return the files of TLS, all three or none; UsageError otherwise."""
    if not (ca or cert or key):
        return None
    from bench.base.errors import UsageError
    from bench.transport.dask import Tls

    if not (ca and cert and key):
        raise UsageError("TLS needs three files", "give --tls-ca, --tls-cert and --tls-key")
    return Tls(ca, cert, key)


def resolve(places: tuple[str, ...], fleet: str | None) -> tuple[list[Target], str]:
    """Return the targets that are to measure, each once, and the address of their fleet's scheduler, if it is one.

    On a fleet that is any device where none is named; what a target's file says besides its name counts on its devices.

    Raises:
        UsageError: several targets are given, and no fleet.
    """
    from bench.base.errors import UsageError
    from bench.plan import target as known

    if not fleet:
        if len(places) > 1:
            raise UsageError("--target is given twice", "several targets make a --fleet")
        there = known.resolve(places[0] if places else "local")
        if there.reach != "dask":
            return [there], ""
        fleet, places = there.scheduler, ()
    found = [known.resolve(place).name if place.endswith(".toml") else place for place in places]
    return [known.Target(name, reach="dask") for name in dict.fromkeys(found or [known.ANY])], fleet


def _no_interpreters(backends: Iterable[BackendRef]) -> None:
    """Raise UsageError where a backend names an interpreter."""
    from bench.base.errors import UsageError

    for backend in backends:
        if backend.python:
            raise UsageError(
                f"{backend.canonical}: an interpreter of this machine means nothing on a device",
                "a device measures with the one that its `bench targets serve` runs in",
            )


def measure(plan: Plan, scheduler: str, path: Path, resume: bool, patience_s: float, tls: Tls | None) -> list[Row]:
    """Run the plan on a fleet, append each row and its samples as they come; return the plan's rows from the file."""
    from bench.api.measuring import already, kept
    from bench.measure.fleet import Coordinator
    from bench.rows import file as records
    from bench.rows.identity import finished
    from bench.transport.dask import client

    _no_interpreters(case.backend for case in plan.cases)
    done = finished(records.read_any(path, remark), plan) if resume else {}
    todo = replace(plan, cases=tuple(case for case in plan.cases if case.id not in done))
    if done:
        say(already(len(done), len(plan.cases)), err=True)
    run_id, count, total = uuid.uuid4().hex[:12], 0, len(todo.cases)
    connection = client(scheduler, tls)
    try:
        with resumable(path, total, lambda: count), bar(total) as shown:
            job = Coordinator(connection, todo, patience_s, shown.tell, run_id)
            with closing(job.run()) as ended:
                for row, samples in ended:
                    with kept(path):
                        records.append_samples(path, samples)
                        note = records.append(path, row)
                    if note:
                        remark(note)
                    shown.advance()
                    count += 1
    finally:
        connection.close(timeout=5)
    return [*done.values(), *_rows_of(path, run_id)]


def _rows_of(path: Path, run_id: str) -> list[Row]:
    from bench.rows import file as records

    return [row for row in records.read_any(path, lambda note: None) if row.run_id == run_id]


def find(
    findings: Sequence[Finding],
    backends: Sequence[BackendRef],
    targets: Sequence[Target],
    scheduler: str,
    output: Path,
    protocol: ReplicateProtocol,
    resume: bool,
    budget_s: float | None,
    patience_s: float,
    tls: Tls | None,
) -> list[Part]:
    """Measure findings on every device of the targets; return what became of each."""
    from bench.findings.fleet import Fleet
    from bench.transport.dask import client

    _no_interpreters(backends)
    connection = client(scheduler, tls)
    try:
        return Fleet(
            connection, [there.name for there in targets], findings, backends, output,
            protocol, resume, budget_s, patience_s, lambda line: say(line, err=True),
        ).run()  # fmt: skip
    finally:
        connection.close(timeout=5)
