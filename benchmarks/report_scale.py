"""How long does a report of a great many rows take to build, how large is it, and how fast does it follow a filter?

    python -m benchmarks.report_scale --rows 100000

The rows are made up by `benchmarks/synthetic_history.py`; nothing here is a measurement of a network. With a Chromium
on the machine and playwright installed, the page is opened from the disk and each of its filters is clicked: the time
is from the input event until all views have rendered, on the page's own clock.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.synthetic_history import TARGETS, Shape, write

CASES = 60


def build(folder: Path, page: Path) -> float:
    """Build the report in a process of its own, as a person does; return seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "bench", "report", str(folder), "--output", str(page)]
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def react(page: Path, clicks: int) -> tuple[float, list[float]]:
    """Return the seconds until the page is drawn, and the ms of each click on a filter."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        start = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready=true]", timeout=120_000)
        drawn = time.perf_counter() - start
        for number in range(clicks):
            tab.evaluate(
                """(number) => {
                    const boxes = [...document.querySelectorAll('#filters input')];
                    boxes[Math.floor(number / 2) % boxes.length].click();
                }""",
                number,
            )
            tab.wait_for_function(f"performance.getEntriesByName('filter').length > {number}", timeout=60_000)
        times = tab.evaluate("performance.getEntriesByName('filter').map((entry) => entry.duration)")
        browser.close()
    return drawn, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clicks", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="Keep the page here.")
    args = parser.parse_args()
    # One night in twenty is missing; what is made must not be fewer rows than asked for.
    nights = math.ceil(args.rows / (CASES * len(TARGETS) * 0.94))
    with tempfile.TemporaryDirectory() as folder:
        rows, page = Path(folder, "rows"), args.keep or Path(folder, "report.html")
        rows.mkdir()
        write(rows, 0, Shape(nights=nights, cases=CASES))
        count = sum(path.read_bytes().count(b"\n") - 1 for path in rows.rglob("*.csv"))
        seconds = build(rows, page)
        size = page.stat().st_size / 1e6
        print(f"{count} rows, {nights} nights: built in {seconds:.1f} s, {size:.2f} MB", flush=True)
        drawn, times = react(page, args.clicks)
    print(
        f"drawn {drawn:.2f} s after opening; "
        f"{len(times)} clicks on filters (off and on): median {statistics.median(times):.0f} ms, "
        f"slowest {max(times):.0f} ms"
    )


if __name__ == "__main__":
    main()
