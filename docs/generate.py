"""Writes the pages that are made from the program itself; with ``--check`` says which are out of date.

python docs/generate.py [--check | --charts]

``--charts`` draws the pictures of ``findings.md`` into ``img/``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import click

from bench.cli import COMMANDS, cli
from bench.devices.own import own
from bench.findings import family, store
from bench.findings.catalog import select, suite
from bench.findings.evaluate import Result, distinct
from bench.findings.store import Evidence
from bench.findings.table import judged
from bench.predict import table as kernels
from bench.report.causes import Pair, pairs
from bench.report.text import devices_page as devices
from bench.report.text import findings
from bench.report.text import models as models_table
from bench.report.text import predict_page as predictions
from bench.rows.frame import load
from bench.rows.identity import of_role
from bench.rows.schema import ROLES, schema

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent / "results"
EVIDENCE = RESULTS / "xeon-vm-2core" / "findings.jsonl"
NAME = str(EVIDENCE.relative_to(FOLDER.parent))
KERNELS = EVIDENCE.with_name("predict.json.gz")
PREDICTIONS = RESULTS / "epyc-vm-2core" / "predict-figures.json"
TRANSFER = RESULTS / "published-devices" / "transfer.json"


def schema_page() -> str:
    """Return ``schema.md``: every column of a result row."""
    lines = [
        "# The result row",
        "",
        "One CSV row per case, appended when the case ends. `bench list columns` prints the same. An empty cell means:",
        "not known, not applicable, or not supported by the sample. The raw samples of every launch lie beside the CSV",
        "in `NAME.samples.jsonl.gz`, one JSON object per launch of a case.",
        "",
        "A text that a spreadsheet would run as a formula (it begins with `=`, `+`, `-` or `@`, and is no number such",
        "as -1.5) has an apostrophe before it; so has such a text that begins with an apostrophe itself. `bench` takes",
        "it off when it reads; another program takes off an apostrophe that stands before one of the four. Breaks and",
        "tabs in a text are written as a space, other characters that cannot be printed as `?`. `case_id` is the hash",
        "of the names as they were.",
        "",
        "## Which rows are the same",
        "",
        "Every command takes it from the roles of the columns. Rows that are equal in all columns of the role *case*",
        "are the same case; those equal in the role *machine*, too, are one series, of which the newest row counts.",
        "A run is known by `run_id` and machine, because the devices of a fleet share a `run_id`. Columns of the role",
        "*environment* may explain a difference and are named beside it. Targets are machines of their own even where",
        "their CPU model is the same; `--pool cpu` (compare, history, report) joins them, for hosted runners, whose",
        "labels mean nothing. Whole numbers that another program wrote as `224.0` are read as `224`.",
        "",
        "| role | columns |",
        "| --- | --- |",
    ]
    lines += [f"| {role} | {', '.join(f'`{name}`' for name in of_role(role))} |" for role in ROLES]
    lines += ["", "## Columns", "", "| column | role | type | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{row['column']}` | {row['role']} | {row['type']} | {row['unit']} | {row['meaning']} |" for row in schema()
    ]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Return ``cli.md``: the help of every command."""
    parts = ["# The command line", "", *_help("bench", cli)]
    for name in COMMANDS:
        command: click.Command = import_module(f"bench.cli.{name}").command
        parts += [f"## `bench {name}`", "", *_help(f"bench {name}", command)]
        if isinstance(command, click.Group):
            for sub, one in sorted(command.commands.items()):
                parts += [f"### `bench {name} {sub}`", "", *_help(f"bench {name} {sub}", one)]
    return "\n".join(parts)


@cache
def evidence() -> Evidence:
    """Return the evidence that is kept in ``results/``."""
    return store.read(EVIDENCE)


@cache
def results() -> tuple[Result, ...]:
    """Return what it says of every finding."""
    return tuple(judged(select(()), evidence()))


@cache
def ten_pairs() -> tuple[Pair, ...]:
    """Return the pairs of equal MACs, with their kernels' times."""
    return tuple(pairs(findings.pairs_of(results()), kernels.read(KERNELS)))


def findings_page() -> str:
    """Return ``findings.md``: the answer, and where to read more."""
    heads = [r for r in judged(suite("core"), evidence()) if r.headline and r.found is not None]
    wanted = {(r.finding.id, r.backend) for r in heads}
    wide = judged(suite("core"), evidence(), family.confidence(heads))
    together = [r for r in wide if r.headline and (r.finding.id, r.backend) in wanted]
    chances = family.expected(distinct(results()))
    return findings.front(results(), evidence(), NAME, ten_pairs(), together, chances)


def paper_page(title: str) -> str:
    """Return the page of a paper."""
    return findings.paper(title, results(), evidence(), NAME)


def charts() -> None:
    """Draw the pictures of ``findings.md``."""
    from bench.report.html.charts import findings as effects
    from bench.report.html.charts import pairs as drawn
    from bench.report.html.plot import picture

    for name, chart in (("effects", effects.draw(results(), WIDTH)), ("pairs", drawn.chart(ten_pairs(), WIDTH))):
        assert chart is not None, f"no data for {name}"
        (FOLDER / "img" / f"findings-{name}.svg").write_bytes(picture(chart, ".svg"))


def devices_page() -> str:
    """Return ``devices.md``: what published latencies say, and our own whole zoos beside them."""
    files = sorted(RESULTS.glob("*/zoo.csv"))
    mine = {str(file.relative_to(RESULTS)): own(load([str(file)])) for file in files}
    return devices.page(mine, json.loads(TRANSFER.read_text("utf-8")))


def predict_page() -> str:
    """Return ``predict.md``, its figures those that ``benchmarks/predict_report.py`` found; the rest is as it is."""
    text = (FOLDER / "predict.md").read_text("utf-8")
    return predictions.page(text, json.loads(PREDICTIONS.read_text("utf-8"))) if PREDICTIONS.exists() else text


def _help(name: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    return ["```", command.get_help(context), "```", ""]


WIDTH = 520
PAGES: dict[str, Callable[[], str]] = {
    "schema.md": schema_page,
    "cli.md": cli_page,
    "models.md": models_table.page,
    "findings.md": findings_page,
    **{f"findings/{findings.slug(title)}.md": partial(paper_page, title) for title in findings.titles()},
    "devices.md": devices_page,
    "predict.md": predict_page,
}


def main() -> int:
    """Write or check every page."""
    stale = []
    if "--charts" in sys.argv:
        charts()
        return 0
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if "--check" in sys.argv:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(name)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(FOLDER.parent)}")
    for name in stale:
        print(f"docs/{name} is out of date: make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
