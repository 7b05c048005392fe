"""Evidence of several machines side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import BenchError
from bench.findings import machines, store
from bench.findings.finding import Experiment, Finding
from bench.findings.machines import DIRECTION, NEITHER, SAME, TURNED, agreement, side_by_side
from bench.findings.side import Side
from bench.stats.ratio import Effect
from tests.cli.test_findings import run

A, B = Side("mobilenetv1:width=0.25"), Side("mobilenetv1:width=0.5")
LONG = "long" * 9
FINDING = Finding("F", "b is slower", "nowhere", "nowhere", (Experiment("twice", A, B, 2.0, "Pixel 1"),))


def evidence(path: Path, factor: float, arch: str) -> Path:
    """Write three replicates in which B takes `factor` times A's time, give or take a little."""
    from bench import backends

    fake = backends.resolve("fake")
    a, b = (side.case(fake) for side in (A, B))
    environment = {"arch": "x86_64", "microarchitecture": arch, "cpu": arch, "cores": 2, "os": "x", "hypervisor": ""}
    lines: list[dict[str, Any]] = [{"kind": "header", "format": store.FORMAT, "environment": environment}]
    for number in range(3):
        blocks = {case.id: {"blocks": [[[ms * 1e6, False]] * 2] * 2}
                  for case, ms in ((a, 1.0), (b, factor * (1 + 0.001 * number)))}  # fmt: skip
        lines.append({"kind": "wave", "at": 100.0 * number, "backend": "fake", "sides": blocks})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def around(log: float, half: float = 0.02) -> Effect:
    return Effect(log, log - half, log + half, 5)


def test_machines_agree_where_their_intervals_meet() -> None:
    assert agreement([around(0.5), around(0.53)]) == SAME
    assert agreement([around(0.5), around(1.5)]) == DIRECTION
    assert agreement([around(0.5), around(-0.5), around(0.5)]) == TURNED
    assert agreement([around(0.5), around(0.0)]) == NEITHER


def test_effects_stand_beside_each_other(tmp_path: Path) -> None:
    files = [evidence(tmp_path / f"{arch}.jsonl", factor, arch) for arch, factor in (("zen4", 2.0), ("icelake", 0.5))]
    found = side_by_side({path: store.read(path) for path in files}, [FINDING])
    (record,) = found.records
    assert math.isclose(record["zen4"], 2.0, rel_tol=0.01)
    assert math.isclose(record["icelake"], 0.5, rel_tol=0.01)
    assert record["machines agree"] == TURNED
    assert found.summary == "1 effect on several machines: 1 turned round"
    assert machines.texts(record)["published"] == "2"


@pytest.mark.parametrize(
    ("paths", "archs", "names"),
    [
        (("one/mine.jsonl", "one/other.jsonl"), ("zen4", "zen4"), ["mine", "other"]),
        (("epyc-vm/findings.jsonl", "xeon-vm/findings.jsonl"), ("x86_64_v4", "icelake"), ["epyc-vm", "icelake"]),
        (("a/x.jsonl", "a/y.jsonl", "b/x.jsonl"), ("", "", ""), ["a/x", "a/y", "b/x"]),
        (("a/x.jsonl", "q/a/x.jsonl"), ("zen4", "zen4"), ["machine 1", "machine 2"]),
        (("id.jsonl", "other.jsonl"), ("zen4", "zen4"), ["machine 1", "machine 2"]),
        ((f"{LONG}-1.jsonl", f"{LONG}-2.jsonl"), ("zen4", "zen4"), ["longlon...longlong-1", "longlon...longlong-2"]),
    ],
)  # fmt: skip
def test_columns_are_named_by_machines_or_else_by_files_and_fit(
    tmp_path: Path, paths: tuple[str, ...], archs: tuple[str, ...], names: list[str]
) -> None:
    files = [tmp_path / path for path in paths]
    for path, arch in zip(files, archs, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        evidence(path, 2.0, arch)
    found = side_by_side({path: store.read(path) for path in files}, [FINDING])
    (record,) = found.records
    assert [name.removesuffix(" lo") for name in record if name.endswith(" lo")] == names
    assert all(len(name) <= 20 for name in names)
    assert record["machines agree"] == SAME
    assert [line.partition(":")[0] for line in found.machines] == names
    assert all(line.endswith(f", {path}") for line, path in zip(found.machines, files, strict=True))


def test_show_takes_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.findings import catalog

    monkeypatch.setattr(catalog, "catalog", lambda: {"F": FINDING})
    files = [evidence(tmp_path / f"{arch}.jsonl", factor, arch) for arch, factor in (("zen4", 2.0), ("icelake", 2.4))]
    said = run("show", *files)
    assert "same direction" in said.stdout
    assert "1 effect on several machines" in said.stderr
    assert f"zen4: zen4 (zen4, 2 cores), {files[0]}" in said.stderr
    (one,) = json.loads(run("show", *files, "F", "--format", "json").stdout)
    assert one["machines"] == 2
    with pytest.raises(BenchError, match="--page"):
        run("show", *files, "--page")
    assert json.loads(run("show", files[0], "--format", "json").stdout)[0]["verdict"].startswith("transfers")
