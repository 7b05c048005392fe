from __future__ import annotations

import pandas as pd
import pytest

from bench.devices.explain import explain
from bench.devices.pairs import PAIRS, ratios
from bench.devices.ranks import ACCESS, ALL, MACS, MOBILE, PARAMS, Ranked, rank, summarise
from bench.devices.settings import settings
from bench.plan.zoo import canonical
from bench.stats.ranks import Correlation
from tests.devices.made import device, network, setting

NAMES = ("mobilenetv1", "mobilenetv2", "shufflenetv2", "shufflenetv1", "mnasnet", "squeezenet", "pplcnet", "igcv3")


def eight(times: list[float], **changed: object):
    nets = [network(name, name, 100.0 * (i + 1)) for i, name in enumerate(NAMES)]
    return setting(dict(zip(nets, times, strict=True)), **changed)


def test_the_order_of_macs_and_its_opposite() -> None:
    up, down = eight([1.0, 2, 3, 4, 5, 6, 7, 8]), eight([8.0, 7, 6, 5, 4, 3, 2, 1], name="other")
    found = rank([up, down], networks=(MOBILE,))
    assert [(one.by, round(one.spearman.value, 6), one.n) for one in found] == [
        (MACS, 1, 8), (PARAMS, 1, 8), (ACCESS, 1, 8), (MACS, -1, 8), (PARAMS, -1, 8), (ACCESS, -1, 8),
    ]  # fmt: skip


def test_fewer_networks_have_no_rank() -> None:
    few = eight([1.0, 2, 3, 4, 5, 6, 7, 8])
    assert rank([few], least=9) == []
    big = setting({**few.times, network("resnet18", "resnet18", 1800.0, mobile=False): 40.0})
    assert {(one.networks, one.n) for one in rank([big], by=(MACS,))} == {(MOBILE, 8), (ALL, 9)}


def test_our_own_latencies_are_one_more_predictor() -> None:
    ours = {"local": {(canonical(name), 224): float(10 - i) for i, name in enumerate(NAMES)}}
    found = rank([eight([1.0, 2, 3, 4, 5, 6, 7, 8])], ours=ours, networks=(MOBILE,), by=(MACS,))
    assert [(one.by, round(one.spearman.value, 6)) for one in found] == [(MACS, 1), ("our latencies, local", -1)]


def test_a_published_rank_is_what_pandas_says() -> None:
    """Three settings, recomputed from the file itself, not from the loader."""
    frame = pd.read_csv("models/published/devices/ncnn.csv.gz")
    nets = pd.read_csv("models/published/devices/networks.csv").query("table == 'ncnn' and mobile == 'yes'")
    same = nets["match"] == "same"
    macs = (
        nets["zoo_macs_m"]
        .where(same, nets["macs_m"])[nets["model"].notna()]
        .set_axis(nets["network"][nets["model"].notna()])
    )
    found = {
        (one.setting.device.device, one.setting.run): one for one in rank(settings(), networks=(MOBILE,), by=(MACS,))
    }
    for start, threads in (("AMD EPYC 7742", 64), ("Kirin 970", 1), ("Raspberry Pi 5 Broadcom BCM2712, Cortex-A76", 4)):
        some = frame[frame["device"].str.startswith(start) & (frame["threads"] == threads) & (frame["unit"] == "cpu")]
        some = some[~some["network"].str.endswith("_int8")]
        key = (some["device"].iloc[0], str(some["run"].iloc[0]))
        shared = some[some["network"].isin(macs.index)].set_index("network")["latency_ms"]
        by_hand = shared.corr(macs.loc[shared.index], method="spearman")
        assert found[key].spearman.value == pytest.approx(by_hand, abs=1e-9)
        assert found[key].n == len(shared)


def test_a_summary_counts_by_class_and_in_all() -> None:
    one, two = eight([1.0, 2, 3, 4, 5, 6, 7, 8]), eight([8.0, 7, 6, 5, 4, 3, 2, 1], name="gpu", kind="GPU")
    listed = summarise(rank([one, two], networks=(MOBILE,), by=(MACS,)))
    assert [(s.kind, s.settings, s.above_90, s.below_50) for s in listed] == [
        ("big core", 1, 1, 0), ("GPU", 1, 0, 1), ("every class", 2, 1, 1),
    ]  # fmt: skip


def test_a_pair_is_a_ratio_of_times_beside_one_of_macs() -> None:
    one = setting({network("m", "mobilenetv1", 569.0): 6.0, network("s", "shufflenetv2", 146.0): 3.0})
    without = setting({network("m", "mobilenetv1", 569.0): 6.0}, name="other")
    (found,) = ratios([one, without])
    assert (found.pair, found.times, found.macs) == (PAIRS[0][2], 2.0, pytest.approx(569 / 146))


def test_the_regression_finds_what_was_planted() -> None:
    """rho falls by 0.2 (z) with every doubling of threads, and chips do not matter."""
    import numpy as np

    rng = np.random.default_rng(1)
    ranked = []
    for i in range(120):
        threads = int(2 ** rng.integers(0, 7))
        value = float(np.tanh(1.5 - 0.2 * np.log2(threads) + rng.normal(0, 0.1)))
        base = setting({}, f"d{i}", threads=threads, kind="big core" if i % 2 else "server CPU")
        chip = setting({}, threads=threads, kind=base.kind, device=device(f"d{i}", f"chip{i % 30}"))
        ranked.append(Ranked(chip, MOBILE, MACS, (Correlation("Spearman", value, None, None, 8),)))
    terms, share = explain(ranked)
    by_name = {term.name: term for term in terms}
    threads_term = by_name["doubling of threads"]
    assert threads_term.value == pytest.approx(-0.2, abs=0.03)
    assert threads_term.lo < -0.2 < threads_term.hi < 0
    assert abs(by_name["server CPU"].value) < 0.1
    assert share > 0.8
