"""Ranks on several settings: what is chosen, that columns have the same networks, that no colour comes twice."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.papers.device_records import CLASSES
from bench.report.html.charts import slopes as drawing
from bench.report.html.charts.theme import PALE
from bench.report.html.data import Data, gather
from bench.report.html.plot import picture
from bench.report.html.slopes import LEAST_PUBLISHED, MOST, MOVERS, Slopes, together
from tests.rows.rows import row, write

ZOO = Path(__file__).parent.parent.parent / "results" / "epyc-vm-2core" / "zoo.csv"


@pytest.fixture(scope="module")
def data() -> Data:
    return gather([str(ZOO)])


def columns(one: Slopes) -> list[list[dict[str, object]]]:
    found = itertools.groupby(one.records, key=lambda record: record["column"])
    return [list(records) for _, records in found]


def test_sets_that_share_much_stand_together_and_others_are_a_choice_of_their_own() -> None:
    ten, five = {(str(i),) for i in range(10)}, {(str(i),) for i in range(5)}
    assert together([ten, five, ten], 8, 3) == [([0, 2], ten), ([0, 2, 1], five)]
    assert together([ten, five, ten], 2, 3) == [([0, 2], ten)]
    assert together([ten, set(), five], 8, 3) == [([0], ten), ([0, 2], five)]
    assert together([ten, {("3",)}], 8, 3) == [([0], ten)]


def test_every_column_has_the_same_networks_in_the_order_of_latency(data: Data) -> None:
    own = [one for one in data.slopes if not one.table]
    published = [one for one in data.slopes if one.table]
    assert [one.settings for one in own] == [("onnxruntime", "openvino")]
    assert own[0].networks == 35
    assert published
    assert all(one.networks >= LEAST_PUBLISHED and 2 <= len(one.settings) <= MOST for one in published)
    assert len({one.name for one in data.slopes}) == len(data.slopes)
    for one in data.slopes:
        there = columns(one)
        assert [records[0]["setting"] for records in there] == list(one.settings)
        assert len(set(one.settings)) == len(one.settings)
        for records in there:
            assert {r["network"] for r in records} == {r["network"] for r in there[0]}
            ordered = sorted(records, key=lambda r: r["rank"])
            assert [r["rank"] for r in ordered] == list(range(1, one.networks + 1))
            assert [r["ms"] for r in ordered] == sorted(r["ms"] for r in records)


def test_published_columns_are_of_one_table_with_a_class_each_and_say_so(data: Data) -> None:
    one = max((one for one in data.slopes if one.table), key=lambda one: len(one.settings))
    sources = [records[0]["source"] for records in columns(one)]
    assert sources[0] == ""
    assert set(sources[1:]) == {f"published in {one.table}"}
    kinds = [head.split(":")[0] for head in one.settings[1:]]
    assert kinds == [kind for kind in CLASSES if kind in kinds]
    assert one.told.startswith(f"{one.networks} networks that all have. Rank correlation (Spearman) with onnxruntime: ")
    # What was measured here can be filtered, what others published cannot.
    assert all(bool(record["on"]) == (not record["source"]) for record in one.records)


def test_a_network_that_moves_has_a_colour_that_no_other_of_the_choice_has(data: Data) -> None:
    scale = drawing.chart(data).skeleton()["layer"][0]["encoding"]["color"]["scale"]
    color = dict(zip(scale["domain"], scale["range"], strict=True))
    assert color.pop("") == PALE
    assert len(set(color.values())) == len(color) == MOVERS
    assert PALE not in color.values()
    for one in data.slopes:
        by_network = {record["network"]: record["mover"] for record in one.records}
        movers = [mover for mover in by_network.values() if mover]
        assert len(set(movers)) == len(movers)
        assert set(movers) <= set(color)
        assert all(by_network[record["network"]] == record["mover"] for record in one.records)
    still = max(data.slopes, key=lambda one: one.networks)
    places = {n: {r["rank"] for r in still.records if r["network"] == n} for n in {r["network"] for r in still.records}}
    moved = {record["network"] for record in still.records if record["mover"]}
    assert all(len(places[network]) > 1 for network in moved)


def test_the_picture_has_heads_and_names_at_both_ends(data: Data) -> None:
    text = picture(drawing.chart(data), ".svg").decode()
    assert text.count(">pplcnet<") == 2
    for setting in ("onnxruntime", "openvino"):
        assert f">{setting}<" in text


def test_one_setting_that_nobody_published_anything_of_has_none(tmp_path: Path) -> None:
    rows = [row(5.0 + i, model=f"net{i}.onnx", macs=10**8) for i in range(4)]
    found = gather([str(write(tmp_path / "r.csv", rows))])
    assert found.slopes == ()
    assert drawing.chart(found) is None
