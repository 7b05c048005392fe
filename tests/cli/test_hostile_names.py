"""A model's name that would run, recolour, hide or overflow, through the commands that print names, in every format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from bench.cli.compare import command as compare
from bench.cli.history import command as history
from bench.cli.inspect import command as inspect
from bench.cli.show import command as show
from bench.export.graph_of import graph_of
from bench.plan.case import Network
from bench.plan.zoo import resolve
from bench.rows import file as records
from bench.rows import schema
from tests.conftest import Bench, tiny_model
from tests.rows.rows import row, write

SCRIPT = "<script>alert(1)</script>.onnx"  # the slash ends a folder's name
FORMULA = "=cmd|' /C calc'!A0.onnx"
CLEAR = "\x1b[2J\x9b31m.onnx"
BREAK = "two\nlines\t.onnx"
MARKUP = "[/red]:smile:`@someone`.onnx"
BIDI = "a\u202egnp.onnx"
FILES = (SCRIPT, FORMULA, CLEAR, BREAK, MARKUP, BIDI)
LONG = "n" * 10_000
NIGHTS = 14


def harmless(text: str) -> None:
    """Assert that a text moves no cursor and turns no direction."""
    assert all(c.isprintable() or c == "\n" for c in text), {c for c in text if not c.isprintable()}


def no_formula(text: str) -> None:
    for cells in csv.reader(io.StringIO(text)):
        assert not [cell for cell in cells if cell[:1] in "=+-@" and cell[1:] and not _number(cell)]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of rows of hostile names, the second slower, and a file of nights."""
    folder = tmp_path_factory.mktemp("night")
    for number in range(NIGHTS):
        for model in (*FILES, LONG):
            moved = 1.2 if model != LONG and number >= NIGHTS / 2 else 1.0
            one = row(5.0 * moved * (1 + number / 1e4), model=model, run_id=f"=run{number}", backend="=fake")
            one = schema.Row(**vars(one) | {"started_at": f"2026-03-{number + 1:02}T00:00:00+00:00"})
            write(folder / ("base" if number < NIGHTS / 2 else "new") / f"{number}.csv", [one])
    return folder


def invoke(command: object, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code in (0, 3), result.output
    harmless(result.output)
    return result.stdout


def printed(text: str, format: str) -> None:
    """Assert what each format owes to a reader, whichever command printed it."""
    if format == "markdown":
        assert "<script" not in text
        assert "@someone" not in text
    elif format == "json":
        json.loads(text)
    elif format == "csv":
        no_formula(text)
        assert "'=cmd" in text


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_compare(night: Path, format: str) -> None:
    text = invoke(compare, night / "base", night / "new", "--job-sd", "1%", "--format", format)
    printed(text, format)
    if format == "json":
        names = {case["case"] for case in json.loads(text)["cases"]}
        assert f"{FORMULA} on =fake" in names
        assert f"{LONG} on =fake" in names
    if format == "table":
        assert "[/red]:smile:" in text
        assert "n" * 100 in text
        assert len(text) < 30_000


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_history(night: Path, format: str) -> None:
    pytest.importorskip("ruptures")
    text = invoke(history, night, "--reference", f"{LONG}@=fake", "--format", format)
    printed(text, format)


@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_show(night: Path, format: str) -> None:
    text = invoke(show, night, "--group", "family", "--format", format)
    printed(text, format)
    if format == "table":
        assert max(map(len, text.splitlines())) <= 100


def test_run_and_inspect(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate(FILES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        onnx.save(tiny_model(seed), tmp_path / name)
    models = [part for name in FILES for part in ("--model", name)]
    measured = ("--backend", "fake", "--launches", "1", "--budget", "0.3", "--output", "r.csv")
    first = bench("run", *models, *measured)
    harmless(first.stdout + first.stderr)
    assert "Traceback" not in first.stderr
    rows = records.read(tmp_path / "r.csv")
    assert len(rows) == len(FILES), first.stderr
    assert {r.model for r in rows} >= {SCRIPT, FORMULA, MARKUP}
    assert all(r.status in schema.MEASURED for r in rows), first.stdout
    no_formula((tmp_path / "r.csv").read_text())
    again = bench("run", *models, *measured, "--resume", "--format", "csv")
    assert f"{len(FILES)} of {len(FILES)} cases measured already" in again.stderr
    harmless(again.stdout + again.stderr)
    no_formula(again.stdout)
    for name in FILES:
        found = graph_of(Network(resolve(str(tmp_path / name))))  # read in a process once, printed three times
        monkeypatch.setattr("bench.export.graph_of.graph_of", lambda *_, found=found, **__: found)
        for format in ("table", "csv", "json"):
            invoke(inspect, tmp_path / name, "--format", format)


def test_errors_quote_without_harm(bench: Bench) -> None:
    for arguments in (("\x1b[2Jfrob",), ("run", "--model", "\x1b[2J" + LONG), ("run", "--threads", "\x1b[2J")):
        result = bench(*arguments)
        assert result.returncode == 2
        harmless(result.stdout + result.stderr)
        assert "Traceback" not in result.stderr
        assert len(result.stderr) < 2000
