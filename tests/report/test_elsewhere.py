"""Claims held against published devices: on how many they hold, by class."""

from __future__ import annotations

from bench.devices.settings import Setting, settings
from bench.findings.catalog import catalog
from bench.findings.finding import follows, slower
from bench.findings.side import Side
from bench.papers.device_records import Device, DeviceNetwork
from bench.report import elsewhere

V1, V2 = Side("mobilenetv1"), Side("mobilenetv2")


def network(model: str, macs: float, match: str = "same") -> DeviceNetwork:
    return DeviceNetwork("t", model, 224, model, match, True, macs, None, "", macs, None, None, "")


def setting(kind: str, chip: str, v1: float, v2: float, match: str = "same") -> Setting:
    device = Device(chip, chip, "", "arm", kind, "", 4)
    times = {network("mobilenetv1", 569.0): v1, network("mobilenetv2", 301.0, match): v2}
    return Setting("t", device, kind, "", "cpu", 1, "", "ncnn", "fp32", "", times)


def test_settings_that_have_both_networks_are_counted_by_class() -> None:
    among = [setting("big core", "a", 10, 20), setting("big core", "a", 10, 10.1), setting("big core", "b", 10, 8),
             setting("server CPU", "c", 10, 14), setting("server CPU", "d", 1, 9, "approximate")]  # fmt: skip
    claim = slower(V1, V2, 2.0)
    phones, servers, every = elsewhere.of(claim, among)
    assert (phones.kind, len(phones.ratios), phones.devices, phones.holds, phones.near) == ("big core", 3, 2, 1, 1)
    assert (servers.kind, len(servers.ratios), servers.holds) == ("server CPU", 1, 1)
    assert (every.kind, len(every.ratios), every.devices, every.holds) == ("", 4, 3, 2)
    assert every.ratios[0] == 2.0


def test_a_figure_holds_where_it_is_met_and_a_speed_up_where_it_is_faster() -> None:
    among = [setting("big core", "a", 10, 10.2), setting("big core", "b", 10, 20), setting("big core", "c", 10, 5)]
    assert elsewhere.of(slower(V1, V2, 1.0, equals=True), among)[-1].holds == 1
    assert elsewhere.of(slower(V1, V2, 0.5), among)[-1].holds == 1
    ours = elsewhere.of(follows(V1, V2, "per MAC"), among)[-1]
    assert ours.near is None
    assert ours.ratios[0] == 10.2 / 10 / (301 / 569)
    assert ours.holds == 2


def test_what_no_table_can_have_is_left_out() -> None:
    assert elsewhere.of(slower("stack/conv:c=16", "stack/conv:c=32", 2.0)) == []
    assert elsewhere.of(slower(Side("mobilenetv1", batch=8), Side("mobilenetv2", batch=8), 2.0)) == []
    assert elsewhere.known(Side("variant/pplcnet-shortcut:width=0.5")) is None


def test_the_published_tables_have_the_steps_of_history() -> None:
    found = {id: [told for e in catalog()[id].experiments if (told := elsewhere.of(e))] for id in ("LC-04", "PAIRS")}
    (v2_over_v1,) = found["LC-04"]
    assert len(v2_over_v1[-1].ratios) > 100
    assert v2_over_v1[-1].devices > 50
    assert sum(len(one.ratios) for one in v2_over_v1[:-1]) == len(v2_over_v1[-1].ratios)
    assert {one.kind for one in v2_over_v1} > {"big core", "server CPU", ""}
    assert len(found["PAIRS"]) == 1  # the others' networks are of other resolutions, or approximate there
    assert len(settings()) > 400
