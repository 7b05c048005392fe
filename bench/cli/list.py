"""``bench list``."""

from __future__ import annotations

from typing import Any

import click

from bench.report.text.print import FORMAT, print_records


@click.command("list")
@click.argument("what", type=click.Choice(["models", "backends", "suites", "targets"]))
@FORMAT
def command(what: str, format: str) -> None:
    """List models, backends, suites or targets."""
    print_records({"models": models, "backends": backends, "suites": suites, "targets": targets}[what](), format)


def models() -> list[dict[str, Any]]:
    """Return every name a model spec may begin with, and what can be said after it."""
    from bench.plan.parameter import show
    from bench.plan.zoo import cards, names

    rows = []
    for name, family in names().items():
        card = cards()[family]
        options = [f"{p.name}={show(p.default)} ({p.offered()})" for p in card.parameters.values()]
        rows.append(
            {
                "model": name,
                "network": card.title,
                "year": card.year,
                "hyper-parameters": f"see {family}" if name != family else "; ".join(options),
                "resolution": card.resolution,
            }
        )
    return rows


def backends() -> list[dict[str, Any]]:
    """Return every registered backend, whether its runtime is installed, and its options; or why it is broken."""
    from bench import backends as registry
    from bench.plan.parameter import show

    rows = []
    for name in registry.names():
        broken = registry.reason_broken(name)
        if broken:
            rows.append({"backend": name, "runtime": broken, "installed": "broken", "version": "", "options": ""})
            continue
        backend = registry.get(name)
        options = [f"{p.name}={show(p.default)} ({p.offered()})" for p in backend.parameters.values()]
        rows.append(
            {
                "backend": name,
                "runtime": backend.title,
                "installed": "yes" if registry.installed(backend) else backend.install_hint(),
                "version": next(iter(backend.versions().values()), ""),
                "options": "; ".join(options),
            }
        )
    return rows


def suites() -> list[dict[str, Any]]:
    """Return every suite that comes with the program."""
    from bench.plan.suite import shipped

    return [
        {
            "suite": name,
            "title": s.title,
            "models": len(s.models),
            "backends": " ".join(s.backends),
            "reference": s.reference,
        }
        for name, s in shipped().items()
    ]


def targets() -> list[dict[str, Any]]:
    """Return every target that comes with the program."""
    from bench.cli.targets import record
    from bench.plan.target import shipped

    return [record(target) for target in shipped().values()]
