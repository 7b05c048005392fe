"""One file under several paths is one case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import backends
from bench.cli.compare import command as compare
from bench.plan import zoo
from bench.plan.case import cross
from bench.rows.frame import load
from tests.conftest import Bench
from tests.rows.rows import row, write

PATHS = ("a.onnx", "./a.onnx", "/home/me/a.onnx")


def test_paths_of_one_content_are_one_case(tmp_path: Path) -> None:
    for i, path in enumerate(PATHS):
        write(tmp_path / "r.csv", [row(model=path, run_id=f"{i}", artifact_sha256="a" * 64)])
        write(tmp_path / "r.csv", [row(model=path, run_id=f"{i}b", artifact_sha256="b" * 64)])  # it was changed
    assert set(load([str(tmp_path)]).frame["model"]) == {"a.onnx"}


def test_paths_of_several_contents_are_several_cases(tmp_path: Path) -> None:
    for i, path in enumerate(PATHS):
        write(tmp_path / "r.csv", [row(model=path, run_id=f"{i}", artifact_sha256=f"{i}" * 64)])
        write(tmp_path / "r.csv", [row(model=path, run_id=f"{i}b")])  # of which the content is not known
    write(tmp_path / "r.csv", [row(model="b.onnx", artifact_sha256="0" * 64)])  # alike, and of another name
    assert set(load([str(tmp_path)]).frame["model"]) == {*PATHS, "b.onnx"}


def test_what_one_run_set_beside_each_other_stays_apart(tmp_path: Path) -> None:
    """BASE and HEAD of a change were equal once."""
    for run, contents in (("1", "aa"), ("2", "ab")):
        for path, content in zip(("base/a.onnx", "head/a.onnx"), contents, strict=True):
            write(tmp_path / "r.csv", [row(model=path, run_id=run, artifact_sha256=content * 64)])
    assert set(load([str(tmp_path)]).frame["model"]) == {"base/a.onnx", "head/a.onnx"}


def test_the_sides_of_a_comparison_share_their_names(tmp_path: Path) -> None:
    for side, path in (("base", "/ci/1/a.onnx"), ("new", "/ci/2/a.onnx")):
        rows = [row(model=path, run_id=f"{side}{i}", artifact_sha256="a" * 64) for i in range(3)]
        write(tmp_path / f"{side}.csv", rows)
    sides = [str(tmp_path / f"{side}.csv") for side in ("base", "new")]
    found = json.loads(CliRunner().invoke(compare, [*sides, "--format", "json"]).stdout)
    assert [case["case"] for case in found["cases"]] == ["/ci/1/a.onnx on onnxruntime"]
    assert found["unmatched"] == []


def test_a_file_is_one_however_its_path_is_written(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    (tiny.parent / "x").mkdir()
    texts = (f"./{tiny.name}", tiny.name, str(tiny), f"{tiny.parent}/./x/../{tiny.name}")
    refs = [zoo.resolve(text) for text in texts]
    assert [ref.canonical for ref in refs] == [tiny.name, tiny.name, str(tiny), str(tiny)]
    assert len({tuple(one.canonical for one in zoo.spellings(ref)) for ref in refs}) == 1
    assert [case.model.canonical for case in cross(refs, [backends.resolve("fake")]).cases] == [tiny.name]
    (tiny.parent / "f.py").write_text("")
    both = [zoo.resolve(f"{folder}f.py:make:width=2") for folder in ("", f"{tiny.parent}/")]
    assert [ref.canonical for ref in zoo.spellings(both[0])] == [both[1].canonical, both[0].canonical]


def test_they_are_measured_once(tiny: Path, bench: Bench) -> None:
    models = [word for text in (tiny.name, f"./{tiny.name}", tiny) for word in ("--model", text)]
    assert bench("run", *models, "--backend", "fake", "--launches", 2, "--output", "r.csv").returncode == 0
    again = bench("run", "--model", tiny, "--backend", "fake", "--resume", "--output", "r.csv")
    assert "1 of 1 case measured already" in again.stderr
    assert len((tiny.parent / "r.csv").read_text().splitlines()) == 2
