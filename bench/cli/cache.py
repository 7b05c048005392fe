"""``bench cache``."""

from __future__ import annotations

import shutil

import click


@click.command("cache")
@click.argument("action", type=click.Choice(["show", "clear"]), default="show")
def command(action: str) -> None:
    """Show or empty the cache of models and of versions of runtimes."""
    from bench.base import cache
    from bench.base.errors import OutputError

    # What was exported and converted here, what others uploaded here to be measured, and what `version=` installed.
    folders = [cache.root() / name for name in ("artifacts", "converted", "carried", "runtimes")]
    files = [p for folder in folders if folder.is_dir() for p in folder.rglob("*") if p.is_file()]
    artifacts = sum(p.name == "artifact.json" for p in files)
    size = sum(p.stat().st_size for p in files) / 2**20
    if action != "clear":
        click.echo(f"{artifacts} artifacts, {size:.0f} MiB, in {cache.root()}")
        return
    for folder in folders:
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"{folder} cannot be removed: {error.strerror}", "remove it by hand") from error
    click.echo(f"removed {artifacts} artifacts, {size:.0f} MiB, from {cache.root()}")
