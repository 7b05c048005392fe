"""Charts as specifications: whole, without warnings, the same for page and picture; what has no data says so."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.base.errors import UsageError
from bench.base.escape import clip_middle
from bench.findings.finding import TIME
from bench.report.causes import Pair
from bench.report.html.charts import latency_flops, machines, pairs
from bench.report.html.charts.theme import COLORS, colors
from bench.report.html.data import Data, apart, gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import compiled
from bench.report.html.plot import draw, picture
from bench.report.text.print import plus_minus
from bench.stats.ratio import Effect
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


def test_an_effect_has_one_mark_turned_so_that_the_published_one_is_above_one(data: Data) -> None:
    drawn = MODULES["findings"].chart(data)
    records = drawn.records["findings"]
    assert len(records) > 300
    assert all(r["published"] >= 1 and r["lo"] <= r["effect"] <= r["hi"] for r in records)
    assert {"GPU", "phone CPU", "x86 CPU"} <= {r["published_on"] for r in records}
    twice = replace(data, findings=(*data.findings, *data.findings))
    assert MODULES["findings"].chart(twice).records == drawn.records
    turned = next(r for r in data.findings if r.found and r.experiment and (r.experiment.printed or 2) < 0.9)
    (record,) = MODULES["findings"].records_of([turned])
    assert math.isclose(record["effect"], 1 / math.exp(turned.found.log), rel_tol=1e-3)


def test_claims_of_a_direction_alone_have_no_mark(data: Data) -> None:
    alone = [r for r in data.findings if r.found and r.experiment and r.experiment.printed is None]
    assert alone
    assert MODULES["findings"].chart(replace(data, findings=tuple(alone))) is None


def test_names_are_cut_in_the_middle_and_never_the_backend(data: Data) -> None:
    base = next(r for r in data.findings if r.found and r.backend and r.experiment and r.experiment.quantity == TIME)
    long = replace(base.experiment, name="of a network whose name is very long: " + "x" * 60)
    two = [replace(base, experiment=long, backend=backend) for backend in ("onnxruntime", "openvino")]
    records = MODULES["findings"].records_of(two)
    assert records[0]["name"] != records[1]["name"]
    assert all(len(record["name"]) <= 64 for record in records)


def test_an_interval_that_is_wider_than_the_plot_ends_at_its_edge(data: Data, tmp_path: Path) -> None:
    rows = [row(5.0, model="a", macs=10**8), row(6.0, 0.9, model="b", macs=2 * 10**8, latency_hi_ms=5000.0)]
    wide = gather([str(write(tmp_path / "r.csv", rows))])
    layers = latency_flops.chart(wide).skeleton()["layer"]
    assert any(layer["mark"].get("clip") for layer in layers if layer["mark"]["type"] == "rule")
    assert {layer["name"] for layer in layers if "cut_" in layer.get("name", "")} == {"cut_up", "cut_down"}
    cut = picture(latency_flops.chart(wide), ".svg").decode()
    assert cut.count('class="mark-symbol role-mark cut_up_marks"') == 1
    assert "role-mark cut_" not in picture(latency_flops.chart(data), ".svg").decode()
    base = next(r for r in data.findings if r.found and r.backend and r.experiment and r.experiment.printed)
    found = replace(base.found, lo=-20.0, hi=20.0)
    spec = MODULES["findings"].chart(replace(data, findings=(replace(base, found=found),))).skeleton()
    ends = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert ends[1] / ends[0] < 1e4
    assert {layer["name"] for layer in spec["layer"] if "cut_" in layer.get("name", "")} == {"cut_up", "cut_down"}


def test_an_inversion_that_is_not_sure_is_cut_and_marked_on_the_left(tmp_path: Path) -> None:
    rows = [row(9.0, model="a", macs=10**8, latency_lo_ms=1.0), row(6.0, model="b", macs=10**8 + 1)]
    found = gather([str(write(tmp_path / "r.csv", rows))])
    layers = MODULES["inversions"].chart(found).skeleton()["layer"]
    assert {layer["name"] for layer in layers if "cut_" in layer.get("name", "")} == {"cut_left", "cut_right"}
    (rule,) = [layer for layer in layers if layer["mark"].get("clip")]
    assert rule["encoding"]["x"]["scale"]["domain"][0] < 0.8


def test_a_chart_of_many_settings_asks_for_the_room_that_its_cells_need(tmp_path: Path) -> None:
    def width(threads: int) -> tuple[int, int]:
        rows = [row(5.0 + t, model=m, threads=t) for t in range(1, threads + 1) for m in ("a", "b")]
        found = gather([str(write(tmp_path / f"{threads}.csv", rows))])
        module = MODULES["side-by-side"]
        return module.chart(found, "container").least_px, module.chart(found).skeleton()["width"]

    (few, narrow), (many, wide) = width(3), width(24)
    assert few < 600 < 1100 < many
    assert narrow == 760 < wide


def test_older_instructions_are_in_the_table_and_not_among_the_marks(data: Data) -> None:
    base = next(r for r in data.findings if r.found and r.backend == "openvino" and r.experiment.printed)
    held = replace(base, backend="openvino:isa=sse41", measurement=(*base.measurement, "held"))
    drawn = MODULES["findings"].draw([base, held])
    assert [record["name"][-8:] for record in drawn.records["findings"]] == ["openvino"]
    assert drawn.records["findings"][0]["paper"]


def test_no_two_settings_share_a_colour() -> None:
    for count in (1, 7, 8, 30):
        assert len(set(colors(count))) == count
    assert colors(7) == list(COLORS)
    assert len(set(pairs.COLORS.values())) == len(pairs.COLORS)


def test_marks_of_a_pair_lie_in_a_line_for_each_runtime() -> None:
    spread = Effect(0.1, 0.05, 0.15, 10)
    two = [Pair(a, b, (100, 99), {}, dict.fromkeys(runtimes, spread), {}) for a, b, runtimes in (
        ("a", "b", ("onnxruntime", "openvino", "torch")), ("c", "d", ("openvino", "torch")))]  # fmt: skip
    drawn = pairs.chart(two)
    marks = drawn.records["marks"]
    assert len({mark["y"] for mark in marks}) == len(marks) == 5
    tops = [name["y"] for name in drawn.records["names"]]
    lanes = {(mark["backend"], mark["y"] - tops[i // 3]) for i, mark in enumerate(marks)}
    assert len(lanes) == 3  # the same runtime, the same line of a pair
    bars = {bar["y"] for bar in drawn.records["bars"]}
    assert min(mark["y"] for mark in marks) > max(y for y in bars if y < tops[1])
    assert max(y for y in (*bars, *(mark["y"] for mark in marks))) < drawn.skeleton()["height"]


def _contrast(color: str) -> float:
    """Against white, as https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio has it."""
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.05 + math.fsum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def test_intervals_of_effects_are_seen_on_white(data: Data) -> None:
    base = next(r for r in data.findings if r.found and r.backend and r.experiment and r.experiment.quantity == TIME)
    two = [replace(base, machine=m, measurement=(*base.measurement, m)) for m in ("A", "B")]
    for module, drawn in ((MODULES["findings"], MODULES["findings"].chart(data)), (machines, machines.draw(two))):
        rules = [layer["mark"] for layer in drawn.skeleton()["layer"] if layer["mark"]["type"] == "rule"]
        assert rules
        assert all(rule["opacity"] == 1 for rule in rules)
        assert all(_contrast(color) >= 3 for color, _ in module.LOOKS.values())


def test_no_two_cases_that_were_kept_going_share_a_colour(data: Data) -> None:
    some = tuple({**data.sustained[0], "case": f"case {i}"} for i in range(20))
    drawn = MODULES["sustain"].chart(replace(data, sustained=some)).skeleton()
    assert len(set(drawn["encoding"]["color"]["scale"]["range"])) == 20


def test_two_machines_intervals_are_cut_and_marked_on_both_axes(data: Data) -> None:
    base = next(r for r in data.findings if r.found and r.backend and r.experiment and r.experiment.quantity == TIME)
    wide = replace(base.found, lo=base.found.log - 9, hi=base.found.log + 9)
    two = [replace(base, machine=m, found=wide, measurement=(*base.measurement, m)) for m in ("A", "B")]
    layers = machines.draw(two).skeleton()["layer"]
    cut = {layer["name"] for layer in layers if "cut_" in layer.get("name", "")}
    assert cut == {"cut_up", "cut_down", "cut_left", "cut_right"}


@pytest.mark.parametrize(
    ("share", "text"), [(0.0123, "±1.2%"), (9.5, "±950.0%"), (1798.9, "over ±999%"), (None, ""), (math.nan, "")]
)
def test_an_interval_is_told_in_percent_that_a_person_reads(share: float | None, text: str) -> None:
    assert plus_minus(share) == text


def test_bars_of_the_same_name_stay_apart() -> None:
    assert apart(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]


def test_long_labels_differ_at_their_ends() -> None:
    one, two = (clip_middle("network-" * 12 + end, 48) for end in ("a", "b"))
    assert one != two
    assert len(one) == 48
    assert clip_middle("short", 48) == "short"


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


def test_the_readme_shows_one_small_chart_and_the_gallery_both() -> None:
    root = Path(__file__).parent.parent.parent
    shown = root / "docs" / "img"
    names = sorted(path.name for path in shown.glob("zoo-*.svg"))
    assert len(names) == 2
    gallery = (root / "docs" / "gallery.md").read_text("utf-8")
    readme = (root / "README.md").read_text("utf-8")
    assert re.findall(r"\]\(docs/img/([^)]+)\)", readme) == [names[1], "runtimes.svg"]
    for name in names:
        assert f"(img/{name})" in gallery
        assert (shown / name).stat().st_size < 200_000


def test_rooms_without_charts_do_not_need_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] in ("altair", "vl_convert")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert gather([str(two_targets(tmp_path / "r.csv"))]).points
