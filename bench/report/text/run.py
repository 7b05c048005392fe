"""The table of a run, for the terminal: readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bench import backends
from bench.report.text.print import cell, plus_minus
from bench.rows import identity
from bench.rows.schema import Row

# Colour is a help, never the only sign: the status stands there as a word. Blue and orange differ for everyone.
STYLES = {"ok": "blue", "noisy": "yellow"}
# Columns of a case that have a place of their own; of the others those that differ are told.
TOLD = ("model", "backend", "precision", "threads", "batch", "resolution", "pace_ms")


def table(rows: Sequence[Row]) -> Table:
    """Lay rows out; columns that say the same of every row (one thread, one batch) are left out."""
    show_threads = len({row.threads for row in rows}) > 1
    show_shape = len({(row.batch, row.resolution) for row in rows}) > 1
    show_pace = any(row.pace_ms for row in rows)
    others = [n for n in identity.case() if n not in TOLD and len({getattr(row, n) for row in rows}) > 1]
    result = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "backend"):
        longest = max((len(getattr(row, name)) for row in rows), default=0)
        result.add_column(name, overflow="fold", min_width=min(longest, 14))
    if show_threads:
        result.add_column("threads", justify="right")
    if show_shape:
        result.add_column("input", justify="right")
    if show_pace:
        result.add_column("pace", justify="right")
    for name in others:
        result.add_column(name, justify="right", overflow="fold")
    show_peak = any(row.attainable_share is not None for row in rows)
    for name in ("M MACs", "latency ms", "95%", "GMAC/s", *(("of peak",) if show_peak else ())):
        result.add_column(name, justify="right", no_wrap=True)
    result.add_column("ran", no_wrap=True)
    result.add_column("error", justify="right", no_wrap=True)
    result.add_column("status", no_wrap=True)
    for row in rows:
        cells: list[str | Text] = [cell(row.model), cell(row.backend)]
        if show_threads:
            cells.append(str(row.threads))
        if show_shape:
            cells.append(f"{row.batch}x{row.resolution or '?'}")
        if show_pace:
            cells.append(f"{row.pace_ms:g} ms" if row.pace_ms else "none")
        cells += [cell(str(getattr(row, name) or "none")) for name in others]
        cells += [
            _number(row.macs, 1e-6, 1),
            _number(row.latency_ms, 1, 3),
            interval(row),
            _number(row.gmacs_per_s, 1, 1),
            *(("-" if row.attainable_share is None else f"{row.attainable_share:.0%}",) if show_peak else ()),
            cell(row.precision_effective or "-"),
            "-" if row.parity_rel_l2 is None else f"{row.parity_rel_l2:.0e}",
            cell(row.status, STYLES.get(row.status, "bold red")),
        ]
        result.add_row(*cells)
    return result


def interval(row: Row) -> str:
    """Write half the 95% interval in percent of the latency."""
    if row.latency_ms is None or row.latency_lo_ms is None or row.latency_hi_ms is None:
        return "-"
    return plus_minus((row.latency_hi_ms - row.latency_lo_ms) / 2 / row.latency_ms)


def remarks(rows: Sequence[Row]) -> list[str]:
    """Say in a line each why a row is not ``ok``."""
    return [f"{row.status}: {row.model} on {row.backend}: {row.error}" for row in rows if row.status != "ok"]


def roofline_hint(rows: Sequence[Row]) -> str:
    """Say how the columns that need a roofline are filled, where a measured row has them empty; else nothing."""
    have = {b.name for b in backends.working() if b.capabilities.probes and not b.capabilities.scripted}
    bare = [r for r in rows if r.latency_ms and r.attainable_share is None and r.backend.partition(":")[0] in have]
    if not bare:
        return ""
    threads = f" --threads {bare[0].threads}" if (bare[0].threads or 1) > 1 else ""
    return (
        f"attainable_share and floor_ms are empty until `bench roofline --backend {bare[0].backend}{threads}` has run"
    )


def _number(value: float | None, factor: float, digits: int) -> str:
    return "-" if value is None else f"{value * factor:.{digits}f}"
