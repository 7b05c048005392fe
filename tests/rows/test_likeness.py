"""A row of a file held against what its case gave here."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.report.text.like import exit_code, verdict
from bench.rows.likeness import AGREES, CANNOT, DIFFERS, OPEN, compare, unlike
from tests.rows.rows import row

KNOWN = {"within_lo_ms": 4.98, "within_hi_ms": 5.02, "between_sd": 0.01}


def test_equal_rows_agree_and_nothing_differs() -> None:
    found = compare(row(5.0, **KNOWN), row(5.05, **KNOWN))
    assert (found.verdict, found.differs) == (AGREES, ())
    assert found.ratio is not None
    ratio, lo, hi = found.ratio
    assert ratio == pytest.approx(1.01)
    assert lo < 1 < hi
    assert verdict(found) == "agrees within both intervals"


@pytest.mark.parametrize(
    ("here", "says"),
    [(6.0, "differs: 20.0% slower here"), (4.0, "differs: 20.0% faster here"), (15.0, "differs: 3 times as long here"),
     (1.0, "differs: 0.2 times as long here")],
)  # fmt: skip
def test_it_says_by_how_much_they_differ(here: float, says: str) -> None:
    scaled = {name: value * here / 5 if name.endswith("ms") else value for name, value in KNOWN.items()}
    found = compare(row(5.0, **KNOWN), row(here, **scaled))
    assert found.verdict == DIFFERS
    assert verdict(found) == says
    assert exit_code([found]) == 1


def test_both_intervals_count() -> None:
    """The spread that machines show between runs is in the interval of the ratio, of either side."""
    calm, restless = KNOWN, KNOWN | {"between_sd": 0.08}
    assert compare(row(5.0, **calm), row(5.5, **calm)).verdict == DIFFERS
    assert compare(row(5.0, **restless), row(5.5, **calm)).verdict == AGREES
    assert compare(row(5.0, **calm), row(5.5, **restless)).verdict == AGREES


def test_a_row_from_before_there_were_two_intervals_gets_what_is_usual() -> None:
    """Its interval holds launches alone: without more, 2 percent would pass for a difference."""
    old = replace(row(5.0, half=0.001), schema_version=1)
    found = compare(old, row(5.1, half=0.001))
    assert found.verdict == AGREES
    assert found.ratio is not None
    assert math.log(found.ratio[2] / found.ratio[1]) > 0.1


def test_hardware_and_versions_that_differ_are_named_and_the_target_is_not() -> None:
    here = row(5.0, cpu="N1", cpu_id="part=1", arch="aarch64", backend_version="2.0", target="board", os="Linux")
    assert compare(row(5.0), here).differs == (
        "arch: x86_64 -> aarch64",
        "cpu: EPYC -> N1",
        "cpu_id: family=25 model=1 -> part=1",
        "backend_version: 1.0 -> 2.0",
        "os: ? -> Linux",
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"precision_effective": "bf16"}, "precision_effective fp32 there and bf16 here"),
        ({"macs": 5}, "macs 1000000000 there and 5 here"),
        ({"threads_effective": 2}, "threads_effective 1 there and 2 here"),
        ({"status": "noisy", "error": "busy"}, "noisy here: busy"),
    ],
)
def test_what_is_not_the_same_work_or_not_sure_gets_no_verdict(changed: dict[str, object], says: str) -> None:
    found = compare(row(5.0), row(9.0, **changed))
    assert (found.verdict, found.ratio) == (OPEN, None)
    assert says in found.reason
    assert exit_code([found]) == 3


def test_what_failed_here_cannot_be_run_here() -> None:
    found = compare(row(5.0), row(None, status="unsupported", error="8 threads on 2 cores"))
    assert (found.verdict, found.reason) == (CANNOT, "unsupported: 8 threads on 2 cores")
    assert exit_code([found, compare(row(), row())]) == 3
    assert exit_code([unlike(row(), "there is no backend")]) == 3
    assert exit_code([compare(row(), row())]) == 0
