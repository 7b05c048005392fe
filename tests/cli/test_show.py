"""`bench show` as a person meets it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.cli.show import command as show
from tests.conftest import Bench, one_line_error
from tests.rows.rows import row, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = [row(5.0, model="slow"), row(2.0, model="fast", status="noisy", error="busy"), row(1.0, target="arm")]
    return write(tmp_path / "r.csv", rows)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(show, [str(a) for a in arguments], catch_exceptions=False)


def test_csv_and_json_have_the_same_rows_in_the_same_order(path: Path) -> None:
    asked = (path, "--where", "target=local", "--reverse")
    result = run(*asked, "--format", "csv")
    table = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [r["model"] for r in table] == ["slow", "fast"]
    assert "2 of 3 rows; left out: 1 by --where" in result.stderr
    found = json.loads(run(*asked, "--format", "json").stdout)
    assert [r["latency_ms"] for r in found["rows"]] == [5, 2]
    assert found["rows"][0]["macs"] == 10**9
    assert found["rows"][0]["error"] is None
    assert found["left_out"] == ["1 by --where"]
    assert found["machines"] == ["EPYC (family=25 model=1)"]
    assert "onnxruntime 1.0" in found["versions"]


def test_json_gives_every_column_the_type_that_a_row_has(tmp_path: Path) -> None:
    """`run --format json` prints rows: what names a case is a number there, too."""
    one = row(5.0, threads=2, batch=8, resolution=160, pace_ms=33.5, model="true")
    (shown,) = json.loads(run(write(tmp_path / "r.csv", [one]), "--format", "json").stdout)["rows"]
    told = {name: value for name, value in shown.items() if hasattr(one, name) and value is not None}
    assert {"threads", "batch", "resolution", "pace_ms", "macs", "launches", "latency_ms", "model"} <= set(told)
    assert {name: (type(value), value) for name, value in told.items()} == {
        name: (type(getattr(one, name)), getattr(one, name)) for name in told
    }


def test_a_pace_that_is_no_number_costs_its_own_row(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [row(5.0, pace_ms=33.5), row(5.0)])
    path.write_text(path.read_text().replace("33.5", "often"))
    found = json.loads(run(path, "--format", "json").stdout)
    assert len(found["rows"]) == 1
    assert "line 2: pace_ms is 'often', which is no number" in found["notes"][0]


def test_a_terminal_cuts_a_long_remark_and_json_does_not(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [row()])
    for i in range(60):
        (tmp_path / f"{'other' * 9}{i:02}.csv").write_text("a,b\n")
    said = " ".join(run(tmp_path).stdout.split())
    assert "no result rows (60 files)" in said
    assert "59.csv" not in said
    assert "59.csv" in json.loads(run(tmp_path, "--format", "json").stdout)["notes"][0]
    assert "59.csv" in run(tmp_path, "--format", "csv").stderr


def test_any_column_sorts(path: Path) -> None:
    head, first, *_ = run(path, "--sort", "launches", "--where", "model=slow").stdout.splitlines()
    assert "launches" in head
    assert " 8 " in first
    assert "no row has p99_ms" in run(path, "--sort", "p99_ms").stdout


def terminal(path: Path, **environment: str) -> str:
    """What a person sees: the command on a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bench", "show", str(path)]
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(command, stdout=theirs, env=env | environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait() == 0
    return said.decode()


def test_colour_is_for_terminals_that_want_it(path: Path) -> None:
    assert "\x1b[" in terminal(path)
    assert "\x1b[" not in terminal(path, NO_COLOR="1")
    assert "\x1b[" not in run(path).stdout


def test_an_output_without_unicode_gets_plain_signs(bench: Bench, path: Path) -> None:
    result = bench("show", path, PYTHONIOENCODING="ascii", COLUMNS="80")
    assert result.returncode == 0, result.stderr
    assert "###" in result.stdout
    assert result.stdout.isascii()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "missing.csv"), "no result files"),
        (("show", "r.csv", "--sort", "speed"), "no column named 'speed'"),
        (("show", "r.csv", "--group", "latency"), "every row has its own"),
        (("show", "r.csv", "--where", "fast"), "'fast' is no filter"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = bench(*arguments)
    assert says in one_line_error(result)
    assert result.returncode == 2
