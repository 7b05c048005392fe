"""A row is appended whole or not at all, whatever the disk and other runs do."""

from __future__ import annotations

import csv
import io
import os
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import OutputError
from bench.rows import file as records
from bench.rows.schema import COLUMNS, Row
from tests.conftest import Bench, one_line_error
from tests.rows.rows import row


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes: what is written up to there is written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0, 1, 17, 150])
@pytest.mark.parametrize("rows", [0, 2])
def test_a_full_disk_leaves_no_part_of_a_row(tmp_path: Path, room: int, rows: int) -> None:
    path = tmp_path / "r.csv"
    path.touch()
    for i in range(rows):
        records.append(path, row(run_id=str(i)))
        records.append_samples(path, [{"i": i}])
    before = path.read_bytes()
    with full_at(len(before) + room), pytest.raises(OSError, match="too large"):
        records.append(path, row())
    assert path.read_bytes() == before
    records.append(path, row(run_id="after"))
    assert [one.run_id for one in records.read(path)] == [*map(str, range(rows)), "after"]
    if rows:
        raw = records.samples_path(path)
        whole = raw.read_bytes()
        with full_at(len(whole) + room), pytest.raises(OSError, match="too large"):
            records.append_samples(path, [{"i": list(range(1000))}])
        assert raw.read_bytes() == whole


def test_a_disk_that_fails_to_keep_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.csv"
    records.append(path, row())
    before = path.read_bytes()

    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input"):
        records.append(path, row())
    monkeypatch.undo()
    assert path.read_bytes() == before


@pytest.mark.parametrize("interrupted", [KeyboardInterrupt, SystemExit])
def test_an_interruption_loses_no_row_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: type[BaseException]
) -> None:
    """It was measured: a row that is in the file as a whole stays there, once."""
    path = tmp_path / "r.csv"
    records.append(path, row(run_id="first"))

    def stopped(handle: int) -> None:
        raise interrupted

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(interrupted):
        records.append(path, row(run_id="second"))
    with pytest.raises(interrupted):
        records.append_samples(path, [{"of": "second"}])
    monkeypatch.undo()
    records.append(path, row(run_id="third"))
    assert [one.run_id for one in records.read(path)] == ["first", "second", "third"]
    assert list(records.read_samples(path)) == [{"of": "second"}]
    assert not records.torn_path(path).exists()


class Interrupted(io.FileIO):
    """A file of which an interruption lets only a share be written; the writer does not come to know how much."""

    share = 0.5

    def write(self, data: Any, /) -> int:
        super().write(data[: round(len(data) * self.share)])
        raise KeyboardInterrupt


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_an_interruption_leaves_no_part_of_a_row(tmp_path: Path, share: float) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b"before\n")
    with Interrupted(path, "ab+") as handle:
        handle.share = share
        with pytest.raises(KeyboardInterrupt):
            records._write(handle, b"a row\n")
    assert path.read_bytes() == (b"before\na row\n" if share == 1 else b"before\n")


def test_every_cut_of_a_file_is_whole_again_after_the_next_row(tmp_path: Path) -> None:
    """Whatever a crash left: what was whole stays, half a row is set aside and named, and nothing is glued."""
    path = tmp_path / "r.csv"
    for i in range(3):
        records.append(path, row(run_id=f"run{i}", model='a,"b"', error="why, so"))
    whole = path.read_bytes()
    ends = [match.end() for match in re.finditer(rb"\n", whole)]
    for size in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:size])
        records.torn_path(path).unlink(missing_ok=True)
        note = records.append(path, row(run_id="next"))
        rows = records.read(path)
        assert rows[-1].run_id == "next"
        kept = max(0, sum(end <= size for end in ends) - 1)
        assert [one.run_id for one in rows[:kept]] == [f"run{i}" for i in range(kept)]
        half = whole[max((end for end in ends if end <= size), default=0) : size]
        if size > ends[0] and half and len(rows) == kept + 1:
            assert "half a row" in note
            assert records.torn_path(path).read_bytes() == half + b"\n"
        else:
            assert note == ""
            assert len(rows) == kept + 1 + bool(half and size > ends[0])  # only its error was cut


