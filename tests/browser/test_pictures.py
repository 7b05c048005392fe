"""The report's pictures: whole on a phone and on paper, no name across a mark, saved as they are shown."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.report.html.data import gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import page as html_of
from tests.browser.reports import MARKS, filtered, marks, saved
from tests.rows.rows import row, write

pytestmark = pytest.mark.browser

# Texts whose box meets that of a mark in the same chart; half a pixel of a halo is no meeting.
CROSSING = """() => {
  const found = [];
  for (const id of ["latency-flops", "pareto", "findings"]) {
    const inside = (what) => [...document.querySelectorAll(`#chart-${id} svg ${what}`)].map((one) => [one,
      one.getBoundingClientRect()]);
    const texts = inside(":is([class*='names_'], .rates_marks, .peaks_marks, .said_marks) text");
    for (const [text, a] of texts) {
      for (const [mark, b] of inside(".mark-symbol.role-mark path")) {
        if (a.width && a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 &&
            b.top < a.bottom - 0.5) found.push(`${id}: ${text.textContent} on ${mark.getAttribute("aria-label")}`);
      }
    }
  }
  return found;
}"""


def crossing(page) -> list[str]:
    return page.evaluate(CROSSING)


@pytest.fixture(scope="module")
def zoo() -> str:
    root = Path(__file__).parents[2] / "results"
    return html_of(gather([str(root / "epyc-vm-2core" / "zoo.csv"), str(root / "xeon-vm-2core" / "findings.jsonl")]))


def test_the_scatter_is_whole_on_a_phone(written, whole: str) -> None:
    page = written(whole)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    for chart in ("latency-flops", "pareto"):
        box = page.locator(f"#chart-{chart} svg").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390, chart
        right = page.evaluate(
            f"Math.max(...[...document.querySelectorAll('#chart-{chart} svg .mark-symbol path, #chart-{chart} svg "
            f".role-legend')].map((one) => one.getBoundingClientRect().right))"
        )
        assert right <= 390, chart
        assert page.locator(f"#chart-{chart} svg [class*='names_'] text").count() == 0
    assert crossing(page) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_no_name_lies_across_a_mark(written, zoo: str, width: int) -> None:
    page = written(zoo)
    page.set_viewport_size({"width": width, "height": 844})
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    left = page.locator("#chart-slopes svg").bounding_box()["x"]
    lefts = page.evaluate(
        "[...document.querySelectorAll('#chart-slopes svg g.mark-text text')]"
        ".map((one) => one.getBoundingClientRect().x)"
    )
    assert len(lefts) > 30
    assert min(lefts) >= left  # none is cut off
    names = page.locator("#chart-latency-flops svg [class*='names_'] text").count()
    assert names > 10 if width > 1000 else names == 0
    assert page.locator("#chart-latency-flops svg .rates_marks text:not(:empty)").count() >= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert crossing(page) == []


def test_a_chart_is_saved_as_it_is_shown(report) -> None:
    from PIL import Image

    filtered(report, "target", "arm")
    svg = saved(report, "latency-flops", "svg").decode()
    assert svg.startswith("<svg")
    assert 'fill="#ffffff"' in svg.split("<g", 1)[0]
    assert "x86" in svg
    assert "Neoverse" not in svg
    shown = report.locator("#chart-latency-flops svg").bounding_box()
    with Image.open(io.BytesIO(saved(report, "latency-flops", "png"))) as image:
        assert abs(image.width - 2 * shown["width"]) <= 4
        assert image.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    text = saved(report, "latency-flops", "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == marks(report, "latency-flops") == 10
    assert {"model", "setting", "ms", "lo", "hi", "m_macs", "status"} <= rows[0].keys()
    assert not {"on", "side"} & rows[0].keys()
    assert {row["status"] for row in rows} == {"ok", "noisy"}


def test_a_saved_csv_runs_nothing_in_a_spreadsheet(written, tmp_path: Path) -> None:
    names = ["=1+1", "'@x", '"quoted", and a comma', "plain"]
    rows = [row(5.0 + i, model=name, macs=10**8) for i, name in enumerate(names)]
    page = written(html_of(gather([str(write(tmp_path / "r.csv", rows))])))
    page.wait_for_selector("html[data-ready=true]")
    found = [one["model"] for one in csv.DictReader(io.StringIO(saved(page, "latency-flops", "csv").decode()))]
    assert found == ["'=1+1", "''@x", '"quoted", and a comma', "plain"]


def test_nothing_shown_is_nothing_to_save(report) -> None:
    report.click("#filter-status summary")
    report.click("#filter-status button[data-all='0']")
    report.wait_for_selector("#chart-latency-flops.empty")
    assert report.is_disabled("button[data-save=csv][data-of=latency-flops]")
    report.click("#filter-status button[data-all='1']")
    report.wait_for_selector("#chart-latency-flops:not(.empty)")
    assert report.is_enabled("button[data-save=csv][data-of=latency-flops]")


def test_findings_are_chosen_by_paper_and_turned_page_by_page(report) -> None:
    rows = "#findings tbody tr"

    def shown() -> list[str]:
        return report.evaluate(
            f"[...document.querySelectorAll('{rows}')].filter((row) => row.checkVisibility())"
            ".map((row) => row.dataset.group)"
        )

    report.click("#findings details summary")
    every = report.locator(rows).count()
    assert every > 300
    assert len(shown()) == 25
    bar = report.locator("#findings .pages")
    assert bar.locator("output").inner_text() == f"1 to 25 of {every}"
    first = report.locator(f"{rows}:visible").first.inner_text()
    bar.locator("button[data-step='1']").click()
    assert bar.locator("output").inner_text() == f"26 to 50 of {every}"
    assert report.locator(f"{rows}:visible").first.inner_text() != first
    before = marks(report, "findings")
    report.select_option("#pick-findings", "ShuffleNet V2")
    report.wait_for_function(
        f"document.querySelectorAll('#chart-findings svg g.mark-symbol.role-mark path').length < {before}"
    )
    assert marks(report, "findings") > 0
    assert set(shown()) == {"ShuffleNet V2"}
    assert bar.locator("output").inner_text().startswith("1 to 25 of ")
    report.emulate_media(media="print")  # where nothing can be turned, all of the paper is there
    assert len(shown()) > 25
    assert set(shown()) == {"ShuffleNet V2"}


def test_charts_shrink_to_the_paper(report) -> None:
    report.emulate_media(media="print")
    report.set_viewport_size({"width": 700, "height": 1000})  # A4 between its margins
    for chart in KINDS:
        box = report.locator(f"#chart-{chart} svg").bounding_box()
        assert box["x"] >= 0, chart
        assert box["x"] + box["width"] <= 701, chart
    assert report.evaluate("document.documentElement.scrollWidth") <= 700
    assert not report.is_visible(".save")


def test_slopes_follow_the_filter(written, zoo: str) -> None:
    page = written(zoo)
    page.wait_for_selector("html[data-ready=true]")
    assert marks(page, "slopes") == 2 * 35
    filtered(page, "family", "ghostnetv1")
    assert marks(page, "slopes") == 2 * 33
    filtered(page, "backend", "openvino")
    assert marks(page, "slopes") == 33  # one column is left
    page.click("#slopes details summary")
    bar = page.locator("#slopes .pages output")
    assert bar.inner_text() == "1 to 25 of 33"
    published = page.locator("#pick-slopes optgroup[label*='published'] option").first
    page.select_option("#pick-slopes", published.get_attribute("value"))
    page.wait_for_function(f"document.querySelectorAll('{MARKS.format('slopes')}').length !== 33")
    heads = page.locator("#chart-slopes svg g.mark-text text[transform*='rotate']").count()
    assert heads > 2
    assert marks(page, "slopes") % heads == 0
    assert bar.inner_text().endswith(f" of {marks(page, 'slopes')}")  # those of the chosen settings
