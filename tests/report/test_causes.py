"""Where the time of a network goes: parts that add up, from the table of kernels that is kept."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.findings.own import TEN
from bench.predict.table import KernelTable, read
from bench.report.causes import (
    BETWEEN,
    CAUSES,
    DENSE,
    DEPTHWISE,
    DISPATCH,
    GROUPED,
    LAYOUT,
    MOVED,
    PADDING,
    REST,
    profiled,
    shares,
)

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
        assert all(share >= 0 for cause, share in found.items() if cause not in (BETWEEN, DISPATCH))
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


def test_a_profile_is_split_into_causes_that_add_up() -> None:
    classes = {"conv 1x1": 0.5, "conv depthwise": 0.2, "channel shuffle": 0.05, "reorder": 0.1, "pooling": 0.05}
    lines = [{"classes": classes, "padded": {"conv 1x1": 0.125}}, {"classes": classes, "padded": {}}]
    found = profiled(lines)
    assert math.fsum(found.values()) == pytest.approx(1.0)
    assert found[DENSE] + found[PADDING] == pytest.approx(0.5)
    told = {cause: round(share, 4) for cause, share in found.items() if share}
    assert told == {DENSE: 0.4375, PADDING: 0.0625, DEPTHWISE: 0.2, MOVED: 0.05, LAYOUT: 0.1, REST: 0.05, DISPATCH: 0.1}
