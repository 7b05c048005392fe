"""Charts as specifications: whole, without warnings, the same for page and picture; what has no data says so."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.base.errors import UsageError
from bench.report.html.charts import latency_flops
from bench.report.html.data import Data, gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import compiled
from bench.report.html.plot import draw, picture
from tests.report.results import everything, profile, two_targets
from tests.rows.rows import row, write

MODULES = {kind: import_module(f"bench.report.html.charts.{kind.replace('-', '_')}") for kind in KINDS}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return gather(everything(tmp_path_factory.mktemp("everything")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_draws_without_a_warning(kind: str, data: Data, capfd: pytest.CaptureFixture[str]) -> None:
    import vl_convert

    drawn = MODULES[kind].chart(data)
    svg = vl_convert.vegalite_to_svg(drawn.spec(), allowed_base_urls=[], show_warnings=True)
    assert svg.startswith("<svg")
    assert "WARN" not in capfd.readouterr().err
    assert all(records for records in drawn.records.values())
    assert drawn.skeleton()["description"]


def test_of_many_effects_the_first_of_each_finding_is_drawn(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    module = MODULES["findings"]
    monkeypatch.setattr(module, "MOST", 10_000)
    every = module.chart(data).records["findings"]
    monkeypatch.setattr(module, "MOST", len(every) - 1)
    firsts = module.chart(data).records["findings"]
    ids = [record["name"].split()[0] for record in every]
    assert len(set(ids)) <= len(firsts) <= 2 * len(set(ids)) < len(every)
    assert firsts[0]["name"] == every[0]["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_the_same_chart_with_its_records_apart(kind: str, data: Data) -> None:
    drawn = MODULES[kind].chart(data, "container")
    assert drawn.skeleton()["width"] == "container"
    names = {part["name"] for part in compiled(drawn.skeleton())["data"]}
    assert set(drawn.records) <= names
    json.dumps(drawn.records, allow_nan=False)


def test_the_scatter_says_what_it_shows(data: Data) -> None:
    text = picture(latency_flops.chart(data), ".svg").decode()
    for word in ("shufflenetv2:width=0.5", "GMACs/s", "noisy", "x86", "arm", "peak"):
        assert word in text, word
    assert "vgg16" not in text  # it has no latency; the table has it


def test_equal_efficiency_is_drawn_around_the_points() -> None:
    points = [{"m_macs": 100.0, "ms": 10.0}, {"m_macs": 100.0, "ms": 1.0}]
    assert latency_flops.rates_near(points) == [3, 10, 30, 100, 300] or 10 in latency_flops.rates_near(points)
    assert latency_flops.rates_near([{"m_macs": 40.0, "ms": 1.0}]) == [30, 100]


@pytest.mark.parametrize("ending", [".png", ".svg", ".html"])
def test_a_chart_is_written_as_its_ending_says(ending: str, data: Data, tmp_path: Path) -> None:
    output = tmp_path / f"new/chart{ending}"
    draw(data, "inversions", output)
    content = output.read_bytes()
    assert content.startswith({".png": b"\x89PNG", ".svg": b"<svg", ".html": b"<!doctype html>"}[ending])
    assert len(content) < 2e6


def test_what_has_no_data_says_what_makes_them(tmp_path: Path) -> None:
    only = gather([str(profile(tmp_path / "p.json"))])
    for kind in KINDS:
        if kind == "breakdown":
            continue
        with pytest.raises(UsageError, match=f"no data for {kind}") as caught:
            draw(only, kind, tmp_path / "x.svg")
        assert "`bench " in caught.value.hint


def test_one_case_is_enough(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = gather([str(write(tmp_path / "r.csv", [row(5.0)]))])
    assert picture(latency_flops.chart(one), ".svg").startswith(b"<svg")
    assert "WARN" not in capfd.readouterr().err


def test_the_readme_shows_two_small_charts() -> None:
    root = Path(__file__).parent.parent.parent
    shown = root / "docs" / "img"
    names = sorted(path.name for path in shown.glob("zoo-*.svg"))
    assert len(names) == 2
    readme = (root / "README.md").read_text("utf-8")
    for name in names:
        assert f"docs/img/{name}" in readme
        assert (shown / name).stat().st_size < 200_000


def test_rooms_without_charts_do_not_need_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] in ("altair", "vl_convert")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert gather([str(two_targets(tmp_path / "r.csv"))]).points
