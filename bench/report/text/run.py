"""The table of a run, for the terminal: readable at 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from bench import backends
from bench.plan.protocol import THROUGHPUT
from bench.report.text.print import cell, grid, plus_minus
from bench.rows import identity
from bench.rows.cells import cell as written
from bench.rows.reasons import names
from bench.rows.schema import MEASURED, Row
from bench.stats.limit import ERROR, INCONCLUSIVE, PERCENTILE_ERROR

if TYPE_CHECKING:
    from bench.measure.ratios import Ratio

# Colour is a help, never the only sign: the status stands there as a word. Blue and orange differ for everyone.
STYLES = {"ok": "blue", "noisy": "yellow"}
# Columns of a case that have a place of their own; of the others those that differ are told.
MOST = 3  # lines on which case is faster, and cases in a line of medians
FAR = 0.05  # a log: a latency this far from its own median is worth a word
TOLD = ("model", "backend", "precision", "threads", "batch", "resolution", "pace_ms", "streams")


def table(rows: Sequence[Row]) -> Table:
    """Lay rows out; columns that say the same of every row (one thread, one batch) are left out."""
    show_threads = len({row.threads for row in rows}) > 1
    large = any((row.batch or 1) > 1 for row in rows)  # a file has a batch of its own, which nobody asked for
    show_shape = large or len({(row.batch, row.resolution) for row in rows}) > 1
    show_pace = any(row.pace_ms for row in rows)
    show_rate = any(row.mode == THROUGHPUT for row in rows)
    show_latency = any(row.mode != THROUGHPUT for row in rows)
    others = [n for n in identity.case() if n not in TOLD and len({getattr(row, n) for row in rows}) > 1]
    result = grid()
    for name in ("model", "backend"):
        longest = max((len(getattr(row, name)) for row in rows), default=0)
        result.add_column(name, overflow="fold", min_width=min(longest, 14))
    if show_threads:
        result.add_column("threads", justify="right")
    if show_shape:
        result.add_column("input", justify="right")
    if show_pace:
        result.add_column("pace", justify="right")
    if show_rate:
        result.add_column("streams", justify="right")
    for name in others:
        result.add_column(name, justify="right", overflow="fold")
    show_peak = any(row.attainable_share is not None for row in rows)
    latency, rate = ("latency ms",) * show_latency, ("samples/s",) * show_rate
    efficiency = ("GMAC/s", *("of peak",) * show_peak) * show_latency
    for name in ("M MACs", *latency, *rate, "95%", *("p50 ms", "p99 ms") * show_rate, *efficiency):
        result.add_column(name, justify="right", no_wrap=True)
    result.add_column("ran", no_wrap=True)
    result.add_column("error", justify="right", no_wrap=True)
    result.add_column("status", no_wrap=True)
    for row in rows:
        cells: list[str | Text] = [cell(row.model), cell(row.backend)]
        if show_threads:
            cells.append(str(row.threads))
        if show_shape:
            cells.append(identity.size(row.batch, row.resolution))
        if show_pace:
            cells.append(f"{row.pace_ms:g} ms" if row.pace_ms else "none")
        if show_rate:
            cells.append(str(row.streams_effective or row.streams or "-"))
        cells += [cell(str(getattr(row, name) or "none")) for name in others]
        cells.append(_number(row.macs, 1e-6, 1))
        cells += [_number(row.latency_ms, 1, 3)] * show_latency
        cells += [_number(row.throughput, 1, 1)] * show_rate
        cells.append(interval(row))
        cells += [_number(ms, 1, 3) for ms in (row.p50_under_load_ms, row.p99_under_load_ms)] * show_rate
        cells += [_number(row.gmacs_per_s, 1, 1)] * show_latency
        cells += ["-" if row.attainable_share is None else f"{row.attainable_share:.0%}"] * (show_peak and show_latency)
        cells += [
            cell(row.precision_effective or "-"),
            "-" if row.parity_rel_l2 is None else f"{row.parity_rel_l2:.0e}",
            cell(row.status, STYLES.get(row.status, "bold red")),
        ]
        result.add_row(*cells)
    return result


def interval(row: Row) -> str:
    """Write half the 95% interval in percent of the latency, or of the throughput."""
    latency = row.latency_ms, row.latency_lo_ms, row.latency_hi_ms
    value, lo, hi = (row.throughput, row.throughput_lo, row.throughput_hi) if row.mode == THROUGHPUT else latency
    if value is None or lo is None or hi is None:
        return "-"
    return plus_minus((hi - lo) / 2 / value)


def baseline_hint(rows: Sequence[Row]) -> str:
    """Say where a row had to take its own speed for the usual one, and what to do about it; else nothing."""
    modes = {row.mode for row in rows if row.baseline == "own" and row.status in MEASURED}
    if not modes:
        return ""
    if modes == {THROUGHPUT}:
        return "throughput was hardly measured here before: the intervals allow for that, and narrow with further runs"
    return (
        "this machine was hardly met before, and may be slow today: the intervals allow for that; "
        "`bench doctor --learn` takes a minute and narrows them"
    )


def conclusions(rows: Sequence[Row], ratios: Sequence[Ratio]) -> list[str]:
    """Say, a line each, what follows from rows and from the ratios of those that took turns."""
    return [*bridged(rows), *against_limits(rows), *memorable(ratios), *best_batches(rows, ratios)]


def bridged(rows: Sequence[Row]) -> list[str]:
    """Say the median of what the clock told, where the latency of the machine at its usual speed is `FAR` from it."""
    far = [
        f"{name} {row.p50_ms:.3f} ms"
        for row, name in zip(rows, names(rows), strict=True)
        if row.latency_ms and row.p50_ms and abs(math.log(row.latency_ms / row.p50_ms)) > FAR
    ]
    medians = ", ".join(far[:MOST])
    more = f" and {len(far) - MOST} more (p50_ms)" if len(far) > MOST else ""
    told = f"latency is told for the machine at its usual speed; the median of all inferences was: {medians}{more}"
    return [told] if far else []


def against_limits(rows: Sequence[Row]) -> list[str]:
    """Say of each row with a limit whether it is kept, and how often such a verdict is wrong; nothing without one."""
    held = [(row, name) for row, name in zip(rows, names(rows), strict=True) if row.limit]
    told = [f"{row.limit_verdict or 'no verdict'}: {name}: {row.limit}" for row, name in held]
    error = f"{ERROR:.1%} of runs"
    told.append(
        f"of a case just at its limit {error} say pass by chance, and {error} fail (95% intervals over launches)"
    )
    if any(f" {row.limit}".count(" p") for row, _ in held):
        told[-1] += f"; of a percentile up to {PERCENTILE_ERROR:.0%}, more if what is rare fills whole launches"
    if any(row.limit_verdict == INCONCLUSIVE for row, _ in held):
        told[-1] += "; more --launches decide what is inconclusive, as is what was disturbed throughout"
    return told if held else []


def memorable(ratios: Sequence[Ratio]) -> list[str]:
    """Say which is faster and by how much, in `MOST` lines at most: of cases that differ in one thing alone.

    That is the model, where there are several on one backend, else the backend, the threads and so on. Of more than
    two the two fastest are held against each other. Batches in mode throughput are `best_batches`' matter.
    """
    rows = {row.case_id: row for ratio in ratios for row in (ratio.fast, ratio.slow)}
    for axis in identity.case():
        apart = {axis, *identity.NETWORK, identity.ASKED} if axis == "model" else {axis}
        alike: dict[tuple[object, ...], list[Row]] = {}
        for row in rows.values():
            alike.setdefault(tuple(getattr(row, n) for n in identity.case() if n not in apart), []).append(row)
        several = [group for group in alike.values() if len(group) > 1]
        told = [_faster(group, ratios, axis) for group in several if axis != "batch" or group[0].mode != THROUGHPUT]
        if any(told):
            return [line for line in told if line][:MOST]
    return []


def _faster(group: Sequence[Row], ratios: Sequence[Ratio], axis: str) -> str:
    """Hold the fastest of a group against the next, where they took turns."""
    ids = {row.case_id for row in group}
    inside = [r for r in ratios if {r.slow.case_id, r.fast.case_id} <= ids]
    if not inside:
        return ""
    slower = {r.slow.case_id for r in inside}
    best = min((r.fast for r in inside if r.fast.case_id not in slower), key=_time)
    inside = [r for r in inside if r.fast.case_id == best.case_id]
    one = min(inside, key=lambda r: r.found.log)
    fast, slow = (_named(axis, row) for row in (one.fast, one.slow))
    ratio, lo, hi = _digits(one.found.ratios)
    times, equal = f"{slow} takes {ratio} ({lo} to {hi}) times as long as {fast}", "equally long"
    if one.fast.mode == THROUGHPUT:
        times, equal = f"{fast} does {ratio} ({lo} to {hi}) times as many samples/s as {slow}", "equally many"
    parts = [f"for {one.fast.model}"] if axis != "model" else []
    parts += [f"on {one.fast.backend}"] if axis != "backend" else []
    parts += [f"with {one.fast.threads} threads"] if axis != "threads" and one.fast.threads not in (None, 1) else []
    apart = [f"at batch {one.fast.batch}", *([f"with streams={one.fast.streams}"] if one.fast.streams else [])]
    parts += [text for text in apart if one.fast.mode == THROUGHPUT and axis not in text]
    parts += [f"(the two fastest of {len(inside) + 1})"] if len(inside) > 1 else []
    told = f"{times} {' '.join(parts)}"
    return told if one.found.lo > 0 else f"{told}: as far as this run can tell, {equal}"


def _digits(ratios: tuple[float, float, float]) -> list[str]:
    """Write a ratio and its interval in three digits, or in as many as tell the ends of the interval apart."""
    for digits in (3, 4, 5):
        told = [f"{r:.{digits}g}" for r in ratios]
        if len(set(told)) == len(told):
            break
    return told


def _time(row: Row) -> float:
    """Return what a row's time is in the order of its mode: ms, or ms per sample."""
    return 1e3 / row.throughput if row.throughput else row.latency_ms or math.inf


