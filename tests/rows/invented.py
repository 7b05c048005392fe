"""What every command makes of a setting that this program does not have: run by `test_invented` on a changed copy.

``python -m tests.rows.invented FOLDER``: asserts, and leaves with 0. A paragraph for each command.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import click
from click.testing import CliRunner

import bench
from bench.cli import ab, compare, history, rank, run, show
from bench.findings import ranked as networks
from bench.findings.ranks import analyse
from bench.measure.cases import case
from bench.plan.case import Plan
from bench.plan.protocol import Protocol
from bench.plan.target import ANY
from bench.report.html.data import gather
from bench.rows import file
from bench.rows.frame import load
from bench.rows.identity import finished
from bench.rows.schema import COLUMNS, Row
from tests.rows.rows import row, write

NIGHTS = 16
QUICK = ("--launches", "3", "--budget", "2")


def said(command: click.Command, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, (arguments, result.output)
    return str(result.output)


def series(path: Path, first: int) -> Path:
    """Nights of a case with either value, three times as slow with 7; `first` comes first in every night."""
    rows: list[Row] = []
    for night in range(NIGHTS):
        job = {"run_id": f"{path.stem}{night}", "started_at": (date(2026, 1, 1) + timedelta(days=night)).isoformat()}
        noise = math.exp(0.003 * math.sin(1.7 * night))
        rows.append(row(2.0, model="anchor", invented=0, **job))
        rows += [row(5.0 * noise * (3 if value else 1), invented=value, **job) for value in (first, 7 - first)]
    return write(path, rows)


def main(folder: Path) -> None:
    assert Path(bench.__file__).is_relative_to(folder), "not the changed copy"
    assert "invented" in COLUMNS
    tiny = folder / "tiny.onnx"

    suite, out = folder / "two.toml", folder / "run.csv"
    said(run.command, "--model", tiny, "--backend", "fake", *QUICK, "--output", out)
    suite.write_text(f'title = "two"\nmodels = ["{tiny}"]\nbackends = ["fake"]\nreference = "{tiny}@fake@invented=7"\n')
    table = said(run.command, "--suite", suite, *QUICK, "--output", out, "--resume")
    assert "1 of 2 cases measured already" in table
    assert "invented" in table
    assert [one.invented for one in file.read(out)] == [0, 7]
    assert len({one.case_id for one in file.read(out)}) == 2
    assert "2 of 2 cases measured already" in said(run.command, "--suite", suite, "--output", out, "--resume")

    sides = (f"{tiny}@fake", f"{tiny}@fake@invented=7")
    paired = said(ab.command, *sides, "--pairs", 5, "--output", folder / "ab.csv")
    assert f"{tiny} on fake invented=7" in paired
    assert {sample["b"]["invented"] for sample in file.read_samples(folder / "ab.csv")} == {7}
    assert all("invented" not in sample["a"] for sample in file.read_samples(folder / "ab.csv"))

    base, new = series(folder / "base.csv", 0), series(folder / "new.csv", 7)
    told = json.loads(said(compare.command, base, new, "--gate", "5%", "--job-sd", "0.5%", "--format", "json"))
    assert {c["case"]: c["verdict"] for c in told["cases"]} == {
        "anchor on onnxruntime": "equivalent",
        "net on onnxruntime invented=0": "equivalent",
        "net on onnxruntime invented=7": "equivalent",
    }
    divided = said(compare.command, base, new, "--reference", "net@onnxruntime@invented=7", "--format", "json")
    assert {c["case"]: round(c["base_ms"], 2) for c in json.loads(divided)["cases"]} == {
        "anchor on onnxruntime": 0.13,
        "net on onnxruntime": 0.33,
    }

    moved = json.loads(said(history.command, base, new, "--reference", "anchor", "--format", "json"))
    assert (moved["moved"], moved["series"]) == ([], 2)
    anchored = said(history.command, base, "--reference", "net@invented=7", "--format", "json")
    assert json.loads(anchored)["reference"] == "net on onnxruntime invented=7"

    shown = json.loads(said(show.command, base, new, "--format", "json"))["rows"]
    assert sorted((one["model"], one["invented"]) for one in shown) == [("anchor", 0), ("net", 0), ("net", 7)]
    assert "invented" in said(show.command, base).splitlines()[0]

    data = gather([str(base), str(new)])
    assert len(data.cases.rows) == 3
    assert len({row.setting for row in data.cases.rows if row.model == "net"}) == 2
    assert all(max(one.ms) / min(one.ms) < 1.05 for one in data.nights.series), "a zigzag"
    assert len(data.nights.series) == 3

    networks._counts = lambda one: (None, None)  # type: ignore[assignment]  # nothing is exported here
    ranked = folder / "ranked.csv"
    write(ranked, [row(3.0 + i + value, model=f"net{i}", invented=value) for value in (0, 7) for i in range(3)])
    assert sorted(analyse(load([str(ranked)])).settings) == ["invented=0", "invented=7"]
    said(rank.command, ranked)

    cases = [replace(case(f"{tiny}@fake@invented={value}"), target=ANY) for value in (0, 7)]
    plan = Plan(tuple(cases), Protocol())
    done = row(case_id=replace(cases[1], target="board3").id, target="board3", seed=0, invented=7)
    assert list(finished([done], plan)) == [cases[1].id]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
