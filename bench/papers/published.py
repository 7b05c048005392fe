"""What the papers print: parameters, multiply-adds, accuracy and speed, as typed records read without PyTorch.

The tables lie in ``models/published/``: ``networks/*.csv`` (one file per paper or family), ``latencies.csv``, and
``doubtful.csv`` (cells that contradict another cell, another paper or a recount). A figure keeps the text it was
printed as: the number of its digits says how far a count may be off and still be the same figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from bench.papers.figures import MACS, PARAMS, explains, half_unit, parse_counting
from bench.papers.figures import Counting as Counting
from bench.papers.figures import Counts as Counts
from bench.papers.figures import Printed as Printed
from bench.papers.figures import rounding as rounding
from bench.papers.tables import PrintedRow
from bench.papers.tables import read as read_rows

NETWORK_COLUMNS = (
    "model", "label", "resolution", "params_m", "macs_m", "top1", "source", "verified", "counting", "deviation",
)  # fmt: skip
VERIFIED = ("text", "figure", "derived")  # read in the text, read off a plot, own arithmetic on figures of the text
UNITS = ("ms", "s", "images/s", "batches/s")


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """One row of a paper's table of networks.

    ``model`` is the spec that rebuilds it (empty: the zoo does not), ``label`` the paper's own name, ``top1`` the
    accuracy in percent, ``deviation`` the reason why a count gives another figure (empty: it does not), ``table``
    the name of the file that holds the row.
    """

    model: str
    label: str
    resolution: int
    params: Printed | None
    macs: Printed | None
    top1: float | None
    source: str
    verified: str
    counting: Counting
    deviation: str
    table: str


@dataclass(frozen=True, slots=True)
class PublishedLatency:
    """One measured time that somebody printed.

    ``latency_ms`` is the time of one call, which takes ``batch`` images; ``published_value`` and ``published_unit``
    say what is printed. ``threads`` is None, ``runtime`` and ``precision`` are empty where the source does not tell.
    ``resolution`` is height and width; ``model`` is empty where the zoo does not build the network.
    """

    target: str
    device: str
    runtime: str
    model: str
    label: str
    resolution: tuple[int, int]
    batch: int
    threads: int | None
    precision: str
    latency_ms: float
    images_per_s: float
    published_value: float
    published_unit: str
    source: str
    verified: str
    note: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A printed cell that cannot be right, or cannot be relied on, and what we found."""

    source: str
    cell: str
    printed: str
    finding: str


LATENCY_COLUMNS = tuple(f.name for f in fields(PublishedLatency))
DOUBT_COLUMNS = tuple(f.name for f in fields(Doubt))


def params_within(row: PublishedNetwork, counts: Counts) -> bool | None:
    """Tell whether the counted parameters round to the printed figure; None: none is printed."""
    return None if row.params is None else row.params.holds(row.counting.params_m(counts))


def macs_within(row: PublishedNetwork, counts: Counts) -> bool | None:
    """Tell whether the counted multiply-adds round to the printed figure; None: none is printed."""
    return None if row.macs is None else row.macs.holds(row.counting.macs_m(counts))


def open_cells(row: PublishedNetwork, counts: Counts) -> tuple[str, ...]:
    """Name the figures of a row, `PARAMS` or `MACS`, that a count does not give and its reason does not explain."""
    cells = ((PARAMS, row.params, row.counting.params_m(counts)), (MACS, row.macs, row.counting.macs_m(counts)))
    return tuple(
        what
        for what, printed, counted_m in cells
        if printed and not printed.holds(counted_m) and not explains(row.deviation, what, printed, counted_m)
    )


@cache
def networks() -> tuple[PublishedNetwork, ...]:
    """Every row of ``networks/*.csv``, by file name and then as the file has them."""
    folder = _folder().joinpath("networks")
    if not folder.is_dir():
        return ()
    tables = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".csv")), key=lambda t: t.name)
    return tuple(row for table in tables for row in read_networks(table))


