"""``--target``, for every command that measures: on which machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.plan.target import Target
    from bench.transport.base import Reach

TARGET = click.option(
    "--target", default="local", show_default=True, metavar="TEXT", help="A name (bench list targets) or a TOML file."
)


@contextmanager
def reached(text: str) -> Iterator[tuple[Target, Reach]]:
    """Give a target and the way to it, which is closed in the end."""
    from bench import transport
    from bench.plan import target as targets

    there = targets.resolve(text)
    with closing(transport.of(there)) as way:
        yield there, way
