"""`bench run --pace`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.base.errors import UsageError
from bench.plan.pace import read as pace
from bench.rows import file as records
from tests.conftest import Bench

FAST = ("--launches", "2", "--budget", "0.5")


@pytest.mark.parametrize(
    ("text", "ms"), [("33ms", 33), ("0.5s", 500), ("30hz", 1000 / 30), ("30 Hz", 1000 / 30), ("none", None)]
)
def test_a_pace_is_a_time_or_a_rate(text: str, ms: float | None) -> None:
    assert pace(text) == (pytest.approx(ms) if ms else None)


@pytest.mark.parametrize("text", ["", "33", "ms", "-1ms", "0ms", "0hz", "1e9s", "1.2.3ms", "fast"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no time between two inferences"):
        pace(text)


def test_a_sweep_of_paces_gives_a_row_each(bench: Bench, tiny: Path) -> None:
    paces = ("--pace", "none", "--pace", "20ms", "--pace", "2ms")
    command = ("run", "--model", tiny, "--backend", "fake:latency_ms=5", *paces, *FAST)
    table = json.loads(bench(*command, "--format", "json", "--output", "q.csv").stdout)
    found = {row["pace_ms"]: row["latency_ms"] for row in table}
    assert found[None] == pytest.approx(5)
    assert found[20.0] == pytest.approx(5)
    assert found[2.0] > 10  # each inference waits for those before it: the queue counts
    assert len({row["case_id"] for row in table}) == 3
    # A block is 50 ms of the longer of pace and latency, and never less than five inferences.
    assert {row["pace_ms"]: row["samples"] / row["blocks"] for row in table} == {None: 10, 20.0: 5, 2.0: 10}
    assert "20 ms" in bench(*command, "--output", "p.csv").stdout


def test_a_real_runtime_on_a_schedule(bench: Bench, tiny: Path) -> None:
    made = bench("run", "--model", tiny, "--pace", "5ms", *FAST, "--format", "json", "--output", "r.csv")
    assert made.returncode == 0, made.stderr
    (row,) = json.loads(made.stdout)
    assert row["pace_ms"] == 5.0
    assert row["status"] in ("ok", "noisy")
    launches = list(records.read_samples(tiny.with_name("r.csv")))
    blocks = [block for launch in launches for block in launch["blocks"]]
    assert len(blocks) == row["blocks"] > 0
    for block in blocks:  # a latency counts from the intended start, so it holds the delay
        assert len(block["late_ns"]) == len(block["latency_ns"]) >= 5
        assert all(late < latency for late, latency in zip(block["late_ns"], block["latency_ns"], strict=True))
