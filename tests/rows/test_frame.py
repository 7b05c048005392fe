from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest

from bench.api import results
from bench.base.errors import OutputError, UsageError
from bench.rows import file
from bench.rows.frame import load
from bench.rows.schema import SCHEMA_VERSION
from bench.rows.table import find
from tests.rows.rows import nights, row, write

MINIMAL = "status,model,backend,latency_ms,schema_version\nok,net,onnxruntime,5,1\n"


def test_files_folders_and_patterns(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.csv", [row()])
    write(tmp_path / "a" / "deep" / "2.csv", [row(run_id="job1")])
    (tmp_path / "a" / "notes.txt").write_text("no rows")
    assert len(load([str(tmp_path)]).frame) == 2
    assert len(load([f"{tmp_path}/a/*.csv"]).frame) == 1
    assert len(load([f"{tmp_path}/**/*.csv"]).frame) == 2
    assert len(load([str(tmp_path), str(tmp_path / "a" / "1.csv")]).frame) == 2  # nothing counts twice
    with pytest.raises(UsageError, match="no result files"):
        find(str(tmp_path / "nothing*.csv"))


def test_missing_columns_are_empty_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("new_column," + MINIMAL.replace("\nok", "\nx,ok"))
    (one,) = load([str(path)]).frame.to_dict("records")
    assert (one["model"], one["cpu"], one["latency_ms"]) == ("net", "", 5.0)
    assert one["run_id"] == str(path)  # a job without a name is its file


def test_names_that_look_like_something_else_stay_texts(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [row(model=name, run_id="007") for name in ("nan", "NA", "1e3", "None", 'a,"b"')])
    frame = load([str(tmp_path)]).frame
    assert list(frame["model"]) == ["nan", "NA", "1e3", "None", 'a,"b"']
    assert set(frame["run_id"]) == {"007"}


def test_schema_versions(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(MINIMAL.replace(",1\n", ",0\n"))
    write(tmp_path / "now.csv", [row()])
    found = load([str(tmp_path)])
    assert len(found.frame) == 2
    assert any("schema versions" in note for note in found.notes)
    (tmp_path / "later.csv").write_text(MINIMAL.replace(",1\n", f",{SCHEMA_VERSION + 1}\n"))
    found = load([str(tmp_path)])
    assert len(found.frame) == 2
    assert any("later.csv, line 2: rows of schema" in note and "upgrade isoflops" in note for note in found.notes)
    with pytest.raises(OutputError, match=r"later\.csv, line 2: rows of schema.*upgrade"):
        load([str(tmp_path / "later.csv")])
    (tmp_path / "later.csv").unlink()
    nothing = MINIMAL.replace("ok,net,onnxruntime,5", "noisy,net,onnxruntime,NaN")
    (tmp_path / "noisy.csv").write_text(nothing)  # costs no other row anything
    assert sorted(load([str(tmp_path)]).frame["latency_ms"].isna()) == [False, False, True]


def test_empty_files_and_other_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OutputError, match="no rows"):
        load([str(tmp_path)])
    with pytest.raises(OutputError, match="no result rows"):
        load([str(tmp_path / "other.csv")])
    with pytest.raises(OutputError, match="no rows"):
        load([str(tmp_path / "empty.csv")])
    write(tmp_path / "r.csv", [row()])
    found = load([str(tmp_path)])
    assert len(found.frame) == 1
    assert "other.csv" in found.notes[0]
    assert "empty.csv" in found.notes[1]


BROKEN = [
    ("ok,net,onnxruntime,abc,1", "line 3: latency_ms is 'abc', which is no number"),
    ("ok,net,onnxruntime,,1", "line 3: status 'ok', latency_ms None"),
    ("ok,net,onnxruntime,-4,1", "line 3: status 'ok', latency_ms -4"),
    ("ok,net,onnxruntime,inf,1", "line 3: status 'ok', latency_ms inf"),
    ("ok,net,onnxruntime,nan,1", "line 3: status 'ok', latency_ms nan"),
    ("fine,net,onnxruntime,4,1", "line 3: status 'fine' is none"),
    ("ok,net", "line 3: it ends early, with 2 of 5 cells"),
    ("ok,net,onnxruntime,5,1,6,7", "line 3: it has 7 cells under 5 names"),
    ("ok,net,onnxruntime,5,one", "line 3: schema_version is 'one'"),
    ('ok,"net,onnxruntime,5,1', "line 3: its quotes do not match"),
    ("ok,net,onnxruntime,5,1\xff", "line 3: it is no UTF-8"),
]


@pytest.mark.parametrize(("line", "says"), BROKEN)
@pytest.mark.parametrize("plain", [False, True])
def test_what_is_no_row_costs_itself_alone(tmp_path: Path, line: str, says: str, plain: bool) -> None:
    """Also where the file is as this program writes them, which are all read at once."""
    head, good = MINIMAL.splitlines()
    if plain:
        head, good, line = f"latency_lo_ms,{head},error", f"3,{good},", f"3,{line}{',' * ('6' not in line)}"
        says = says.replace("2 of 5", "4 of 7" if line.endswith("net,") else "3 of 7").replace("7 cells under 5", "?")
    for i in range(3):
        (tmp_path / f"good{i}.csv").write_text(f"{head}\n{good}\n")
    (tmp_path / "broken.csv").write_bytes(f"{head}\n{good}\n{line}\n{good}\n".encode("latin-1"))
    found = load([str(tmp_path)])
    if "?" in says:  # more cells than names under an error's text are no harm
        assert len(found.frame) == 6
        return
    assert len(found.frame) == 5
    (note,) = [note for note in found.notes if "broken.csv" in note]
    assert says in note
    assert list(found.frame[found.frame["file"].str.endswith("broken.csv")]["line"]) == [2, 4]
    told: list[str] = []
    assert len(file.read(tmp_path / "broken.csv", told.append)) == 2
    assert told == [note]


def test_a_file_without_one_row_that_reads_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text(MINIMAL.replace(",5,", ",abc,"))
    with pytest.raises(OutputError, match=r"broken\.csv, line 2: latency_ms is 'abc'"):
        load([str(tmp_path)])


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [row(model=f"net{i}") for i in range(5)])
    lines = (tmp_path / "r.csv").read_text().splitlines(True)
    half = '0123,"abc'
    for at in (1, 3, 6):
        for more in ("", lines[1].rstrip("\n")):
            (tmp_path / "r.csv").write_text("".join([*lines[:at], half, more, "\n", *lines[at:]]))
            found = load([str(tmp_path)])
            assert sorted(found.frame["model"]) == [f"net{i}" for i in range(5)], (at, more)
            assert any(f"line {at + 1}: " in note for note in found.notes)


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [row()])
    for name in ("r.csv.zip", "old.CSV~", "r.samples.jsonl.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"PK")
    damaged = gzip.compress((tmp_path / "r.csv").read_bytes() * 40)
    (tmp_path / "cut.csv.gz").write_bytes(damaged[:-20])
    (tmp_path / "no.csv.gz").write_bytes(b"\x1f\x8b nothing")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 4)
    notes = "\n".join(load([str(tmp_path)]).notes)
    assert "passed over, no .csv or .tsv or .csv.gz (2 files): " in notes
    assert "r.csv.zip" in notes
    assert "old.CSV~" in notes
    assert "samples" not in notes
    assert "binary.csv" in notes
    assert "no.csv.gz" in notes


