"""What every effect is held against, followed back to the papers' cells; and what a referee once found wrong."""

from __future__ import annotations

import math

import pytest

from bench import backends
from bench.findings import replicas
from bench.findings.catalog import catalog
from bench.findings.conditions import PUBLISHED, alike, here, published
from bench.findings.finding import COUNTS, OURS, TIME, Experiment, Finding, counted, follows, slower
from bench.findings.side import Side
from bench.papers.claims import claims
from bench.papers.published import PublishedLatency, latencies
from bench.plan.zoo import resolve

TARGETS = {
    "GTX 1080Ti": "gtx-1080ti", "Snapdragon 810": "snapdragon-810", "Snapdragon 820": "snapdragon-820",
    "Pixel 1": "pixel-1", "a phone, TFLite": "ghostnet-phone", "a phone": "ghostnetv2-phone",
    "Xeon Gold 6148": "xeon-gold-6148", "Core i7-12700H": "i7-12700h", "EPYC, 92 cores": "epyc-92-core",
    "Xeon E5-2690": "xeon-e5-2690",
}  # fmt: skip
AREAS = {554: (480, 640), 960: (720, 1280)}  # the zoo's inputs are square: these have nearly the area
TIMED = [(f, e) for f in catalog().values() for e in f.experiments if e.quantity == TIME and e.printed is not None]
# Rows of networks that the table of latencies has by name alone.
LABELS = {**replicas.LABELS, "igcv3": "IGCV3-D", "nasnet-mobile": "NASNet-A", "pnasnet-mobile": "PNASNet-5"}
# Printed in a text, or rounded there, instead of in a table of latencies.
IN_WORDS = {"SV1-04", "MV3-03", "MV3-04", "MV3-05", "MV3-07", "GN-02", "G2-02", "SV1-shuffle"}


def rows_of(side: Side, device: str, batch: int) -> list[PublishedLatency]:
    model = resolve(side.model)
    area = AREAS.get(side.resolution or 0) or ((side.resolution or model.resolution),) * 2
    label = LABELS.get(model.canonical, "-")
    return [
        row
        for row in latencies()
        if row.target == TARGETS[device]
        and "early" not in row.source
        and (
            resolve(row.model).canonical == model.canonical
            if row.model
            else row.label.partition(" (our impl.)")[0].partition(" (4 @")[0] == label
        )
        and row.resolution == area
        and row.batch == batch
    ]


@pytest.mark.parametrize(("finding", "e"), TIMED, ids=[f"{f.id}-{e.name}" for f, e in TIMED])
def test_a_published_ratio_is_that_of_two_printed_cells(finding: Finding, e: Experiment) -> None:
    assert e.device in PUBLISHED
    assert e.b is not None
    if e.a.model.startswith(("stack/", "variant/")) or e.b.model.startswith(("stack/", "variant/")):
        return
    if finding.id in IN_WORDS:
        return
    batch = int(PUBLISHED[e.device].batch or e.a.batch)
    a, b = (rows_of(side, e.device, batch) for side in (e.a, e.b))
    ratios = [y.latency_ms / x.latency_ms for x in a for y in b if x.source.split(",")[0] == y.source.split(",")[0]]
    assert ratios, "no source prints both"
    expected = e.printed or 0.0
    if e.per_mac:
        macs = [replicas.printed(side, finding.paper, finding.source) for side in (e.a, e.b)]
        if not all(row and row.macs for row in macs):
            pytest.skip("the paper's MACs are not in a table")
        first, second = (row.macs.value for row in macs if row and row.macs)
        expected *= second / first
    assert any(math.isclose(ratio, expected, rel_tol=0.03 if e.per_mac else 0.002) for ratio in ratios), ratios


def test_conditions_are_those_of_the_table_of_latencies() -> None:
    for device, told in PUBLISHED.items():
        if device not in TARGETS:
            assert (told.runtime, told.threads) == ("", "")
            continue
        rows = [row for row in latencies() if row.target == TARGETS[device]]
        assert rows
        assert told.runtime in {row.runtime for row in rows}
        assert told.threads in {str(row.threads or "") for row in rows}
        assert not told.batch or told.batch in {str(row.batch) for row in rows}
        assert not told.precision or told.precision in {row.precision for row in rows}


def test_a_thread_of_an_x86_core_is_like_nothing_that_was_published() -> None:
    case = Side("mobilenetv1").case(backends.resolve("onnxruntime", here=False))
    mine = here(case, "x86_64", "fp32")
    assert str(mine) == "x86 CPU, onnxruntime, 1 thread, batch 1, fp32"
    assert alike(mine, mine)
    assert not any(alike(mine, published(device, case)) for device in PUBLISHED)
    assert not alike(published("mobile", case), published("mobile", case))  # what is not told is not the same


