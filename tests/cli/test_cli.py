"""Help, lists and the rest of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from bench.cli import COMMANDS
from tests.conftest import Bench, one_line_error


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from bench.cli import cli
cli.main(["--help"], standalone_mode=False)
heavy = {"torch", "onnx", "onnxruntime", "openvino", "numpy", "scipy", "pandas", "rich", "psutil", "archspec"}
print(sorted(heavy & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_summary_that_help_shows(bench: Bench, name: str) -> None:
    command = import_module(f"bench.cli.{name}").command
    assert command.name == name
    assert command.help
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name]
    assert bench(name, "--help").returncode == 0


def test_an_unknown_command_is_one_line(bench: Bench) -> None:
    result = bench("rnu")
    assert "did you mean run" in one_line_error(result)
    assert result.returncode == 2


@pytest.mark.parametrize(("what", "has"), [("models", "shufflenetv2"), ("backends", "openvino"), ("targets", "local")])
def test_lists(bench: Bench, what: str, has: str) -> None:
    found = json.loads(bench("list", what, "--format", "json").stdout)
    assert has in [record[what[:-1]] for record in found]
    assert has in bench("list", what).stdout
    assert len(bench("list", what, "--format", "csv").stdout.splitlines()) == len(found) + 1


def test_the_cache_is_shown_and_emptied(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    own = {"ISOFLOPS_CACHE": str(tmp_path / "own")}
    assert bench("cache", **own).stdout.startswith("0 artifacts")
    bench("run", "--model", tiny, "--backend", "fake", "--launches", 1, **own)
    assert bench("cache", **own).stdout.startswith("1 artifacts")
    assert "removed 1 artifacts" in bench("cache", "clear", **own).stdout
    assert bench("cache", **own).stdout.startswith("0 artifacts")


def test_a_reader_that_leaves_is_no_error() -> None:
    shell = f"{sys.executable} -m bench schema --format csv | head -1"
    result = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert result.stdout.startswith("column,")
    assert "Traceback" not in result.stderr