def test_every_table_of_a_folder_that_holds_no_rows_is_named(tmp_path: Path) -> None:
    """By both readers, with what is the matter: a header alone, a link to nowhere, a cut archive, a foreign file."""
    good = write(tmp_path / "good.csv", [row()])
    header = good.read_text().splitlines()[0]
    packed = gzip.compress("".join(random.Random(0).choices("abc,", k=9000)).encode())
    for name, data in {
        "header.csv": header.encode() + b"\n",
        "quoted.csv": header.replace("status", '"status"').encode() + b"\n",
        "cut.csv.gz": packed[:300],
        "rows.csv.gz": gzip.compress(good.read_bytes())[:-8],
        "foreign.csv": b"a,b\n1,2\n",
        "empty.csv": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for notes in (load([str(tmp_path)]).notes, results.read(tmp_path).notes):
        said = {name: [note for note in notes if name in note] for name in os.listdir(tmp_path)}
        assert {name for name, found in said.items() if len(found) != 1} == {"good.csv"}, notes
        assert "no rows below" in said["header.csv"][0]
        assert "no rows below" in said["quoted.csv"][0]
        assert "cannot be read" in said["link.csv"][0]
        assert "cannot be read" in said["loop.csv"][0]
        for name in ("cut.csv.gz", "rows.csv.gz"):
            assert "is damaged: it does not unpack to its end" in said[name][0]
        assert "no result rows" in said["foreign.csv"][0]
    with pytest.raises(OutputError, match="is damaged"):
        load([str(tmp_path / "cut.csv.gz")])
    assert len(load([str(tmp_path / "rows.csv.gz")]).frame) == 1


def test_all_of_many_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", [row()])
    for i in range(30):
        (tmp_path / f"other{i}.csv").write_text("a,b\n")
    (note,) = load([str(tmp_path)]).notes
    assert note.startswith("passed over, no result rows (30 files): ")
    assert all(f"other{i}.csv" in note for i in range(30))


def test_a_file_named_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "r.csv", [row()])
    (tmp_path / "link.csv").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    assert len(load(["r.csv", "./r.csv", str(path), str(tmp_path)]).frame) == 1


def test_other_line_ends_and_a_missing_last_one(tmp_path: Path) -> None:
    (tmp_path / "dos.csv").write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    (tmp_path / "cut.csv").write_text(MINIMAL.rstrip())
    assert list(load([str(tmp_path)]).frame["model"]) == ["net", "net"]


def test_what_this_program_wrote_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line a million rows would take minutes."""
    for i in range(3):
        write(tmp_path / f"{i}.csv", [row(run_id=f"{i}", model='a,"b"'), row(None, status="crashed", error="so, so")])
    monkeypatch.setattr("bench.rows.table.parse", None)
    assert len(load([str(tmp_path)]).frame) == 6


def test_many_small_files_read_like_one(tmp_path: Path) -> None:
    for i in range(40):
        nights(tmp_path / f"n{i}.csv", [0.1, 0.2])
    frame = load([str(tmp_path)]).frame
    assert len(frame) == 80
    assert frame["run_id"].nunique() == 80