def best_batches(rows: Sequence[Row], ratios: Sequence[Ratio]) -> list[str]:
    """Say of each case that was measured in several batches in mode throughput which one does most samples/s."""
    alike: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.throughput and row.status in MEASURED:
            same = tuple(getattr(row, name) for name in identity.case() if name not in ("batch", identity.ASKED))
            alike.setdefault(same, []).append(row)
    return [_best_batch(group, ratios) for group in alike.values() if len({row.batch for row in group}) > 1]


def _best_batch(group: Sequence[Row], ratios: Sequence[Ratio]) -> str:
    best, *others = sorted(group, key=_time)
    ends = (
        f" ({best.throughput_lo:.4g} to {best.throughput_hi:.4g})" if best.throughput_lo and best.throughput_hi else ""
    )
    told = f"batch {best.batch} does most of {len(group)} batches: {best.throughput:.4g}{ends} samples/s"
    told += f" with {best.model} on {best.backend}" + (f", streams={best.streams}" if best.streams else "")
    for ratio in ratios:
        if {ratio.fast.case_id, ratio.slow.case_id} == {best.case_id, others[0].case_id}:
            # In turns the next one may have been ahead of what the rows say one by one.
            found = ratio.found if ratio.fast.case_id == best.case_id else ratio.found.inverse
            value, lo, hi = (f"{r:.3g}" for r in found.ratios)
            told += f"; {value} ({lo} to {hi}) times those of batch {others[0].batch}"
            return told if found.lo > 0 else f"{told}: as far as this run can tell, as many"
    return told


def _named(axis: str, row: Row) -> str:
    value = written(getattr(row, axis))
    return value if axis in ("model", "backend") else identity.told(axis, value)


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
