"""What ``bench run --like`` prints: the row, what its case gave here, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.text.print import emit
from bench.report.text.run import interval
from bench.rows.cells import cell
from bench.rows.identity import case, label, machine_name
from bench.rows.likeness import AGREES, CANNOT, DIFFERS, OPEN, Likeness
from bench.rows.schema import Row


def print_likeness(found: Sequence[Likeness], format: str) -> None:
    """Print both latencies of each row, their ratio and the verdict; below, reasons and what differs, each once."""
    records = [_record(one) for one in found]
    emit(format, records, records, [_cells(one) for one in found], _remarks(found), "", "nothing to run")


def exit_code(found: Sequence[Likeness]) -> int:
    """Return 0 where all agree, 1 where one differs, 3 where one has no verdict or cannot be run."""
    verdicts = {one.verdict for one in found}
    return 1 if DIFFERS in verdicts else 3 if verdicts & {OPEN, CANNOT} else 0


def _record(one: Likeness) -> dict[str, object]:
    ratio, lo, hi = (None, None, None) if one.ratio is None else (float(f"{value:.4g}") for value in one.ratio)
    return {
        "case": _name(one.row),
        "case_id": one.row.case_id,
        "there": _machine(one.row),
        **_latency("there", one.row),
        "here": _machine(one.here),
        **_latency("here", one.here),
        "ratio": ratio,
        "ratio_lo": lo,
        "ratio_hi": hi,
        "verdict": one.verdict,
        "reason": one.reason,
        "differs": "; ".join(one.differs),
    }


def _latency(where: str, row: Row | None) -> dict[str, object]:
    names = ("latency_ms", "latency_lo_ms", "latency_hi_ms")
    return {f"{where}_{name}": None if row is None else getattr(row, name) for name in names}


def _cells(one: Likeness) -> dict[str, str]:
    ratio = one.ratio
    return {
        "case": _name(one.row),
        "there ms": _ms(one.row),
        "here ms": _ms(one.here),
        "here/there": "" if ratio is None else f"{ratio[0]:.3g} ({ratio[1]:.3g} to {ratio[2]:.3g})",
        "verdict": verdict(one),
    }


def verdict(one: Likeness) -> str:
    """Say a verdict in words, and by how much they differ."""
    if one.verdict == AGREES:
        return "agrees within both intervals"
    if one.verdict != DIFFERS or one.ratio is None:
        return one.verdict
    ratio = one.ratio[0]
    if not 0.5 < ratio < 2:
        return f"differs: {ratio:.2g} times as long here"
    return f"differs: {abs(ratio - 1):.1%} {'slower' if ratio > 1 else 'faster'} here"


def _remarks(found: Sequence[Likeness]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    apart: dict[str, int] = {}
    for one in found:
        if one.reason:
            reasons.setdefault(f"{one.verdict}, {one.reason}", []).append(_name(one.row))
        for text in one.differs:
            apart[text] = apart.get(text, 0) + 1
    ran = sum(one.here is not None for one in found)
    told = [f"{'; '.join(names)}: {reason}" for reason, names in reasons.items()]
    told += [f"{text}{'' if count == ran else f' ({count} of {ran} cases)'}" for text, count in apart.items()]
    if ran and not apart:
        told.append("the same hardware, system, versions and file")
    return told


def _name(row: Row) -> str:
    return label({name: cell(getattr(row, name)) for name in case()})


def _machine(row: Row | None) -> str:
    return "" if row is None else machine_name({name: cell(getattr(row, name)) for name in ("arch", "cpu", "cpu_id")})


def _ms(row: Row | None) -> str:
    return "-" if row is None or row.latency_ms is None else f"{row.latency_ms:.4g} {interval(row)}"
