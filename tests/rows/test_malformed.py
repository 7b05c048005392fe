"""Malformed result files through every command that reads rows: no traceback, no row lost, none doubled."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.errors import BenchError
from bench.cli.compare import command as compare
from bench.cli.history import command as history
from bench.cli.rank import command as rank
from bench.cli.report import command as report
from bench.cli.show import command as show
from bench.rows import file as records
from bench.rows.schema import COLUMNS, SCHEMA_VERSION
from tests.rows.field import Cells, job, put, slower, text

COMMANDS = (
    (show, "--all"),
    (compare, "{base}", "--gate", "5%"),
    (history, "--reference", "squeezenet:version=1.1"),
    (rank,),
    (report, "--output", "{page}"),
)
# What may stand in a cell of text: it is a text, and harmless.
TEXTS = ("=1+1", "@SUM(A1)", "\x1b[31mred", "<script>", "a\nb", "a,b", '"', "x" * 100_000, "‮x", "NaN", "-1", "'=x")


def call(command: Any, *arguments: object) -> int:
    """Run a command; an error for a person is a line, and anything else is raised here."""
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, BenchError | SystemExit):
        raise result.exception
    return result.exit_code


def through_all(tmp_path: Path, folder: Path) -> None:
    base = put(tmp_path / "base.csv", text([one for i in range(4) for one in job(f"b{i}", i)]))
    for command, *options in COMMANDS:
        call(command, *((base,) if command is compare else ()), folder, *(
            str(o).format(base=base, page=tmp_path / "p.html") for o in options if o != "{base}"
        ))  # fmt: skip


@pytest.mark.parametrize("value", TEXTS, ids=range(len(TEXTS)))
def test_any_text_is_a_text(tmp_path: Path, value: str) -> None:
    rows = [one | {"error": value, "os": value, "exporter": value} for i in range(3) for one in job(f"n{i}", i)]
    rows[0]["model"] = value
    put(tmp_path / "rows" / "r.csv", text(rows))
    assert len(records.read(tmp_path / "rows" / "r.csv")) == 9
    through_all(tmp_path, tmp_path / "rows")


def mutations(rng: random.Random) -> list[Callable[[Cells], str]]:
    """Ways to make one row no row; each returns what its line is."""

    def changed(column: str, value: str) -> Callable[[Cells], str]:
        return lambda one: text([one | {column: value}]).partition("\n")[2]

    whole = rng.choice(("threads", "batch", "resolution", "macs", "launches", "schema_version"))
    return [
        changed("latency_ms", rng.choice(["abc", "1,5", "--3", "0x10", "", "nan", "inf", "-1", "0", "1e999", "٣x"])),
        changed(whole, rng.choice(["1.5", "many", "1e400", "0x1", "9" * 5000 + "x"])),
        changed("status", rng.choice(["", "OK!", "ok ok", "\x00"])),
        changed("schema_version", rng.choice([str(SCHEMA_VERSION + 1), "99", "1e9", "two", "-"])),
        lambda one: text([one]).partition("\n")[2].rstrip("\n")[: -rng.randrange(2, 150)] + "\n",
        lambda one: '"' + text([one]).partition("\n")[2],
        lambda one: text([one]).partition("\n")[2].replace(",", ",,", 1),
        lambda one: "\x00\x01\x02\n",
        lambda one: "x" * 200_000 + "\n",
        lambda one: '"' + "y" * 200_000 + "\n",
    ]


@pytest.mark.parametrize("seed", range(12))
def test_bad_rows_among_good_ones(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kept = 0
    for n in range(3):
        lines = [",".join(COLUMNS) + "\n"]
        for i in range(4):
            for one in job(f"n{n}{i}", 4 * n + i, slower(1 + 0.1 * n)):
                lines.append(text([one]).partition("\n")[2])
                kept += 1
                if rng.random() < 0.4:
                    lines.append(rng.choice(mutations(rng))(one))
        put(tmp_path / "rows" / f"{n}.csv", "".join(lines))
    told: list[str] = []
    read = [one for path in sorted((tmp_path / "rows").glob("*.csv")) for one in records.read(path, told.append)]
    shown = json.loads(CliRunner().invoke(show, [str(tmp_path / "rows"), "--all", "--format", "json"]).stdout)
    assert len(read) == shown["found"] == kept
    assert {(one.run_id, one.model) for one in read} == {(one["run_id"], one["model"]) for one in shown["rows"]}
    assert len({(one.run_id, one.model) for one in read}) == kept
    assert sum("left out" in note for note in shown["notes"]) > 0
    through_all(tmp_path, tmp_path / "rows")


ALL = ("--all", "--format", "csv")


@pytest.mark.parametrize("seed", range(6))
def test_noise(tmp_path: Path, seed: int) -> None:
    """Bytes changed at random: nothing is raised, and both readers read the same, but numbers that `show` leaves."""
    rng = random.Random(seed)
    data = bytearray(text([one for i in range(5) for one in job(f"n{i}", i)]).encode())
    for _ in range(rng.choice([1, 5, 30])):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    path = put(tmp_path / "rows" / "r.csv", bytes(data))
    through_all(tmp_path, tmp_path / "rows")
    notes: list[str] = []
    try:
        read = len(records.read(path, notes.append))
    except BenchError:
        return
    shown = len(list(csv.DictReader(io.StringIO(CliRunner().invoke(show, [str(path), *ALL]).stdout))))
    assert read <= shown <= read + sum("which is no number" in note for note in notes)
