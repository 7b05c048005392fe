"""``bench cache``."""

from __future__ import annotations

import shutil

import click


@click.command("cache")
@click.argument("action", type=click.Choice(["show", "clear"]), default="show")
def command(action: str) -> None:
    """Show or empty the cache of exported models."""
    from bench import cache
    from bench.errors import OutputError

    folder = cache.root() / "artifacts"
    files = [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
    artifacts = sum(p.name == "artifact.json" for p in files)
    size = sum(p.stat().st_size for p in files) / 2**20
    if action == "clear" and folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"{folder} cannot be removed: {error.strerror}", "remove it by hand") from error
        click.echo(f"removed {artifacts} artifacts, {size:.0f} MiB, from {folder}")
    else:
        click.echo(f"{artifacts} artifacts, {size:.0f} MiB, in {folder}")
