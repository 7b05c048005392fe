"""What `bench compare` prints: a table, CSV, JSON, or Markdown for a comment."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from bench.base.escape import markdown
from bench.report.text.print import print_records, say
from bench.rows.sides import FEWEST_JOBS, WITHHELD, Compared, Comparison

MARKS = {"slower": "🔴 ", "faster": "🟢 "}  # a help for the eye; the word stands beside it


def print_comparison(result: Comparison, threshold: float | None, format: str) -> None:
    """Print it on stdout; with CSV, what is not a row of the table goes to stderr."""
    many = len({case.machine for case in result.cases}) > 1
    if format == "json":
        json.dump(
            {
                "cases": [record(case) for case in result.cases],
                "backends": [record(case) for case in result.backends],
                "unmatched": [asdict(u) for u in result.unmatched],
                "notes": list(result.notes),
                "gate": None if threshold is None else {"threshold": threshold, "exit_code": result.exit_code},
            },
            sys.stdout,
            indent=1,
        )
        sys.stdout.write("\n")
        return
    if format == "csv":
        print_records([record(case) for case in (*result.cases, *result.backends)], "csv")
        for line in (*_unmatched(result), *result.notes):
            say(line, err=True)
        return
    cases = [_cells(case, many) for case in (*result.cases, *result.backends)]
    if format == "markdown":
        sys.stdout.write(_markdown(result, cases, threshold))
        return
    print_records(cases, "table")
    for line in (*_unmatched(result), *result.notes, *conclusion(result, threshold)):
        say(line)


def record(case: Compared) -> dict[str, Any]:
    """Return the numbers of a case, at the precision that they bear."""
    lo, hi = case.interval
    return {
        "case": case.case,
        "backend": case.backend,
        "machine": case.machine,
        "base_ms": _round(case.base_ms),
        "new_ms": _round(case.new_ms),
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
        "base": "" if is_mean else f"{case.base_ms:.4g}",
        "new": "" if is_mean else f"{case.new_ms:.4g}",
        "change": percent(case.found.log_ratio),
        "95%": f"{percent(lo)} to {percent(hi)}",
        "jobs": f"{case.base_jobs}+{case.new_jobs}",
        "verdict": case.verdict + _beside(case),
    }


def _beside(case: Compared) -> str:
    """Say what would have been enough for a verdict, where there is none."""
    needs = {"inconclusive": f" (would see {case.seen:.0%})", WITHHELD: f" (needs {FEWEST_JOBS} jobs a side)"}
    return needs.get(case.verdict, "")


def _unmatched(result: Comparison) -> list[str]:
    """Say a reason once, with its cases: every one of them, since nothing is left out in silence."""
    reasons: dict[str, list[str]] = {}
    for u in result.unmatched:
        reasons.setdefault(u.reason, []).append(u.case)
    return [f"no verdict, {reason}: {'; '.join(cases)}" for reason, cases in reasons.items()]


def conclusion(result: Comparison, threshold: float | None) -> list[str]:
    """Say in a line what the gate decides; nothing without a gate."""
    if threshold is None:
        return []
    tripped = [case.case for case in result.cases if case.gate == "tripped"]
    opened = [case.case for case in result.cases if case.gate == "open"]
    missed = [u.case for u in result.unmatched if u.missed]
    if not result.cases:
        return [f"gate {threshold:.1%}: inconclusive, nothing could be compared"]
    if tripped:
        return [
            f"gate {threshold:.1%}: tripped by {len(tripped)} of {len(result.cases)} cases: {'; '.join(tripped[:5])}"
        ]
    if opened or missed:
        why = [f"{len(opened)} of {len(result.cases)} cases could be slower by as much"] if opened else []
        why += [f"{len(missed)} cases of BASE have no verdict"] if missed else []
        return [f"gate {threshold:.1%}: inconclusive, {' and '.join(why)}"]
    return [f"gate {threshold:.1%}: passed, all of {len(result.cases)} cases are slower by less"]


def _markdown(result: Comparison, cases: Sequence[dict[str, str]], threshold: float | None) -> str:
    lines = ["### Latency, NEW against BASE", ""]
    lines += [f"**{markdown(line)}**" for line in conclusion(result, threshold)]
    lines += [""] if threshold is not None else []
    lines += markdown_table([c | {"verdict": MARKS.get(c["verdict"], "") + c["verdict"]} for c in cases])
    for title, texts in (("Not compared", _unmatched(result)), ("Differences and remarks", list(result.notes))):
        if texts:
            lines += ["", f"<details><summary>{title}</summary>", ""]
            lines += [f"- {markdown(text)}" for text in texts]
            lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def markdown_table(records: Sequence[dict[str, str]]) -> list[str]:
    """Lay records that share their keys out as the lines of a Markdown table."""
    if not records:
        return ["Nothing to show."]
    lines = [_line(records[0]), _line("---" for _ in records[0])]
    return lines + [_line(markdown(cell) for cell in r.values()) for r in records]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
