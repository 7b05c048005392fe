from __future__ import annotations

import csv
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base.errors import OutputError
from bench.rows import file as records
from bench.rows import schema
from bench.rows.schema import COLUMNS, Row

ROW = Row(status="ok", model="shufflenetv2", backend="openvino", latency_ms=3.5, samples=240, parity_top1=True)


def test_a_row_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    records.prepare(path)
    records.append(path, ROW)
    records.append(path, Row(status="crashed", model='a,b\n"c"', backend="x", error="line one\nline two"))
    first, second = records.read(path)
    assert first == ROW
    assert second.model == 'a,b "c"'
    assert second.error == "line one line two"
    assert second.latency_ms is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("r") / "r.csv"
    records.append(path, Row(status="ok", model=text, backend="b"))
    with path.open(newline="", encoding="utf-8") as handle:
        header, line = list(csv.reader(handle))
    assert len(header) == len(line) == len(COLUMNS)


def _append(path: Path, n: int) -> None:
    for _ in range(n):
        records.append(path, ROW)
        records.append_samples(path, [{"latency_ns": [1, 2]}])


def test_processes_append_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append, args=(path, 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert records.read(path) == [ROW] * 60
    assert len(list(records.read_samples(path))) == 60


def test_a_write_that_was_cut_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    records.append_samples(path, [{"a": 1}])
    records.append_samples(path, [{"a": 2}])
    raw = records.samples_path(path)
    raw.write_bytes(raw.read_bytes()[:-5])
    records.append_samples(path, [{"a": 3}])
    assert list(records.read_samples(path)) == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize(
    ("name", "content"), [("r.txt", ""), ("r.csv", "a,b,c\n1,2,3\n"), ("missing/../no.csv/r.csv", None)]
)
def test_a_wrong_output_is_refused_before_anything_runs(tmp_path: Path, name: str, content: str | None) -> None:
    path = tmp_path / name
    if content is None:
        (tmp_path / "no.csv").write_text("")
        path = tmp_path / "no.csv" / "r.csv"
    else:
        path.write_text(content)
    with pytest.raises(OutputError):
        records.prepare(path)


def test_a_file_of_something_else_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(OutputError, match="no result rows"):
        records.read(path)
    records.append(tmp_path / "s.csv", ROW)
    broken = (tmp_path / "s.csv").read_text().replace("240", "many")
    (tmp_path / "s.csv").write_text(broken)
    with pytest.raises(OutputError, match="line 2: samples is 'many'"):
        records.read(tmp_path / "s.csv")


def test_the_schema_tells_every_column() -> None:
    described = schema.schema()
    assert [row["column"] for row in described] == list(COLUMNS)
    assert all(row["meaning"] for row in described)
    assert all(row["unit"] for row in described if row["column"].endswith(("_ms", "_mb", "_s")))
    wanted = (
        "run_id started_at status model backend backend_version device precision precision_effective threads "
        "threads_effective batch resolution target arch cpu microarchitecture macs flops params latency_ms "
        "latency_lo_ms latency_hi_ms p50_ms p90_ms p99_ms min_ms first_ms load_ms import_ms peak_rss_mb gmacs_per_s "
        "samples launches parity_rel_l2 artifact_sha256 seed schema_version error"
    )
    assert set(wanted.split()) <= set(COLUMNS)
