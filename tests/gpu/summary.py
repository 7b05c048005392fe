"""The summary of a folder that ``make gpu`` wrote: every number of it stands in one of the folder's files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from tests.gpu import tables

ROW = (
    "model", "backend", "batch", "status", "latency_ms", "latency_lo_ms", "latency_hi_ms", "host_ms", "energy_mj",
    "precision_effective", "parity_rel_l2", "device_mhz", "attainable_share",
)  # fmt: skip
FINDING = (
    "id",
    "experiment",
    "channels",
    "effect",
    "effect_lo",
    "effect_hi",
    "published",
    "published_on",
    "a_ms",
    "b_ms",
    "verdict",
)
PEER = ("model", "against", "ratio", "lo", "hi", "ours_ms", "peer_ms", "within")


def summary(folder: Path) -> str:
    """Return the text; what is not there is left out."""
    parts = ["# The GPU path on a device", _steps(folder), _facts(folder), _tests(folder), _parity(folder)]
    peers = tables.read(folder / "peers.csv")
    if peers:
        within = sum(line["within"] == "True" for line in peers)
        parts.append(f"## Against others in one process\n\n{within} of {len(peers)} ratios are within 3% of 1.")
        parts.append(markdown(peers, PEER))
    parts += [_roofline(folder), _rows(folder), _same(folder)]
    for path in sorted(folder.glob("findings-*.csv")):
        found = tables.read(path)
        counted = ", ".join(f"{n} {verdict}" for verdict, n in Counter(line["verdict"] for line in found).items())
        parts.append(f"## Findings: {path.stem.removeprefix('findings-')}\n\n{counted}.\n\n{markdown(found, FINDING)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Return a table of those of the columns that the rows have; numbers are cut to four digits."""
    there = [name for name in columns if rows and name in rows[0]]
    lines = [there, ["---"] * len(there), *([_short(row[name]) for name in there] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(text: str) -> str:
    if "." in text or "e" in text:
        with suppress(ValueError):
            return f"{float(text):.4g}"
    return text.replace("|", "/").replace("\n", " ")


def _steps(folder: Path) -> str:
    path = folder / "steps.json"
    if not path.exists():
        return ""
    told = json.loads(path.read_text("utf-8"))
    rows = [{"step": name} | {key: str(value) for key, value in step.items()} for name, step in told.items()]
    return "## Steps\n\n" + markdown(rows, ("step", "state", "seconds", "exit"))


def _facts(folder: Path) -> str:
    path = folder / "facts.json"
    if not path.exists():
        return ""
    told = json.loads(path.read_text("utf-8"))
    return "## What it ran on\n\n" + "\n".join(f"- {key}: {value}" for key, value in told.items())


def _tests(folder: Path) -> str:
    path = folder / "tests.xml"
    if not path.exists():
        return ""
    cases = list(ElementTree.parse(path).iter("testcase"))
    ended = Counter(next((child.tag for child in case if child.tag in ENDS), "passed") for case in cases)
    failed = [f"- {case.get('classname')}.{case.get('name')}" for case in cases if any(c.tag in ENDS[:2] for c in case)]
    return "\n".join([f"## Tests\n\n{', '.join(f'{n} {end}' for end, n in ended.items())}.", "", *failed]).strip()


ENDS = ("failure", "error", "skipped")


def _parity(folder: Path) -> str:
    rows = tables.read(folder / "parity.csv")
    lines = []
    for options in dict.fromkeys(row["options"] for row in rows):
        mine = [row for row in rows if row["options"] == options]
        told = [row for row in mine if row["rel_l2"]]
        worst = max(told, key=lambda row: float(row["rel_l2"]), default=None)
        said = f", the worst {worst['rel_l2']} ({worst['model']})" if worst else ""
        lines.append(
            f"- {options}: {sum(row['status'] == 'ok' for row in mine)} of {len(mine)} families as asked{said}"
        )
    wrong = [row for row in rows if row["status"] != "ok"]
    table = markdown(wrong, ("model", "options", "rel_l2", "precision", "status", "error")) if wrong else ""
    return "\n\n".join(filter(None, ["## Parity with the CPU", "\n".join(lines), table])) if rows else ""


def _roofline(folder: Path) -> str:
    path = folder / "roofline.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text("utf-8"))
    peak = max((row for row in found if row["kind"] == "compute"), key=lambda row: row["gflops_per_s"])
    wide = max((row for row in found if row["kind"] == "bandwidth"), key=lambda row: row["working_set_bytes"])
    return (
        f"## Roofline\n\n{peak['gflops_per_s'] / 1e3:.3g} TFLOP/s in {peak['precision']} ({peak['probe']}); "
        f"{wide['gb_per_s']:.4g} GB/s at {wide['working_set_bytes'] >> 20} MiB."
    )


def _rows(folder: Path) -> str:
    rows = tables.read(folder / "rows.csv")
    return "## Rows\n\n" + markdown(rows, ROW) if rows else ""


def _same(folder: Path) -> str:
    rows = tables.read(folder / "same.csv")
    if not rows:
        return ""
    counted = ", ".join(f"{n} {verdict}" for verdict, n in Counter(row["verdict"] for row in rows).items())
    return f"## The same against itself\n\n{len(rows)} times: {counted}.\n\n" + markdown(
        rows, ("time", "verdict", "ratio", "lo", "hi", "pairs")
    )


if __name__ == "__main__":
    Path("summary.md").write_text(summary(Path()), "utf-8")
    sys.exit(0)
