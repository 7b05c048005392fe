"""Options that several commands have: what they mean, once."""

from __future__ import annotations

import click


class Percent(click.ParamType):  # type: ignore[type-arg]  # generic in the stubs of newer clicks only
    """A number of percent, with or without its sign, as a share."""

    name = "percent"

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn ``5%`` or ``5`` into 0.05."""
        if isinstance(value, float):
            return value
        try:
            number = float(str(value).strip().removesuffix("%"))
        except ValueError:
            self.fail(f"{value!r} is not a number of percent, such as 5%", param, ctx)
        if not self.least <= number <= self.most:
            self.fail(f"{value} is not from {self.least:g}% to {self.most:g}%", param, ctx)
        return number / 100


POOL = click.option(
    "--pool",
    type=click.Choice(["cpu"]),
    help="Join the targets of one CPU model: for hosted runners, whose labels mean nothing.",
)
CASE = "MODEL[@BACKEND][@key=value]..."
