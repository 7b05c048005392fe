"""The page as a file: whole, closed to the network, and unmoved by hostile names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from bench.base.escape import script_json
from bench.report.html.data import gather
from bench.report.html.kinds import KINDS
from bench.report.html.markup import MOST_ROWS, HtmlTable, code, table
from bench.report.html.page import bundle, page
from tests.conftest import Bench, one_line_error
from tests.report.results import HOSTILE, everything, profile, two_targets
from tests.rows.rows import row

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Shape(HTMLParser):
    """Every element with its attributes, and whether all were closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def shape(html: str) -> Shape:
    parser = Shape()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(gather(everything(tmp_path_factory.mktemp("everything"))))


def test_the_page_is_one_file_that_asks_for_nothing(whole: str) -> None:
    found = shape(whole)
    policy = next(m["content"] for m in found.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'sha256-" in policy
    assert not found.of("link")
    assert not found.of("img")
    assert all("src" not in script for script in found.of("script"))
    assert whole.count(bundle()) == 1
    assert len(whole.encode()) < 5_000_000


def test_the_views_are_there_in_order(whole: str) -> None:
    views = [s["id"] for s in shape(whole).of("section")]
    assert tuple(views) == KINDS
    assert whole.count('class="none"') == 1  # for browsers without JavaScript
    assert "how it was measured" in whole.lower()


def test_controls_have_labels_and_charts_have_words(whole: str) -> None:
    found = shape(whole)
    assert [d.get("id") for d in found.of("details") if d.get("class") == "filter"] == [
        f"filter-{name}" for name in ("target", "family", "status")
    ]
    for select in found.of("select"):
        assert any(label.get("for") == select["id"] for label in found.of("label"))
    charts = [d for d in found.of("div") if d.get("class") == "chart"]
    assert len(charts) == len(KINDS)
    assert all(d.get("role") == "img" and d.get("aria-label") for d in charts)
    assert len(found.of("table")) == len(KINDS)
    buttons = [b for b in found.of("button") if b.get("data-save")]
    assert {(b["data-of"], b["data-save"]) for b in buttons} == {(k, s) for k in KINDS for s in ("svg", "png", "csv")}
    assert len(found.of("h1")) == len(found.of("main")) == 1


def test_a_view_without_data_is_one_line_with_a_command(tmp_path: Path) -> None:
    html = page(gather([str(profile(tmp_path / "p.json"))]))
    lines = re.findall(r'<p class="none">(.*?)</p>', html)
    assert len(lines) == len(KINDS)  # the profile has its view, and one is for browsers without JavaScript
    assert sum("<code>bench " in line for line in lines) == len(KINDS) - 1
    assert html.count('data-save="csv"') == 1


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    from bench.rows.schema import COLUMNS

    path = two_targets(tmp_path / "r.csv")
    import csv

    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        for i, name in enumerate(HOSTILE):
            cells = {c: getattr(row(4.0 + i), c) for c in COLUMNS}
            cells = {c: "" if v is None else v for c, v in cells.items()}
            hostile = dict.fromkeys(("model", "backend", "target", "cpu", "error", "precision_effective", "os"), name)
            writer.writerow(cells | hostile | {"run_id": name, "status": "ok" if i % 2 else "noisy"})
    profile(tmp_path / "p.json", model=HOSTILE[0])
    html = page(gather([str(tmp_path)]))
    found = shape(html)
    assert len(found.of("script")) == 3
    assert "alert(1)</script>" not in html
    assert "\x1b" not in html
    assert "n" * 200 not in html
    assert "\u2028" not in html.replace(bundle(), "")
    start = html.index('id="data">') + len('id="data">')
    store = json.loads(html[start : html.index("</script>", start)])
    assert any("alert(1)" in record["model"] for record in store["datasets"]["points"])


def test_json_in_a_script_ends_nothing() -> None:
    value = {"</script>": "<!-- & \u2028\u2029"}
    written = script_json(value)
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == value
    with pytest.raises(ValueError, match="JSON"):
        script_json(float("nan"))


def test_long_tables_say_that_they_are_cut() -> None:
    rows = [[i, None] for i in range(MOST_ROWS + 1)]
    html = table(HtmlTable(("a", "b"), rows, frozenset({0}), [[i] for i in range(len(rows))]), "All.")
    assert f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows" in html
    assert html.count("<tr ") == MOST_ROWS
    assert 'data-rows="25"' in html
    groups = ["a"] * MOST_ROWS + ["b", "a"]
    html = table(HtmlTable(("a",), [[i] for i in range(len(groups))], groups=groups), "All.")
    assert f"The first {MOST_ROWS + 1} of {MOST_ROWS + 2} rows" in html
    assert html.count('data-group="b"') == 1
    assert "data-rows" not in table(HtmlTable(("a",), [[1]]), "One.")
    assert code("a `b<c` d") == "a <code>b&lt;c</code> d"


def test_the_commands(tmp_path: Path, bench: Bench) -> None:
    two_targets(tmp_path / "r.csv")
    done = bench("report", "r.csv", "--output", "out/page.html")
    assert done.returncode == 0, done.stderr
    assert "13 cases" in done.stdout
    assert (tmp_path / "out" / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert bench("report", "r.csv", "--chart", "latency-flops", "--output", "x.svg").returncode == 0
    assert "does not end in" in one_line_error(bench("report", "r.csv", "--chart", "pareto", "--output", "x.gif"))
    assert "no data for breakdown" in one_line_error(bench("report", "r.csv", "--chart", "breakdown"))
    assert "nothing at" in one_line_error(bench("report", "none"))


def test_the_extra_is_named_when_it_is_missing(tmp_path: Path, bench: Bench) -> None:
    two_targets(tmp_path / "r.csv")
    (tmp_path / "altair.py").write_text("raise ImportError('not installed')\n")
    for command in (("report", "r.csv"), ("report", "r.csv", "--chart", "pareto", "--output", "x.svg")):
        said = one_line_error(bench(*command, PYTHONPATH=str(tmp_path)))
        assert "Altair" in said
        assert "pip install 'isoflops[report]'" in said