def test_a_pixel_s_runtime_on_another_machine_is_not_a_pixel() -> None:
    case = Side("mobilenetv1").case(backends.resolve("fake", here=False))
    assert here(case, "aarch64", "fp32").kind != published("Pixel 1", case).kind


def test_every_origin_is_told_and_what_is_ours_is_never_published() -> None:
    for finding in catalog().values():
        for e in finding.experiments:
            if e.origin == OURS:
                assert (e.printed, e.published, e.device) == (None, 1.0, "")
    with pytest.raises(ValueError, match="nobody published"):
        Experiment("e", Side("mobilenetv1"), Side("mobilenetv2"), 1.03, origin=OURS)
    with pytest.raises(ValueError, match="origin"):
        slower("mobilenetv1", "mobilenetv2", 1.03, origin="felt")
    assert follows("mobilenetv1", "mobilenetv2", "x").per_mac


@pytest.mark.parametrize("id", ["MV1-01", "MV1-07", "MV1-08", "SQ-03", "SQ-05", "GN-03"])
def test_where_a_paper_counts_nothing_is_timed(id: str) -> None:
    assert {e.quantity for e in catalog()[id].experiments} <= set(COUNTS)


def test_what_was_printed_by_a_superseded_version_is_gone() -> None:
    (e,) = catalog()["MV3-06"].experiments
    assert math.isclose(e.printed or 0, 53.5 / 51.4)


def test_no_figure_is_made_up() -> None:
    (e,) = catalog()["LC-10"].experiments
    assert (e.printed, e.direction) == (None, 1)


def test_the_scales_of_pplcnet_are_judged_by_how_flat_they_are() -> None:
    """0.25x takes 0.71 of 1x's time there: 6.3 times as long per MAC. Time in proportion to MACs must not agree."""
    from bench.findings.evaluate import judge
    from bench.findings.verdict import AGREES, NONE, exact

    for e in catalog()["LC-scales"].experiments:
        assert e.per_mac
        assert judge(e, exact(0.0)) == NONE
        assert judge(e, exact(e.log_published or 0)) == AGREES
    first = catalog()["LC-scales"].experiments[0]
    assert math.isclose(first.printed or 0, (1.74 / 2.46) / (18 / 161))


def test_a_claim_that_it_costs_little_is_met_by_what_costs_nothing() -> None:
    from bench.findings.evaluate import judge
    from bench.findings.verdict import AGREES, exact

    assert all(judge(e, exact(0.0)) == AGREES for e in catalog()["SV2-12"].experiments if (e.printed or 2) < 1.1)
    assert all(judge(e, exact(math.log(2))) != AGREES for e in catalog()["SV2-12"].experiments)
    assert catalog()["MV3-02"].experiments[0].equals


def test_headlines_are_the_papers_own() -> None:
    assert catalog()["G1"].headline == "1:12, x1, GTX 1080Ti"
    assert "1:12" in catalog()["SV2-08"].headline
    for finding in catalog().values():
        if len(finding.experiments) > 1:
            assert finding.spokesman is not None
            assert finding.headline == finding.spokesman.name
            names = [e.name for e in finding.experiments]
            assert len(names) == len(set(names)), finding.id
    assert all(one.headline == "" or catalog()[id].headline == one.headline for id, one in claims().items())


def test_replicas_whose_macs_are_others_are_told() -> None:
    def off(model: str, macs_m: float, resolution: int | None = None) -> bool:
        row = replicas.printed(Side(model, resolution=resolution), "ShuffleNet V2", "ShuffleNet V2, Table 8")
        assert row is not None
        return replicas.approximate(row, macs_m * 1e6)

    assert off("mobilenetv2:width=0.15", 30.57)  # 39 M printed
    assert off("igcv3:width=0.7", 175.0)  # 210 M printed
    assert off("mobilenetv2:width=0.75", 153.94, 192)
    assert not off("shufflenetv2", 145.8)
    assert not off("igcv3:width=1.4", 590.0)
    printed = replicas.printed(Side("pplcnet:width=0.5"), "PP-LCNet", "PP-LCNet, Table 2")
    assert printed is not None
    assert not replicas.approximate(printed, 43e6)  # 47 M with two operations per BatchNorm element
    assert replicas.printed(Side("stack/conv:c=128"), "ShuffleNet V2", "") is None


def test_a_count_has_no_conditions() -> None:
    e = counted("mobilenetv1", "mobilenetv2", "macs", 0.5)
    assert e.device == ""