def test_a_row_below_older_columns_lacks_what_is_told_since(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    names = [name for name in COLUMNS if name not in ("floor_ms", "attainable_share")]
    path.write_text(",".join(names) + "\n")
    assert "its rows go without attainable_share, floor_ms" in records.prepare(path)
    records.append(path, Row(status="ok", model="net", backend="b", latency_ms=2, floor_ms=1))
    (one,) = records.read(path)
    assert (one.latency_ms, one.floor_ms, one.model) == (2, None, "net")
    path.write_text(",".join(name for name in names if name != "pace_ms") + "\n")
    with pytest.raises(OutputError, match="other columns"):  # without it a paced case would be another
        records.prepare(path)


@pytest.mark.parametrize("header", [f"\ufeff{','.join(COLUMNS)}\r\n", ",".join(f'"{c}"' for c in COLUMNS) + "\n"])
def test_a_header_that_another_program_wrote(tmp_path: Path, header: str) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(header.encode())
    assert records.prepare(path) == ""
    records.append(path, row())
    assert len(records.read(path)) == 1


@pytest.mark.parametrize("content", [b"a,b\n1,2", bytes(range(256)) * 8, b"\x1f\x8b\x08rest"])
def test_what_is_no_table_of_ours_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="other columns"):
        records.prepare(path)
    assert path.read_bytes() == content


def test_a_pipe_is_no_result_file(tmp_path: Path, tiny: Path, bench: Bench) -> None:
    """To open one waits for somebody at its other end."""
    os.mkfifo(tmp_path / "r.samples.jsonl.gz")
    os.mkfifo(tmp_path / "p.csv")
    for name in ("r", "p"):
        result = bench("run", "--model", tiny, "--backend", "fake", "--output", tmp_path / f"{name}.csv")
        assert "is no regular file" in one_line_error(result)
        assert result.returncode == 2


def test_two_runs_on_one_file_do_not_measure_a_case_twice(tmp_path: Path, tiny: Path, bench: Bench) -> None:
    path = tmp_path / "r.csv"
    args = ("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--output", path)
    with records.writing(path):
        result = bench(*args)
        assert "another run is writing to" in one_line_error(result)
        assert result.returncode == 2
        with pytest.raises(OutputError, match="another run"), records.writing(tmp_path / "x" / ".." / "r.csv"):
            raise AssertionError
        with records.writing(tmp_path / "other.csv"):
            pass
    assert bench(*args, "--resume").returncode == 0
    assert bench(*args, "--resume").returncode == 0
    assert len(records.read(path)) == 1


def test_files_into_which_nothing_came_are_not_left(tmp_path: Path) -> None:
    path, kept = tmp_path / "r.csv", tmp_path / "kept.csv"
    kept.touch()
    with records.writing(path), records.writing(kept):
        assert path.exists()
    with pytest.raises(OSError, match="away"), records.writing(path):
        raise OSError("away")
    with records.writing_samples(path):
        assert records.samples_path(path).exists()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.csv"]
    with records.writing(path):
        records.append(path, Row(status="ok", model="net", backend="b", latency_ms=2))
    assert len(records.read(path)) == 1


def test_resumption_takes_whole_rows_alone(tmp_path: Path, tiny: Path, bench: Bench) -> None:
    """A row that was cut, or lost its latency, is measured anew, and said."""
    path = tmp_path / "r.csv"
    args = ("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--output", path)
    assert bench(*args).returncode == 0
    names, cells = csv.reader(path.read_text().splitlines())
    cells[names.index("latency_ms")] = ""
    path.write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in (names, cells)))
    result = bench(*args, "--resume")
    assert result.returncode == 0, result.stderr
    assert "line 2: status 'ok', latency_ms None" in result.stderr
    told: list[str] = []
    assert len(records.read(path, told.append)) == 1
    assert len(told) == 1
