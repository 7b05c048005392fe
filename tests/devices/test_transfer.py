from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bench.base.errors import UsageError
from bench.devices.like import like
from bench.devices.settings import settings
from bench.devices.transfer import FIFTEEN, Table, choose, left_out, predict, tabulate, widths
from tests.devices.made import low_rank, network, setting

TRANSFER = Path(__file__).parent.parent.parent / "results" / "published-devices" / "transfer.json"


def test_three_networks_tell_the_others_of_a_low_rank() -> None:
    table = low_rank()
    errors = left_out(table, [0, 1, 2])
    assert np.isnan(errors[:, :3]).all()
    assert np.median(np.abs(errors[:, 3:])) < 0.05
    alone = np.median(np.abs(left_out(table, [0])[:, 3:]))  # one tells the speed only
    assert alone > 2 * np.median(np.abs(errors[:, 3:]))


def test_a_device_is_predicted_without_its_own_chip() -> None:
    """A twin of the same chip would tell everything; left out, the odd device is not foreseen."""
    table = low_rank(devices=20)
    odd = table.logs.copy()
    odd[0, 5] += 2.0
    odd[1] = odd[0] + 0.01
    twins = (setting({}, "odd a", device=_chip("odd")), setting({}, "odd b", device=_chip("odd")))
    planted = Table(table.columns, odd, (*twins, *table.settings[2:]))
    errors = left_out(planted, [0, 1, 2])
    assert (errors[:2, 5] < -1.5).all()
    kept = left_out(planted, [0, 1, 2], np.array([str(i) for i in range(20)]))
    assert (np.abs(kept[:2, 5]) < np.abs(errors[:2, 5])).all()


def test_what_is_missing_is_no_obstacle_and_no_evidence() -> None:
    table = low_rank(devices=40)
    logs = table.logs.copy()
    logs[::2, 6] = np.nan
    logs[:, 7] = np.nan
    whole = predict(table.logs[1::2], np.ones(20), [0, 1, 2], table.logs[0, :3])
    found = predict(logs[1:], np.ones(39), [0, 1, 2], table.logs[0, :3])
    assert math.isnan(found[7])
    assert found[6] == pytest.approx(whole[6], abs=0.1)


def test_chips_count_alike_however_many_settings_they_have() -> None:
    table = low_rank(devices=4)
    many = Table(
        table.columns, table.logs, tuple(setting({}, f"s{i}", device=_chip("x" if i < 3 else "y")) for i in range(4))
    )
    assert many.weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])


def test_the_chosen_probes_are_those_that_tell() -> None:
    """Two columns hold one trait each; the others are copies of the speed."""
    rng = np.random.default_rng(3)
    speed, a, b = rng.normal(0, 1, 40), rng.normal(0, 0.4, 40), rng.normal(0, 0.4, 40)
    logs = np.column_stack([speed, speed, speed + a, speed + b, speed + a, speed + b, speed + a - b])
    logs += rng.normal(0, 0.01, logs.shape)
    table = Table(tuple("abcdefg"), logs, tuple(setting({}, f"d{i}") for i in range(40)))
    assert set(choose(table, range(6), 3)) & {2, 4}
    assert set(choose(table, range(6), 3)) & {3, 5}


def test_intervals_hold_what_they_say() -> None:
    """Of new cases of the same kind nine in ten lie inside."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(300):
        seen, new = rng.normal(0, 0.1, (60, 1)), rng.normal(0, 0.1)
        inside.append(abs(new) <= widths(seen, np.ones(60))[0])
    assert 0.85 <= np.mean(inside) <= 0.95


def test_too_few_cases_give_no_interval() -> None:
    assert widths(np.array([[0.1]] * 8), np.ones(8))[0] == np.inf
    assert np.isfinite(widths(np.array([[0.1]] * 9), np.ones(9))[0])
    assert np.isnan(widths(np.full((5, 1), np.nan), np.ones(5))[0])


def test_a_table_has_a_column_per_network_and_its_twins_once() -> None:
    m, n = network("m", "mobilenetv1"), network("m-tf", "mobilenetv1")
    table = tabulate([setting({m: 2.0, n: 8.0}), setting({m: 3.0, network("odd"): 1.0}, name="b")])
    assert table.columns == ("mobilenetv1 224 px", "odd (t)")
    assert np.exp(table.logs[0, 0]) == pytest.approx(4.0)
    assert math.isnan(table.logs[0, 1])


def test_like_names_the_nearest_and_estimates_the_rest() -> None:
    nets = [
        network(f"n{k}", model) for k, model in enumerate(("mobilenetv1", "shufflenetv2", "resnet18", "mobilenetv2"))
    ]
    table = low_rank(devices=30, columns=4)
    found = [setting(dict(zip(nets, np.exp(row), strict=True)), f"board {i}") for i, row in enumerate(table.logs)]
    laid = tabulate(found)
    known = ("mobilenetv1", "shufflenetv2", "resnet18")
    times = {(model, 224): 2 * math.exp(table.logs[7, k]) for k, model in enumerate(known)} | {("xception", 299): 1.0}
    told = like(times, laid)
    assert told.near[0].setting.device.device == "board 7"
    assert told.near[0].apart == pytest.approx(1)
    assert told.near[0].speed == pytest.approx(0.5)
    (estimate,) = told.estimates
    assert estimate.network == "mobilenetv2 224 px"
    assert estimate.lo_ms < estimate.latency_ms < estimate.hi_ms
    assert estimate.latency_ms == pytest.approx(2 * math.exp(table.logs[7, 3]), rel=0.2)


def test_one_known_network_is_too_few() -> None:
    laid = tabulate(
        [setting({network("m", "mobilenetv1"): 1.0, network("s", "shufflenetv2"): 1.0}, f"b{i}") for i in (1, 2)]
    )
    with pytest.raises(UsageError, match="only mobilenetv1 224 px is in"):
        like({("mobilenetv1", 224): 3.0}, laid)
    with pytest.raises(UsageError, match="none is in"):
        like({("xception", 299): 3.0}, laid)


def test_the_kept_figures_are_those_of_the_tables() -> None:
    """Leave one device out, as the page prints it: the share within 10% and the median error."""
    told = json.loads(TRANSFER.read_text("utf-8"))
    table = tabulate([s for s in settings() if s.unit == "cpu"], FIFTEEN)
    assert (told["settings"], told["chips"], told["networks"]) == (
        len(table.settings), len(set(table.chips)), list(table.columns),
    )  # fmt: skip
    errors = left_out(table, [table.columns.index(name) for name in told["probes"]])
    off = np.abs(np.expm1(errors[np.isfinite(errors)]))
    kept = told["device"]["bench devices like"]
    assert kept["n"] == len(off) == 12 * len(table.settings)
    assert kept["median"] == pytest.approx(np.median(off), abs=1e-4)
    assert kept["within_10"] == pytest.approx((off <= 0.1).mean(), abs=1e-4)


def _chip(name: str):
    from tests.devices.made import device

    return device(name, name)
