"""The command line: one module per command, each imported only when it is used, so that ``--help`` is fast.

A command parses, calls and prints; what it does is done elsewhere.
"""

from __future__ import annotations

from importlib import import_module

import click

from bench import __version__
from bench.base.errors import UnknownName

# The summary stands here too, so that `bench --help` need not import the commands; a test compares the two.
COMMANDS = {
    "ab": "Compare two cases in pairs of fresh processes that take turns, and give a verdict.",
    "cache": "Show or empty the cache of exported models.",
    "compare": "Compare two sets of rows, or targets with each other, with an interval and a verdict per case.",
    "doctor": "Say what in this machine will spoil a measurement, and what to do about it.",
    "explain": "Say in words why a network takes its time, or why two of like FLOPs differ in speed.",
    "export": "Write a model as an ONNX file, with its reference outputs beside it.",
    "findings": "Test on this device what papers claim of speed and FLOPs: experiments, effects, verdicts.",
    "history": "Find in years of nightly rows what moved, when, by how much, and what changed with it.",
    "fleet": "Make this machine a device of a fleet, or say which devices a fleet has.",
    "inspect": "Count MACs, memory access, parameters and live memory of a model, node by node.",
    "list": "List models, backends, suites or targets.",
    "models": "List the networks of the zoo: parameters and multiply-adds, counted here and as published.",
    "plot": "Draw one chart of the report as PNG, SVG or a page of its own.",
    "profile": "Say where the time of an inference goes, operator by operator.",
    "predict": "Predict the latency of a network on this machine without running it.",
    "report": "Write one HTML page of charts from any results: latency over MACs, inversions, Pareto front, history.",
    "roofline": "Measure the attainable peak and bandwidth of a runtime on this machine.",
    "run": "Measure models on backends and append a row for each case.",
    "targets": "List the machines that measure, check one, or set one up.",
    "schema": "Print every column of a result row: role, type, unit, meaning.",
    "show": "Print result rows as bars: sorted, grouped, filtered, the newest row of each case.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and summaries, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command."""
        if name not in COMMANDS:
            raise UnknownName("command", name, COMMANDS, "bench --help")
        command: click.Command = import_module(f"bench.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bench")
def cli() -> None:
    """Measure how long a neural network takes on a device, and say why.

    Start with: bench run --model shufflenetv2 --backend openvino

    A model is NAME[:key=value,...] of the zoo (bench list models), net.onnx, file.py:function, timm:NAME or
    torchvision:NAME. --debug after any command shows the whole story of an error.
    """
