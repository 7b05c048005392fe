"""``bench doctor --fix`` and ``--undo``: what is changed is printed, asked for, made, noted, and taken back."""

from __future__ import annotations

import click

from bench.base.words import counted
from bench.report.text.print import print_records, say


def fix(threads: int, target: str, yes: bool, format: str) -> int:
    """Print what would steady this machine, and do it with consent; return the exit code.

    Raises:
        UsageError: the target is another machine, or there is nobody to ask.
        TuneError: a change could not be made.
    """
    from bench.machine import tune
    from bench.machine.cores import quietest
    from bench.machine.environment import usable_cores

    there = _here(target)
    allowed = list(there) or usable_cores()
    changes = tune.wanted(quietest(min(threads, len(allowed)), allowed))
    impossible = tune.impossible()
    for why in impossible:
        say(f"not here: {why}", err=True)
    say("address space layout randomisation is left as it is: launches are to meet different layouts", err=True)
    if not changes:
        say("there is nothing to change" + (" from here" if impossible else ""))
        return 0
    print_records([{"what": c.what, "file": c.path, "is": c.was, "becomes": c.to} for c in changes], format)
    refused = tune.refused(changes)
    if refused:
        what = f"{len(refused)} of {counted(len(changes), 'change')}"
        say(f"other rights are needed for {what}: sudo bench doctor --fix, or as root:", err=True)
        for change in refused:
            say(f"  echo {change.to} > {change.path}", err=True)
        return 1
    if not yes and not _consent():
        say("nothing was changed")
        return 1
    kept = tune.apply(changes, tune.state_file())
    if kept:
        say(f"the kernel keeps {counted(len(kept), 'interrupt')} in place", err=True)
    say(f"{len(changes) - len(kept)} changed; `bench doctor --undo` undoes it, and so does a restart")
    return 0


def undo(target: str) -> int:
    """Put back what `fix` changed; return the exit code."""
    from bench.machine import tune

    _here(target)
    changes, remark = tune.undo(tune.state_file())
    for line in (f"{len(changes)} put back" if changes else "", remark):
        if line:
            say(line)
    return 0


def _here(target: str) -> tuple[int, ...]:
    """Return the cores of the target, which must be this machine."""
    from bench.base.errors import UsageError
    from bench.plan.target import resolve

    there = resolve(target)
    if there.reach != "local":
        raise UsageError(f"{there.name} is another machine", "log in there, and run `bench doctor --fix` on it")
    return there.cores


def _consent() -> bool:
    """Ask; UsageError where there is nobody to answer."""
    import sys

    from bench.base.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask", "--yes changes without asking")
    return click.confirm("Change these?", err=True)
