"""Two profiles side by side: parts that add up, and reasons only where those agree with what was measured apart."""

from __future__ import annotations

import math

import pytest

from bench.profiling.difference import Check, check, split
from bench.profiling.reasons import reasons
from bench.report.text import explain as text
from bench.report.text.sections import markdown
from tests.profiling.made import ROOF, A, B


def test_the_parts_add_up_to_the_difference() -> None:
    parts = split(A, B)
    assert math.fsum(p.difference_ms for p in parts) == pytest.approx(A.latency_ms - B.latency_ms, abs=1e-12)
    assert math.fsum(p.a_ms for p in parts) == pytest.approx(A.latency_ms, abs=1e-12)
    assert sum(p.a_macs for p in parts) == A.macs
    assert parts[-1].name == "residual"


def test_the_check_is_told_beside_the_parts() -> None:
    measured = check([(2.2e6, 1.2e6), (2.0e6, 1.0e6), (2.3e6, 1.3e6)])
    assert measured.difference_ms == pytest.approx(1.0)
    assert measured.error_ms == pytest.approx(0.0, abs=1e-9)
    assert check([(2.2e6, 1.2e6)] * 4 + [(9e6, 1.0e6)]).difference_ms == pytest.approx(1.0)  # one disturbed pair
    assert "the sum of the parts is +5.0% off" in text.told_check(measured, 1.05)
    assert "the sum of the parts is -2.0% off" in text.told_check(measured, 0.98)
    # The median of differences is not the difference of medians, and nobody should have to find that out.
    skewed = text.told_check(check([(2.0e6, 1.0e6), (2.5e6, 1.2e6), (2.6e6, 1.7e6)]), 1.0)
    assert "A - B = +1.000 ms, the median difference of 3 unprofiled pairs" in skewed
    assert "by itself A 2.500, B 1.200 ms" in skewed


@pytest.mark.parametrize(
    ("apart_ms", "error_ms", "fault"),
    [
        (0.0466, 0.001, ""),
        (0.0123, 0.001, "the sum of the parts is not"),  # +279% off
        (-0.0466, 0.001, "the sum of the parts is not"),  # the other one is faster
        (0.0466, 0.030, "hardly differ"),
    ],
)
def test_reasons_are_given_only_where_the_parts_explain_what_was_measured_apart(
    apart_ms: float, error_ms: float, fault: str
) -> None:
    checked = Check(A.latency_ms, A.latency_ms - apart_ms, apart_ms, error_ms, 8)
    said = [reasons(A, ROOF), reasons(B, ROOF)]
    assert fault in checked.fault(A, B)
    assert bool(checked.fault(A, B)) == bool(fault)
    sections = text.explain_two(A, B, ROOF, said, checked, 6)
    assert any(section.statements for section in sections) == (not fault)
    if fault:
        assert fault in sections[-1].lines[0]
        assert "profile again with more --launches" in sections[-1].lines[0]


def test_reasons_that_nothing_was_held_against_say_so() -> None:
    said = [reasons(A, ROOF), reasons(B, ROOF)]
    unchecked = text.explain_two(A, B, ROOF, said, None, 6)[-1]
    assert unchecked.statements
    assert "unchecked" in unchecked.lines[0]


def test_the_text_is_short_and_says_which_is_faster() -> None:
    one = text.explain_one(A, ROOF, reasons(A, ROOF), 6, 4)
    assert sum(len(s.lines) + len(s.statements) + (len(s.table.rows) + 1 if s.table else 0) for s in one) < 25
    two = text.explain_two(A, B, ROOF, [reasons(A, ROOF), reasons(B, ROOF)], None, 6)
    assert any(
        "A - B = " in line and ": b is 1.60 times as fast, with 1.75 times the MACs" in line for line in two[0].lines
    )
    table = two[1].table
    assert table is not None
    assert table.rows[-1][:4] == ("latency", f"{A.latency_ms:.3f}", f"{B.latency_ms:.3f}", "+0.047")
    marked = markdown(two)
    assert sum(line.startswith("| ") for line in marked) == len(table.rows) + 2  # head and rule
    assert len({line.count("|") for line in marked if line.startswith("| ")}) == 1
