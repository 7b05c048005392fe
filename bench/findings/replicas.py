"""What a paper prints of the MACs of a network that is measured here: is it the same network?"""

from __future__ import annotations

from functools import cache

from bench.findings.side import Side
from bench.papers.published import PublishedNetwork, networks
from bench.plan import zoo

NEARLY = 1.05  # a factor beyond which the network here is an approximate replica of the paper's
# Networks that the zoo only comes near: what these factors scale is not printed (docs/models-missing.md).
LABELS = {"igcv3:width=0.7": "IGCV3-D (0.7)", "igcv3:width=1.4": "IGCV3-D (1.4)"}


def printed(side: Side, paper: str, source: str) -> PublishedNetwork | None:
    """Return the row that a paper has of a side's network, the one of the table in `source` first; None if none."""
    if side.model.startswith(("stack/", "variant/")):
        return None
    model = zoo.resolve(side.model)
    name = LABELS.get(model.canonical, model.canonical)
    found = _rows().get((name, side.resolution or model.resolution or 0), [])
    rows = [row for row in found if row.source.lower().startswith(paper.partition(" (")[0].lower())]
    return next((row for row in rows if _table(row.source) in source), next(iter(rows), None))


def approximate(row: PublishedNetwork | None, macs: float | None) -> bool:
    """Tell whether a network's MACs are so far from the printed ones that it must be another.

    A source that counts more than convolutions and matrix products is not held against a count of these.
    """
    if row is None or row.macs is None or not macs or "bn2" in row.counting.terms:
        return False
    return not 1 / NEARLY <= macs / 1e6 / row.macs.value <= NEARLY


def _table(source: str) -> str:
    return source.partition(", ")[2] or source


@cache
def _rows() -> dict[tuple[str, int], list[PublishedNetwork]]:
    """Return the rows that print MACs, by model (or label, where the zoo has none) and resolution."""
    found: dict[tuple[str, int], list[PublishedNetwork]] = {}
    for row in networks():
        if row.macs and "early" not in row.source:
            name = zoo.resolve(row.model).canonical if row.model else row.label
            found.setdefault((name, row.resolution), []).append(row)
    return found
