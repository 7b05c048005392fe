"""What click finds wrong with a command line, said as every other mistake is: what it is, and what to type next."""

from __future__ import annotations

import click

from bench.base.errors import UnknownName

EXAMPLE = "Example: "  # what stands below the help of a command that needs something


def told(error: click.UsageError) -> tuple[str, str]:
    """Return the message and the hint of an error; none where click shows the help of a group without a command."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.2 and later
        return "", ""
    context = error.ctx
    path = context.command_path if context is not None else "bench COMMAND"
    more = f"`{path} --help` says what it takes"
    if isinstance(error, click.NoSuchOption):
        options = context.command.get_params(context) if context is not None else []
        names = [name for option in options if isinstance(option, click.Option) for name in option.opts]
        unknown = UnknownName(f"option of `{path}`", error.option_name, names, f"{path} --help")
        return unknown.message, unknown.hint
    if isinstance(error, click.MissingParameter) and error.param is not None and context is not None:
        epilog = context.command.epilog or ""
        example = f"e.g. {epilog.removeprefix(EXAMPLE)}; " if epilog.startswith(EXAMPLE) else ""
        return f"`{path}` needs {_name(error.param)}", example + more
    said = " ".join(error.format_message().split()).rstrip(".")
    return said[:1].lower() + said[1:], more


def _name(parameter: click.Parameter) -> str:
    """Name an option as it is typed, an argument as the first line of the help has it."""
    if isinstance(parameter, click.Option):
        return f"{parameter.opts[0]} {parameter.metavar or ''}".strip()
    if isinstance(parameter.type, click.Choice):
        return f"one of {', '.join(map(str, parameter.type.choices))}"
    return parameter.metavar or (parameter.name or "").upper()