@cache
def latencies() -> tuple[PublishedLatency, ...]:
    """Every row of ``latencies.csv``, in its order."""
    return read_latencies(_folder().joinpath("latencies.csv"))


@cache
def doubts() -> tuple[Doubt, ...]:
    """Every row of ``doubtful.csv``, in its order."""
    table = _folder().joinpath("doubtful.csv")
    return tuple(Doubt(*(row.text(c) for c in DOUBT_COLUMNS)) for row in read_rows(table, DOUBT_COLUMNS))


def read_networks(table: Traversable) -> tuple[PublishedNetwork, ...]:
    """Read a table of networks; TableError names the file, the line and the cell that is wrong."""
    return tuple(_network(row, table.name.removesuffix(".csv")) for row in read_rows(table, NETWORK_COLUMNS))


def read_latencies(table: Traversable) -> tuple[PublishedLatency, ...]:
    """Read a table of latencies; TableError names the file, the line and the cell that is wrong."""
    return tuple(_latency(row) for row in read_rows(table, LATENCY_COLUMNS))


def call_ms(value: float, unit: str, batch: int) -> float:
    """Turn a printed speed into the milliseconds of one call on `batch` images."""
    match unit:
        case "ms":
            return value
        case "s":
            return 1000 * value
        case "batches/s":
            return 1000 / value
        case "images/s":
            return 1000 * batch / value
    raise ValueError(f"unit {unit!r}")


def _network(row: PrintedRow, table: str) -> PublishedNetwork:
    try:
        counting = parse_counting(row.text("counting"))
    except ValueError as error:
        row.fail("counting", str(error))
    macs = _printed(row, "macs_m", counting.round_m)
    # A coarser place belongs to the multiply-adds ("3.8 G"); parameters have it only where they stand alone.
    params = _printed(row, "params_m", None if macs else counting.round_m)
    top1 = row.number("top1", low=0, high=100) if row.text("top1") else None
    if macs is None and params is None and top1 is None:
        row.fail("params_m", "the row has neither params_m nor macs_m nor top1")
    if row.text("model") and macs is not None and not counting.terms:
        row.fail("counting", "macs_m is given, but not what it counts: write conv+fc, conv or conv+fc+bn2")
    return PublishedNetwork(
        model=row.text("model"),
        label=row.required("label"),
        resolution=row.whole("resolution"),
        params=params,
        macs=macs,
        top1=top1,
        source=row.required("source"),
        verified=row.one_of("verified", VERIFIED),
        counting=counting,
        deviation=row.text("deviation"),
        table=table,
    )


def _latency(row: PrintedRow) -> PublishedLatency:
    batch = row.whole("batch")
    unit = row.one_of("published_unit", UNITS)
    value = row.number("published_value", low=0)
    latency_ms = row.number("latency_ms", low=0)
    images_per_s = row.number("images_per_s", low=0)
    for column, given, derived in (
        ("latency_ms", latency_ms, call_ms(value, unit, batch)),
        ("images_per_s", images_per_s, 1000 * batch / latency_ms),
    ):
        if not math.isclose(given, derived, rel_tol=1e-3):
            row.fail(column, f"{given:g} does not follow from {value:g} {unit} at batch {batch}: that is {derived:.6g}")
    return PublishedLatency(
        target=row.required("target"),
        device=row.required("device"),
        runtime=row.text("runtime"),
        model=row.text("model"),
        label=row.required("label"),
        resolution=row.size("resolution"),
        batch=batch,
        threads=row.whole("threads") if row.text("threads") else None,
        precision=row.text("precision"),
        latency_ms=latency_ms,
        images_per_s=images_per_s,
        published_value=value,
        published_unit=unit,
        source=row.required("source"),
        verified=row.one_of("verified", VERIFIED),
        note=row.text("note"),
    )


def _printed(row: PrintedRow, column: str, coarse_m: float | None) -> Printed | None:
    text = row.text(column)
    if not text:
        return None
    row.number(column)
    return Printed(text, half_unit(text, coarse_m))


def _folder() -> Traversable:
    return files("bench.models").joinpath("published")
