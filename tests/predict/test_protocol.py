"""The programs that hold predictions against measured networks: what they measure, when they stop, what they count."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import backends
from bench.plan import zoo
from bench.plan.suite import shipped
from bench.report.text import predict_page
from benchmarks import (
    predict_baselines,
    predict_export,
    predict_measure,
    predict_networks,
    predict_nnmeter,
    predict_report,
)
from benchmarks.predict_accuracy import Found, figures
from benchmarks.predict_networks import GROUPS, ROOT, Member
from tests.predict.synthetic import machine

pytestmark = pytest.mark.usefixtures("at_root")
LATER = time.monotonic() + 1e6


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_hundred_networks_from_outside_and_two_hundred_drawn_ones_stand_in_the_list_once() -> None:
    found = predict_networks.members()
    of = {name: [m for m in found if m.set == name] for name in predict_networks.SETS}
    assert len({m.name for m in found}) == len(found)
    assert len(of["zoo"]) == len(shipped()["zoo"].models)
    assert len(of["outside"]) >= 100
    assert len(of["mobile"]) == len(of["residual"]) == predict_networks.DRAWN
    assert all(m.network.model.kind in ("timm", "torchvision") for m in of["outside"])
    grouped = [family for families in GROUPS.values() for family in families]
    assert sorted(grouped) == sorted({zoo.resolve(m).source for m in shipped()["zoo"].models})


@pytest.mark.parametrize("space", ["mobile", "residual"])
def test_a_seed_draws_one_network_and_another_seed_another(space: str) -> None:
    torch = pytest.importorskip("torch")
    spaces = pytest.importorskip("benchmarks.predict_spaces")

    def shapes(seed: int) -> list[tuple[int, ...]]:
        return [tuple(p.shape) for p in getattr(spaces, space)(seed).parameters()]

    assert shapes(3) == shapes(3)
    assert len({str(shapes(seed)) for seed in range(4)}) == 4
    with torch.inference_mode():
        assert getattr(spaces, space)(3).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_only_what_is_computed_changes_the_hash_of_the_law() -> None:
    plain = "def law(x):\n    return 2 * x\n"
    told = '"""About the law."""\n\n# why\ndef law(x):\n    """Twice."""\n    return 2*x\n'
    assert predict_measure.code_hash(plain) == predict_measure.code_hash(told)
    assert predict_measure.code_hash(plain) != predict_measure.code_hash(plain.replace("2", "3"))


@pytest.mark.parametrize(
    ("medians", "aside", "status", "counts"),
    [
        ((100, 105), 0.0, "ok", True),
        ((100, 105), 0.0, "noisy", True),
        ((100, 130), 0.0, "ok", False),  # its launches do not agree
        ((100, 105), 0.8, "ok", False),  # hardly a block was undisturbed
        ((100,), 0.0, "ok", False),  # one launch says nothing of how far launches differ
        ((100, 105), 0.0, "failed", False),
    ],
)
def test_a_disturbed_measurement_does_not_count(
    medians: Sequence[int], aside: float, status: str, counts: bool
) -> None:
    row: Any = SimpleNamespace(status=status, latency_ms=1.0, set_aside=aside)
    assert predict_measure.sound(row, [[[m, 1, 1, 5], [m, 1, 1, 5]] for m in medians]) is counts


def test_a_latency_is_told_for_the_speed_that_the_training_knows() -> None:
    calm, slow, stopped = [1000, 100, 1, 9], [1200, 120, 1, 9], [5000, 300, 1, 9]
    assert predict_measure.told_for([[calm, calm], [calm]], 100.0) == pytest.approx(1000)
    assert predict_measure.told_for([[calm, stopped]], 100.0) == pytest.approx(1000)  # a disturbed block does not count
    assert 1000 <= predict_measure.told_for([[slow]], 100.0) < 1200
    assert predict_measure.told_for([[stopped]], 100.0) > 1000  # the only one there is


class Scripted:
    """Measures by a script: `disturbed` names a network that never is sound."""

    def __init__(self, disturbed: str = "") -> None:
        self.disturbed, self.asked = disturbed, list[str]()

    def __call__(self, group: Sequence[Member], ref: Any, session: int, earlier: Any) -> list[dict[str, Any]]:
        self.asked += [m.name for m in group]
        return [
            {"network": m.name, "set": m.set, "family": m.family, "backend": ref.canonical, "session": session}
            | {"sound": m.name != self.disturbed, "latency_ns": 1000 * len(m.name), "at": "2026-01-02"}
            for m in group
        ]


def some(folder: Path) -> list[Member]:
    """Write down that ten networks from outside were made."""
    chosen = predict_networks.members(["outside"])[:10]
    rows = [{"network": m.name, "set": m.set, "family": m.family, "left_out": ""} for m in chosen]
    predict_export.append(folder / "predict-networks.jsonl", [*rows[1:], rows[0] | {"left_out": "too large"}])
    return chosen


def test_measuring_goes_on_where_it_stopped_and_gives_up_on_what_is_always_disturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = predict_export.usable(tmp_path, some(tmp_path))
    assert len(chosen) == 9
    ref, scripted = backends.resolve("fake"), Scripted(chosen[4].name)
    monkeypatch.setattr(predict_measure, "measured", scripted)
    assert predict_measure.measure(tmp_path, chosen, ref, LATER, 1) == 1  # nothing was fixed yet
    assert predict_measure.freeze(tmp_path, Path(predict_measure.bench.predict.__path__[0])) == 0
    assert predict_measure.measure(tmp_path, chosen, ref, time.monotonic() - 1, 1) == 75
    assert scripted.asked == []
    assert predict_measure.measure(tmp_path, chosen[:6], ref, LATER, 1) == 0
    scripted.asked.clear()
    assert predict_measure.measure(tmp_path, chosen, ref, LATER, 1) == 0
    assert sorted(scripted.asked) == sorted(m.name for m in chosen[6:])  # those that were missing, nothing else
    assert set(predict_measure.latencies(tmp_path, "fake", 1)) == {m.name for m in chosen} - {chosen[4].name}
    tries = [r for r in predict_export.lines(tmp_path / "predict-latencies.jsonl") if r["network"] == chosen[4].name]
    assert len(tries) == predict_measure.ATTEMPTS
    assert predict_measure.freeze(tmp_path, Path(predict_measure.bench.predict.__path__[0])) == 1  # too late


def test_what_predicts_is_held_against_what_was_fixed(tmp_path: Path) -> None:
    sources = Path(predict_measure.bench.predict.__path__[0])
    predict_measure.freeze(tmp_path, sources)
    assert predict_report.frozen(tmp_path)["law"] == "as fixed"
    path = tmp_path / "predict-frozen.json"
    then = json.loads(path.read_text("utf-8"))
    then["law"]["law"] = "another"
    path.write_text(json.dumps(then), "utf-8")
    assert predict_report.frozen(tmp_path)["law"] == "changed since: law"


def test_what_is_refused_counts_as_a_miss() -> None:
    found = Found({"a": 104.0, "b": 92.0, "c": 150.0}, {"a": (90.0, 110.0), "b": (91.0, 93.0)}, {"a": 0.5, "b": 0.1})
    row = figures(found, {"a": 100.0, "b": 100.0, "c": 100.0, "d": 100.0})
    assert (row["networks"], row["refused"]) == (4, 1)
    assert (row["within_5"], row["within_10"]) == (0.25, 0.5)
    assert row["mape"] == pytest.approx((0.04 + 0.08 + 0.5) / 3, abs=1e-4)
    assert row["covered"] == 0.25  # a alone: b's interval misses, c and d have none


def test_baselines_find_the_law_that_they_can_express() -> None:
    table = machine(families=4, alone=0)
    networks = list(table.networks.values())
    for i, network in enumerate(networks):
        network.macs = 10**6 * (i + 1)
    ns = np.array([500.0 + 3e-3 * n.macs for n in networks])
    families = {n.name: (n, t, n.family) for n, t in zip(networks, ns.tolist(), strict=True)}
    own = {name: (n, family) for name, (n, _, family) in families.items()}
    found = predict_baselines.by_family(predict_baselines.LEARNED["FLOPs"], table, families, own)
    assert all(math.isclose(found[n.name], t, rel_tol=1e-6) for n, t in zip(networks, ns.tolist(), strict=True))


def test_nn_meters_forests_know_the_kernels_that_they_were_shown() -> None:
    table = machine(families=3, alone=40)
    networks = list(table.networks.values())
    truth = [sum(table.timings[k.key].hot_ns(1000.0) for k in predict_baselines.kernels_of(table, n)) for n in networks]
    assert predict_baselines.nn_meter(table, networks) == pytest.approx(truth, rel=0.3)
    everything = set(table.timings)
    assert predict_baselines.nn_meter(table, networks, hidden=everything).tolist() == [0.0] * len(networks)


def test_nn_meters_sampling_looks_around_what_it_gets_wrong() -> None:
    rng, table = random.Random(0), machine(families=1, alone=120)
    known = [{"side": 14, "c_in": 64, "c_out": 96, "kernel": 3, "stride": 1, "group": 1}]
    assert len(predict_nnmeter.next_of("dense", known, machine(families=0, alone=0), rng)) == predict_nnmeter.FIRST
    drawn = predict_nnmeter.next_of("dense", known, table, rng)
    assert 0 < len(drawn) <= predict_nnmeter.STEP
    assert {config["side"] for config in drawn} - {14}  # from the kernels that are wrong, not from the prior


def line(**given: Any) -> dict[str, Any]:
    row = {"backend": "onnxruntime", "set": "outside", "predictor": "bench predict", "training_s": 600.0}
    row |= {"networks": 120, "refused": 0, "within_10": 0.9, "within_5": 0.6, "mape": 0.041, "spearman": 0.99}
    return row | {"covered": 0.9, "half_width": 0.12} | given


def test_the_page_gets_its_figures_between_its_marks() -> None:
    counts = {"listed": 130, "made": 121, "onnxruntime": 120, "openvino": 0}
    found = {
        "rows": [line(), line(predictor="FLOPs", training_s=None, covered=None, half_width=None)],
        "networks_listed": {"sets": {"outside": counts}, "left_out": {"timm:big resolution=None": "too large"}},
        "frozen": {"at": "a", "first_measured_at": "b", "law": "as fixed", "networks": "as fixed"},
        "training": [{"backend": "onnxruntime", "budget_s": 600.0, "spent_s": 590.0, "kernels": 9, "anchors": 3}],
    }
    text = f"before\n{predict_page.BEGIN}\nold\n{predict_page.END}\nafter\n"
    page = predict_page.page(text, found)
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    assert "| bench predict | 10 min | 120 | 0 | 90% | 60% | 4.1% | 0.990 | 90% | ±12% |" in page
    assert "| FLOPs |  | 120 |" in page
    assert predict_page.page(page, found) == page
    assert predict_page.headline(found).startswith("90% of 120 networks")
    with pytest.raises(ValueError, match="no <!-- figures"):
        predict_page.page("nothing", found)


def test_the_committed_figures_are_of_the_committed_measurements() -> None:
    folder = predict_measure.FOLDER
    found = json.loads((folder / predict_report.FIGURES).read_text("utf-8"))
    assert found["inputs"] == predict_report.inputs(folder)
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert predict_page.headline(found) in readme
