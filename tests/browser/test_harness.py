"""The harness itself: a page from the disk is alive, and what goes wrong in one does not pass unseen."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

HEAD = "<!doctype html><html lang=en><meta charset=utf-8><title>t</title>"
COUNTER = """
<button id=more>more</button> <output id=count>0</output>
<p id=tip hidden>the row</p>
<script>
 const count = document.getElementById('count');
 document.getElementById('more').onclick = () => { count.textContent = Number(count.textContent) + 1; };
 count.onmouseenter = () => { document.getElementById('tip').hidden = false; };
</script>"""


def test_click_hover_and_keyboard_reach_a_page_from_the_disk(written) -> None:
    page = written(HEAD + COUNTER)
    page.click("#more")
    page.keyboard.press("Tab")
    page.focus("#more")
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "2"
    assert not page.is_visible("#tip")
    page.hover("#count")
    assert page.is_visible("#tip")
    assert not page.faults


def test_a_screenshot_has_the_size_of_the_window(written, tmp_path) -> None:
    from PIL import Image

    page = written(HEAD + COUNTER)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=tmp_path / "phone.png")
    with Image.open(tmp_path / "phone.png") as image:
        assert image.size == (390, 844)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<script>console.error('lost')</script>", "error: lost"),
        ("<script>nowhere()</script>", "exception: nowhere is not defined"),
        ("<script src='missing.js'></script>", "failed request: file:"),
        ("<img src='https://example.org/x.png' alt=x>", "request: https://example.org/x.png"),
    ],
)
def test_what_goes_wrong_in_a_page_is_kept(written, body: str, complaint: str) -> None:
    page = written(HEAD + body)
    assert any(fault.startswith(complaint) for fault in page.faults), page.faults
    page.faults.clear()


def test_the_network_is_off(written) -> None:
    page = written(HEAD)
    assert page.evaluate("navigator.onLine") is False
