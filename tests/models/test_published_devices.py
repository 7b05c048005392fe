"""The published devices: the tables read, every mapping to the zoo was compared, and what is wrong says so."""

from __future__ import annotations

import gzip
from importlib import import_module
from pathlib import Path

import pytest

from bench.papers.device_records import Device, DeviceNetwork, DoubtfulRows
from bench.papers.devices import (
    DEVICE_COLUMNS,
    NETWORK_COLUMNS,
    ROW_COLUMNS,
    devices,
    doubtful,
    networks,
    read_devices,
    read_networks,
    read_rows,
    rows,
    sources,
)
from bench.papers.tables import TableError
from bench.plan.zoo import resolve

MAPPED = [network for network in networks().values() if network.model]
# Each spec and resolution once; those of timm alone are many, and of families that others have, too.
COUNTED = sorted({(n.model, n.resolution or 0) for n in MAPPED if n.table != "timm"})
CELLS = dict.fromkeys(ROW_COLUMNS, "") | {
    "device": "board", "unit": "cpu", "threads": "1", "runtime": "ncnn", "network": "squeezenet", "resolution": "227",
    "batch": "1", "value": "5.5", "value_unit": "ms", "statistic": "min", "latency_ms": "5.5", "source": "page",
    "commit": "abc",
}  # fmt: skip
BOARD = {"board": Device("board", "chip", "maker", "arm", "big core", "", 4)}
NETS = {("t", "squeezenet", 227): DeviceNetwork(
    "t", "squeezenet", 227, "", "", True, None, None, "", None, None, None, ""
)}  # fmt: skip


def table(folder: Path, *lines: dict[str, str], header: tuple[str, ...] = ROW_COLUMNS) -> Path:
    path = folder / "t.csv.gz"
    text = "\n".join([",".join(header), *(",".join(line.get(c, "") for c in header) for line in lines)]) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_every_table_reads_and_nothing_in_it_is_ours() -> None:
    assert len(rows()) > 10_000
    assert {row.table for row in rows()} == set(sources())
    assert {row.device for row in rows()} == set(devices())
    used = {(row.table, row.network, row.resolution) for row in rows()}
    assert used == set(networks())
    # An interval and a status are what this program gives its own rows.
    assert not [name for name in ROW_COLUMNS if "status" in name or name.endswith(("_lo_ms", "_hi_ms"))]


def test_doubtful_rows_are_flagged_and_kept_and_every_pattern_finds_some() -> None:
    flagged = [row for row in rows() if row.doubt]
    assert flagged
    for one in doubtful():
        assert any(one.meets(row) for row in rows()), one


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(("model", "resolution"), COUNTED, ids=lambda value: str(value))
def test_what_a_name_is_mapped_to_has_the_macs_that_are_kept(model: str, resolution: int) -> None:
    pytest.importorskip("torch")
    assert resolve(model).kind == "zoo"
    counts = import_module("bench.models.counting").count(model, resolution)
    for network in MAPPED:
        if (network.model, network.resolution) == (model, resolution):
            assert network.zoo_macs_m == pytest.approx(counts.macs / 1e6, abs=1e-3)
            assert network.zoo_params_m == pytest.approx(counts.params / 1e6, abs=1e-4)


@pytest.mark.parametrize("network", MAPPED, ids=lambda n: f"{n.table}-{n.network}-{n.resolution}")
def test_same_means_within_5_percent_or_the_rounding_of_the_source(network: DeviceNetwork) -> None:
    # What a source prints of MACs is rounded to so many millions: timm and Hailo print G, Open Model Zoo GFLOPs.
    unit = {"timm": 5.0, "hailo": 5.0, "dli": 0.5}.get(network.table, 0.0)
    assert network.macs_m is not None
    assert network.zoo_macs_m is not None
    off = abs(network.macs_m - network.zoo_macs_m)
    assert (network.match == "same") == (off <= max(0.05 * network.zoo_macs_m, unit))
    assert network.counted
    if network.match == "approximate":
        assert "% MACs" in network.note
    assert resolve(network.model).canonical


