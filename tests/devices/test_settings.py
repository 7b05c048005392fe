from __future__ import annotations

import pytest

from bench.base.errors import UnknownName, UsageError
from bench.devices.settings import gather, kind_of, select, settings
from bench.papers import devices as published
from bench.papers.device_records import DeviceRow
from tests.devices.made import device, network, setting


def row(name: str = "squeezenet", ms: float = 1.0, **changed: object) -> DeviceRow:
    found: dict[str, object] = {
        "table": "t", "device": "board", "run": "1", "unit": "cpu", "threads": 4, "cores": "all", "runtime": "ncnn",
        "precision": "", "mode": "", "network": name, "resolution": 224, "batch": 1, "value": ms, "value_unit": "ms",
        "statistic": "min", "latency_ms": ms, "mean_ms": None, "layers": None, "layers_npu": None, "layers_gpu": None,
        "layers_cpu": None, "line": None, "source": "page", "commit": "abc",
    }  # fmt: skip
    return DeviceRow(**(found | changed))  # type: ignore[arg-type]


NETWORKS = {("t", n.network, 224): n for n in (network("squeezenet"), network("mobilenet"))}


def test_rows_of_the_same_conditions_are_one_setting() -> None:
    rows = [row(), row("mobilenet", 2.0), row(run="2"), row(threads=1), row(unit="gpu"), row(precision="int8")]
    found = gather(rows, {"board": device("board")}, NETWORKS)
    assert len(found) == 5
    assert sorted(found[0].times.values()) == [1.0, 2.0]
    assert len({one.name for one in found}) == 5


def test_doubtful_rows_batches_and_overlapping_calls_stay_out() -> None:
    rows = [row(doubt="typo"), row(batch=8), row(mode="async, host")]
    assert gather(rows, {"board": device("board")}, NETWORKS) == ()


@pytest.mark.parametrize(
    ("unit", "cores", "kind"),
    [("cpu", "all", "big core"), ("cpu", "little", "small core"), ("cpu", "big", "big core"), ("gpu", "all", "GPU"),
     ("npu", "", "NPU")],
)  # fmt: skip
def test_a_class_is_that_of_the_cores_that_were_allowed(unit: str, cores: str, kind: str) -> None:
    assert kind_of(row(unit=unit, cores=cores), device("board", little="small core")) == kind


def test_only_networks_that_were_found_to_be_the_zoos_count_and_twins_count_once() -> None:
    times = {
        network("a-odd", "mobilenetv1", match="approximate"): 50.0,
        network("a", "mobilenetv1"): 2.0,
        network("a-tf", "mobilenetv1"): 4.0,
        network("b", "mobilenetv2", match="approximate"): 1.0,
        network("c"): 1.0,
        network("d", "resnet18", mobile=False): 9.0,
    }
    one = setting(times)
    assert {key[0]: ms for key, (_, ms) in one.networks(mobile=True).items()} == {
        "mobilenetv1": 3.0,
        "mobilenetv2": 1.0,
    }
    assert set(one.networks(mobile=False)) == {("mobilenetv1", 224), ("mobilenetv2", 224), ("resnet18", 224)}


def test_what_is_selected_and_what_is_not_there() -> None:
    some = [setting({}, "Pi 4"), setting({}, "Xeon", kind="server CPU", threads=64, runtime="OpenVINO 2023.0")]
    assert [s.device.device for s in select(some, ("server CPU",), "openvino", 64)] == ["Xeon"]
    assert [s.device.device for s in select(some, device="pi")] == ["Pi 4"]
    with pytest.raises(UsageError, match="no published setting"):
        select(some, threads=3)
    with pytest.raises(UnknownName, match="no class named 'phone'"):
        select(some, ("phone",))


def test_published_settings_have_names_of_their_own_and_no_doubtful_row() -> None:
    found = settings()
    assert len(found) > 500
    assert len({(s.table, s.name) for s in found}) == len(found)
    doubted = {(r.table, r.device, r.unit, r.network) for r in published.rows() if r.doubt}
    assert doubted
    kept = {(s.table, s.device.device, s.unit, n.network) for s in found for n in s.times}
    assert not {cell for cell in doubted if cell[0] in ("ncnn", "aihub")} & kept
