"""What `bench compare --across` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from bench.base.words import counted, verb
from bench.report.text.compare import percent
from bench.report.text.print import emit
from bench.rows.across import Across, Agreement, Beside, Flip

MOST_FLIPS = 20  # in a table; CSV and JSON have all


def print_across(found: Across, format: str) -> None:
    """Print it on stdout; CSV has the cases, and the rest goes to stderr."""
    cases = [record(case) for case in found.cases]
    whole = {
        "axis": found.axis,
        "cases": cases,
        "agreements": [asdict(a) for a in found.agreements],
        "flips": [asdict(f) | {"on_a": math.exp(f.on_a), "on_b": math.exp(f.on_b)} for f in found.flips],
        "incomparable": list(found.incomparable),
        "notes": list(found.notes),
    }
    flips = map(flip, found.flips) if format == "csv" else _flips(found.flips)
    remarks = [*flips, *map(agreement, found.agreements), *found.incomparable, *found.notes]
    emit(format, whole, cases, [_cells(case) for case in found.cases], remarks, f"Latency across {found.axis}")


def record(case: Beside) -> dict[str, object]:
    """Return the numbers of a case."""
    lo, hi = case.interval
    numbers = {
        "a_ms": case.a_ms, "b_ms": case.b_ms, "ratio": math.exp(case.found.log_ratio), "lo": math.exp(lo),
        "hi": math.exp(hi), "a_ps_per_mac": case.a_ps_per_mac, "b_ps_per_mac": case.b_ps_per_mac,
    }  # fmt: skip
    shown = {k: None if v is None else float(f"{v:.5g}") for k, v in numbers.items()}
    return {"case": case.case, "a": case.a, "b": case.b, **shown, "a_jobs": case.a_jobs, "b_jobs": case.b_jobs}


def _cells(case: Beside) -> dict[str, str]:
    lo, hi = (math.exp(v) for v in case.interval)
    per_mac = ["-" if v is None else f"{v:.3g}" for v in (case.a_ps_per_mac, case.b_ps_per_mac)]
    return {
        "case": case.case,
        "A": case.a,
        "B": case.b,
        "A ms": f"{case.a_ms:.4g}",
        "B ms": f"{case.b_ms:.4g}",
        "B/A": f"{math.exp(case.found.log_ratio):.3g}",
        "95%": f"{lo:.3g} to {hi:.3g}",
        "ps/MAC": f"{per_mac[0]}, {per_mac[1]}",
        "jobs": f"{case.a_jobs}+{case.b_jobs}",
    }


def agreement(a: Agreement) -> str:
    """Say in a line how far two orders agree."""
    parts = [
        f"{c.name} {c.value:.2f}" + (f" ({c.lo:.2f} to {c.hi:.2f})" if c.lo is not None else "") for c in a.correlations
    ]
    told = ", ".join(parts) or "too few cases for a rank correlation"
    return f"order on {a.a} and {a.b}, {counted(a.cases, 'case')}: {told}"


def flip(f: Flip) -> str:
    """Say in a line which cases change places: by how much the first one's latency is off the second's on each."""
    there, here = percent(-f.on_b), percent(-f.on_a)
    return f"{f.first} is faster than {f.second} on {f.a} (its latency {here}) and slower on {f.b} ({there})"


def _flips(flips: Sequence[Flip]) -> list[str]:
    more = [f"and {len(flips) - MOST_FLIPS} more (--format json)"] if len(flips) > MOST_FLIPS else []
    many = f"{counted(len(flips), 'pair')} {verb(len(flips), 'changes', 'change')} places"
    return [many, *map(flip, flips[:MOST_FLIPS]), *more]
