"""Which rows are the same: numbers that came out wrong where a command had a rule of its own."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.base.errors import UnknownName, UsageError
from bench.cli.list import command as listing
from bench.findings.ranks import analyse
from bench.plan import zoo
from bench.plan.case import BackendRef, Case, Network, Plan, Settings
from bench.plan.grammar import parse
from bench.plan.protocol import Protocol
from bench.report.html.data import gather
from bench.rows import file, identity, schema
from bench.rows.across import across
from bench.rows.cells import cell
from bench.rows.frame import load
from bench.rows.history import history
from bench.rows.jobs import group
from bench.rows.reference import relative
from bench.rows.select import read, select
from bench.rows.sides import Options, compare
from tests.rows.rows import nights, row, write

RECORDED = Path(__file__).parents[2] / "results" / "xeon-vm-2core"
STEADY = tuple(np.linspace(-0.004, 0.004, 8))
GATE = Options(threshold=0.05, job_sd=0.005)


def day(number: int) -> str:
    return (date(2026, 1, 1) + timedelta(days=number)).isoformat()


def paced(path: Path, first: float | None, logs: tuple[float, ...] = STEADY) -> Path:
    """Nights of one network as fast as it can (5 ms) and on a schedule (15 ms); the pace `first` comes first."""
    for pace in (first, 33.0 if first is None else None):
        nights(path, [v + math.log(3) * (pace is not None) for v in logs], pace_ms=pace)
    return path


def test_every_column_has_a_role_and_the_keys_follow() -> None:
    assert {column["role"] for column in schema.schema()} == set(schema.ROLES)
    assert set(identity.case()) == {
        "model", "backend", "threads", "batch", "resolution", "shapes", "pace_ms", "precision", "mode", "streams",
        "input",
    }  # fmt: skip
    assert set(identity.machine()) == {"target", "arch", "cpu", "cpu_id"}
    assert {*identity.case(), *identity.machine(), *identity.environment(), *identity.job()} <= set(schema.COLUMNS)
    assert "columns" in listing.commands


def test_a_paced_case_is_another_case_in_whatever_order(tmp_path: Path) -> None:
    """`compare` said x3.00 slower, and tripped; `history` said x0.33; the report drew a zigzag; one pace was lost."""
    base, new = paced(tmp_path / "base.csv", None), paced(tmp_path / "new.csv", 33.0)
    found = compare(load([str(base)]), load([str(new)]), GATE)
    assert {case.case: case.verdict for case in found.cases} == {
        "net on onnxruntime": "equivalent", "net on onnxruntime pace=33ms": "equivalent"
    }  # fmt: skip
    assert found.exit_code == 0
    series = paced(tmp_path / "series.csv", None, (*STEADY,) * 3)
    nights(series, (0.0,) * 24, model="anchor")
    pytest.importorskip("ruptures")
    said = history(load([str(series)]), "anchor@onnxruntime")
    assert (said.moved, said.series) == ((), 2)
    drawn = gather([str(series)])
    assert {s.case for s in drawn.nights.series} == {
        "anchor on onnxruntime", "net on onnxruntime", "net on onnxruntime pace=33ms"
    }  # fmt: skip
    for one in drawn.nights.series:
        assert max(one.ms) / min(one.ms) < 1.02, f"{one.case} is a zigzag"
    assert len(drawn.cases.rows) == 3


def test_ranks_keep_paces_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.findings.ranked._counts", lambda one: (None, None))
    for pace in (None, 33.0):
        rows = [row(3 + i + 10 * bool(pace), model=f"net{i}", pace_ms=pace) for i in range(3)]
        write(tmp_path / "rows.csv", rows)
    found = analyse(load([str(tmp_path / "rows.csv")]))
    assert {name: [n.latency_ms for n in mine] for name, mine in found.settings.items()} == {
        "pace none": [3, 4, 5], "pace 33 ms": [13, 14, 15]
    }  # fmt: skip


def fleet(path: Path, slow: float = 1.0, cpus: tuple[str, str] = ("EPYC", "Xeon"), target: str = "") -> Path:
    """Runs of a fleet, each of two devices under one run_id; the second is `slow` times as slow, its reference not."""
    for i, value in enumerate(STEADY):
        job = {"run_id": f"{path.stem}{i}", "started_at": day(i)}
        for number, cpu in enumerate(cpus):
            where = {"cpu": cpu, "cpu_id": cpu, "target": target or f"board{number}"}
            factor = (1 + number) * math.exp(value)
            ref = row(5 * factor, model="anchor", **job, **where)
            write(path, [ref, row(8 * factor * (slow if number else 1), **job, **where)])
    return path


def test_a_fleet_under_one_run_keeps_its_devices(tmp_path: Path) -> None:
    """With +30% planted on one of two CPUs, `compare --reference` said 0.0%, passed; its rows were gone."""
    sides = [fleet(tmp_path / "base.csv"), fleet(tmp_path / "new.csv", 1.3)]
    rows = [relative(load([str(side)]), "anchor@onnxruntime") for side in sides]
    found = compare(*rows, GATE)
    assert {case.machine: case.verdict for case in found.cases} == {
        "EPYC (EPYC)": "equivalent", "Xeon (Xeon)": "slower"
    }  # fmt: skip
    assert found.exit_code == 1
    assert {case.machine: round(case.ratio, 2) for case in found.cases}["Xeon (Xeon)"] == 1.3


@pytest.mark.parametrize("axis", ["target", "cpu"])
def test_devices_of_one_run_are_no_pairs(tmp_path: Path, axis: str) -> None:
    """Two machines took no turns, whatever their run is called: the interval is that between jobs."""
    (case,) = [c for c in across(load([str(fleet(tmp_path / "r.csv"))]), axis, 0.05).cases if "anchor" in c.case]
    assert case.found.log_ratio == pytest.approx(math.log(2), abs=1e-6)
    assert case.interval[1] - case.interval[0] > 0.001  # pairs of these would agree to the last digit


def test_one_machine_is_not_corrected_by_the_reference_of_another(tmp_path: Path) -> None:
    path = fleet(tmp_path / "nights.csv", cpus=("EPYC", "EPYC"))
    for number, factor in enumerate((1.0, 1.4) * 4):  # the second board wanders, the first does not
        job = {"run_id": f"more{number}", "started_at": day(20 + number), "cpu": "EPYC", "cpu_id": "EPYC"}
        for target, by in (("board0", 1.0), ("board1", 2 * factor)):
            write(path, [row(5 * by, model="anchor", target=target, **job), row(8 * by, target=target, **job)])
    pytest.importorskip("ruptures")
    for one in gather([str(path)]).nights.series:
        if one.model == "net":
            assert max(one.ms) / min(one.ms) < 1.03, one.name


def boards(path: Path, planted: float, apart: float, number: int = 60) -> Path:
    """Nights of two boards of one CPU model that differ by up to `apart` in each case; the second moves `planted`."""
    rng = np.random.default_rng(3)
    rows = []
    offsets = rng.uniform(0, apart, 10)
    for night in range(number):
        for board in ("left", "right"):
            job = {"run_id": f"{board}{night}", "started_at": day(night), "target": board}
            speed = rng.normal(0, 0.01)
            for case, offset in enumerate(offsets):
                log = speed + rng.normal(0, 0.004) + (offset if board == "right" and case else 0.0)
                log += math.log1p(planted) * (board == "right" and case == 3 and night >= number // 2)
                rows.append(row(math.exp(log) * (3 + case), model=f"net{case}", **job))
    write_fast(path, rows)
    return path


def write_fast(path: Path, rows: list[schema.Row]) -> None:
    """Write many rows without a sync after each."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(schema.COLUMNS)
        writer.writerows([cell(getattr(one, name)) for name in schema.COLUMNS] for one in rows)