def test_names_that_mislead_are_told_apart() -> None:
    """ShuffleNet V2 of the phones is the half one; ncnn's ShuffleNet is V1 in three groups, its SqueezeNet 1.1."""
    known = {(n.table, n.network): n for n in networks().values()}
    assert known["aihub", "shufflenet_v2"].model == "shufflenetv2:width=0.5"
    assert known["aihub", "inception_v3"].resolution == 224
    assert (known["ncnn", "squeezenet"].model, known["ncnn", "squeezenet"].resolution) == (
        "squeezenet:version=1.1",
        227,
    )
    assert (known["ncnn", "shufflenet"].model, known["ncnn", "shufflenet"].match) == ("shufflenetv1", "approximate")
    assert known["ncnn", "mobilenet_v3"].macs == pytest.approx(
        1.134 * (known["ncnn", "mobilenet_v3"].zoo_macs_m or 0), rel=0.01
    )
    assert known["ncnn", "googlenet"].model == ""
    assert not [n for n in networks().values() if n.table == "paddle_tnn" and n.model]  # neither MACs nor size are told


def test_a_good_row(tmp_path: Path) -> None:
    (row,) = read_rows(table(tmp_path, CELLS), BOARD, NETS)
    assert (row.table, row.latency_ms, row.threads, row.layers, row.doubt) == ("t", 5.5, 1, None, "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value_unit": "s"}, "'s' is none of ms, images/s"),
        ({"value": "-3"}, "'-3' is not a plain number"),
        ({"value": "0", "latency_ms": "0"}, "value: 0 lies outside"),
        ({"value": "9999999", "latency_ms": "9999999"}, "latency_ms: 9999999 lies outside"),
        ({"value": "180", "value_unit": "images/s"}, "does not follow from 180 images/s at batch 1: 5.55556"),
        ({"device": "toaster"}, "'toaster' is not in devices.csv"),
        ({"network": "skynet"}, "'skynet' at 227 pixels is not in networks.csv"),
        ({"resolution": "224"}, "'squeezenet' at 224 pixels is not in networks.csv"),
        ({"unit": "tpu"}, "'tpu' is none of cpu, gpu, npu"),
        ({"threads": "0"}, "'0' is not a whole number above zero"),
        ({"statistic": "best"}, "'best' is none of min, mean"),
        ({"source": ""}, "source: must not be empty"),
    ],
)
def test_a_bad_row_is_one_line_that_says_where(changed: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="line 2") as error:
        read_rows(table(tmp_path, CELLS | changed), BOARD, NETS)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_column_a_repeated_cell_and_an_empty_or_broken_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="the columns are not"):
        read_rows(table(tmp_path, CELLS, header=ROW_COLUMNS[:-1]), BOARD, NETS)
    with pytest.raises(TableError, match=r"line 3.*is there twice in one setting"):
        read_rows(table(tmp_path, CELLS, CELLS | {"value": "6", "latency_ms": "6"}), BOARD, NETS)
    with pytest.raises(TableError, match="has no rows"):
        read_rows(table(tmp_path), BOARD, NETS)
    broken = tmp_path / "b.csv.gz"
    broken.write_bytes(gzip.compress(b"device")[:-4])
    with pytest.raises(TableError, match="cannot be read"):
        read_rows(broken, BOARD, NETS)


def test_a_device_or_network_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",".join(DEVICE_COLUMNS) + "\nPi,c,m,arm,big core,,4\nPi,c,m,arm,big core,,4\n")
    with pytest.raises(TableError, match=r"line 3.*'Pi' is there twice"):
        read_devices(path)
    path.write_text(",".join(NETWORK_COLUMNS) + "\n" + 2 * "t,net,224,,,,,,,,,,\n")
    with pytest.raises(TableError, match=r"line 3.*'net' is there twice"):
        read_networks(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("t,net,224,vgg16,,,1,,printed,,,,", "has no model"),
        ("t,net,224,,same,,1,,printed,,,,", "has no model"),
        ("t,net,224,vgg16,same,,,,,,,,", "nothing was compared"),
    ],
)
def test_no_name_is_a_network_of_the_zoo_unless_it_was_compared(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",".join(NETWORK_COLUMNS) + f"\n{line}\n")
    with pytest.raises(TableError, match=said):
        read_networks(path)


def test_a_doubtful_row_is_found_by_its_pattern(tmp_path: Path) -> None:
    pattern = DoubtfulRows("t", "boa*", "", "cpu", "", "", "", "", "a typo")
    other = DoubtfulRows("t", "boa*", "", "gpu", "", "", "", "", "another")
    (row,) = read_rows(table(tmp_path, CELLS), BOARD, NETS, [other, pattern])
    assert row.doubt == "a typo"
