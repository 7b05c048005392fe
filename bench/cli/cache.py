"""``bench cache``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.base.words import counted
from bench.cli import options

if TYPE_CHECKING:
    from bench.artifact import store


@click.command("cache")
@click.argument("action", type=click.Choice(["show", "clear"]), default="show")
@click.option(
    "--max", "most", metavar="5GB|none", help="Keep it below that, now and from now on; least recently used goes first."
)
@options.FORMAT
def command(action: str, most: str | None, format: str) -> None:
    """List the cache of exported models by model, and of runtimes by version; limit it, or empty it.

    What a running command uses is never removed; what a killed one had begun goes with `clear`, with --max, and when
    something else is made.
    """
    import shutil

    from bench.artifact import store
    from bench.base import cache
    from bench.report.text.print import say

    gone: list[store.Entry] = []
    if most is not None:
        wanted = store.size(most)
        store.set_limit(wanted)
        gone = store.trim(wanted)[0] if wanted is not None else []
    some = store.entries()
    if action == "clear":
        store.sweep()
        gone = [entry for entry in some if store.remove(entry)]
        for folder in (cache.root() / store.GIVEN, *store.wrecks()):
            shutil.rmtree(folder, ignore_errors=True)
        left = [entry for entry in some if entry not in gone]
        say(f"removed {_told(gone)}, from {cache.root()}")
        if left:
            say(f"{_told(left)}: in use, and left")
        return
    _show(some, format)
    limit = store.limit()
    aside = f", at most {limit / 1e6:.0f} MB" if limit is not None else ""
    if gone:
        say(f"removed {_told(gone)}", err=format != "table")
    say(f"{_told(some)}, in {cache.root()}{aside}", err=format != "table")
    count, size = store.unfinished()
    if count:
        begun = f"{counted(count, 'folder')} that a killed command had begun, {size / 1e6:.0f} MB"
        say(f"{begun}: `bench cache clear` removes it", err=format != "table")
    if limit is not None and sum(entry.bytes for entry in some) > limit:
        say("more than the limit: the rest is in use", err=format != "table")


def _show(some: list[store.Entry], format: str) -> None:
    """Print a line for every model, the largest first."""
    from bench.artifact import store
    from bench.report.text.print import print_records

    by_model: dict[str, list[store.Entry]] = {}
    for entry in some:
        by_model.setdefault(entry.model, []).append(entry)
    rows: list[dict[str, object]] = []
    for model, mine in sorted(by_model.items(), key=lambda item: -sum(entry.bytes for entry in item[1])):
        parts = {part: sum(entry.part == part for entry in mine) for part in store.PARTS}
        megabytes = round(sum(entry.bytes for entry in mine) / 1e6, 1)
        days = round(min(store.ago(entry) for entry in mine), 1)
        rows.append(
            {"model": model, **parts, "mb": megabytes, "days_unused": days, "in_use": any(e.busy for e in mine)}
        )
    if rows or format != "table":
        print_records(rows, format)


def _told(some: list[store.Entry]) -> str:
    from bench.artifact import store

    runtimes = sum(entry.part == store.RUNTIMES for entry in some)
    what = counted(len(some) - runtimes, "artifact") + (f" and {counted(runtimes, 'runtime')}" if runtimes else "")
    return f"{what}, {sum(entry.bytes for entry in some) / 1e6:.0f} MB"
