"""Names that commands had before: they work for one release, and say the new one on stderr."""

from __future__ import annotations

from collections.abc import Iterable

import click

from bench.base.near import near
from bench.report.html.kinds import KINDS

# The longest match counts, so that `fleet worker` is not `fleet`.
RENAMED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("models",): ("list", "models"),
    ("schema",): ("list", "columns"),
    ("list", "targets"): ("targets", "list"),
    ("fleet", "worker"): ("targets", "serve"),
    ("fleet", "status"): ("targets", "status"),
    ("fleet",): ("targets",),
    ("findings", "rows"): ("rank",),
    ("plot",): ("report",),
    ("explain",): ("profile",),
}


# What is said beside the new name.
BESIDE: dict[tuple[str, ...], str] = {("plot",): " --chart KIND", ("models",): " --counts", ("explain",): " --why"}


def translate(arguments: list[str]) -> list[str]:
    """Return the arguments with an old name replaced, and say so; as they are where there is none."""
    for old, new in sorted(RENAMED.items(), key=lambda pair: -len(pair[0])):
        if tuple(arguments[: len(old)]) == old:
            click.echo(f"`bench {' '.join(old)}` is now `bench {' '.join(new)}{BESIDE.get(old, '')}`", err=True)
            rest = arguments[len(old) :]
            if old == ("plot",):
                rest = _chart(rest)
            elif old == ("models",):
                rest = ["--counts", *rest]
            elif old == ("explain",):
                rest = ["--why", *rest]
            return [*new, *rest]
    return arguments


def meant(name: str, commands: Iterable[str]) -> str:
    """Return a hint where a name is a slip of an old one and of none of the `commands`; else nothing."""
    old = [] if near(name, commands) else near(name, [words[0] for words in RENAMED if len(words) == 1])
    if not old:
        return ""
    new = " ".join(RENAMED[old[0],]) + BESIDE.get((old[0],), "")
    return f"did you mean `bench {new}`? (`bench --help` lists them)"


def _chart(arguments: list[str]) -> list[str]:
    """Turn the kind of a chart, which was an argument, into an option."""
    for place, text in enumerate(arguments):
        if text in KINDS and (place == 0 or arguments[place - 1] != "--output"):
            return ["--chart", text, *arguments[:place], *arguments[place + 1 :]]
    # Let `report` say what kinds there are.
    return ["--chart", *arguments] if arguments and not arguments[0].startswith("-") else arguments
