"""Networks of timm counted through two exporters against PyTorch's counter: a few anew, the others as recorded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import count_timm

RECORDED = Path(__file__).parents[2] / "results" / "counts" / "timm.csv"


def test_nothing_that_was_recorded_is_silently_off() -> None:
    rows = count_timm.read(RECORDED)
    assert rows
    assert not [row for row in rows if row["verdict"] == "off"]
    for row in rows:
        if row["verdict"] == "equal":
            assert row["macs"] == row["torch_macs"] == row["macs_at_least"]
        elif row["verdict"] == "partial, named":
            assert row["uncounted"]
            assert not row["macs"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gmixer_24_224", "swinv2_cr_tiny_ns_224", "levit_128s"])
def test_a_network_of_timm_is_counted_or_named(name: str) -> None:
    if find_spec("timm") is None:
        pytest.skip("timm is not installed")
    verdicts = {row["exporter"]: row["verdict"] for row in count_timm.in_child(name)}
    assert set(verdicts) == {"dynamo", "torchscript"}
    assert "off" not in verdicts.values()
