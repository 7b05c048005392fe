"""Options that commands share: what each means, said once, with its default from where the default stands.

A command takes what it needs as decorators, ``@options.THREADS``. Whatever differs from command to command only in its
default or its words is a function here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.base.errors import ParameterError
from bench.plan.protocol import MOST_S, WHOLE, PairProtocol, ProfileProtocol, Protocol, ReplicateProtocol
from bench.plan.suite import Suite

F = TypeVar("F", bound=Callable[..., object])

RUN, PAIRS, PROFILE, REPLICATES = Protocol(), PairProtocol(), ProfileProtocol(), ReplicateProtocol()
# What a command measures where nothing else is said is what a suite that says nothing measures.
USUAL = Suite("", ())
RUNTIME, ONE = USUAL.backends[0], USUAL.threads[0]
CASE = "MODEL[@BACKEND][@key=value]..."
FORMATS = ("table", "csv", "json")


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


class Whole(click.ParamType):  # type: ignore[type-arg]
    """A number of threads or images; one out of range is told in a line, as everywhere else, with a `hint`."""

    name = "integer"

    def __init__(self, hint: str = "1 is the default") -> None:
        self.hint = hint

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number from 1 to 4096; ParameterError if it is out of range."""
        try:
            number = int(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if not 1 <= number <= 4096:
            option = param.opts[0] if param else "the number"
            raise ParameterError(f"{option} {number} is not a number from 1 to 4096", self.hint)
        return number


class Seconds(click.FloatRange):
    """A number of seconds that a clock can wait for: neither nan nor endless."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number; nan is below no bound."""
        number: float = super().convert(value, param, ctx)
        if not number <= MOST_S:
            self.fail(f"'{value}' is not a number of seconds, at most {MOST_S:g}", param, ctx)
        return number


class Seed(click.IntRange):
    """A whole number that every generator takes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number; a greater one than PyTorch takes would end an export."""
        number: int = super().convert(value, param, ctx)
        if number > WHOLE["seed"][1]:
            self.fail(f"'{value}' is not a whole number from 0 to 2**63 - 1", param, ctx)
        return number


def backend(help: str) -> Callable[[F], F]:
    """Add ``--backend``: one runtime, for `help`."""
    return click.option("--backend", default=RUNTIME, show_default=True, metavar="SPEC", help=help)


def threads(help: str = "Of the runtime.", default: int | None = ONE) -> Callable[[F], F]:
    """Add ``--threads``: one number, for `help`."""
    kind = Whole() if default is not None else Whole("leave it out for every number")
    return click.option("--threads", type=kind, default=default, show_default=default is not None, help=help)


def several(name: str, default: int) -> Callable[[F], F]:
    """Add ``--threads`` or ``--batch``, of which the cross product is measured; a suite may say them, too."""
    return click.option(f"--{name}", multiple=True, type=Whole(), help=f"Repeatable.  [default: {default}]")


def launches(what: str, default: object) -> Callable[[F], F]:
    """Add ``--launches``, fresh processes; `what` they are in the help, and their `default` there."""
    return click.option("--launches", type=click.IntRange(*WHOLE["launches"]), help=f"{what}  [default: {default}]")


def budget(what: str, least: float, default: float | None = None) -> Callable[[F], F]:
    """Add ``--budget`` in seconds."""
    told = what if default is None else f"{what}  [default: {default:g}]"
    return click.option("--budget", type=Seconds(least), metavar="SECONDS", help=told)


def timeout(default: float) -> Callable[[F], F]:
    """Add ``--timeout`` in seconds."""
    told = f"Per answer of a worker.  [default: {default:g}]"
    return click.option("--timeout", type=Seconds(0.1), metavar="SECONDS", help=told)


def seed(of: str) -> Callable[[F], F]:
    """Add ``--seed``, `of` what."""
    return click.option("--seed", type=Seed(0), metavar="N", default=RUN.seed, show_default=True, help=f"Of {of}.")


def output(help: str, metavar: str | None = None) -> Callable[[F], F]:
    """Add ``--output``: a path, for `help`."""
    return click.option("--output", type=click.Path(path_type=Path), metavar=metavar, help=help)


def format(*formats: str) -> Callable[[F], F]:
    """Add ``--format``; the first of `formats` is the default."""
    help = "On stdout; markdown is for a comment." if "markdown" in formats else "On stdout."
    return click.option("--format", type=click.Choice(formats), default=formats[0], show_default=True, help=help)


def margin(default: str = "1%") -> Callable[[F], F]:
    """Add ``--margin``: the change that does not matter, as a share."""
    return click.option(
        "--margin", type=Percent(0, 50), default=default, show_default=True, metavar="PERCENT",
        help="What does not matter.",
    )  # fmt: skip


def network(batch: int, resolution: int | None, shapes: tuple[str, ...], input: str | None) -> dict[str, Any]:
    """Return what --batch, --resolution, --shape and --input say of a network: fields of `bench.plan.case.Network`."""
    from bench.plan import given
    from bench.plan import shapes as shape_texts

    found: dict[str, Any] = {"batch": batch, "resolution": resolution, "shapes": shape_texts.parse(shapes)}
    return found | {"input": None if input is None else given.read(input)}


def _set_wheels(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Let what is installed in this process come from that folder."""
    if value is not None:
        os.environ["ISOFLOPS_WHEELS"] = str(value)


WHEELS = click.option(
    "--wheels", type=click.Path(exists=True, file_okay=False, path_type=Path), expose_value=False,
    callback=_set_wheels, help="Where version= finds wheels, without the network; or ISOFLOPS_WHEELS.",
)  # fmt: skip
BATCH = click.option("--batch", type=Whole(), default=USUAL.batch[0], show_default=True)
RESOLUTION = click.option("--resolution", type=int, help="Side of the input in pixels; default: the paper's.")
SHAPES = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=1x16:int64",
    help="Of an input of a file's network, perhaps with its type; repeatable.",
)
INPUT = click.option(
    "--input", metavar="DATA", help="A .npz or .npy file, or a folder of images, in the place of seeded noise."
)
BACKENDS = click.option(
    "--backend", "backends", multiple=True, metavar="SPEC", help=f"Repeatable.  [default: {RUNTIME}]"
)
TARGET = click.option(
    "--target", default="local", show_default=True, metavar="TEXT", help="A name (bench targets list) or a TOML file."
)
INFERENCES = click.option(
    "--inferences", type=click.IntRange(*WHOLE["inferences"]), help=f"Per block, at most.  [default: {PROFILE.most}]"
)
DOCTOR_THREADS = threads("Threads to be measured with.")
POOL = click.option(
    "--pool",
    type=click.Choice(["cpu"]),
    help="Join the targets of one CPU model: for hosted runners, whose labels mean nothing.",
)
FORMAT = format(*FORMATS)
MARKDOWN = format(*FORMATS, "markdown")