def test_what_moved_on_one_of_two_boards_is_told_of_it_alone(tmp_path: Path) -> None:
    pytest.importorskip("ruptures")
    (moved,) = history(load([str(boards(tmp_path / "r.csv", 0.15, 0.12))]), "net0@onnxruntime").moved
    assert moved.case == "net3 on onnxruntime"
    assert moved.machine == "right: EPYC (family=25 model=1)"
    assert moved.ratio == pytest.approx(1.15, rel=0.01)


def test_boards_that_differ_have_not_moved(tmp_path: Path) -> None:
    pytest.importorskip("ruptures")
    assert history(load([str(boards(tmp_path / "r.csv", 0.0, 0.12))]), "net0@onnxruntime").moved == ()


def test_a_pool_joins_targets_of_one_cpu_and_no_runs(tmp_path: Path) -> None:
    path = fleet(tmp_path / "r.csv", cpus=("EPYC", "EPYC"))
    rows = load([str(path)], pool="cpu")
    assert set(rows.frame["target"].astype(str)) == {identity.POOLED}
    (anchor,) = [jobs for key, jobs in group(rows.frame, identity.cell_of()).items() if key[0] == "anchor"]
    assert len(anchor.rows) == 2 * len(STEADY)  # two devices of a run are two jobs
    assert len(gather([str(path)], "cpu").cases.rows) == 2
    assert len(gather([str(path)]).cases.rows) == 4


def test_runs_of_a_report_are_told_by_machine(tmp_path: Path) -> None:
    runs = gather([str(fleet(tmp_path / "r.csv"))]).runs
    assert runs.found == 2 * len(STEADY)
    assert all(";" not in run.environment["cpu"] for run in runs.shown)


