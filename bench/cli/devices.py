"""``bench devices``."""

from __future__ import annotations

import click

from bench.cli import _contribute


@click.group("devices")
def command() -> None:
    """Contribute a device that you measured, and check contributions."""


command.add_command(_contribute.add)
command.add_command(_contribute.check)
