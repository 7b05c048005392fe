"""What stands below the rows: what was left out and why, what a mark means, on which machine, with which versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.base.errors import clip
from bench.base.words import counted
from bench.report.text.print import CELL
from bench.rows.identity import machine_name

if TYPE_CHECKING:
    import pandas as pd

    from bench.rows.select import Selection

# Never the colour alone: the mark stands before the name, and its meaning below.
MARKS = {"ok": " ", "noisy": "~", "mismatch": "≠", "downgraded": "↓"}
FAILED = "×"
MOST = 5  # remarks, machines or versions that are listed


def mark(status: str) -> str:
    """Return the mark of a row that has this status."""
    return MARKS.get(status, FAILED)


def lines(selection: Selection) -> list[str]:
    """Return everything below the rows."""
    frame = selection.frame
    said = [*counts(selection), *_legend(frame), *_remarks(frame)]
    if len(frame):
        said.append(f"machine: {_some(machines(frame))}")
        said.append(f"versions: {_some(versions(frame))}")
    return [*said, *(clip(note, CELL) for note in selection.notes)]


def counts(selection: Selection) -> list[str]:
    """Say how many rows are shown and why others are not."""
    shown = len(selection.frame)
    left = f"; left out: {', '.join(selection.left_out)}" if selection.left_out else ""
    return [f"{shown:,} of {counted(selection.found, 'row')}{left}"]


def machines(frame: pd.DataFrame) -> list[str]:
    """Name the machines of the rows, with operating system and hypervisor."""
    columns = ["arch", "cpu", "cpu_id", "microarchitecture", "hypervisor", "os"]
    found = []
    for row in frame[columns].drop_duplicates().astype(str).to_dict("records"):
        virtual = "" if row["hypervisor"] in ("", "none") else "virtual machine"
        parts = (machine_name({str(k): str(v) for k, v in row.items()}), row["microarchitecture"], virtual, row["os"])
        found.append(", ".join(str(part) for part in parts if part))
    return list(dict.fromkeys(found))


def versions(frame: pd.DataFrame) -> list[str]:
    """Name the versions that measured: each backend's, and this program's."""
    pairs = frame[["backend", "backend_version"]].drop_duplicates().astype(str)
    found = {(b.partition(":")[0], v) for b, v in pairs.itertuples(index=False)}
    own = {("isoflops", v) for v in frame["isoflops_version"].astype(str).unique() if v}
    return [f"{name} {version or 'of unknown version'}" for name, version in [*sorted(found), *sorted(own)]]


def _legend(frame: pd.DataFrame) -> list[str]:
    numbers = frame["status"].astype(str).value_counts()
    told = [f"{mark(str(status))} {status} ({n:,})" for status, n in numbers.items() if status != "ok"]
    return [f"not ok: {', '.join(told)}"] if told else []


def _remarks(frame: pd.DataFrame) -> list[str]:
    """Say why rows are not ok: reasons that differ in figures alone are said once, with their number."""
    bad = frame[frame["status"].astype(str) != "ok"]
    reasons: dict[str, list[str]] = {}
    for model, backend, error in bad[["model", "backend", "error"]].astype(str).itertuples(index=False):
        if error:
            alike = re.sub(r"\d+(\.\d+)?", "#", error)
            reasons.setdefault(alike, []).append(f"{clip(model, 60)} on {clip(backend, 40)}: {clip(error, 200)}")
    told = [f"{rows[0]}{f'; {len(rows) - 1} more like it' if len(rows) > 1 else ''}" for rows in reasons.values()]
    more = [f"and {len(told) - MOST} more reasons (--format csv has all)"] if len(told) > MOST else []
    return [*told[:MOST], *more]


def _some(texts: list[str]) -> str:
    more = f"; and {len(texts) - MOST} more" if len(texts) > MOST else ""
    return "; ".join(clip(text, 200) for text in texts[:MOST]) + more
