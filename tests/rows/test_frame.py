from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import OutputError, UsageError
from bench.rows.frame import find, load
from bench.rows.schema import SCHEMA_VERSION
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
    with pytest.raises(OutputError, match=r"later\.csv.*upgrade"):
        load([str(tmp_path)])
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


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ok,net,onnxruntime,abc,1", "line 3: latency_ms is 'abc'"),
        ("ok,net,onnxruntime,,1", "line 3: status 'ok', latency_ms None"),
        ("ok,net,onnxruntime,-4,1", "line 3: status 'ok', latency_ms -4.0"),
        ("ok,net,onnxruntime,inf,1", "latency_ms inf"),
        ("ok,net", "latency_ms None"),
        ('ok,"net,onnxruntime,5,1', "broken.csv"),
        ("ok,n\x00et,onnxruntime,5,1\xff", "broken.csv"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, line: str, says: str) -> None:
    for i in range(3):
        (tmp_path / f"good{i}.csv").write_text(MINIMAL)
    (tmp_path / "broken.csv").write_bytes((MINIMAL + line + "\n").encode("latin-1"))
    with pytest.raises(OutputError, match=r"broken\.csv") as caught:
        load([str(tmp_path)])
    assert says in caught.value.message


def test_other_line_ends_and_a_missing_last_one(tmp_path: Path) -> None:
    (tmp_path / "dos.csv").write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    (tmp_path / "cut.csv").write_text(MINIMAL.rstrip())
    assert list(load([str(tmp_path)]).frame["model"]) == ["net", "net"]


def test_many_small_files_read_like_one(tmp_path: Path) -> None:
    for i in range(40):
        nights(tmp_path / f"n{i}.csv", [0.1, 0.2])
    frame = load([str(tmp_path)]).frame
    assert len(frame) == 80
    assert frame["run_id"].nunique() == 80
