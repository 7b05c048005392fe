"""Help, lists and the rest of the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from bench.cli import COMMANDS, GROUPS
from bench.cli._old import translate
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


def test_help_groups_the_commands(bench: Bench) -> None:
    said = bench("--help").stdout
    places = [said.index(f"\n{group}:") for group in ("Measure", "Look", "Results", "Machine")]
    assert places == sorted(places)
    assert [group for group, commands in GROUPS.items() if not commands] == []
    for name in COMMANDS:
        assert f"\n  {name} " in said


@pytest.mark.parametrize(
    ("what", "key", "has"),
    [
        ("models", "model", "shufflenetv2"),
        ("backends", "backend", "openvino"),
        ("suites", "suite", "zoo"),
        ("columns", "column", "latency_ms"),
    ],
)
def test_lists(bench: Bench, what: str, key: str, has: str) -> None:
    found = json.loads(bench("list", what, "--format", "json").stdout)
    assert has in [record[key] for record in found]
    assert has in bench("list", what).stdout
    assert len(bench("list", what, "--format", "csv").stdout.splitlines()) == len(found) + 1


OLD = {
    ("schema", "--format", "csv"): ("list", "columns", "--format", "csv"),
    ("models", "--help"): ("list", "models", "--help"),
    ("list", "targets"): ("targets", "list"),
    ("fleet", "worker", "--help"): ("targets", "serve", "--help"),
    ("fleet", "status", "--help"): ("targets", "status", "--help"),
    ("fleet", "--help"): ("targets", "--help"),
    ("findings", "rows", "--help"): ("rank", "--help"),
    ("plot", "--help"): ("report", "--help"),
    ("explain", "--help"): ("profile", "--help"),
}


@pytest.mark.parametrize("old", OLD, ids=" ".join)
def test_an_old_name_does_the_same_and_says_the_new_one(bench: Bench, old: tuple[str, ...]) -> None:
    before, now = bench(*old), bench(*OLD[old])
    assert (before.returncode, before.stdout, now.stderr) == (0, now.stdout, "")
    (line,) = before.stderr.splitlines()
    new = " ".join(word for word in OLD[old] if word.isalpha() and word != "csv")
    assert line.startswith("`bench ")
    assert f"is now `bench {new}" in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("models", "list models --counts"),
        ("models mobilenetv1 --format csv", "list models --counts mobilenetv1 --format csv"),
        ("findings rows a.csv --top 3", "rank a.csv --top 3"),
        ("plot ranks a.csv --output x.svg", "report --chart ranks a.csv --output x.svg"),
        ("plot --output ranks ranks a.csv", "report --chart ranks --output ranks a.csv"),
        ("explain a --vs b", "profile --why a --vs b"),
        ("plot nonsense a.csv --output x.svg", "report --chart nonsense a.csv --output x.svg"),
    ],
)
def test_what_followed_an_old_name_is_kept(old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert translate(old.split()) == new.split()
    assert capsys.readouterr().err.count("\n") == 1


def test_an_option_of_a_subcommand_is_no_old_name(bench: Bench) -> None:
    assert bench("findings", "list", "--format", "csv").stderr == ""
    assert translate(["run", "--model", "plot"]) == ["run", "--model", "plot"]


def test_the_command_is_installed_as_isoflops_too() -> None:
    """Other packages on PyPI install a ``bench``, too."""
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert scripts == {"bench": "bench.__main__:main", "isoflops": "bench.__main__:main"}
    code = "import sys; sys.argv = ['/bin/isoflops', '--help']; from bench.__main__ import main; main()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("Usage: isoflops ")


def test_the_cache_is_shown_and_emptied(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    own = {"ISOFLOPS_CACHE": str(tmp_path / "own")}
    assert bench("cache", **own).stdout.startswith("0 artifacts")
    bench("run", "--model", tiny, "--backend", "fake", "--launches", 1, **own)
    assert "1 artifact, " in bench("cache", **own).stdout
    assert "removed 1 artifact, " in bench("cache", "clear", **own).stdout
    assert bench("cache", **own).stdout.startswith("0 artifacts")


def test_what_was_converted_and_installed_is_emptied_too(bench: Bench, tmp_path: Path) -> None:
    kept = [tmp_path / "own" / name for name in ("converted/a/artifact.json", "runtimes/b/bin/python")]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    bench("cache", "clear", ISOFLOPS_CACHE=str(tmp_path / "own"))
    assert not any(path.exists() for path in kept)


def test_a_reader_that_leaves_is_no_error() -> None:
    shell = f"{sys.executable} -m bench list columns --format csv | head -1"
    result = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert result.stdout.startswith("column,")
    assert "Traceback" not in result.stderr


def test_an_option_that_commands_share_is_written_once() -> None:
    """Where two commands write one, their defaults and ranges drift apart."""
    folder = Path(__file__).parents[2] / "bench" / "cli"
    found: dict[str, list[str]] = {}
    for path in folder.glob("*.py"):
        for name in re.findall(r"click\.option\(\s*f?\"(--[a-z-]+)\"", path.read_text("utf-8")):
            found.setdefault(name, []).append(path.name)
    shared = {"--backend", "--threads", "--batch", "--resolution", "--shape", "--launches", "--timeout", "--seed",
              "--format", "--margin", "--inferences", "--budget"}  # fmt: skip
    elsewhere = {name: sorted(set(found[name]) - {"options.py"}) for name in shared & set(found)}
    assert {name: files for name, files in elsewhere.items() if files} == {
        "--resolution": ["run.py"],
        "--format": ["profile.py"],
        "--threads": ["findings.py"],  # a number, or all
    }


def test_no_default_is_typed_a_second_time_in_a_help_text() -> None:
    for path in (Path(__file__).parents[2] / "bench" / "cli").glob("*.py"):
        assert re.findall(r"\[default: [0-9].*", path.read_text("utf-8")) == [], path.name
