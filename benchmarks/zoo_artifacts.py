"""Writes `models/artifacts.csv`: the hashes of the zoo's artifacts that contributed rows are held against.

python -m benchmarks.zoo_artifacts [--suite devices] [--again]

What is in the table stays: artifacts of older versions are the zoo's, too. With ``--again`` it begins anew.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from bench import export
from bench.artifact.known import COLUMNS
from bench.plan import suite, zoo
from bench.plan.case import Network

TABLE = Path(__file__).parents[1] / "models" / "artifacts.csv"
SEED = 0


def entries(models: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Export networks at their default resolution and one image; return a line of the table for each."""
    found = []
    for text in models:
        network = Network(zoo.resolve(text))
        artifact = export.ensure(network, SEED)
        exporter = " ".join(f"{name}={version}" for name, version in artifact.made_by.items())
        found.append((str(network), str(SEED), artifact.sha256, exporter))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", default="devices")
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    lines = set(entries(suite.resolve(args.suite).models))
    if TABLE.exists() and not args.again:
        lines |= {tuple(row[name] for name in COLUMNS) for row in csv.DictReader(TABLE.read_text("utf-8").splitlines())}
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(lines))
    print(f"{TABLE.name}: {len(lines)} artifacts")


if __name__ == "__main__":
    main()
