"""Fills in `floor_ms` and `attainable_share` of rows that were measured before `bench roofline` had run.

python -m benchmarks.fill_floors ROWS.csv

Nothing is measured: both follow from the artifact, the latency that the row tells, and the roofline that this machine
keeps. Only rows of this machine's CPU are taken, of one image in fp32, whose artifact is in the cache still. The rows
that have a floor are the check: theirs must be what this roofline gives, or nothing is written.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from pathlib import Path

from bench.base import cache
from bench.base.files import write_whole
from bench.machine import environment, roofs
from bench.machine.environment import Environment
from bench.measure.rows import floor_ns
from bench.rows.schema import MEASURED
from bench.rows.seal import SEAL

WITHIN = 2e-3  # of a floor that a row tells already: it is written in six digits, and a roof of another day is another
PLAIN = {"precision_effective": "fp32", "batch": "1", "shapes": ""}


def artifacts() -> dict[str, Path]:
    """Return the ONNX files of the cache, by their hashes."""
    found = {}
    for told in (cache.root() / "artifacts").glob("*/artifact.json"):
        record = json.loads(told.read_text("utf-8"))
        found[record["sha256"]] = told.parent / record["onnx"]
    return found


def fill(rows: list[dict[str, str]], here: Environment, files: dict[str, Path]) -> tuple[int, list[str]]:
    """Fill in what is empty, in place; returns how many rows were, and what speaks against it."""
    filled, against = 0, []
    for row in rows:
        mine = row["cpu_id"] == here.cpu_id and row["status"] in MEASURED and not row.get(SEAL)
        if not mine or any(row[name] != value for name, value in PLAIN.items()) or not row["macs_executed"]:
            continue
        roof = roofs.recall(here, row["backend"], row["backend_version"], int(row["threads_effective"]))
        file = files.get(row["artifact_sha256"])
        if roof is None or file is None:
            continue
        found = floor_ns(file, roof) / 1e6
        if row["floor_ms"]:
            if abs(float(row["floor_ms"]) / found - 1) > WITHIN:
                against.append(f"{row['model']} on {row['backend']}: {row['floor_ms']} ms in the row, {found:.6g} now")
            continue
        share = int(row["macs_executed"]) / roof.peak_gmacs_per_s / (float(row["latency_ms"]) * 1e6)
        row["floor_ms"], row["attainable_share"] = f"{found:.6g}", f"{share:.6g}"
        filled += 1
    return filled, against


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    path = parser.parse_args().rows
    reader = csv.DictReader(io.StringIO(path.read_text("utf-8")))
    rows = list(reader)
    filled, against = fill(rows, environment.local(), artifacts())
    if against:
        print("another roofline, nothing is written:", *against, sep="\n  ", file=sys.stderr)
        return 1
    text = io.StringIO()
    writer = csv.DictWriter(text, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
    print(f"{path}: {filled} rows filled in")
    return 0


if __name__ == "__main__":
    sys.exit(main())
