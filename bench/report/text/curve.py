"""The curve of a case that was kept going, as a line of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.rows.curve import Point, curves
from bench.rows.identity import case, labels

if TYPE_CHECKING:
    import pandas as pd

LEVELS = "▁▂▃▄▅▆▇█"
WIDTH = 40


def lines(frame: pd.DataFrame) -> Iterator[str]:
    """Yield a heading and two lines for every row that was kept going; nothing where there is none."""
    found = list(curves(frame))
    if not found:
        return
    yield "kept going: latency from its least (low) to its most (high), at the speed that the machine had"
    rows = frame.to_dict("records")
    names = labels([{name: str(rows[i][name]) for name in case()} for i, _ in found])
    for (i, points), name in zip(found, names, strict=True):
        yield name
        yield f"  {spark(points)} {_told(rows[i])}"


def spark(points: Sequence[Point], width: int = WIDTH) -> str:
    """Draw the latency over time; a moment without a sample is a space."""
    if not points:
        return "(its samples are not beside the rows)"
    end, cells = points[-1].at_s or 1.0, [list[float]() for _ in range(width)]
    for point in points:
        cells[min(int(point.at_s / end * width), width - 1)].append(point.ms)
    means = [sum(cell) / len(cell) if cell else None for cell in cells]
    least = min(m for m in means if m is not None)
    most = max(max(m for m in means if m is not None), 1.05 * least)  # less than 5% is drawn as less
    return "".join(
        " " if m is None else LEVELS[min(int((m - least) / (most - least) * len(LEVELS)), len(LEVELS) - 1)]
        for m in means
    )


def _told(row: dict[Any, Any]) -> str:
    minutes = f"{row['sustain_s'] / 60:.3g} min"
    early, settled = row["early_ms"], row["settled_ms"]
    if not math.isfinite(settled):
        return f"{early:.4g} ms in the first minute; still moving after {minutes}"
    heat = [f"{row[f'settled_{key}']:.0f} {unit}" for key, unit in (("mhz", "MHz"), ("celsius", "C"))
            if math.isfinite(row[f"settled_{key}"])]  # fmt: skip
    beside = f" at {', '.join(heat)}" if heat else ""
    after = f"after {row['settled_after_s'] / 60:.2g} of {minutes}"
    return f"{early:.4g} ms, settled at {settled:.4g} ms ({settled / early - 1:+.0%}) {after}{beside}"
