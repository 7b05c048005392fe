"""What ``bench run --fleet`` and ``bench targets serve`` share: the options of TLS; measuring a plan on a fleet."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bench.cli._progress import bar, remark, resumable
from bench.report.text.print import say

if TYPE_CHECKING:
    from bench.plan.case import Plan
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


def tls(ca: str | None, cert: str | None, key: str | None) -> Tls | None:
    """Return the files of TLS, all three or none; UsageError otherwise."""
    if not (ca or cert or key):
        return None
    from bench.base.errors import UsageError
    from bench.transport.dask import Tls

    if not (ca and cert and key):
        raise UsageError("TLS needs three files", "give --tls-ca, --tls-cert and --tls-key")
    return Tls(ca, cert, key)


def targets(names: tuple[str, ...]) -> list[Target]:
    """Return the targets whose devices are to measure, each once; any device where none is named.

    What a target's file says besides its name counts on its devices.
    """
    from bench.plan.target import ANY, Target, resolve

    found = [resolve(name).name if name.endswith(".toml") else name for name in names]
    return [Target(name, reach="dask") for name in dict.fromkeys(found or [ANY])]


def measure(plan: Plan, scheduler: str, path: Path, resume: bool, patience_s: float, tls: Tls | None) -> list[Row]:
    """Run the plan on a fleet, append each row and its samples as they come; return the plan's rows from the file."""
    from bench.api.measuring import already, kept
    from bench.base.errors import UsageError
    from bench.measure.fleet import Coordinator
    from bench.rows import file as records
    from bench.rows.identity import finished
    from bench.transport.dask import address_of, client

    interpreters = [case for case in plan.cases if case.backend.python]
    if interpreters:
        raise UsageError(
            f"{interpreters[0].backend.canonical}: an interpreter of this machine means nothing on a device",
            "a device measures with the one that its `bench targets serve` runs in",
        )
    done = finished(records.read_any(path, remark), plan) if resume else {}
    todo = replace(plan, cases=tuple(case for case in plan.cases if case.id not in done))
    if done:
        say(already(len(done), len(plan.cases)), err=True)
    run_id, count, total = uuid.uuid4().hex[:12], 0, len(todo.cases)
    connection = client(scheduler, tls)
    try:
        with resumable(path, total, lambda: count), bar(total) as shown:
            job = Coordinator(connection, todo, address_of(scheduler, tls), tls, patience_s, shown.tell, run_id)
            with closing(job.run()) as ended:
                for row, samples in ended:
                    with kept():
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
