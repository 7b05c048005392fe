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
    rows = _rows(paper.partition(" (")[0].lower(), model.canonical, side.resolution or model.resolution)
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
def _rows(paper: str, model: str, resolution: int | None) -> tuple[PublishedNetwork, ...]:
    label = LABELS.get(model)
    return tuple(
        row
        for row in networks()
        if row.macs
        and row.source.lower().startswith(paper)
        and "early" not in row.source
        and row.resolution == resolution
        and (row.label == label or (row.model and zoo.resolve(row.model).canonical == model))
    )
