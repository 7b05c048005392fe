"""What `bench compare` prints: a table, CSV, JSON, or Markdown for a comment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

import click

from bench.base.escape import markdown
from bench.base.words import counted, listed, verb
from bench.plan.protocol import THROUGHPUT
from bench.report.text.print import emit, markdown_table
from bench.rows.sides import FEWEST_JOBS, WITHHELD, Compared, Comparison

NAMED = 5  # cases that a line names
MARKS = {"slower": "🔴 ", "faster": "🟢 "}  # a help for the eye; the word stands beside it


def print_comparison(result: Comparison, threshold: float | None, format: str) -> None:
    """Print it on stdout; with CSV, what is not a row of the table goes to stderr."""
    many = len({case.machine for case in result.cases}) > 1
    cases, backends = ([record(case) for case in side] for side in (result.cases, result.backends))
    whole = {
        "cases": cases,
        "backends": backends,
        "unmatched": [{k: v for k, v in asdict(u).items() if k != "name"} for u in result.unmatched],
        "notes": list(result.notes),
        "gate": None if threshold is None else gate_record(result, threshold),
    }
    cells = [_cells(case, many) for case in (*result.cases, *result.backends)]
    if format == "markdown":
        click.echo(_markdown(result, cells, threshold))
        return
    gate = conclusion(result, threshold) if format == "table" else []
    remarks = [*_unmatched(result, None if format == "csv" else NAMED), *result.notes, *gate]
    emit(format, whole, [*cases, *backends], cells, remarks, "", "nothing could be compared")


def gate_record(result: Comparison, threshold: float) -> dict[str, object]:
    """Return what the gate decides, and how often the same gate is wrong."""
    return {
        "threshold": threshold,
        "exit_code": result.exit_code,
        "false_alarms": _round(result.alarm, 2),
        "trips_at": [_round(case.trips_at, 2) for case in result.cases],
    }


def record(case: Compared) -> dict[str, object]:
    """Return the numbers of a case, at the precision that they bear."""
    lo, hi = case.interval
    return {
        "case": case.case,
        "backend": case.backend,
        "machine": case.machine,
        **_sides(case),
        "ratio": _round(case.ratio),
        "lo": _round(lo),
        "hi": _round(hi),
        "verdict": case.verdict,
        "detectable": _round(case.seen, 2),
        "base_jobs": case.base_jobs,
        "new_jobs": case.new_jobs,
        "gate": case.gate,
        "differs": "; ".join(case.differs),
    }


def _sides(case: Compared) -> dict[str, object]:
    """Return both sides: latencies in ms, or samples/s of mode throughput, never one under the other's name."""
    sides = {"base": case.base_ms, "new": case.new_ms}
    rates = case.mode == THROUGHPUT
    times: dict[str, object] = {f"{side}_ms": None if rates else _round(ms) for side, ms in sides.items()}
    return times | {f"{side}_per_s": _round(1e3 / ms) if rates else None for side, ms in sides.items()}


def _figure(case: Compared, ms: float) -> str:
    return f"{1e3 / ms:.4g}/s" if case.mode == THROUGHPUT else f"{ms:.4g}"


def _round(value: float, digits: int = 5) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def percent(log_ratio: float) -> str:
    """Write a log-ratio as a change in percent, or as a factor where that is easier to read."""
    return f"{math.expm1(log_ratio):+.1%}" if abs(log_ratio) < math.log(2) else f"x{math.exp(log_ratio):.2f}"


def _cells(case: Compared, many: bool) -> dict[str, str]:
    lo, hi = case.found.interval(0.95)
    is_mean = case.case.startswith("geometric mean")
    return {
        "case": f"{case.backend}: {case.case}" if is_mean else case.case,
        **({"machine": case.machine} if many else {}),
        "base": "" if is_mean else _figure(case, case.base_ms),
        "new": "" if is_mean else _figure(case, case.new_ms),
        "change": percent(case.found.log_ratio),
        "95%": f"{percent(lo)} to {percent(hi)}",
        "jobs": f"{case.base_jobs}+{case.new_jobs}",
        "verdict": case.verdict + _beside(case),
    }


