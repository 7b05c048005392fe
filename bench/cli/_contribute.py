"""``bench devices add`` and ``check``: a device of one's own for ``results/devices/``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.words import counted
from bench.report.text.print import say

FOLDER = "results/devices"


@click.command("add", epilog="Example: bench devices add results/2026-01-31/local.csv")
@click.argument("source", metavar="ROWS.csv", type=click.Path(path_type=Path))
@click.option(
    "--name", default="", metavar="NAME", help="Of the device: small letters and hyphens; default: the CPU's."
)
@click.option(
    "--folder", default=FOLDER, show_default=True, type=click.Path(path_type=Path), help="Where contributions are."
)
def add(source: Path, name: str, folder: Path) -> None:
    """Make a contribution of rows that `bench run --suite devices` wrote: FOLDER/NAME.csv.

    It takes the ok rows, the newest of each case, of one machine, one schema and one program, measured with the zoo's
    own files. Host and user names and paths are left out, and each row is sealed with a hash. Where anything cannot be
    taken, nothing is added.
    """
    from bench.api.contribution import prepare

    path, device, left_out = prepare(source, name, folder)
    for line in left_out:
        say(line)
    say(f"{path}: {counted(len(device.rows), 'row')} of {device.machine}")
    say(f"next: look at it, `bench devices check {folder}`, and open a pull request (CONTRIBUTING.md)")


@click.command("check")
@click.argument("paths", nargs=-1, metavar="[FOLDER|FILE]...", type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Check contributions with nothing but their files, as CI does on a pull request.

    Without an argument those in results/devices. The exit code is 1 if anything is wrong with one: a line each.
    """
    from bench.api import contribution

    found = [f for p in paths or (Path(FOLDER),) for f in ([p] if p.is_file() else contribution.files(p))]
    checked = contribution.check(found)
    for one in checked:
        for line in one.wrong:
            say(f"{one.path}: {line}")
        if one.device is not None:
            say(f"{one.path}: fine, {counted(len(one.device.rows), 'row')} of {one.device.machine}")
    if not checked:
        say("there are no contributions")
    if any(one.wrong for one in checked):
        raise click.exceptions.Exit(1)
