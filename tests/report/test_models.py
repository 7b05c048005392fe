"""The page of the zoo beside its papers, from small tables."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

import bench.report.text.models as models_table
from bench.papers.published import Counting, Counts, Doubt, Printed, PublishedNetwork
from bench.report.text.models import markdown, tally

COUNTS = Counts(params=4_231_976, bn_params=21_888, macs_conv=567_716_352, macs_fc=1_024_000, bn_elements=5_042_688)
WITHIN = PublishedNetwork(
    model="mobilenetv1",
    label="1.0 MobileNet-224",
    resolution=224,
    params=Printed("4.2", 0.05),
    macs=Printed("569", 0.5),
    top1=70.6,
    source="MobileNet V1, Table 8",
    verified="text",
    counting=Counting(("conv", "fc")),
    deviation="",
    table="mobilenetv1",
)
EXPLAINED = replace(
    WITHIN,
    source="MnasNet, Table 1",
    macs=Printed("575", 0.5),
    deviation="Includes a head of 6.26 M that is left out.",
)
UNEXPLAINED = replace(EXPLAINED, deviation="", source="A | B <script>")
NOT_BUILT = replace(WITHIN, model="", label="IGCV2")
ROWS = (WITHIN, EXPLAINED, UNEXPLAINED, NOT_BUILT)
COUNTED = {("mobilenetv1", 224): COUNTS}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_checked_cell_is_within_explained_or_unexplained() -> None:
    sums = tally(ROWS, COUNTED)
    assert (sums.cells, sums.within, sums.explained, sums.unexplained) == (6, 4, 1, 1)
    text = markdown(ROWS, COUNTED, {})
    assert "**6 cells checked: 4 within rounding, 1 explained, 0 open " in text


def test_a_line_shows_printed_beside_counted() -> None:
    lines = markdown(ROWS, COUNTED, {"mobilenetv1": "MobileNet V1"}).splitlines()
    start = lines.index("## MobileNet V1")
    header, _, within, explained = (cells(line) for line in lines[start + 2 : start + 6])
    assert len(header) == len(within) == len(explained) == 12
    assert within[:9] == ["`mobilenetv1`", "224", "4.2", "4.23", "", "569", "568.7", "", "conv+fc"]
    assert explained[5:8] == ["575", "568.7", "-1.1%"]
    assert explained[-1] == "Includes a head of 6.26 M that is left out."


@pytest.mark.parametrize(
    ("params", "macs", "reason", "explained", "cell"),
    [
        ("4.2", "575", "another figure than the 569 M of its own paper, which a count gives, too", 0, "open: another"),
        ("4.2", "575", "a count gives 568.74 M", 0, "open: a count"),
        ("4.2", "568", "cut instead of rounded: a count gives 568.74 M", 1, "cut instead"),
        ("4.24", "569", "a count gives 4.233 M parameters with 1001 classes", 0, "open: a count"),
        ("4.2", "1137", "twice too many: 1.137 G that count multiply and add apart", 1, "twice"),
        ("4.2", "575", "nominal, printed for every width", 1, "nominal"),
        ("5.2", "575", "includes 1.0 M parameters of a second head; a count gives 568.74 M multiply-adds", 1,
         "open (multiply-adds): includes 1.0 M"),
        ("4.2", "575", "open: nobody says", 0, "open: nobody"),
    ],
)  # fmt: skip
def test_a_reason_that_only_restates_our_count_is_open(
    params: str, macs: str, reason: str, explained: int, cell: str
) -> None:
    half = {text: float(f"5e-{len(text.partition('.')[2]) + 1}") for text in (params, macs)}
    row = replace(WITHIN, params=Printed(params, half[params]), macs=Printed(macs, half[macs]), deviation=reason)
    sums = tally((row,), COUNTED)
    assert (sums.explained, sums.unexplained) == (explained, 0)
    assert sums.within + sums.explained + sums.open == sums.cells == 2
    assert f"| {cell}" in markdown((row,), COUNTED, {})


def test_what_a_card_says_stands_above_its_table() -> None:
    text = markdown(ROWS, COUNTED, {}, (), {"mobilenetv1": "The code\ndiffers."})
    assert "## mobilenetv1\n\nThe code differs.\n\n| model" in text


def test_a_row_that_the_zoo_does_not_build_is_left_out() -> None:
    assert "IGCV2" not in markdown(ROWS, COUNTED, {})


def test_cells_cannot_break_the_table() -> None:
    text = markdown((UNEXPLAINED,), COUNTED, {}, [Doubt("s|t", "c", "p\nq", "f")])
    assert r"A \| B &lt;script>" in text
    assert r"| s\|t | c | p?q | f |" in text


def test_the_module_prints_its_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(models_table, "networks", lambda: (WITHIN, NOT_BUILT))
    asked = []
    fake = SimpleNamespace(count=lambda model, resolution: asked.append((model, resolution)) or COUNTS)
    monkeypatch.setitem(sys.modules, "bench.models.counting", fake)
    models_table.main()
    printed = capsys.readouterr().out
    assert asked == [("mobilenetv1", 224)]
    assert "**2 cells checked: 2 within rounding, 0 explained, 0 open " in printed
    assert "## Doubtful cells" in printed
