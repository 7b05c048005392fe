"""What the papers print is what the zoo builds: every published row, counted."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module

import pytest

from bench.papers.published import Counts, PublishedNetwork, doubts, latencies, macs_within, networks, params_within
from bench.plan.spec import parse
from bench.plan.zoo import names, resolve

pytestmark = pytest.mark.usefixtures("counted")
ROWS = [row for row in networks() if row.model]
# Models that somebody timed: each once.
TIMED = sorted({row.model for row in latencies() if row.model})


def known(model: str) -> None:
    family = parse(model).name
    if family not in names():
        pytest.skip(f"the zoo has no card for {family} yet")


def count(model: str, resolution: int) -> Counts:
    pytest.importorskip("torch")
    counted: Counts = import_module("bench.models.counting").count(model, resolution)
    return counted


def row_id(row: PublishedNetwork) -> str:
    return f"{row.table}-{row.model}-{row.resolution}-{row.source}"


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_a_published_figure_is_counted_or_its_deviation_is_told(row: PublishedNetwork) -> None:
    known(row.model)
    assert resolve(row.model).kind == "zoo"
    counts = count(row.model, row.resolution)
    verdicts = (params_within(row, counts), macs_within(row, counts))
    seen = f"params {row.counting.params_m(counts):.4f} M, MACs {row.counting.macs_m(counts):.3f} M, {counts}"
    if row.deviation:
        assert False in verdicts, f"nothing deviates, yet a reason is given: {seen}"
        assert len(row.deviation) >= 20, "the reason is too short to be one"
    else:
        assert False not in verdicts, f"{row.params}, {row.macs}; counted: {seen}"


def test_no_row_is_published_twice() -> None:
    seen = Counter((row.model, row.resolution, row.source, row.label, row.macs) for row in networks())
    assert [key for key, times in seen.items() if times > 1] == []


@pytest.mark.parametrize("model", TIMED)
def test_a_timed_model_is_in_the_zoo(model: str) -> None:
    known(model)
    assert resolve(model).kind == "zoo"


def test_no_latency_is_published_twice() -> None:
    seen = Counter((row.target, row.label, row.resolution, row.batch, row.precision, row.source) for row in latencies())
    assert [key for key, times in seen.items() if times > 1] == []


def test_targets_are_names_and_mean_one_device_each() -> None:
    devices = {(row.target, row.device) for row in latencies()}
    assert len(devices) == len({target for target, _ in devices})
    assert [t for t, _ in devices if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", t)] == []


def test_a_converted_speed_says_so() -> None:
    assert [row.label for row in latencies() if row.published_unit != "ms" and "printed in" not in row.note] == []


def test_latencies_are_those_of_the_papers() -> None:
    found = {(row.target, row.model, row.resolution, row.source): row for row in latencies() if row.model}
    gpu = found["gtx-1080ti", "shufflenetv2:width=0.5", (224, 224), "ShuffleNet V2, Table 8"]
    arm = found["snapdragon-810", "shufflenetv2:width=0.5", (224, 224), "ShuffleNet V2, Table 8"]
    cpu = found["xeon-gold-6148", "pplcnet", (224, 224), "PP-LCNet, Table 2"]
    assert (gpu.published_value, gpu.batch, gpu.images_per_s) == (417, 8, 3336)
    assert arm.latency_ms == pytest.approx(1000 / 57.0, rel=1e-4)
    assert (cpu.latency_ms, cpu.threads) == (2.46, 10)


def test_doubts_are_complete() -> None:
    assert doubts()
    assert [d for d in doubts() if not (d.source and d.cell and d.printed and d.finding)] == []


def test_counting_knows_operators_and_resolutions() -> None:
    plain = count("shufflenetv2", 224)
    # Table 5 of the paper by hand: 1024 x 1000 in the classifier, which has no bias.
    assert plain.macs_fc == 1024 * 1000
    assert plain.params == 2_278_760
    # Everything but the stem's rounding scales with the area; the classifier does not.
    assert count("shufflenetv2", 448).macs_conv == 4 * plain.macs_conv
    assert count("shufflenetv2", 448).macs_fc == plain.macs_fc
    # The classifier's weights are no convolution; a stem of 24 filters 3x3x3 at 112x112 is.
    assert plain.macs_conv > 24 * 27 * 112 * 112
    assert count("mobilenetv1", 224).bn_params == 21_888
