"""Artifacts of the zoo by their hash, known without exporting: a table that comes with the program.

`models/artifacts.csv` is written by ``python -m benchmarks.zoo_artifacts``, which exports the networks of the suite
`devices`; a test exports one of them and holds its hash against the table. A hash says that a row was measured with the
zoo's own network: the same operators, shapes and weights, byte for byte.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

COLUMNS = ("network", "seed", "sha256", "exporter")


@cache
def known() -> dict[tuple[str, int], dict[str, str]]:
    """Return the hashes of each network (as `bench.plan.case.network_name` writes it) and seed, with who exported it.

    A network has several where exporters of different versions write different files.
    """
    text = files("bench.models").joinpath("artifacts.csv").read_text("utf-8")
    found: dict[tuple[str, int], dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault((row["network"], int(row["seed"])), {})[row["sha256"]] = row["exporter"]
    return found
