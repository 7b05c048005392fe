"""``bench list models``, with a fixed set of published rows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner, Result

import bench.cli.models as cli
import bench.papers.published
from bench.base.errors import UnknownName
from bench.cli.models import Entry
from bench.cli.models import models as command
from bench.papers.published import Counting, Printed, PublishedNetwork


def row(model: str, resolution: int, macs: str, source: str, params: str = "", deviation: str = "") -> PublishedNetwork:
    return PublishedNetwork(
        model=model,
        label="label",
        resolution=resolution,
        params=Printed(params, 0.05) if params else None,
        macs=Printed(macs, 0.5),
        top1=70.6 if params else None,
        source=source,
        verified="text",
        counting=Counting(("conv", "fc")),
        deviation=deviation,
        table="fixture",
    )


ROWS = (
    row("mobilenetv1", 224, "575", "MnasNet, Table 1", "4.2", deviation="A misprint\x1b[31m of 569."),
    row("mobilenetv1", 192, "418", "MobileNet V1, Table 7", "4.2"),
    row("mobilenetv1", 224, "569", "MobileNet V1, Table 6", "4.2"),
    row("mobilenetv1:width=0.5", 224, "155", "MobileNet V1 [table 6]\x1b[31m", deviation="Not what it is."),
    row("", 224, "46", "ShuffleNet V2, Table 8"),
)


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.papers.published, "networks", lambda: ROWS)


def run(*args: str) -> Result:
    return CliRunner().invoke(command, args, catch_exceptions=False)


def test_json_lists_counted_beside_published() -> None:
    pytest.importorskip("torch")
    default, half = json.loads(run("--format", "json", "mobilenetv1").stdout)
    assert (default["model"], default["resolution"]) == ("mobilenetv1", 224)
    assert default["params_m"] == pytest.approx(4.231976)
    assert default["macs_m"] == pytest.approx(568.740352)
    # The family's own paper speaks for it, at the default resolution.
    assert default["source"] == "MobileNet V1, Table 6"
    assert (default["published_macs_m"], default["published_top1_pct"], default["macs_off_pct"]) == (569, 70.6, None)
    assert default["counting"] == "conv+fc"
    assert half["macs_off_pct"] == pytest.approx(100 * (half["macs_m"] / 155 - 1), abs=0.01)


def test_every_family_is_listed_with_its_defaults() -> None:
    found = cli.entries(counting=False)
    assert {entry.model for entry in found} >= {"mobilenetv1", "mobilenetv2", "shufflenetv2", "mobilenetv1:width=0.5"}
    assert {entry.macs_m for entry in found} == {None}


def test_csv_has_a_column_per_field_and_no_control_character() -> None:
    pytest.importorskip("torch")
    header, *lines = csv.reader(io.StringIO(run("--format", "csv", "mobilenetv1").stdout))
    assert header == [f.name for f in fields(Entry)]
    assert [line[0] for line in lines] == ["mobilenetv1", "mobilenetv1:width=0.5"]
    assert all(cell.isprintable() for line in lines for cell in line)


def test_the_table_shows_names_as_they_are_and_no_control_character() -> None:
    pytest.importorskip("torch")
    printed = run("mobilenetv1").stdout
    assert "mobilenetv1:width=0.5" in printed
    assert "[table 6]?[31m" in printed  # no rich markup, no escape sequence
    assert "\x1b" not in printed


def test_without_pytorch_published_figures_are_shown_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    result = run("--format", "json", "mobilenetv1")
    assert result.stderr.count("\n") == 1
    assert "PyTorch is not installed" in result.stderr
    assert "isoflops[zoo]" in result.stderr
    entry = json.loads(result.stdout)[0]
    assert (entry["macs_m"], entry["published_macs_m"], entry["macs_off_pct"]) == (None, 569, None)


def test_an_unknown_family_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no family named 'mobilenetv'") as caught:
        run("mobilenetv")
    assert "mobilenetv1" in caught.value.hint


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, bench.cli.models; print(sorted({'torch', 'rich', 'numpy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
