"""``bench list models``: the zoo, what its networks cost, and what the papers print about them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from bench.cli import options
from bench.report.text.print import print_json, print_records, terminal

if TYPE_CHECKING:
    from bench.papers.published import PublishedNetwork
    from bench.plan.zoo import Card


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a network at its default resolution, counted and published.

    Parameters and multiply-adds are in millions; ``*_off_pct`` says how far the count lies above the printed figure
    when both count what the source counts, which is told in ``counting`` (None: not printed, or within rounding).
    """

    model: str
    title: str
    year: int
    resolution: int
    params_m: float | None
    macs_m: float | None
    published_params_m: float | None
    published_macs_m: float | None
    published_top1_pct: float | None
    params_off_pct: float | None
    macs_off_pct: float | None
    counting: str
    deviation: str
    source: str


@click.command("models")
@click.argument("families", nargs=-1, metavar="[FAMILY]...")
@click.option("--counts", is_flag=True, help="Count all, which takes a minute; done for each FAMILY that is named.")
@options.FORMAT
def models(families: tuple[str, ...], counts: bool, format: str) -> None:
    """List the networks of the zoo: what can be said after each name, and what they cost.

    Of each FAMILY, or of all with --counts, its defaults and each variant whose figures are published: parameters and
    multiply-adds, counted here and as published.
    """
    if not (families or counts):
        print_records(names(), format)
        return
    counting = find_spec("torch") is not None
    if not counting:
        click.echo("PyTorch is not installed: published figures only (pip install 'isoflops[zoo]')", err=True)
    found = entries(families, counting)
    if format == "table":
        _print_table(found)
    elif format == "csv":
        print_records([asdict(e) for e in found], "csv")
    else:
        print_json([asdict(e) for e in found])


def names() -> list[dict[str, object]]:
    """Return every name a model spec may begin with, and what can be said after it."""
    from bench.plan import zoo

    rows = []
    for name, family in zoo.names().items():
        card = zoo.cards()[family]
        options = [p.shown() for p in card.parameters.values()]
        rows.append(
            {
                "model": name,
                "network": card.title,
                "year": card.year,
                "hyper-parameters": f"see {family}" if name != family else "; ".join(options),
                "resolution": card.resolution,
            }
        )
    return rows


def entries(families: tuple[str, ...] = (), counting: bool = True) -> list[Entry]:
    """Return the list, by family; with `counting`, networks are built on shapes alone to be counted.

    Raises:
        UnknownName: there is no such family.
    """
    from bench.base.errors import UnknownName
    from bench.papers.published import networks
    from bench.plan.zoo import cards, names, resolve

    known = names()
    for name in families:
        if name not in known:
            raise UnknownName("family", name, known, "bench list models")
    wanted = {known[name] for name in families} or set(cards())
    variants: dict[str, list[PublishedNetwork]] = {}
    for family in sorted(wanted):
        variants.setdefault(resolve(family).canonical, [])
    for row in networks():
        if row.model and (ref := resolve(row.model)).source in wanted:
            variants.setdefault(ref.canonical, []).append(row)
    found = []
    for canonical, rows in variants.items():
        card = cards()[resolve(canonical).source]
        found.append((card.family, _entry(canonical, card, rows, counting)))
    # A stable sort: within a family the default comes first, then the variants as the papers have them.
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def _entry(canonical: str, card: Card, rows: list[PublishedNetwork], counting: bool) -> Entry:
    from bench.plan.zoo import resolve

    resolution = resolve(canonical).resolution or card.resolution
    row = _best(rows, card, resolution)
    counts = import_module("bench.models.counting").count(canonical, resolution) if counting else None
    params_off = macs_off = None
    if row is not None and counts is not None:
        params_m, macs_m = row.counting.params_m(counts), row.counting.macs_m(counts)
        if row.params and not row.params.holds(params_m):
            params_off = round(100 * row.params.off(params_m), 2)
        if row.macs and not row.macs.holds(macs_m):
            macs_off = round(100 * row.macs.off(macs_m), 2)
    return Entry(
        model=canonical,
        title=card.title,
        year=card.year,
        resolution=resolution,
        params_m=counts.params / 1e6 if counts else None,
        macs_m=counts.macs / 1e6 if counts else None,
        published_params_m=row.params.value if row and row.params else None,
        published_macs_m=row.macs.value if row and row.macs else None,
        published_top1_pct=row.top1 if row else None,
        params_off_pct=params_off,
        macs_off_pct=macs_off,
        counting=str(row.counting) if row else "",
        deviation=row.deviation if row else "",
        source=row.source if row else "",
    )


def _best(rows: list[PublishedNetwork], card: Card, resolution: int) -> PublishedNetwork | None:
    """Pick the row that speaks for a variant: at its default resolution, of its own paper, with the most figures."""
    here = [row for row in rows if row.resolution == resolution]

    def rank(row: PublishedNetwork) -> tuple[bool, int]:
        missing = sum(figure is None for figure in (row.params, row.macs, row.top1))
        return not row.source.startswith(card.title), missing

    return min(here, key=rank, default=None)


def _print_table(found: list[Entry]) -> None:
    from rich.table import Table

    from bench.report.text.print import cell as safe

    caption = "M: millions; MACs: multiply-adds; off: a count of what the source counts, against its figure"
    table = Table(caption=f"{caption} (blank: within rounding)")
    table.add_column("model", no_wrap=True)
    for name in ("px", "params M", "MACs M", "published: params M", "MACs M", "top-1 %", "params off", "MACs off"):
        table.add_column(name, justify="right")
    table.add_column("source")
    for e in found:
        cells = (
            e.model,
            str(e.resolution),
            _number(e.params_m, ".2f"),
            _number(e.macs_m, ".1f"),
            _number(e.published_params_m, "g"),
            _number(e.published_macs_m, "g"),
            _number(e.published_top1_pct, "g"),
            _number(e.params_off_pct, "+.1f", "%"),
            _number(e.macs_off_pct, "+.1f", "%"),
            e.source,
        )
        table.add_row(*(safe(cell) for cell in cells))
    terminal().print(table)


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"
