"""``bench doctor``."""

from __future__ import annotations

import click

from bench.cli import options
from bench.report.text.print import print_records


@click.command("doctor")
@options.DOCTOR_THREADS
@options.TARGET
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--forget", is_flag=True, help="Forget what was learnt of this machine, and learn it anew.")
@click.option("--learn", is_flag=True, help="Take a minute to learn how fast the machine is and how well it repeats.")
@click.option("--fix", is_flag=True, help="Set governor, turbo and interrupts for measuring; says what, and asks.")
@click.option("--undo", is_flag=True, help="Put back what --fix has changed.")
@click.option("--yes", is_flag=True, help="Do what --fix would ask for.")
@options.FORMAT
def command(
    threads: int,
    target: str,
    as_json: bool,
    forget: bool,
    learn: bool,
    fix: bool,
    undo: bool,
    yes: bool,
    format: str,
) -> None:
    """Say what in this machine will spoil a measurement, and what to do about it.

    The exit code is 1 if anything is bad (a warning is no failure), or --fix has not changed what it would.
    """
    from bench.base.errors import UsageError

    if fix and undo:
        raise UsageError("--fix and --undo are opposites", "leave one of the two out")
    if yes and not fix:
        raise UsageError("--yes answers what --fix asks", "give --fix, too")
    if fix or undo:
        from bench.cli import _tune

        done = _tune.undo(target) if undo else _tune.fix(threads, target, yes, "json" if as_json else format)
        raise click.exceptions.Exit(done)
    from dataclasses import asdict

    from bench.api import learning, measuring
    from bench.cli._progress import bar
    from bench.machine import baseline, runs
    from bench.machine.doctor import baseline_speed, repeatability
    from bench.plan.protocol import Protocol

    with measuring.reached(target) as (there, transport):
        machine = transport.environment()
        if forget:
            baseline.forget(machine)
        if learn:
            with bar(learning.RUNS) as shown:
                nothing = learning.learn(there, transport, threads, shown.hear)
            for backend, why in nothing.items():
                click.echo(f"nothing was learnt with {backend}: {why}", err=True)
        limit = repeatability(runs.repeat_sd(machine), Protocol().widest)
        symptoms = [*transport.doctor(threads), baseline_speed(baseline.known(machine)), limit]
    print_records([asdict(symptom) for symptom in symptoms], "json" if as_json else format)
    if any(symptom.state == "bad" for symptom in symptoms):
        raise click.exceptions.Exit(1)
