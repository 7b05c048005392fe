"""The benchmarks beside the runtimes' own tools: what is kept, what is told of it, and the tables of docs/method.md."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from bench.machine.environment import usable_cores
from benchmarks import call_overhead, turns, versus_own_tool

ROOT = Path(__file__).parents[2]
METHOD = (ROOT / "docs" / "method.md").read_text("utf-8")
KEPT = ROOT / "results" / "epyc-vm-2core"


def turn(number: int, ours: float, own: float) -> turns.Line:
    known = {"model": "m", "runtime": "ncnn", "tool": "bare loop", "turn": number, "version": "1"}
    return known | {"ours_ns": ours * 1e6, "own_ns": own * 1e6}


def test_what_was_measured_is_not_measured_again_and_half_a_line_is(tmp_path: Path) -> None:
    asked: list[int] = []

    def measure(number: int) -> turns.Line:
        asked.append(number)
        return {"ns": number}

    path = tmp_path / "log.jsonl"
    for _ in range(2):
        log = turns.Log(path, ("runtime", "launch"))
        for number in (0, 1):
            log.once(("ncnn", number), lambda number=number: measure(number))  # type: ignore[misc]
    assert asked == [0, 1]
    assert [line["ns"] for line in log.lines] == [0, 1]
    text = path.read_text("utf-8").splitlines()
    path.write_text(text[0] + "\n" + text[1][:20], "utf-8")
    log = turns.Log(path, ("runtime", "launch"))
    log.once(("ncnn", 1), lambda: measure(1))
    assert asked == [0, 1, 1]
    assert [line["ns"] for line in turns.Log(path, ("runtime", "launch")).lines] == [0, 1]


def test_the_ratio_is_of_turns() -> None:
    """A machine that becomes slower for both sides changes nothing."""
    lines = [turn(i, 1.1 * speed, speed) for i, speed in enumerate((1.0, 2.0, 3.0))]
    ((ratio, lo, hi),) = versus_own_tool.ratios(lines).values()
    assert (ratio, lo, hi) == pytest.approx((1.1, 1.1, 1.1))
    assert versus_own_tool.table(lines)[-1] == "| `ncnn` | bare loop | m | 1.999 | 1.100 | 1.100 to 1.100 | 3 |"
    assert versus_own_tool.ratios(lines[:2]) == {}  # two give no interval


def test_a_bare_loop_and_a_launch_time_the_same_thing(tiny: Path) -> None:
    """Of a real runtime; how long it takes is nobody's matter here."""
    one = turns.ready(str(tiny), "onnxruntime")
    assert one is not None
    found = versus_own_tool.beside_loop(one, usable_cores()[-1], 0.1)
    assert found["ours_ns"] > 0
    assert found["own_ns"] > 0
    assert found["parity"] < 1e-4


def test_what_is_not_installed_is_left_out_with_a_line(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert turns.ready(str(tiny), "litert") is None  # it takes no ONNX file, whether it is installed or not
    assert "left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "table"), [("call-overhead", call_overhead.table), ("own-tool", versus_own_tool.table)]
)
def test_the_tables_are_of_what_is_kept(name: str, table: object) -> None:
    lines = turns.Log(KEPT / f"{name}.jsonl", ()).lines
    assert "\n".join(table(lines)) in METHOD  # type: ignore[operator]
    assert {line["runtime"] for line in lines} == set(turns.RUNTIMES)


def test_bench_measures_what_the_others_do() -> None:
    """No ratio is shown to be off by 5%, and all of them together are within 2% of 1."""
    found = versus_own_tool.ratios(turns.Log(KEPT / "own-tool.jsonl", ()).lines)
    assert {model for _, _, model in found} == set(versus_own_tool.MODELS)
    assert all(lo <= 1.05 and hi >= 0.95 for _, lo, hi in found.values()), found
    assert statistics.geometric_mean(ratio for ratio, _, _ in found.values()) == pytest.approx(1.0, abs=0.02)
