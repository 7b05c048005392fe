"""Where the time of a network goes: parts that add up, from the table of kernels that is kept."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.findings.own import TEN
from bench.predict.table import KernelTable, read
from bench.report.causes import BETWEEN, CAUSES, DEPTHWISE, GROUPED, shares

RESULTS = Path(__file__).parent.parent.parent / "results" / "xeon-vm-2core"


@pytest.fixture(scope="module")
def table() -> KernelTable:
    return read(RESULTS / "predict.json.gz")


def test_parts_add_up_to_the_latency(table: KernelTable) -> None:
    split = [found for model in dict.fromkeys(m for pair in TEN for m in pair) if (found := shares(table, model))]
    assert len(split) >= 10
    for found in split:
        assert set(found) == set(CAUSES)
        assert math.fsum(found.values()) == pytest.approx(1.0)
        assert all(share >= 0 for cause, share in found.items() if cause != BETWEEN)
        assert -0.1 < found[BETWEEN] < 0.4


def test_a_cause_is_where_the_network_has_it(table: KernelTable) -> None:
    grouped, separable = shares(table, "shufflenetv1"), shares(table, "mobilenetv1")
    assert grouped is not None
    assert separable is not None
    assert grouped[GROUPED] > 0.3
    assert separable[GROUPED] == 0
    assert separable[DEPTHWISE] > 0.05


def test_what_was_not_timed_is_not_split(table: KernelTable) -> None:
    assert shares(table, "mobilenetv1:width=0.75") is None
