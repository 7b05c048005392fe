"""What a stranger tripped over: rows that were edited, defaults that were none, hints that named something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan import suite
from bench.rows import file as records
from bench.rows.cells import cell
from bench.rows.reasons import reasons
from bench.rows.schema import COLUMNS, Row
from bench.rows.seal import SEAL, seal
from tests.conftest import Bench, one_line_error
from tests.rows.rows import row, write

FAST = ("--launches", "2", "--budget", "0.5")


@pytest.fixture
def measured(bench: Bench, tiny: Path, tmp_path: Path) -> Row:
    result = bench("run", "--model", tiny, "--backend", "fake:latency_ms=2", *FAST, "--output", "rows.csv")
    assert result.returncode == 0, result.stdout
    return records.read(tmp_path / "rows.csv")[0]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"latency_lo_ms": 3.0}, "is outside its own interval, 3 to 2"),
        ({"within_hi_ms": 1.0}, "is outside its own interval"),
        ({"resolution": 64}, "not the same work: resolution 64 there"),
        ({"target": "other"}, "one of them was edited"),
        ({"threads": 2}, "one of them was edited"),
    ],
)
def test_a_row_that_was_edited_is_not_run(
    bench: Bench, measured: Row, tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    write(tmp_path / "edited.csv", [replace(measured, **changed)])
    result = bench("run", "--like", "edited.csv", *FAST, "--format", "json")
    assert result.returncode == 3, result.stdout
    assert says in result.stdout


def test_a_seal_is_held_against_its_row(bench: Bench, measured: Row, tmp_path: Path) -> None:
    cells = {name: cell(getattr(measured, name)) for name in COLUMNS}
    for latency, code in (("", 0), ("2.5", 3)):
        sealed = cells | {SEAL: seal(cells)}
        edited = sealed | ({"min_ms": latency} if latency else {})
        (tmp_path / "sealed.csv").write_text(
            ",".join(edited) + "\n" + ",".join(f'"{c}"' for c in edited.values()) + "\n"
        )
        result = bench("run", "--like", "sealed.csv", *FAST)
        assert result.returncode == code, result.stdout
        assert ("row_sha256 is not the hash" in result.stdout.replace("\n", " ")) is bool(latency)


@pytest.mark.parametrize("missing", ["threads", "latency_ms", "resolution"])
def test_a_missing_column_is_named(bench: Bench, measured: Row, tmp_path: Path, missing: str) -> None:
    names = [name for name in COLUMNS if name != missing]
    cells = [cell(getattr(measured, name)) for name in names]
    (tmp_path / "less.csv").write_text(",".join(names) + "\n" + ",".join(f'"{c}"' for c in cells) + "\n")
    assert f"has no column {missing}" in one_line_error(bench("run", "--like", "less.csv"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--model", "shufflenetv2", "--streams", "0"), "as many run at once as fill the cores"),
        (("devices", "--threads", "0"), "leave it out for every number"),
        (("ab", "shufflenetv2@fake:mode=throughput", "pplcnet@fake"), "write @mode=throughput"),
        (("ab", "shufflenetv2@fake:threads=2", "pplcnet@fake"), "write @threads=2"),
        (("devices", "--class", "fridge"), "no class named 'fridge'"),
        (("devices", "add", "rows.csv", "--name", "My Phone"), "--name My Phone is no name of a device"),
        (("findings", "show", "findings.csv"), "`bench findings run` writes NAME.jsonl beside NAME.csv"),
    ],
)
def test_a_hint_that_helps(bench: Bench, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    write(tmp_path / "rows.csv", [row()])
    said = one_line_error(bench(*arguments))
    assert says in said
    assert "1 is the default" not in said


def test_the_table_of_findings_names_its_evidence(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("")
    assert "give mine.jsonl" in one_line_error(bench("findings", "show", "mine.csv"))


@pytest.mark.parametrize("kind", ["npu", "NPU", "Small Core"])
def test_a_class_in_whatever_case(bench: Bench, kind: str) -> None:
    said = bench("devices", "--class", kind, "--format", "csv")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) > 2


def test_a_suite_says_mode_and_streams(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    text = f'models = ["{tiny}"]\nbackends = ["fake"]\nmode = "throughput"\nstreams = [1, 2]\n'
    (tmp_path / "s.toml").write_text(text)
    bench("run", "--suite", "s.toml", *FAST, "--output", "rows.csv")
    assert [(r.mode, r.streams) for r in records.read(tmp_path / "rows.csv")] == [("throughput", 1), ("throughput", 2)]
    with pytest.raises(Exception, match="mode must be latency or throughput"):
        suite.read("s", 'models = ["a"]\nmode = "fast"')
    with pytest.raises(Exception, match="streams must be a list of whole numbers"):
        suite.read("s", 'models = ["a"]\nstreams = 2')


def test_lines_name_what_cases_differ_by() -> None:
    rates = {"latency_ms": None, "mode": "throughput", "throughput": 10.0, "status": "noisy", "error": "wide"}
    rows = [row(None, streams=n, batch=8, **{k: v for k, v in rates.items() if k != "latency_ms"}) for n in (1, 2)]
    assert reasons(rows) == [
        "noisy: net on onnxruntime (streams=1): wide",
        "noisy: net on onnxruntime (streams=2): wide",
    ]
    assert reasons([row(status="noisy", error="wide", threads=2)]) == ["noisy: net on onnxruntime: wide"]


def test_the_head_of_throughput_is_whole_at_80_columns(bench: Bench, tmp_path: Path) -> None:
    rows = [
        row(
            None,
            model=model,
            mode="throughput",
            streams=streams,
            batch=batch,
            throughput=245.3,
            throughput_lo=240.0,
            throughput_hi=250.0,
        )
        for model in ("shufflenetv2", "mobilenetv3-large:width=0.75")
        for streams in (1, 2)
        for batch in (1, 8)
    ]
    write(tmp_path / "rows.csv", rows)
    head = bench("show", "rows.csv", COLUMNS="80").stdout.splitlines()[0]
    assert "…" not in head
    assert "0 to 250" in head
    assert len(head) <= 80
