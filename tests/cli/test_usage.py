"""A command line that is wrong: one line of what it is, one of what to type next."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import bench as package
from bench.cli import COMMANDS, cli
from bench.cli._usage import EXAMPLE
from bench.rows.file import samples_path
from tests.conftest import Bench, one_line_error


@pytest.mark.parametrize(
    ("words", "says", "then"),
    [
        ("run", "nothing to measure", "bench run --model shufflenetv2"),
        ("ab", "`bench ab` needs A", "bench ab shufflenetv2@onnxruntime shufflenetv2@openvino"),
        ("ab x", "`bench ab` needs B", "bench ab shufflenetv2@onnxruntime"),
        ("profile", "no model to profile", "bench profile shufflenetv2"),
        ("predict", "nothing to predict", "bench predict shufflenetv2"),
        ("export", "`bench export` needs MODEL", "--output shufflenetv2.onnx"),
        ("export x", "`bench export` needs --output FILE.onnx", "--output shufflenetv2.onnx"),
        ("inspect", "`bench inspect` needs MODEL", "bench inspect shufflenetv2"),
        ("show", "`bench show` needs RESULTS...", "bench show results"),
        ("compare", "`bench compare` needs BASE NEW", "bench compare old.csv new.csv"),
        ("compare x.csv", "1 set of rows given", "bench compare old.csv new.csv"),
        ("rank", "`bench rank` needs ROWS...", "bench rank results"),
        ("report", "`bench report` needs RESULTS...", "bench report results"),
        ("history", "`bench history` needs ROWS...", "bench history results"),
        ("targets check", "`bench targets check` needs TARGET", "bench targets check local"),
        ("targets serve", "needs SCHEDULER", "tcp://scheduler:8786"),
        ("devices show", "needs NAME", "bench devices show"),
        ("devices chart", "needs one of order, pairs", "bench devices chart order"),
        ("devices add", "needs ROWS.csv", "bench devices add results/"),
    ],
)
def test_what_is_missing_is_named_with_an_example(bench: Bench, words: str, says: str, then: str) -> None:
    result = bench(*words.split())
    error, hint = one_line_error(result).splitlines()
    assert says in error
    assert then in hint
    assert result.returncode == 2
    assert not result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("report {rows} --output {rows}", "does not end in .html, .htm"),
        ("report {rows} --output net.py", "does not end in .html, .htm"),
        ("profile {net} --backend fake --output {rows}", "does not end in .json"),
        ("ab {net}@fake {net}@fake --output {rows}", "holds rows of a run"),
    ],
)
def test_an_output_is_not_written_over_something_else(bench: Bench, tiny: Path, words: str, says: str) -> None:
    rows = tiny.with_name("rows.csv")
    assert bench("run", "--model", tiny, "--backend", "fake", "--output", rows, "--launches", 1).returncode == 0
    kept = {path: path.read_bytes() for path in (rows, samples_path(rows), tiny)}
    result = bench(*words.format(rows=rows, net=tiny).split())
    assert result.returncode == 2
    assert says in one_line_error(result)
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("doctor --fix --undo", "--fix and --undo are opposites"),
        ("doctor --yes", "--yes answers what --fix asks"),
        ("run --threads x", "invalid value for '--threads': 'x' is not a whole number"),
        ("run --modle x", "did you mean --mode or --model? (`bench run --help` lists them)"),
        ("run --model", "option '--model' requires an argument"),
        ("doctor x", "unexpected extra argument (x)"),
        ("cache x", "'x' is not one of 'show', 'clear'"),
        ("lst", "did you mean list? (`bench --help` lists them)"),
        ("explian x", "did you mean `bench profile --why`?"),
        ("schem", "did you mean `bench list columns`?"),
        ("list backens", "did you mean backends? (`bench list --help` lists them)"),
        ("findings rnu", "did you mean run? (`bench findings --help` lists them)"),
        ("devices own", "known: add, chart, check, like, rank, show"),
        ("run --model alexnet --target nowhere", "`bench targets list` lists them"),
        ("run --model alexnet --backend tensorrt", "known: executorch, fake, litert"),
        ("run --model alexnet@thread=2", "error: there is no"),
    ],
)
def test_what_is_wrong_is_a_line(bench: Bench, words: str, says: str) -> None:
    result = bench(*words.split())
    assert says in one_line_error(result)
    assert result.returncode == 2


@pytest.mark.parametrize("words", ["", "list", "targets", "findings"])
def test_a_group_alone_shows_its_commands(bench: Bench, words: str) -> None:
    result = bench(*words.split())
    assert (result.stdout + result.stderr).startswith("Usage: bench ")
    assert "Error" not in result.stderr


def commands() -> list[tuple[str, click.Command]]:
    """Every command and what is typed for it."""
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = import_module(f"bench.cli.{name}").command
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", one) for sub, one in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_a_command_that_needs_something_has_an_example_that_parses(name: str, command: click.Command) -> None:
    needs = [one for one in command.params if one.required]
    example = command.epilog or ""
    if needs:
        assert example.startswith(f"{EXAMPLE}bench {name} ")
    if example:
        words = example.removeprefix(f"{EXAMPLE}bench {name} ").replace("'Galaxy S24'", "Galaxy").split()
        command.make_context(name, words, parent=click.Context(cli, info_name="bench"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: package.run("nope.onnx"), "run --model nope.onnx"),
        (lambda: package.run("shufflenetv2", "x"), "run --model shufflenetv2 --backend x"),
        (lambda: package.ab("a", "b"), "ab a b"),
        (lambda: package.profile("nope.onnx"), "profile nope.onnx"),
        (lambda: package.inspect("nope"), "inspect nope"),
        (lambda: package.load("nope.csv"), "show nope.csv"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_python_says_what_the_command_says(bench: Bench, call: Callable[[], object], words: str) -> None:
    with pytest.raises(package.BenchError) as caught:
        call()
    result: subprocess.CompletedProcess[str] = bench(*words.split())
    assert one_line_error(result) == f"error: {caught.value.message}\nhint: {caught.value.hint}\n"


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md", "docs/cli.md"])
def test_every_page_has_the_exit_codes_that_help_has(page: str) -> None:
    words = ("all is well, 1", "answer is not", "2 ", "an error", "3 ", "undecided or unfinished")
    codes = re.compile("0 (where )?" + ".*?".join(words))
    for text in (cli.help or "", Path(__file__).parents[2].joinpath(page).read_text()):
        (found,) = codes.finditer(" ".join(text.split()))
        assert len(found.group()) < 250


def test_a_fleet_without_devices_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.transport import dask

    class Connection:
        def close(self, timeout: float) -> None: ...

    monkeypatch.setattr(dask, "client", lambda *arguments: Connection())
    monkeypatch.setattr(dask, "devices", lambda connection: {})
    asked = ["targets", "status", "tcp://scheduler:8786"]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("no device is there: ")
    assert CliRunner().invoke(cli, [*asked, "--format", "json"]).stdout == "[]\n"
