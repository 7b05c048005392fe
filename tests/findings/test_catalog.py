from __future__ import annotations

import math

import pytest

from bench import backends
from bench.base.errors import UnknownName
from bench.findings.catalog import catalog, select, suite, threaded
from bench.findings.finding import TIME, Experiment, Finding
from bench.findings.guidelines import ARM, G1, GPU, aligned_groups, aligned_pair, divisible, g1, g2, g3, g4
from bench.findings.side import Side
from bench.papers.claims import claims
from bench.papers.published import networks
from bench.plan.zoo import resolve


def test_every_claim_has_a_finding_or_a_reason() -> None:
    assert len(claims()) == 94
    found = [catalog()[id] for id in claims()]
    assert sum(f.runnable for f in found) >= 60
    assert all(f.runnable != bool(f.reason) for f in found)
    assert all(f.claim == claims()[f.id].claim for f in found)


def test_every_side_can_be_looked_up() -> None:
    fake = backends.resolve("fake")
    for finding in catalog().values():
        for experiment in finding.experiments:
            ids = {side.case(fake).id for side in experiment.sides}
            assert len(ids) == len(experiment.sides), f"{finding.id} {experiment.name}: both sides are the same"


def test_g1_has_the_channels_of_table_1() -> None:
    paper = [e for e in g1(GPU) if e.channels == "paper"]
    assert len(paper) == 9
    assert paper[2].b == Side("stack/g1:c1=36,c2=432")
    assert math.isclose(paper[2].published or 0, 1480 / 748)
    assert [e.b.model for e in g1(ARM, (4,)) if e.b and e.channels == "paper"] == [
        f"stack/g1:c1={4 * a},c2={4 * b}" for (a, b), _ in list(G1[ARM].values())[1:]
    ]


def test_all_four_cells_of_tables_2_to_4_are_there() -> None:
    assert {e.name.split(",")[0] for e in g2(GPU)} == {"2 groups", "4 groups", "8 groups"}
    arrangements = {tuple(e.name.split(", ")[:2]) for e in g3(ARM)}
    assert arrangements == {(f"{n} fragments", a) for n in (2, 4) for a in ("series", "parallel")}
    assert {e.name.split(",")[0] for e in g4(GPU)} == {"with ReLU", "with shortcut", "with ReLU and shortcut"}


@pytest.mark.parametrize("make", [g1, g2, g3, g4])
def test_aligned_channels_are_whole_blocks_and_nearly_equal_macs(make: object) -> None:
    assert callable(make)
    checked = 0
    for device in (GPU, ARM):
        for e in make(device):
            if e.channels in ("aligned", "both"):
                checked += 1
                params = resolve(e.b.model).params
                groups = int(params.get("groups", 1))
                for name in ("c", "c1", "c2", "m"):
                    if name in params:
                        assert int(params[name]) % (16 * groups) == 0, e.b.model
            if e.channels == "aligned":
                assert e.name.endswith(", aligned")
    assert checked >= 9


def test_aligned_pairs_of_the_notes() -> None:
    assert aligned_pair(128, 2) == (96, 176)
    assert aligned_pair(128, 6) == (48, 336)
    assert aligned_pair(128, 12) == (32, 512)
    assert aligned_pair(32, 12) is None  # only 16:64 has blocks of 16, and that is 1:4
    assert aligned_groups(128, 8) == 384
    assert aligned_groups(64, 8) is None
    assert divisible(180, 8) == 184


def test_quick_is_about_each_guideline_with_both_channels() -> None:
    for id in ("G1", "G2", "G3", "G4"):
        assert {e.channels for e in catalog()[id].experiments if e.quick} in ({"paper", "aligned"}, {"both"})


