"""The command line: one module per command, each imported only when it is used, so that ``--help`` is fast.

A command parses, calls and prints; what it does is done elsewhere.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from bench.base.errors import Interrupted, UnknownName
from bench.cli._old import meant, translate

# The summary stands here too, so that `bench --help` need not import the commands; a test compares the two.
GROUPS = {
    "Measure": {
        "run": "Measure models on backends and append a row for each case.",
        "ab": "Compare two cases in pairs of fresh processes that take turns, and give a verdict.",
        "profile": "Say where the time of an inference goes, operator by operator, and why.",
        "roofline": "Measure the attainable peak and bandwidth of a runtime on this machine.",
        "predict": "Predict the latency of a network on this machine without running it.",
        "findings": "Test on this device what papers claim of speed and FLOPs: experiments, effects, verdicts.",
    },
    "Look": {
        "inspect": "Count MACs, memory access, parameters and live memory of a model, node by node.",
        "export": "Write a model as an ONNX file, with its reference outputs beside it.",
    },
    "Results": {
        "show": "Print result rows as bars: sorted, grouped, filtered, the newest row of each case.",
        "compare": "Compare two sets of rows, or targets with each other, with an interval and a verdict per case.",
        "rank": "Say how far MACs, memory access, parameters or predictions tell the latency of any rows.",
        "history": "Find in years of nightly rows what moved, when, by how much, and what changed with it.",
        "report": "Write one HTML page of charts from any results, or one chart as PNG, SVG or HTML.",
    },
    "Published": {
        "devices": "Published devices: table, ranks, what yours is like; contribute one, check contributions.",
    },
    "Machine": {
        "doctor": "Say what in this machine will spoil a measurement, and what to do about it.",
        "targets": "List the machines that measure, check one, set one up, or make this one a device of a fleet.",
        "cache": "List the cache of exported models by model, and of runtimes by version; limit it, or empty it.",
        "list": "List models, backends, suites, or the columns of a result row.",
    },
}
COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}


class Group(click.Group):
    """A group of commands, which says as the rest of the program does that it has none of a name."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        """Return the command.

        Raises:
            UnknownName: there is none of that name.
        """
        found = super().get_command(ctx, name)
        if found is None:
            raise UnknownName("command", name, self.commands, f"{ctx.command_path} --help")
        return found


class LazyGroup(click.Group):
    """A group that knows its commands' names and summaries, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, under an old name too."""
        return super().resolve_command(ctx, translate(args))

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; an interruption is one line, before which click would print an empty one."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command."""
        if name not in COMMANDS:
            raise UnknownName("command", name, COMMANDS, "bench --help", meant(name, COMMANDS))
        command: click.Command = import_module(f"bench.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for, without importing one."""
        width = max(map(len, COMMANDS))
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])


def _version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from bench import __version__  # read from what is installed, which takes a while

        click.echo(f"bench, version {__version__}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def cli() -> None:
    """Measure how long a neural network takes on a device, and say why.

    Start with: bench run --model shufflenetv2 --backend openvino

    A model is NAME[:key=value,...] of the zoo (bench list models), net.onnx, file.py:function, timm:NAME or
    torchvision:NAME. --debug after any command shows the whole story of an error. Where another program is called
    bench, this one is called isoflops, too.

    The exit code is 0 where all is well, 1 where the answer is not (slower, over a limit, a row that failed), 2 after
    an error, which is told in a line, 3 where something is undecided or unfinished, 130 after Ctrl-C.
    """
