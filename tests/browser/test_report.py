"""The report in a browser, from the disk, with the network off: drawn, filtered, hovered, and used by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.report.html.data import gather
from bench.report.html.kinds import KINDS
from bench.report.html.page import page as html_of
from tests.measure.cluster import until
from tests.report.results import HOSTILE, everything, two_targets
from tests.rows.rows import row, write

pytestmark = pytest.mark.browser

CHARTS = KINDS
MARKS = "#chart-{} svg g.mark-symbol.role-mark path"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    return html_of(gather(everything(tmp_path_factory.mktemp("everything"))))


@pytest.fixture
def report(written, whole: str):
    page = written(whole)
    page.wait_for_selector("html[data-ready=true]")
    return page


def marks(page, chart: str) -> int:
    return page.locator(MARKS.format(chart)).count()


def filtered(page, dimension: str, value: str) -> None:
    """Click a filter, and wait until the page has drawn what is left."""
    before = page.evaluate("performance.getEntriesByName('filter').length")
    if page.locator(f"#filter-{dimension}").get_attribute("open") is None:
        page.click(f"#filter-{dimension} summary")
    page.click(f"#filter-{dimension} label:has-text('{value}')")
    page.wait_for_function(f"performance.getEntriesByName('filter').length > {before}")


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


@pytest.mark.parametrize("width", [1280, 390])
def test_no_name_lies_across_a_mark(written, zoo: str, width: int) -> None:
    page = written(zoo)
    page.set_viewport_size({"width": width, "height": 844})
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    names = page.locator("#chart-latency-flops svg [class*='names_'] text").count()
    assert names > 10 if width > 1000 else names == 0
    assert page.locator("#chart-latency-flops svg .rates_marks text:not(:empty)").count() >= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert crossing(page) == []


def saved(page, chart: str, kind: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(f"button[data-save={kind}][data-of={chart}]")
    assert waiting.value.suggested_filename == f"{chart}.{kind}"
    return Path(waiting.value.path()).read_bytes()


def test_a_chart_is_saved_as_it_is_shown(report) -> None:
    import csv
    import io

    from PIL import Image

    filtered(report, "target", "arm")
    svg = saved(report, "latency-flops", "svg").decode()
    assert svg.startswith("<svg")
    assert 'fill="#ffffff"' in svg.split("<g", 1)[0]
    assert svg.count("x86") and "Neoverse" not in svg
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
    import csv
    import io

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
        return [row.get_attribute("data-group") for row in report.locator(f"{rows}:visible").all()]

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
    for chart in CHARTS:
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
    published = page.locator("#pick-slopes optgroup[label*='published'] option").first
    page.select_option("#pick-slopes", published.get_attribute("value"))
    page.wait_for_function(f"document.querySelectorAll('{MARKS.format('slopes')}').length !== 33")
    heads = page.locator("#chart-slopes svg g.mark-text text[transform*='rotate']").count()
    assert heads > 2
    assert marks(page, "slopes") % heads == 0


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
