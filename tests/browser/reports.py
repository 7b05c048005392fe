"""What tests do with a report in a browser."""

from __future__ import annotations

from pathlib import Path

MARKS = "#chart-{} svg g.mark-symbol.role-mark path"


def marks(page, chart: str) -> int:
    return page.locator(MARKS.format(chart)).count()


def filtered(page, dimension: str, value: str) -> None:
    """Click a filter, and wait until the page has drawn what is left."""
    before = page.evaluate("performance.getEntriesByName('filter').length")
    if page.locator(f"#filter-{dimension}").get_attribute("open") is None:
        page.click(f"#filter-{dimension} summary")
    page.click(f"#filter-{dimension} label:has-text('{value}')")
    page.wait_for_function(f"performance.getEntriesByName('filter').length > {before}")


def saved(page, chart: str, kind: str) -> bytes:
    """Press a button that saves, and return the file."""
    with page.expect_download() as waiting:
        page.click(f"button[data-save={kind}][data-of={chart}]")
    assert waiting.value.suggested_filename == f"{chart}.{kind}"
    return Path(waiting.value.path()).read_bytes()
