"""Pages on a phone, 390 px wide: none moves sideways as a whole, charts fit, and wide tables move in their boxes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.api import html
from bench.report.html.data import gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import page as html_of
from tests.browser.reports import saved
from tests.rows.rows import row, write

pytestmark = pytest.mark.browser

WIDTH = 390
ROOT = Path(__file__).parents[2]
HEAD = '<!doctype html><meta name="viewport" content="width=device-width"><body style="margin: 0">'
# What of a view reaches beyond the page: the page itself, the box of its chart, and the chart's own texts.
REACHES = """(id) => {
  const box = document.querySelector(`#${id} .box`);
  const texts = [...document.querySelectorAll(`#chart-${id} svg text`)].filter((text) => text.textContent);
  return {
    page: document.documentElement.scrollWidth,
    box: box.scrollWidth - box.clientWidth,
    text: Math.max(...texts.map((text) => text.getBoundingClientRect().right)),
    left: Math.min(...texts.map((text) => text.getBoundingClientRect().left)),
  };
}"""
# Where the first and the second cell of a table stand before and after it was moved to its end.
MOVED = """(box) => {
  const row = box.querySelector("tbody tr");
  const lefts = () => [0, 1].map((i) => Math.round(row.cells[i].getBoundingClientRect().left));
  const before = lefts();
  box.scrollLeft = 10000;
  return { before, after: lefts(), by: box.scrollLeft, page: document.documentElement.scrollWidth };
}"""


@pytest.fixture
def phone(written):
    """Open HTML on a phone; that of a report is drawn when it returns."""

    def opened(html: str):
        page = written(HEAD)
        page.set_viewport_size({"width": WIDTH, "height": 844})
        page = written(html)
        if 'id="data"' in html:
            page.wait_for_selector("html[data-ready=true]")
        return page

    return opened


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four networks of nearly equal MACs, with long names, on 27 settings."""
    names = [f"shufflenetv2:width={w}" for w in (0.5, 1.0, 1.5, 2.0)]
    rows = [
        row(3 + (i + 1) * (t % 5 + 1) ** 0.5, model=name, threads=t, backend="onnxruntime", macs=10**8 - 10**5 * i)
        for t in range(1, 28)
        for i, name in enumerate(reversed(names))
    ]
    return html_of(gather([str(write(tmp_path_factory.mktemp("many") / "r.csv", rows))]))


def held(page, view: str) -> None:
    found = page.evaluate(REACHES, view)
    assert found["page"] <= WIDTH, view
    assert found["box"] <= 0, view
    assert found["left"] >= 0, view
    assert found["text"] <= WIDTH, view


def test_every_view_fits(phone, whole: str) -> None:
    page = phone(whole)
    for view in KINDS:
        held(page, view)
        page.click(f"#{view} details.more:has(.table) > summary")
        moved = page.locator(f"#{view} .table").evaluate(MOVED)
        assert moved["page"] <= WIDTH, view
        assert moved["before"][0] == moved["after"][0], view
        assert moved["before"][1] - moved["after"][1] == round(moved["by"]), view
    assert page.locator("#findings .table").evaluate("(box) => box.scrollLeft") > 100


def test_many_settings_and_long_names_fit(phone, many: str) -> None:
    page = phone(many)
    for view in ("latency-flops", "inversions", "ranks", "slopes", "side-by-side"):
        held(page, view)
    # A name that is wider than the page is written in two lines, none of them cut.
    lines = page.locator("#chart-inversions svg text tspan").all_text_contents()
    assert any(line.startswith("shufflenetv2:width=") for line in lines)
    assert any("thread" in line for line in lines)
    assert "…" not in "".join(lines)
    assert "name" not in saved(page, "inversions", "csv").decode().splitlines()[0].split(",")


def test_a_long_legend_is_folded_and_complete_and_saved_with_its_chart(phone, many: str) -> None:
    page = phone(many)
    legend = page.locator("#latency-flops details.legend")
    assert legend.locator("summary").inner_text() == "Colours: 27"
    assert not legend.locator("li").first.is_visible()
    legend.locator("summary").click()
    names = legend.locator("li").all_inner_texts()
    assert len(set(names)) == 27
    assert legend.locator("li").last.is_visible()
    shown = page.locator("#chart-latency-flops svg").bounding_box()
    assert shown["height"] < 620
    svg = saved(page, "latency-flops", "svg").decode()
    assert all(f">{name}<" in svg for name in names)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    assert legend.count() == 0
    assert set(names) <= set(page.locator("#chart-latency-flops .role-legend text").all_text_contents())


def test_a_folded_legend_is_open_on_paper(phone, many: str) -> None:
    page = phone(many)
    page.emulate_media(media="print")
    assert page.locator("#latency-flops .legend li").last.bounding_box()["height"] > 5


def test_a_notebooks_table_moves_in_its_box(phone) -> None:
    table = html.table([f"column {i}" for i in range(12)], [["a-long-word-of-a-cell"] * 12] * 3, ["said"])
    page = phone(HEAD + table)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    box = page.locator("div:has(> table)")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")


def test_a_sites_table_keeps_its_first_column(phone) -> None:
    css = (ROOT / "docs" / "_static" / "site.css").read_text("utf-8")
    cells = "".join(f"<td>a cell {i} of a wide table</td>" for i in range(12))
    theme = ".table-wrapper { overflow-x: auto } table { white-space: nowrap; border-collapse: collapse }"
    table = f"<div class='table-wrapper'><table><tbody><tr>{cells}</tr></tbody></table></div>"
    page = phone(f"{HEAD}<style>{theme}{css}</style>{table}")
    moved = page.locator(".table-wrapper").evaluate(MOVED)
    assert moved["by"] > 100
    assert moved["page"] <= WIDTH
    assert moved["before"][0] == moved["after"][0]


def test_a_dark_page_has_shadows_that_are_seen(phone, whole: str) -> None:
    page = phone(whole)
    shade = "getComputedStyle(document.documentElement).getPropertyValue('--shade')"
    light = page.evaluate(shade)
    page.click("#theme")
    dark = page.evaluate(shade)
    assert re.match(r"\s*rgb\(255 255 255", dark)
    assert light != dark
