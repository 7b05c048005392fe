"""Rows of mode throughput stand in no comparison of latencies, whoever compares.

Each test has rows of one network in both modes, whose numbers are far apart: mixed, they could not be told as below.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.base.errors import OutputError
from bench.cli import compare as compare_command
from bench.cli import history as history_command
from bench.cli import rank as rank_command
from bench.cli import show as show_command
from bench.findings import ranked, ranks
from bench.report.html.data import gather
from bench.rows import file
from bench.rows.across import across
from bench.rows.frame import load
from bench.rows.history import history
from bench.rows.identity import label, labels
from bench.rows.reference import relative
from bench.rows.schema import Row
from bench.rows.sides import Options, compare
from tests.rows.rows import row, write

NIGHTS = 12


def rate(per_s: float | None = 40.0, half: float = 0.01, **changed: Any) -> Row:
    """A row of mode throughput."""
    ends = (
        {}
        if per_s is None
        else {"throughput": per_s, "throughput_lo": per_s * (1 - half), "throughput_hi": per_s * (1 + half)}
    )
    return row(None, mode="throughput", streams_effective=2, **ends | changed)


def series(path: Path, times: float = 1.0, nights: int = NIGHTS, **changed: Any) -> Path:
    """Nights of a network in both modes, the throughput divided by `times`, and of another one."""
    rows = []
    for night in range(nights):
        job = {"run_id": f"{path.stem}{night}", "started_at": f"2026-03-{night + 1:02}T00:00:00+00:00"} | changed
        wobble = math.exp(0.004 * math.sin(night))
        rows += [row(5.0 * wobble, **job), rate(40.0 / wobble / times, **job), row(2.0, model="anchor", **job)]
    return write(path, rows)


def said(command: Any, *arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(command.command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def test_whoever_reads_rows_has_latencies_unless_they_ask(tmp_path: Path) -> None:
    path = str(series(tmp_path / "r.csv", nights=2))
    found = load([path])
    assert set(found.frame["mode"].astype(str)) == {"latency"}
    assert found.frame["latency_ms"].notna().all()
    assert "left out: 2 rows of mode throughput; `bench show` and `bench compare BASE NEW` read them" in found.notes
    both = load([path], rates=True)
    assert (len(found.frame), len(both.frame)) == (4, 6)
    assert not [note for note in both.notes if "throughput" in note]


def test_rows_of_throughput_alone_are_a_line(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [rate()])
    with pytest.raises(OutputError, match=r"all rows in .* are of mode throughput"):
        load([str(tmp_path / "r.csv")])


def test_an_ok_row_has_the_number_of_its_mode(tmp_path: Path) -> None:
    """Both readers: the one that takes files whole, and the one that takes them line by line."""
    path = write(tmp_path / "r.csv", [rate(), row(3.0, mode="throughput"), row(None, throughput=5.0), row(4.0)])
    found = load([str(path)], rates=True)
    assert len(found.frame) == 2
    assert any("line 3: status 'ok', throughput None" in note for note in found.notes)
    assert any("line 4: status 'ok', latency_ms None" in note for note in found.notes)
    notes: list[str] = []
    assert [one.mode for one in file.read(path, notes.append)] == ["throughput", "latency"]
    assert len(notes) == 2


def test_rows_written_before_there_were_modes_are_latencies(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [row()])
    table = [line.split(",") for line in path.read_text().splitlines()]
    at = [i for i, name in enumerate(table[0]) if name not in ("mode", "streams", "streams_effective")]
    path.write_text("\n".join(",".join(line[i] for i in at) for line in table) + "\n")
    (one,) = file.read(path)
    assert (one.mode, one.streams) == ("latency", None)
    assert list(load([str(path)]).frame["mode"].astype(str)) == ["latency"]


def test_a_case_is_never_named_like_one_of_the_other_mode() -> None:
    told = {"model": "net", "backend": "ov", "threads": "1", "batch": "8", "mode": "throughput", "streams": "4"}
    assert label(told) == "net on ov batch=8 mode=throughput streams=4"
    assert labels([told | {"streams": ""}, told | {"mode": "latency", "streams": ""}]) == [
        "net on ov batch=8 mode=throughput",
        "net on ov batch=8",
    ]


def test_compare_holds_each_mode_against_itself(tmp_path: Path) -> None:
    base, new = (load([str(series(tmp_path / f"{n}.csv", t))], rates=True) for n, t in (("base", 1.0), ("new", 1.3)))
    found = compare(base, new, Options(job_sd=0.005))
    told = {case.case: (case.verdict, round(case.ratio, 3)) for case in found.cases}
    assert told == {
        "net on onnxruntime": ("equivalent", 1.0),
        "net on onnxruntime mode=throughput": ("slower", 1.3),
        "anchor on onnxruntime": ("equivalent", 1.0),
    }
    (mean,) = found.backends  # of the two cases of latency: one case of throughput has no mean
    assert (mean.case, mean.verdict) == ("geometric mean of 2 cases", "equivalent")
    assert any("those of the time per sample" in note for note in found.notes)


def test_compare_tells_samples_per_second(tmp_path: Path) -> None:
    base, new = series(tmp_path / "base.csv"), series(tmp_path / "new.csv", 1.3)
    sides = (compare_command, base, new, "--job-sd", "0.5%")
    cases = {case["case"]: case for case in json.loads(said(*sides, "--format", "json"))["cases"]}
    one, other = cases["net on onnxruntime mode=throughput"], cases["net on onnxruntime"]
    assert (one["base_ms"], one["new_ms"], other["base_per_s"]) == (None, None, None)
    assert one["base_per_s"] == pytest.approx(40, rel=0.01)
    assert one["new_per_s"] == pytest.approx(40 / 1.3, rel=0.01)
    assert other["base_ms"] == pytest.approx(5, rel=0.01)
    line = next(line for line in said(*sides).splitlines() if "mode=throughput" in line)
    assert "/s" in line
    assert "slower" in line
    said(*sides, "--gate", "5%", code=1)
    divided = json.loads(said(*sides, "--reference", "anchor", "--format", "json"))["cases"]
    assert [case["case"] for case in divided] == ["net on onnxruntime"]


def test_history_across_and_a_reference_have_latencies_alone(tmp_path: Path) -> None:
    pytest.importorskip("ruptures")
    jump = series(tmp_path / "a.csv")
    rows = [one for one in file.read(jump) if one.mode == "latency"]
    rows += [rate(40.0 if i < 6 else 20.0, run_id=f"a{i}", started_at=f"2026-03-{i + 1:02}") for i in range(NIGHTS)]
    path = write(tmp_path / "b.csv", rows)
    found = history(load([str(path)]), "anchor")
    assert (found.moved, found.series) == ((), 1)
    assert json.loads(said(history_command, path, "--reference", "anchor", "--format", "json"))["series"] == 1
    second = write(tmp_path / "c.csv", file.read(series(tmp_path / "d.csv", target="board")))
    beside = across(load([str(jump), str(second)]), "target", 0.03)
    assert sorted(case.case for case in beside.cases) == ["anchor on onnxruntime", "net on onnxruntime"]
    assert all(case.a_ms < 10 for case in beside.cases)
    assert set(relative(load([str(jump)]), "anchor").frame["model"].astype(str)) == {"net"}


def test_ranks_and_the_report_have_latencies_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(3.0 + i, model=f"net{i}") for i in range(3)] + [rate(900.0 - i, model=f"net{i}") for i in range(3)]
    path = str(write(tmp_path / "r.csv", rows))
    monkeypatch.setattr(ranked, "_counts", lambda one: (None, None))
    (networks,) = ranks.analyse(load([path])).settings.values()
    assert sorted(network.latency_ms for network in networks) == [3.0, 4.0, 5.0]
    said(rank_command, path)
    data = gather([path])
    assert [one.latency_ms for one in data.cases.rows] == [3.0, 4.0, 5.0]
    assert any("3 rows of mode throughput" in note for note in data.notes)


def test_show_has_both_and_draws_one_scale(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [row(5.0), rate(40.0, 0.1), rate(80.0, 0.1, model="fast")])
    lines = said(show_command, path).splitlines()
    assert "mode" in lines[0]
    assert "0 to 5.05 ms" in lines[0]
    assert [("█" in line, "throughput" in line) for line in lines[1:4]] == [(True, False), (False, True), (False, True)]
    alone = said(show_command, path, "--where", "mode=throughput", "--sort", "throughput", "--reverse").splitlines()
    assert "samples/s" in alone[0]
    assert " ms" not in alone[0]
    assert "0 to 88 samples/s" in alone[0]
    assert alone[1].split()[0] == "fast"
    assert "±" in alone[0]
    assert "10.0%" in alone[1]
    rows = json.loads(said(show_command, path, "--format", "json"))["rows"]
    assert {(one["mode"], one["latency_ms"], one["throughput"]) for one in rows} == {
        ("latency", 5.0, None),
        ("throughput", None, 40.0),
        ("throughput", None, 80.0),
    }


def test_one_mode_need_not_be_said(tmp_path: Path) -> None:
    assert "mode latency" not in said(show_command, write(tmp_path / "r.csv", [row(5.0), row(6.0, model="b")]))
