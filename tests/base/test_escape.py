"""Names from outside, made harmless: alone, and through every command and format."""

from __future__ import annotations

import html.parser
import io
import json
import re
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base import escape
from bench.base.errors import BenchError, MissingExtra
from bench.base.escape import shortened
from bench.report.text.print import cell
from bench.rows import file as records
from bench.rows.schema import Row

# Every character that there is, with those that hurt more often than chance has them.
HURTS = st.sampled_from(
    "=+-@＝'\"\\,;|<>&`*_[]()!#~:/ 1.e%\t\r\n\x00\x07\x08\x1b\x7f\x85\x9b\u200b\u202e\u2028\u2066\ufeff\ud800"
)
TEXT = st.text(st.one_of(HURTS, st.characters()), max_size=40)


@given(TEXT)
def test_what_is_printed_is_printable(text: str) -> None:
    for safe in (escape.plain, escape.line, escape.clip, escape.html, escape.markdown, escape.markdown_cell):
        assert safe(text).isprintable()
    assert len(escape.plain(text)) == len(text)
    assert escape.plain("naïve Größe 形 ±") == "naïve Größe 形 ±"
    error = BenchError(text, text)
    assert error.message.isprintable()
    assert error.hint.isprintable()


@given(TEXT)
def test_a_guarded_text_reads_as_it_was_and_is_no_formula(text: str) -> None:
    cell = escape.csv_guard(text)
    assert escape.csv_unguard(cell) == text
    number = re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?%?", cell, re.IGNORECASE)
    assert len(cell) < 2 or cell[0] not in "=+-@\t\r" or number


@given(st.floats(-1e300, 1e300))
def test_numbers_are_left_alone(value: float) -> None:
    for text in (str(value), f"{value:+.1%}", f"{value:.6g}"):
        assert escape.csv_guard(text) == text
    assert escape.csv_value(value) == value
    assert escape.csv_value(None) == ""


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "=cmd|' /C calc'!A0", "-1+cmd|'x'!A0", "＝1+1"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert escape.csv_guard(text) == f"'{text}"


class _Read(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *attrs))

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@given(TEXT)
def test_html_says_the_text_and_nothing_else(text: str) -> None:
    reader = _Read()
    reader.feed(f'<p title="{escape.html(text)}">x{escape.html(text)}</p>')
    reader.close()
    tag, *data = reader.found
    assert tag == ("p", ("title", escape.plain(text)))
    assert "".join(data) == "x" + escape.plain(text)


@given(st.recursive(TEXT | st.integers() | st.booleans() | st.none(), lambda x: st.lists(x) | st.dictionaries(TEXT, x)))
def test_json_in_a_script_reads_back_and_ends_no_script(value: Any) -> None:
    text = escape.script_json(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&\n") & set(text)


def test_json_in_a_script_refuses_what_json_cannot_say() -> None:
    with pytest.raises(ValueError):
        escape.script_json({"latency_ms": float("nan")})


@given(st.lists(TEXT, min_size=3, max_size=3))
def test_a_markdown_row_keeps_its_cells(cells: list[str]) -> None:
    row = f"| {' | '.join(escape.markdown(cell) for cell in cells)} |"
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 4
    assert not re.search(r"[<>@]|://", row)


@given(TEXT.filter(lambda text: text.strip() != ""))
def test_a_row_reads_back_as_the_line_it_was_told_as(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("r") / "r.csv"
    records.append(path, Row(status="ok", model=text, backend="=b", error=text, latency_ms=1.5))
    records.append(path, Row(status="ok", model="next", backend="b", latency_ms=1))
    first, second = records.read(path)
    assert first.model == escape.line(text)
    assert (first.error, first.backend, first.latency_ms) == (escape.line(text) or None, "=b", 1.5)
    assert second.model == "next"


def test_a_table_shows_markup_and_emoji_codes_as_they_are() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    table.add_column("x")
    table.add_row(cell("[red]a[/] :smile: \x1b[31m[/b]"))
    table.add_row(cell("n" * 10_000))
    out = io.StringIO()
    Console(file=out, width=2000).print(table)
    assert "[red]a[/] :smile: ?[31m[/b]" in out.getvalue()
    assert len(out.getvalue()) < 6000


@pytest.mark.parametrize("form", ["{}" + "x" * 200, "x" * 200 + "{}", "x" * 90 + "{}" + "x" * 90])
def test_names_that_differ_look_different_when_they_are_short(form: str) -> None:
    """At the beginning, at the end (two files in long folders), or in the middle."""
    names = [form.format(i) for i in range(12)]
    short = shortened(names, 40)
    assert len(set(short.values())) == 12
    assert all(len(text) <= 40 for text in short.values())
    assert shortened(["a", "b", "a"], 40) == {"a": "a", "b": "b"}


def test_a_traceback_has_the_hint() -> None:
    """A notebook shows nothing else."""
    said = "".join(traceback.format_exception(MissingExtra("pandas", "analysis")))
    assert "pandas is not installed\nhint: pip install 'isoflops[analysis]'" in said