@pytest.mark.parametrize("written", [("224.0", "1.0", "20.0"), ("2.24e2", "1", "20")])
def test_whole_numbers_that_another_program_wrote_are_the_same(tmp_path: Path, written: tuple[str, str, str]) -> None:
    """One empty cell makes pandas write every other as 224.0: cases stopped matching, and a gate said nothing."""
    path = nights(tmp_path / "base.csv", STEADY, pace_ms=20.0)
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with (tmp_path / "new.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        for one in rows:
            one |= dict(zip(("resolution", "threads", "pace_ms"), written, strict=True))
            one |= {name: str(float(one[name]) * 1.1) for name in one if name.startswith("latency")}
            writer.writerow(one)
    found = compare(load([str(path)]), load([str(tmp_path / "new.csv")]), GATE)
    assert [case.verdict for case in found.cases] == ["slower"]
    assert found.exit_code == 1
    (typed, *_) = file.read(tmp_path / "new.csv")
    assert (typed.resolution, typed.threads, typed.pace_ms) == (224, 1, 20.0)


def test_a_large_whole_number_is_not_rounded() -> None:
    assert schema.canonical("seed", str(2**63 - 1)) == str(2**63 - 1)
    assert schema.canonical("resolution", "224.5") == "224.5"
    assert schema.canonical("model", "1e3") == "1e3"


def test_a_column_that_older_rows_lack_is_at_its_default(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [row(5.0)])
    header, line = path.read_text().splitlines()
    at = header.split(",").index("target")
    old = [",".join(part for i, part in enumerate(text.split(",")) if i != at) for text in (header, line)]
    (tmp_path / "old.csv").write_text("\n".join(old) + "\n")
    frame = load([str(tmp_path)]).frame
    assert set(frame["target"].astype(str)) == {"local"}


def test_the_newest_row_of_a_case_counts_whatever_the_order_of_files(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [row(5.0, started_at=day(9)), row(4.0, started_at=day(9), pace_ms=5.0)])
    write(tmp_path / "b.csv", [row(7.0, started_at=day(1)), row(6.0, started_at=day(1), target="other")])
    frame = load([str(tmp_path)]).frame
    assert sorted(identity.newest(frame, identity.cell_of())["latency_ms"]) == [4.0, 5.0, 6.0]
    assert sorted(select(read([str(tmp_path)], [])).frame["latency_ms"]) == [4.0, 5.0, 6.0]


def test_labels_tell_cases_apart_by_whatever_differs() -> None:
    one = dict.fromkeys(identity.cell_of(), "") | {"model": "net", "backend": "fake", "threads": "1", "batch": "1"}
    cases = [one, one | {"pace_ms": "20"}, one | {"precision": "bf16"}, one | {"resolution": "128"}]
    names = identity.labels(cases)
    assert len(set(names)) == 4
    assert names[1] == "net on fake pace=20ms"


def test_a_text_names_the_plain_case_and_says_what_it_could_mean() -> None:
    one = dict.fromkeys(identity.cell_of(), "") | {"model": "net", "backend": "fake", "threads": "1", "batch": "1"}
    cases = [one | {"pace_ms": "20"}, one, one | {"threads": "2"}, one | {"threads": "2", "batch": "8"}]

    def hit(text: str) -> int:
        return identity.match(text, parse(text), cases)

    assert [hit(text) for text in ("net", "net@fake@pace=20ms", "net@threads=2", "net@threads=2@batch=8")] == [
        1,
        0,
        2,
        3,
    ]
    cases.append(one | {"precision": "bf16"})
    with pytest.raises(UsageError, match="names 3 cases"):
        hit("net@fake@threads=1")
    with pytest.raises(UnknownName):
        hit("net@fake@threads=4")


def test_ids_of_recorded_rows_are_those_of_today() -> None:
    """Rows that were written before a case had its network apart: every one that this machine can name."""
    same = 0
    for path in RECORDED.glob("*.csv"):
        with path.open(newline="") as handle:
            header = next(csv.reader(handle))
        if "case_id" not in header:
            continue
        for one in file.read(path):
            try:
                model = zoo.resolve(one.model)
            except Exception:  # a file of the machine that measured
                continue
            network = Network(model, one.batch or 1, one.resolution)
            name, _, options = one.backend.partition(":")
            ref = BackendRef(name, dict(part.split("=", 1) for part in options.split(",") if part))
            case = Case(network, ref, Settings(one.threads or 1, one.pace_ms), one.target)
            assert case.id == one.case_id, one.model
            same += 1
    assert same > 70


def test_what_another_cpu_measured_is_not_measured_here() -> None:
    one = Case(Network(zoo.resolve("mobilenetv1")), BackendRef("fake", {}))
    plan = Plan((one,), Protocol())
    done = row(case_id=one.id, seed=0)
    here = {"arch": "x86_64", "cpu": "EPYC", "cpu_id": "family=25 model=1"}
    assert list(identity.finished([done], plan, here)) == [one.id]
    assert not identity.finished([done], plan, here | {"cpu": "Xeon"})
    assert not identity.finished([done, replace(done, status="crashed")], plan, here)  # the last row counts
    assert not identity.finished([replace(done, seed=1)], plan)


def test_what_machines_are_called_stands_last_in_a_name() -> None:
    """A legend cuts long names at the end: what they begin with has to differ."""
    keys = [("family=25", "onnxruntime"), ("family=25", "openvino"), ("family=26", "openvino")]
    names = identity.named(keys, ("cpu_id", "backend"), ("backend",))
    assert list(names.values()) == [f"{backend}, {cpu}" for cpu, backend in keys]
