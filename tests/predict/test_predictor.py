"""The predictor against machines whose law is known."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from bench.backends.kernel import Kernel, cut
from bench.base.errors import ArtifactError, OutputError
from bench.predict.calibration import calibrate, hidden_keys
from bench.predict.law import COVERAGE, PRIOR, conformal, crowded, fit_law, half_width, quantile
from bench.predict.predictor import Predictor, ready
from bench.predict.table import Calibration, KernelList, KernelTable, Timing, read
from tests.predict.synthetic import CONTEXT, LAW, add, cold_ns, conv, draw, hot_ns, machine, view


def error(predictor: Predictor, network: KernelList) -> float:
    return abs(math.log(predictor.predict(network).latency_ns / float(network.latency_ns or 1)))


def test_the_law_of_a_machine_is_recovered() -> None:
    table = machine()
    terms = Predictor(table).terms
    assert terms[0] + terms[1] == pytest.approx(LAW[0] + LAW[1], rel=0.05)
    rng = random.Random(99)
    fresh = add(table, "fresh", [draw(rng) for _ in range(30)], rng)
    measured, fresh.latency_ns = fresh.latency_ns, None
    for kernel in (table.timings[key] for key in fresh.keys):
        kernel.runs = kernel.runs or [
            {"hot_ns": hot_ns(kernel.kernel), "cold_ns": cold_ns(kernel.kernel), "gemm_ns": 1000.0}
        ]
    predicted = Predictor(table).predict(fresh)
    assert predicted.complete
    assert predicted.sums.unseen == 0
    assert abs(math.log(predicted.latency_ns / float(measured or 1))) < 0.03


def test_a_family_whose_kernels_were_never_timed_is_predicted_from_the_others() -> None:
    table = machine()
    known, blind, shares = [], [], []
    for family in ("f0", "f3", "f7"):
        keys = hidden_keys(table, family)
        assert keys
        here, there = Predictor(table, (), (family,)), Predictor(table, keys, (family,))
        for network in (n for n in table.networks.values() if n.family == family):
            known.append(error(here, network))
            blind.append(error(there, network))
            shares.append(there.predict(network).sums.share_unseen)
    assert np.mean(shares) > 0.1
    assert max(known) < 0.02
    assert np.mean(blind) < 0.10
    assert np.mean(known) < np.mean(blind)  # a lookup that did not look up would be no better


def test_the_regressor_learns_what_layout_costs() -> None:
    table = machine(alone=400)
    predictor = Predictor(table, {conv(28, 100, 128).key, conv(28, 96, 128).key})
    for kernel in (conv(28, 100, 128), conv(28, 96, 128)):
        table.add([kernel])
    predictor.sums(KernelList("pair", (conv(28, 100, 128).key, conv(28, 96, 128).key)))
    ragged, _ = predictor.time_ns(conv(28, 100, 128))
    aligned, how = predictor.time_ns(conv(28, 96, 128))
    assert how == "predicted"
    assert ragged > 1.2 * aligned


def test_an_operator_like_nothing_that_was_timed_is_predicted_and_unsure() -> None:
    table = machine()
    node = helper.make_node("Wavelet", ["x"], ["y"], domain="com.example")
    shape = (1, 64, 56, 56)
    strange = cut(node, {"x": shape, "y": shape}, {"x": 1, "y": 1}, {}, 17)
    known = conv(14, 32, 32)
    table.timings[strange.key] = Timing(strange, failed="no such kernel")
    predictor = Predictor(table)
    found = predictor.predict(KernelList("strange", tuple(table.add([known, strange]))))
    plain = predictor.predict(KernelList("plain", tuple(table.add([known, conv(14, 48, 32)]))))
    assert found.complete
    assert found.sums.unseen >= 1
    assert found.lo_ns is not None
    assert plain.lo_ns is not None
    assert found.latency_ns / found.lo_ns > 1.2 * plain.latency_ns / plain.lo_ns


def test_what_was_predicted_once_is_not_predicted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = machine(families=3)
    table.file = tmp_path / "t.json.gz"
    network = KernelList("new", tuple(table.add([conv(14, 48, 32), conv(7, 40, 24)])))
    table.networks["new"] = network
    first = Predictor(table).predict(network)
    table.save()
    kept = read(table.file)
    monkeypatch.setattr("bench.predict.predictor.Regressor", None)  # nothing to fit
    again = Predictor(kept).predict(kept.networks["new"])
    assert (again.latency_ns, again.sums.unseen) == (pytest.approx(first.latency_ns, rel=1e-3), 2)


def test_what_cannot_be_read_is_named() -> None:
    table = machine()
    keys = tuple(table.add([conv(14, 32, 32)]))
    found = Predictor(table).predict(KernelList("looped", keys, lost=("Loop (holds a graph of its own)",)))
    assert not found.complete
    assert found.sums.unknown == ("Loop (holds a graph of its own)",)
    assert found.lo_ns is None


def test_every_kernel_is_accounted_for() -> None:
    table = machine()
    for network in table.networks.values():
        sums = Predictor(table).sums(network)
        kernels = [table.timings[key].kernel for key in network.keys]
        assert sums.kernels == len(kernels)
        assert sums.hot_ns == pytest.approx(sum(hot_ns(k) for k in kernels if not k.moves_nothing))


def test_the_interval_covers_what_it_says() -> None:
    inside = []
    for seed in range(4):
        table = machine(families=14, seed=seed, noise=0.04, alone=0)
        table.calibration = calibrate(table)
        rng = random.Random(seed)
        predictor = Predictor(table)
        for i in range(30):
            keys = rng.sample(sorted(k for k, t in table.timings.items() if t.runs), 20)
            kernels = [table.timings[key].kernel for key in keys]
            network = add(table, f"new{i}", kernels, rng, noise=0.04)
            found = predictor.predict(network)
            assert found.lo_ns is not None
            assert found.hi_ns is not None
            inside.append(found.lo_ns <= float(network.latency_ns or 0) <= found.hi_ns)
    assert 0.8 <= np.mean(inside) <= 0.99


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_conformal_quantile_is_a_score_or_nothing(scores: list[float]) -> None:
    found = conformal(scores)
    if len(scores) < 9:  # one more of nine is below the largest with 90%
        assert found is None
    else:
        assert found in scores
        assert sum(s <= found for s in scores) >= COVERAGE * len(scores)


def test_several_families_are_hidden_together() -> None:
    table = machine(families=4, alone=0)
    both = hidden_keys(table, {"f0", "f1"})
    assert both >= hidden_keys(table, "f0") | hidden_keys(table, "f1")
    assert both.isdisjoint(key for name in ("f2-0", "f3-1") for key in table.networks[name].keys)


def test_what_was_not_timed_widens_the_interval() -> None:
    calibration: list[Calibration] = [{"seen": 0.01 * i, "unseen": 0.2, "unsure": 0.5} for i in range(1, 11)]
    widths = [half_width(calibration, unsure) for unsure in (0.0, 0.2, 0.5, 1.0)]
    assert widths[0] == pytest.approx(0.1)
    assert widths == sorted(widths)
    assert widths[2] == pytest.approx(0.2)


def test_few_networks_give_an_interval_too_and_a_wider_one() -> None:
    errors = [0.02, -0.04, 0.05, 0.01, -0.03, 0.06, -0.02, 0.04, 0.03, -0.05]
    enough = quantile([abs(e) for e in errors], 0.05)
    assert enough in {abs(e) for e in errors}
    some, none = quantile([abs(e) for e in errors[:4]], 0.05), quantile([], 0.05)
    assert enough < some < none
    assert quantile([0.5] * 4, 0.05) > 0.6  # what was seen outweighs what was believed


def test_a_cache_is_crowded_by_others_and_not_by_a_kernel_itself() -> None:
    small, large, cache = 1 << 12, 1 << 28, 1 << 23
    assert crowded([(100.0, small)], cache) < 0.1
    assert 90 < crowded([(100.0, small), (0.0, large)], cache) < 100
    assert crowded([(100.0, large)], cache) < 5
    assert crowded([], cache) == 0


def test_without_networks_the_law_is_the_prior() -> None:
    assert tuple(fit_law(np.zeros((0, len(PRIOR))))) == pytest.approx(PRIOR)


def test_nothing_measured_is_said_with_what_to_do() -> None:
    with pytest.raises(ArtifactError, match="nothing was measured for prediction") as caught:
        ready(KernelTable(CONTEXT))
    assert caught.value.hint == "bench predict --train --backend scripted"


def test_a_table_reads_as_it_was_written(tmp_path: Path) -> None:
    table = machine(families=2, alone=5)
    table.calibration = [{"network": "f0-0", "family": "f0", "seen": 0.1}]
    table.file = tmp_path / "t.json.gz"
    table.save()
    found = read(table.file)
    assert (found.context, found.networks, found.calibration) == (table.context, table.networks, table.calibration)
    assert {k: (t.kernel, t.runs) for k, t in found.timings.items()} == {
        k: (t.kernel, t.runs) for k, t in table.timings.items()
    }
    (tmp_path / "no.json.gz").write_text("{")
    with pytest.raises(OutputError, match="holds no table of kernels"):
        read(tmp_path / "no.json.gz")


def test_a_slow_moment_is_told_for_the_baseline_speed() -> None:
    table = machine(families=2, alone=5)
    baseline_ns = table.baseline_gemm_ns
    timing = next(t for t in table.timings.values() if t.runs)
    quiet = timing.hot_ns(baseline_ns)
    run = timing.runs[0]
    timing.runs = [{"hot_ns": run["hot_ns"] * 1.1**0.65, "cold_ns": run["cold_ns"], "gemm_ns": 1100.0}]
    assert timing.hot_ns(baseline_ns) == pytest.approx(quiet)


# --- keys


def test_names_are_no_part_of_a_key_and_shapes_are() -> None:
    assert conv(14, 32, 32).key == conv(14, 32, 32, name="other").key
    kernels = [conv(14, 32, 32), conv(28, 32, 32), conv(14, 32, 64), conv(14, 32, 32, 3), conv(14, 32, 32, 3, 32)]
    assert len({k.key for k in kernels}) == len(kernels)
    assert Kernel.read(conv(14, 32, 32).record()).key == conv(14, 32, 32).key


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    assert (
        conv(14, 32, 32).key == "11a0086269c02c090d00"
    )  # a change of this forgets every table: raise table.FORMAT with it


def test_the_values_of_small_constants_are_part_of_a_key_and_weights_are_not() -> None:
    def slice_from(start: int) -> Kernel:
        constants = {
            name: helper.make_tensor(name, 7, [1], [value])
            for name, value in (("s", start), ("e", start + 8), ("a", 1))
        }
        node = helper.make_node("Slice", ["x", "s", "e", "a"], ["y"])
        shapes = {"x": (1, 32, 7, 7), "y": (1, 8, 7, 7)} | dict.fromkeys("sea", (1,))
        return cut(node, shapes, {"x": 1, "y": 1, "s": 7, "e": 7, "a": 7}, constants, 17)

    def product(value: float) -> Kernel:
        constants = {"w": helper.make_tensor("w", 1, [8, 8], [value] * 64)}
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        return cut(node, {"x": (1, 8), "w": (8, 8), "y": (1, 8)}, dict.fromkeys("xwy", 1), constants, 17)

    assert slice_from(0).key != slice_from(8).key
    assert product(0.5).key == product(0.25).key


def test_a_view_is_a_dispatch_and_nothing_else() -> None:
    assert view(64).moves_nothing
    assert Predictor(machine(families=2)).time_ns(view(64)) == (0.0, "dispatch")
