"""Writes the pages that are made from the program itself; with ``--check`` says which are out of date.

python docs/generate.py [--check | --charts]

``--charts`` draws the pictures of ``findings.md`` and ``findings-why.md`` into ``img/``.
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
from bench.findings import family, machines, store
from bench.findings.catalog import select, suite
from bench.findings.evaluate import Result, distinct
from bench.findings.store import Evidence
from bench.findings.table import judged
from bench.predict import table as kernels
from bench.report.causes import pairs
from bench.report.text import devices_page as devices
from bench.report.text import findings, precisions, why
from bench.report.text import models as models_table
from bench.report.text import predict_page as predictions
from bench.rows.file import read_any
from bench.rows.frame import load
from bench.rows.identity import of_role
from bench.rows.schema import ROLES, schema

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent / "results"
PREDICTIONS = RESULTS / "epyc-vm-2core" / "predict-figures.json"
PRECISIONS = RESULTS / "epyc-vm-2core" / "precisions.csv"
# What the machines are called on the pages, and where their evidence lies: compressed or not.
MACHINES = {"Ice Lake": "xeon-vm-2core", "Zen 4": "epyc-vm-2core"}
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
def evidence() -> dict[str, tuple[str, Evidence]]:
    """Return the evidence that is kept in ``results/``, by machine, with the name of its file."""
    found = {}
    for name, folder in MACHINES.items():
        for path in sorted((RESULTS / folder).glob("findings.jsonl*")):
            found[name] = (str(path.relative_to(FOLDER.parent)), store.read(path))
    return found


@cache
def results() -> tuple[Result, ...]:
    """Return what it says of every finding, machine after machine."""
    return tuple(r for name, (_, one) in evidence().items() for r in _named(judged(select(()), one), name))


def _named(found: list[Result], machine: str) -> list[Result]:
    return machines.labelled(found, machine) if len(evidence()) > 1 else found


@cache
def measured() -> tuple[findings.Machine, ...]:
    """Return the machines, with their pairs of equal MACs and what another run on them may say."""
    told = []
    for name, (file, one) in evidence().items():
        mine = judged(select(()), one)
        timed = RESULTS / MACHINES[name] / "predict.json.gz"
        table = kernels.read(timed) if timed.exists() else None
        chances = family.expected(distinct(mine))
        told.append(findings.Machine(name, file, one, pairs(findings.pairs_of(mine), one, table), chances))
    return tuple(told)


def findings_page() -> str:
    """Return ``findings.md``: the answer, and where to read more."""
    together = []
    for name, (_, one) in evidence().items():
        heads = [r for r in judged(suite("core"), one) if r.headline and r.found is not None]
        wanted = {(r.finding.id, r.backend) for r in heads}
        wide = judged(suite("core"), one, family.confidence(heads))
        together += _named([r for r in wide if r.headline and (r.finding.id, r.backend) in wanted], name)
    return findings.front(results(), measured(), together)


def paper_page(title: str) -> str:
    """Return the page of a paper."""
    return findings.paper(title, results(), measured())


def explained() -> tuple[str, Evidence]:
    """Return the experiments that tell one explanation from another, and the name of their file."""
    path = next(iter(sorted(RESULTS.glob("*/why.jsonl*"))))
    return str(path.relative_to(FOLDER.parent)), store.read(path)


def why_page() -> str:
    """Return ``findings-why.md``: why guidelines fail here."""
    return why.page(results(), *explained())


def charts() -> None:
    """Draw the pictures of ``findings.md`` and ``findings-why.md``."""
    from bench.report.html.charts import findings as effects
    from bench.report.html.charts import machines as beside
    from bench.report.html.charts import pairs as of_pairs
    from bench.report.html.charts import why as explaining
    from bench.report.html.plot import picture

    drawn = {
        "effects": effects.draw(results(), WIDTH),
        "pairs": of_pairs.chart(findings.drawn(measured()).pairs, WIDTH),
        "machines": beside.draw(results(), WIDTH),
        "channels": explaining.channels(explained()[1], WIDTH),
        "instructions": explaining.instructions(explained()[1], WIDTH),
    }
    for name, chart in drawn.items():
        assert chart is not None, f"no data for {name}"
        (FOLDER / "img" / f"findings-{name}.svg").write_bytes(picture(chart, ".svg"))


def devices_page() -> str:
    """Return ``devices.md``: what published latencies say, and our own whole zoos beside them."""
    files = sorted(RESULTS.glob("*/zoo.csv"))
    mine = {str(file.relative_to(RESULTS)): own(load([str(file)])) for file in files}
    return devices.page(mine, json.loads(TRANSFER.read_text("utf-8")))


def runtimes_page() -> str:
    """Return ``runtimes.md`` with what follows from the rows of the suite ``precisions`` between its two marks."""
    text = (FOLDER / "runtimes.md").read_text("utf-8")
    before, found, after = text.partition(MARKS[0])
    _, ended, rest = after.partition(MARKS[1])
    if not (found and ended) or not PRECISIONS.exists():
        return text
    made = precisions.section(read_any(PRECISIONS, print), str(PRECISIONS.relative_to(FOLDER.parent)))
    return f"{before}{MARKS[0]}\n{made}{MARKS[1]}{rest}"


def predict_page() -> str:
    """Return ``predict.md``, its figures those that ``benchmarks/predict_report.py`` found; the rest is as it is."""
    text = (FOLDER / "predict.md").read_text("utf-8")
    return predictions.page(text, json.loads(PREDICTIONS.read_text("utf-8")))


def _help(name: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    return ["```", command.get_help(context), "```", ""]


WIDTH = 520
MARKS = ("<!-- from the rows of --suite precisions -->", "<!-- end of what is from rows -->")
PAGES: dict[str, Callable[[], str]] = {
    "schema.md": schema_page,
    "cli.md": cli_page,
    "models.md": models_table.page,
    "findings.md": findings_page,
    "findings-why.md": why_page,
    **{f"findings/{findings.slug(title)}.md": partial(paper_page, title) for title in findings.titles()},
    "devices.md": devices_page,
    "runtimes.md": runtimes_page,
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
