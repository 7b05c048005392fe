"""``bench list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.cli import Group, options
from bench.cli.models import models
from bench.report.text.print import print_records

if TYPE_CHECKING:
    from bench.backends.base import Backend


@click.group("list", cls=Group, no_args_is_help=True)
def command() -> None:
    """List models, backends, suites, or the columns of a result row."""


command.add_command(models)


@command.command("backends")
@options.FORMAT
def backends(format: str) -> None:
    """List the registered backends: whether the runtime is installed, its version, converter, precisions and options.

    Options are what can be said after the name.
    """
    from bench import backends as registry

    rows = []
    for name in registry.names():
        broken = registry.reason_broken(name)
        if broken:
            rows.append(
                {
                    "backend": name,
                    "runtime": broken,
                    "installed": "broken",
                    "version": "",
                    "converter": "",
                    "precisions": "",
                    "options": "",
                }
            )
            continue
        backend = registry.get(name)
        versions = backend.versions()
        conversion = backend.capabilities.conversion
        converters = (conversion.packages or backend.packages)[:1] if conversion else ()
        options = [p.shown() for p in backend.parameters.values()]
        options += [f"{name}= ({meaning})" for name, meaning in registry.reserved(backend).items()]
        rows.append(
            {
                "backend": name,
                "runtime": backend.title,
                "installed": "yes" if registry.installed(backend) else backend.install_hint(),
                "version": next(iter(versions.values()), ""),
                "converter": " ".join(f"{name} {versions[name] or '(not installed)'}" for name in converters),
                "precisions": " ".join(_precisions(backend)),
                "options": "; ".join(options),
            }
        )
    print_records(rows, format)


def _precisions(backend: Backend) -> list[str]:
    """Return what its option `precision` offers besides that of the model."""
    offered = backend.parameters.get("precision")
    return [str(choice) for choice in offered.choices if choice != "model"] if offered else []


@command.command("suites")
@options.FORMAT
def suites(format: str) -> None:
    """List the suites that come with the program."""
    from bench.plan.suite import shipped

    rows = [
        {
            "suite": name,
            "title": s.title,
            "models": len(s.models),
            "backends": " ".join(s.backends),
            "reference": s.reference,
        }
        for name, s in shipped().items()
    ]
    print_records(rows, format)


@command.command("columns")
@options.FORMAT
def columns(format: str) -> None:
    """List every column of a result row: type, unit, meaning."""
    from bench.rows.schema import schema

    print_records(schema(), format)
