"""What stands in the terminal: widths, bars, marks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bench.report.text import rows as table
from bench.report.text.bars import bar
from bench.report.text.footer import mark
from bench.rows.select import read, select
from tests.rows.rows import row, write

STATUSES = ("ok", "noisy", "mismatch", "downgraded", "timeout")
RECORDED = Path(__file__).parents[2] / "results" / "xeon-vm-2core"


def drawn(path: Path, width: int = 80, colour: bool = False, **how: object) -> list[str]:
    from bench.rows.fields import find

    groups = [find(name) for name in how.pop("groups", ())]
    return list(table.lines(select(read([str(path)], groups), groups=groups, **how), width, colour))


@given(
    st.floats(0.001, 1e6), st.floats(0, 0.9), st.floats(0, 3), st.floats(1, 1e3), st.integers(2, 200)
)  # fmt: skip
def test_a_bar_is_never_wider_than_its_room_and_ends_at_the_interval(
    value: float, below: float, above: float, times: float, width: int
) -> None:
    lo, hi = value * (1 - below), value * (1 + above)
    text = bar(value, lo, hi, hi * times, width)
    assert len(text) <= width
    scale = width / (hi * times)
    if "┤" in text:
        assert hi * scale - 1e-6 <= len(text) <= hi * scale + 2
        assert abs(text.index("├") - lo * scale) <= 2 + 1e-6
    else:
        assert abs(len(text) - value * scale) <= 1 + 1e-6


def test_bars_are_to_scale() -> None:
    assert bar(5, 5, 5, 10, 10) == "█████"
    assert bar(5.5, 5.5, 5.5, 10, 10) == "█████▌"
    assert bar(6, 5, 8, 10, 10) == "█████├─┤"
    assert bar(float("nan"), 1, 2, 10, 10) == ""


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
@pytest.mark.parametrize("name", ["nine", "zoo"])
def test_recorded_rows_fit_any_width(name: str, width: int) -> None:
    lines = drawn(RECORDED / f"{name}.csv", width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    assert "Intel(R) Xeon(R)" in text
    assert "onnxruntime 1.31.1" in text
    if width >= 80:
        assert "no room" not in text
        assert "GMAC/s" in text


def test_a_narrow_terminal_says_what_it_leaves_out() -> None:
    assert any(line.startswith("no room for M MACs") for line in drawn(RECORDED / "nine.csv", 50))


def test_names_of_any_width_fit(tmp_path: Path) -> None:
    names = ["形" * 40, "n" * 10_000, "a\u0301" * 30, "short", "mobilenetv3:size=small,minimalistic=true,width=0.75"]
    path = write(tmp_path / "r.csv", [row(model=name) for name in names])
    lines = drawn(path)
    assert max(map(cell_len, lines)) <= 80
    assert any("short" in line for line in lines)
    assert "…" in "\n".join(lines)
    joined = "".join(line[2:].split("  ")[0].strip() for line in lines)
    assert "minimalistic=true" in joined


def test_every_row_is_there_once_with_its_mark(tmp_path: Path) -> None:
    rows = [row(i + 1.0, model=f"net{i}", status=status, error="why") for i, status in enumerate(STATUSES)]
    rows[-1] = row(None, model="net4", status="timeout", error="no answer in 120 s")
    lines = drawn(write(tmp_path / "r.csv", rows))
    for i, status in enumerate(STATUSES):
        (line,) = [line for line in lines if re.match(rf".net{i} ", line)]
        assert line[0] == mark(status)
    assert any("timeout" in line for line in lines if "net4 " in line)  # in place of a bar
    assert any("net4 on onnxruntime: no answer in 120 s" in line for line in lines)
    assert any("not ok:" in line and "~ noisy (1)" in line and "× timeout (1)" in line for line in lines)


def test_colour_is_never_the_only_carrier(tmp_path: Path) -> None:
    rows = [row(i + 1.0, model=f"net{i}", status=status, error="why") for i, status in enumerate(STATUSES)]
    path = write(tmp_path / "r.csv", rows)
    coloured, plain = drawn(path, colour=True), drawn(path)
    assert coloured != plain
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain
    assert len({mark(status) for status in STATUSES}) == len(STATUSES)


def test_what_all_rows_share_is_said_once(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", [row(threads=1), row(threads=4), row(threads=4, backend="openvino", model="b")])
    head, *_ = lines = drawn(path)
    assert "threads" in head
    assert "backend" in head
    assert "batch" not in head
    (same,) = [line for line in lines if line.startswith("in all:")]
    assert "batch 1" in same
    head, *_ = drawn(path, groups=("backend",))
    assert "backend" not in head


def test_nothing_left_is_said(tmp_path: Path) -> None:
    from bench.rows.where import parse

    path = write(tmp_path / "r.csv", [row()])
    filters = parse(["backend=torch"])
    assert drawn(path, filters=filters) == ["0 of 1 row; left out: 1 by --where"]
