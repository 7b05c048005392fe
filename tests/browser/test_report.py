"""The report in a browser, from the disk, with the network off: drawn, filtered, hovered, and used by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.report.html.data import gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import page as html_of
from tests.browser.reports import MARKS, filtered, marks
from tests.measure.cluster import until
from tests.report.results import HOSTILE, two_targets
from tests.rows.rows import row, write

pytestmark = pytest.mark.browser

CHARTS = KINDS


def test_every_chart_is_drawn(report) -> None:
    for chart in CHARTS:
        assert report.locator(f"#chart-{chart} svg").count() == 1, chart
        assert report.locator(f"#chart-{chart} svg .role-mark path, #chart-{chart} svg .role-mark line").count() > 0
    assert "Of 4 pairs" in report.inner_text("h1")


def test_a_filter_changes_the_marks_of_every_chart_of_rows(report) -> None:
    before = {chart: marks(report, chart) for chart in ("latency-flops", "inversions", "pareto", "ranks")}
    filtered(report, "target", "arm")
    for chart in ("latency-flops", "inversions", "pareto", "ranks"):
        assert 0 < marks(report, chart) < before[chart], chart
    assert report.inner_text("#shown") == "11 of 16 cases shown"
    assert report.inner_text("#filter-target summary") == "target: 2 of 3"
    rows = "#latency-flops tr[data-on]"
    assert sum(row.is_visible() for row in report.locator(rows).all()) == 0  # closed
    report.click("#latency-flops details summary")
    assert sum(row.is_visible() for row in report.locator(rows).all()) == 11
    filtered(report, "target", "arm")
    assert {chart: marks(report, chart) for chart in before} == before


def test_nothing_left_is_said_and_comes_back(report) -> None:
    report.click("#filter-status summary")
    report.click("#filter-status button[data-all='0']")
    report.wait_for_selector("#chart-latency-flops.empty")
    assert report.inner_text("#shown") == "0 of 16 cases shown"
    report.click("#filter-status button[data-all='1']")
    report.wait_for_selector("#chart-latency-flops:not(.empty)")


def test_hover_shows_the_row(report) -> None:
    report.locator(MARKS.format("latency-flops")).first.hover()
    tip = report.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    said = tip.inner_text()
    for word in ("model", "latency, 95%", "M MACs", "status"):
        assert word in said, said


def test_a_select_exchanges_the_order_and_the_case(report) -> None:
    for chart, words in (
        ("ranks", "#said-ranks"),
        ("slopes", "#said-slopes"),
        ("history", "#chart-history .role-mark.layer_1_marks"),
    ):
        options = report.locator(f"#pick-{chart} option")
        assert options.count() > 1
        before = report.inner_html(words)
        report.select_option(f"#pick-{chart}", index=1)
        report.wait_for_function(
            "([where, old]) => document.querySelector(where).innerHTML !== old", arg=[words, before]
        )


def test_the_keyboard_reaches_every_control(report) -> None:
    wanted = report.evaluate(
        "[...document.querySelectorAll('button, summary, select, a, [tabindex=\"0\"]')]"
        ".filter((one) => one.checkVisibility()).length"
    )
    reached = set()
    for _ in range(wanted + 5):
        report.keyboard.press("Tab")
        reached.add(report.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    controls = report.evaluate(
        "(() => { const all = [...document.querySelectorAll('*')];"
        " return all.filter((one) => one.matches('button, summary, select, a, [tabindex=\"0\"]') &&"
        " one.checkVisibility()).map((one) => all.indexOf(one)); })()"
    )
    assert set(controls) <= reached
    report.focus("#filter-target summary")
    report.keyboard.press("Enter")
    report.keyboard.press("Tab")
    assert report.evaluate("document.activeElement.type") == "checkbox"
    report.keyboard.press("Space")
    report.wait_for_function("performance.getEntriesByName('filter').length > 0")
    report.keyboard.press("Escape")
    assert report.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert not report.locator(".filter[open]").count()


def test_dark_is_a_choice_and_the_page_fits_a_phone(report) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = report.evaluate(paper)
    report.click("#theme")
    assert report.evaluate(paper) != light
    assert report.get_attribute("#theme", "aria-pressed") == "true"
    report.set_viewport_size({"width": 390, "height": 844})
    assert report.evaluate("document.documentElement.scrollWidth") <= 390
    report.emulate_media(media="print")
    assert not report.is_visible("#filters")
    assert report.is_visible("#chart-pareto svg")


def test_hostile_names_run_nowhere(written, tmp_path: Path) -> None:
    import csv

    from bench.rows.schema import COLUMNS

    path = two_targets(tmp_path / "r.csv")
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        for i, name in enumerate(HOSTILE):
            cells = {c: "" if (v := getattr(row(4.0 + i, macs=2 * 10**8), c)) is None else v for c in COLUMNS}
            writer.writerow(cells | dict.fromkeys(("model", "backend", "target", "cpu", "error", "run_id"), name))
    page = written(html_of(gather([str(path)])))
    page.wait_for_selector("html[data-ready=true]")
    assert "alert(1)" in page.inner_text("#filter-family") or page.locator("text=alert(1)").count()
    page.locator(MARKS.format("latency-flops")).first.hover()
    page.locator("#vg-tooltip-element.visible").wait_for()


def test_the_policy_lets_no_other_script_run(written, tmp_path: Path) -> None:
    page = written(html_of(gather([str(write(tmp_path / "r.csv", [row(5.0)]))])))
    page.wait_for_selector("html[data-ready=true]")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.ran=1>')")
    until(lambda: page.wait_for_timeout(50) or page.faults, "the browser's complaint")
    assert page.evaluate("window.ran") is None
    page.faults.clear()
