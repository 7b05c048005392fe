"""What other tools, full disks and boards without a clock make of result files, and the right answers."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.cli.compare import command as compare
from bench.cli.history import command as history
from bench.cli.report import command as report
from bench.cli.show import command as show
from bench.rows import file as records
from tests.conftest import Bench
from tests.rows.field import ARM, INTEL, REFERENCE, floats, job, put, slower, text


def call(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def moved(folder: Path, *arguments: object) -> tuple[list[tuple[str, float]], str]:
    """What `history` tells: date and change of each, and all of its notes."""
    found = json.loads(call(history, folder, "--format", "json", *arguments).stdout)
    return [(m["first_after"], m["ratio"]) for m in found["moved"]], "\n".join(found["notes"])


def shown(*sources: object) -> tuple[list[dict[str, Any]], list[str]]:
    found = json.loads(call(show, *sources, "--all", "--format", "json").stdout)
    return found["rows"], found["notes"]


@pytest.mark.parametrize("reference", [(), ("--reference", REFERENCE)])
def test_a_run_is_known_by_its_id_and_its_machine(tmp_path: Path, reference: tuple[str, ...]) -> None:
    """One run_id, two CPUs, 30% planted on one: told, whatever the rows are divided by."""
    for side, times in (("base", 1.0), ("new", 1.3)):
        rows = []
        for i in range(6):
            rows += job(f"{side[0]}{i:011x}", i, slower(times), **INTEL)
            rows += job(f"{side[0]}{i:011x}", i, lambda m: 1.6, **ARM)
        put(tmp_path / f"{side}.csv", text(rows))
    sides = (tmp_path / "base.csv", tmp_path / "new.csv")
    assert call(compare, *sides, "--gate", "5%", *reference).exit_code == 1
    found = json.loads(call(compare, *sides, *reference, "--format", "json").stdout)["cases"]
    slow = [case for case in found if case["verdict"] == "slower"]
    assert [(c["case"], round(c["ratio"], 1), c["machine"][:5]) for c in slow] == [
        ("shufflenetv2 on onnxruntime", 1.3, "Intel")
    ]
    assert len(found) == (4 if reference else 6)  # no machine's rows are gone


def test_a_file_that_does_not_end_keeps_its_rows_and_gets_one_more(tmp_path: Path, tiny: Path, bench: Bench) -> None:
    path = put(tmp_path / "unended.csv", text(job("a" * 12, 0)).rstrip("\n"))
    assert len(shown(path)[0]) == 3
    done = bench("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--resume", "--output", path)
    assert done.returncode == 0, done.stderr
    assert len(records.read(path)) == 4
    assert len(path.read_text().splitlines()) == 5


@pytest.mark.parametrize("by", [2, 30, 80, 150])
def test_half_a_row_is_named_and_set_aside(tmp_path: Path, tiny: Path, bench: Bench, by: int) -> None:
    path = put(tmp_path / "cut.csv", text(job("a" * 12, 0))[:-by])
    rows, notes = shown(path)
    assert len(rows) == 2
    assert any(re.search(r"cut\.csv, line 4: it ends early", note) for note in notes)
    done = bench("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--resume", "--output", path)
    assert done.returncode == 0, done.stderr
    assert "half a row at the end of" in done.stderr
    assert [row.model for row in records.read(path)][:2] == [REFERENCE, "shufflenetv2"]
    assert len(records.read(path)) == 3
    assert records.torn_path(path).read_text().startswith("a" * 12)


def test_whole_numbers_that_became_floats_are_the_same_numbers(tmp_path: Path) -> None:
    for n in range(40):
        rows = job(f"n{n:011x}", n, slower(1.1 if n >= 20 else 1))
        put(tmp_path / f"{n:03}.csv", text(floats(rows) if n >= 20 else rows))
    found, notes = moved(tmp_path)
    assert [(day, round(ratio, 1)) for day, ratio in found] == [("2026-01-21", 1.1)]
    assert "no ok row of the reference" not in notes


@pytest.mark.parametrize("column", ["threads", "batch", "resolution", "threads_effective"])
def test_every_whole_number_that_names_a_case(tmp_path: Path, column: str) -> None:
    plain, as_float = job("a" * 12, 0), job("b" * 12, 1)
    for one in as_float:
        one[column] += ".0"
    put(tmp_path / "r.csv", text([*plain, *as_float]))
    assert len(json.loads(call(show, tmp_path, "--format", "json").stdout)["rows"]) == 3
    assert len({getattr(row, column) for row in records.read(tmp_path / "r.csv")}) == 1


def utf16(content: str) -> bytes:
    return content.encode("utf-16")


def again(content: str, separator: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    return text(list(csv.DictReader(content.splitlines())), quoting, separator)


FORMS: dict[str, tuple[str, Callable[[str], str | bytes]]] = {
    "quoted": ("r.csv", lambda c: again(c, ",", csv.QUOTE_ALL)),
    "semicolons": ("r.csv", lambda c: again(c, ";")),
    "semicolons and decimal commas": (
        "r.csv",
        lambda c: re.sub(r"(?<=;)(\d+)\.(\d+)(?=;)", r"\1,\2", again(c, ";")),
    ),
    "tabs": ("r.tsv", lambda c: again(c, "\t")),
    "tabs in a csv": ("r.csv", lambda c: again(c, "\t", csv.QUOTE_ALL)),
    "bars": ("r.csv", lambda c: again(c, "|")),
    "utf-16": ("r.csv", utf16),
    "utf-16 without a mark": ("r.csv", lambda c: c.encode("utf-16-le")),
    "utf-16 of the other end": ("r.csv", lambda c: c.encode("utf-16-be")),
    "utf-16 with tabs": ("r.csv", lambda c: utf16(again(c, "\t"))),
    "a mark": ("r.csv", lambda c: b"\xef\xbb\xbf" + c.encode()),
    "gzip": ("r.csv.gz", lambda c: gzip.compress(c.encode())),
    "gzip in two members": (
        "r.csv.gz",
        lambda c: gzip.compress(c[:2000].encode()) + gzip.compress(c[2000:].encode()),
    ),
    "capitals": ("R.CSV", lambda c: c),
    "empty cells at the end": ("r.csv", lambda c: c.replace("\n", ",,,\n")),
    "dos": ("r.csv", lambda c: c.replace("\n", "\r\n")),
    "old mac": ("r.csv", lambda c: c.replace("\n", "\r")),
    "blank lines": ("r.csv", lambda c: "\n" + c.replace("\n", "\n\n")),
    "rows of separators": ("r.csv", lambda c: c + ",,,,,,\n,,,\n"),
    "two files in one": ("r.csv", lambda c: c + c.splitlines(True)[0]),
    "sep": ("r.csv", lambda c: "sep=;\n" + again(c, ";")),
    "capital truth": ("r.csv", lambda c: c.replace(",false,", ",FALSE,").replace(",true,", ",TRUE,")),
    "spaces in the header": ("r.csv", lambda c: c.splitlines()[0].replace(",", ", ") + c[c.index("\n") :]),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_one_table(tmp_path: Path, form: str) -> None:
    """Every form of one table has its rows, and a slowdown of 20% in it is found against the plain one."""
    name, write = FORMS[form]
    for side, times in (("base", 1.0), ("new", 1.2)):
        content = text([one for i in range(8) for one in job(f"{side[0]}{i:011x}", i, slower(times))])
        put(tmp_path / side / (name if side == "new" else "r.csv"), write(content) if side == "new" else content)
    rows, notes = shown(tmp_path / "new")
    assert len(rows) == 24
    assert not [note for note in notes if "left out" in note or "passed over" in note]
    assert len(records.read(tmp_path / "new" / name)) == 24
    for new in (tmp_path / "new", tmp_path / "new" / name):
        assert call(compare, tmp_path / "base", new, "--gate", "5%").exit_code == 1
        assert call(compare, new, tmp_path / "base", "--gate", "5%").exit_code == 0


def test_two_bad_nights_are_two_observations(tmp_path: Path) -> None:
    """Three jobs of a night met one slow host: nothing lasted."""
    for n in range(40):
        for i in range(3):
            rows = job(f"{n:06x}{i:06x}", n, slower(1.15 if n in (20, 21) else 1), 0.008)
            put(tmp_path / f"{n:03}-{i}.csv", text(rows))
    assert moved(tmp_path)[0] == []


@pytest.mark.parametrize("nights", [4, 5])
def test_a_change_is_told_from_its_fifth_date_on(tmp_path: Path, nights: int) -> None:
    """However many jobs a date has."""
    for n in range(20 + nights):
        for i in range(4):
            put(tmp_path / f"{n}-{i}.csv", text(job(f"{n:06x}{i:06x}", n, slower(1.2 if n >= 20 else 1), 0.004)))
    found, _ = moved(tmp_path)
    assert [day for day, _ in found] == (["2026-01-21"] if nights == 5 else [])


@pytest.mark.parametrize(
    "started",
    [
        "1970-01-01T00:0{}:20+00:00",
        "2000-01-01T00:00:1{}+00:00",
        "2099-01-0{}T00:00:00+00:00",
        "yesterday{}",
        "",
        "2026-13-0{}T00:00:00",
        "0001-01-01T00:00:00+0{}:30",
    ],
)
def test_a_clock_that_was_not_set(tmp_path: Path, started: str) -> None:
    """The change is told once; nothing moved in 1970 or 2099, and the undated rows are named, file and line."""
    for n in range(40):
        undated = started.format(n % 9 + 1) if 25 <= n < 32 else ""
        rows = job(f"n{n:011x}", n, slower(1.1 if n >= 20 else 1), started=undated)
        if 25 <= n < 32:
            rows = [one | {"started_at": undated} for one in rows]
        put(tmp_path / f"{n:03}.csv", text(rows))
    found, notes = moved(tmp_path)
    assert [(day, round(ratio, 1)) for day, ratio in found] == [("2026-01-21", 1.1)]
    assert "025.csv, lines 2, 3, 4: started_at " in notes
    assert call(report, tmp_path, "--output", tmp_path / "page.html").exit_code == 0


def test_a_date_that_comes_again_is_one_night(tmp_path: Path) -> None:
    """A board that wakes on the same day every time: twenty runs of one date are no twenty nights."""
    for n in range(40):
        rows = job(f"n{n:011x}", min(n, 20), slower(1.2 if n >= 20 else 1))
        put(tmp_path / f"{n:03}.csv", text(rows))
    assert moved(tmp_path)[0] == []


def test_a_future_date_is_never_the_newest(tmp_path: Path) -> None:
    late = [one | {"started_at": "2099-01-01T00:00:00+00:00", "latency_ms": "99"} for one in job("a" * 12, 0)]
    put(tmp_path / "r.csv", text([*late, *job("b" * 12, 1)]))
    found = json.loads(call(show, tmp_path, "--format", "json").stdout)["rows"]
    assert max(one["latency_ms"] for one in found) < 6


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_other_cpus_on_either_side_are_no_mistake(tmp_path: Path, format: str) -> None:
    for side, where in (("base", INTEL), ("new", ARM)):
        rows = [one for i in range(3) for one in job(f"{side[0]}{i}", i, **where)]
        put(tmp_path / f"{side}.csv", text(rows))
    sides = (tmp_path / "base.csv", tmp_path / "new.csv")
    done = call(compare, *sides, "--format", format)
    assert done.exit_code == 0
    assert "another CPU in NEW" in done.stdout + done.stderr
    assert call(compare, *sides, "--gate", "5%").exit_code == 3


@pytest.mark.parametrize("nightly", [0.003, 0.006])
def test_what_creeps_is_told_as_well(tmp_path: Path, nightly: float) -> None:
    """patchloom/patchloom#407: each night is slower by less than any gate, and all of them together by a lot."""
    for n in range(50):
        put(tmp_path / f"{n:03}.csv", text(job(f"n{n:011x}", n, slower(math.exp(nightly * n)), 0.004)))
    found, _ = moved(tmp_path, "--reference", REFERENCE)
    told = math.prod(ratio for _, ratio in found)
    assert told == pytest.approx(math.exp(nightly * 50), rel=0.1)
    assert all(ratio > 1 for _, ratio in found)
    sides = []
    for side, nights in (("base", range(5)), ("new", range(45, 50))):
        sides.append(tmp_path.with_name(f"{tmp_path.name}-{side}"))
        for n in nights:
            put(sides[-1] / f"{n}.csv", (tmp_path / f"{n:03}.csv").read_text())
    assert call(compare, *sides, "--gate", "5%").exit_code == 1