def test_the_core_set_is_g1_to_g4_table_8_pplcnet_and_the_pairs() -> None:
    found = {f.id: f for f in suite("core")}
    assert {id.partition("-")[0] for id in found} == {"G1", "G2", "G3", "G4", "T8", "LC", "PAIRS"}
    assert all({e.channels for e in found[id].experiments} >= {"paper", "aligned"} for id in ("G1", "G2", "G3", "G4"))
    assert all(side.batch == 1 for f in found.values() for e in f.experiments for side in e.sides)
    cases = {str(side) for f in found.values() for e in f.experiments for side in e.sides}
    assert 90 < len(cases) < 140  # some 3.4 launches of 3 s each: half an hour on one runtime
    assert [f.id for f in suite("core", ["G1", "SV1-01"])] == ["G1"]
    assert [f.id for f in suite("quick")] == ["G1", "G2", "G3", "G4"]


def test_ten_pairs_are_within_a_tenth_of_each_others_macs() -> None:
    (finding,) = (f for f in suite("core") if f.id == "PAIRS")
    assert len(finding.experiments) == 10
    printed = {
        (row.model and resolve(row.model).canonical): row.macs.value
        for row in networks()
        if row.macs and row.resolution == 224 and "bn2" not in row.counting.terms
    }
    for e in finding.experiments:
        assert e.b is not None
        macs = [printed.get(resolve(side.model).canonical) for side in e.sides]
        if None not in macs:
            first, second = (m for m in macs if m is not None)
            assert 0.9 < second / first < 1.11, e.name


def test_threads_and_maps_are_swept() -> None:
    for id in ("G1", "G2", "G3", "G4"):
        assert {s.threads for e in catalog()[f"{id}-threads"].experiments for s in e.sides} == {2}
        assert {s.resolution for e in catalog()[f"{id}-maps"].experiments for s in e.sides} == {112, 224}


def test_the_inversions_that_others_published_on_x86_are_tested() -> None:
    sides = {(e.a.model, e.b.model) for e in catalog()["TM-01"].experiments if e.b}
    assert ("pplcnet", "ghostnetv1") in sides
    assert ("mobilenetv1", "ghostnetv1") in sides
    assert catalog()["LC-03"].experiments[0].b == Side("mobilenetv3-small:width=1.25")


def test_select_forgives_case_and_names_the_nearest() -> None:
    assert [f.id for f in select(["g1", "sv2-08"])] == ["G1", "SV2-08"]
    assert len(select([])) == len(catalog())
    with pytest.raises(UnknownName) as caught:
        select(["SV2-99"])
    assert "did you mean" in caught.value.hint


def test_a_finding_has_experiments_or_a_reason() -> None:
    with pytest.raises(ValueError, match="either"):
        Finding("x", "c", "s", "p")
    with pytest.raises(ValueError, match="direction"):
        Experiment("e", Side("mobilenetv1"), Side("mobilenetv2"), None)
    with pytest.raises(ValueError, match="quantity"):
        Experiment("e", Side("mobilenetv1"), None, 1.2, quantity="joy")
    with pytest.raises(ValueError, match="no experiment is called"):
        Finding("x", "c", "s", "p", (catalog()["MN-01"].experiments[0],), headline="another")
    assert all(e.published is None or e.published > 0 for f in catalog().values() for e in f.experiments)
    assert any(e.quantity == TIME for f in catalog().values() for e in f.experiments)


def test_claims_of_several_threads_can_be_measured_on_as_many_as_there_are() -> None:
    found = threaded(select(()), 2)
    assert {f.id for f in found} >= {"LC-01", "LC-04", "LC-scales"}
    assert all(f.paper == "PP-LCNet" for f in found)
    assert all(s.threads == 2 for f in found for e in f.experiments for s in e.sides)
    alone = catalog()["LC-04"].experiments[0]
    (two,) = threaded([catalog()["LC-04"]], 2)[0].experiments
    assert (two.name, two.published) == (f"{alone.name}, 2 threads", alone.published)
    assert not two.varied
    assert threaded([catalog()["G1"]], 2) == []