def _beside(case: Compared) -> str:
    """Say what would have been enough for a verdict, where there is none."""
    needs = {"inconclusive": f" (would see {case.seen:.0%})", WITHHELD: f" (needs {FEWEST_JOBS} jobs a side)"}
    return needs.get(case.verdict, "")


def _unmatched(result: Comparison, most: int | None = NAMED) -> list[str]:
    """Say a reason once, with its cases: the first of many, and how many more; CSV and JSON have all."""
    reasons: dict[str, list[str]] = {}
    for u in result.unmatched:
        reasons.setdefault(u.reason, []).append(u.name)
    return [f"no verdict, {reason}: {listed(names, most, '; ')}" for reason, names in reasons.items()]


def conclusion(result: Comparison, threshold: float | None) -> list[str]:
    """Say what the gate decides, then how often it is wrong and what trips it; nothing without a gate."""
    if threshold is None:
        return []
    return [_decision(result, threshold), *_caution(result)]


def _caution(result: Comparison) -> list[str]:
    if not result.cases:
        return []
    trips = sorted(case.trips_at for case in result.cases if math.isfinite(case.trips_at))
    if not trips:
        return [f"no slowdown could have tripped it: a verdict needs {FEWEST_JOBS} jobs on each side"]
    several = f" (the median of {len(trips)} cases; {trips[0]:.1%} to {trips[-1]:.1%})" if len(trips) > 1 else ""
    rest = len(result.cases) - len(trips)
    none = f"; {counted(rest, 'case')} without a verdict {verb(rest, 'was', 'were')} out of its reach" if rest else ""
    alarm = "less than 0.01%" if result.alarm < 1e-4 else f"at most {result.alarm:.2%}"
    return [
        f"false alarms of this gate: {alarm} where all sides are equal and jobs differ as here",
        f"it would have been tripped by a slowdown of {trips[len(trips) // 2]:.1%}{several}{none}",
    ]


def _decision(result: Comparison, threshold: float) -> str:
    tripped = [case.name for case in result.cases if case.gate == "tripped"]
    opened = [case.name for case in result.cases if case.gate == "open"]
    missed = [u.name for u in result.unmatched if u.missed]
    if not result.cases:
        return f"gate {threshold:.1%}: inconclusive, nothing could be compared"
    if tripped:
        many = f"{len(tripped)} of {counted(len(result.cases), 'case')}"
        return f"gate {threshold:.1%}: tripped by {many}: {listed(tripped, NAMED, '; ')}"
    if opened or missed:
        why = [f"{len(opened)} of {counted(len(result.cases), 'case')} could be slower by as much"] if opened else []
        why += [f"{counted(len(missed), 'case')} of BASE without a verdict"] if missed else []
        return f"gate {threshold:.1%}: inconclusive, {' and '.join(why)}"
    return f"gate {threshold:.1%}: passed, of {counted(len(result.cases), 'case')} all are slower by less"


def _markdown(result: Comparison, cases: Sequence[dict[str, str]], threshold: float | None) -> str:
    lines = ["### Latency, NEW against BASE", ""]
    for i, line in enumerate(conclusion(result, threshold)):
        lines += [markdown(line) if i else f"**{markdown(line)}**", ""]
    lines += markdown_table([c | {"verdict": MARKS.get(c["verdict"], "") + c["verdict"]} for c in cases])
    for title, texts in (("Not compared", _unmatched(result)), ("Differences and remarks", list(result.notes))):
        if texts:
            lines += ["", f"<details><summary>{title}</summary>", ""]
            lines += [f"- {markdown(text)}" for text in texts]
            lines += ["", "</details>"]
    return "\n".join(lines)
