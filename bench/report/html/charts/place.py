"""Which points of a scatter get their name beside them: as many as have room, without covering each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LETTER_PX = 6.0  # mean width of a letter at 11 px
LINE_PX = 13.0
# Where a name may begin or end, in pixels right of and below its point: tried in this order.
SIDES = {
    "right": (8.0, 0.0),
    "left": (-8.0, 0.0),
    "above right": (5.0, -12.0),
    "below right": (5.0, 12.0),
    "above left": (-5.0, -12.0),
    "below left": (-5.0, 12.0),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Tell whether two rectangles overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


Ends = Sequence[float]  # of a logarithmic axis
WIDE, PHONE = (700.0, 410.0), (280.0, 410.0)  # of a plot in pixels, rather too small than too large


def sides(
    points: Sequence[tuple[float, float, str]],
    x: Ends,
    y: Ends,
    size: tuple[float, float],
    most: int = 60,
    rise: float = 0,
    taken: Sequence[Box] = (),
) -> list[str]:
    """Return for each point (x, y, name) one of `SIDES`, or the empty text where its name is not written.

    It is not where it has no room, nor where another point of that name has it already: the runtimes of a network stand
    above each other, and one name tells them all.

    Args:
        points: positive coordinates on log axes; those that come first are served first.
        x, y: ends of the axes.
        size: of the plot in pixels, width and height.
        most: names.
        rise: by how many pixels a name beside its point is lifted.
        taken: what stands there already.
    """
    full = [*taken, *(dot(px, py, x, y, size) for px, py, _ in points)]
    result = []
    given: set[str] = set()
    for px, py, name in points:
        cx, cy = at(px, py, x, y, size)
        width = LETTER_PX * len(name)
        chosen = ""
        for side, (dx, dy) in SIDES.items() if len(given) < most and name not in given else ():
            left, top = cx + dx - (width if dx < 0 else 0), cy + lifted(dy, rise) - LINE_PX / 2
            box = Box(left, top, left + width, top + LINE_PX)
            if free(box, full, size):
                chosen = side
                full.append(box)
                given.add(name)
                break
        result.append(chosen)
    return result


def lifted(dy: float, rise: float) -> float:
    """Return how far below its point a name stands, of one of `SIDES`."""
    return dy or -rise


def at(px: float, py: float, x: Ends, y: Ends, size: tuple[float, float]) -> tuple[float, float]:
    """Return where a point of the data lies in the plot, in pixels from its upper left corner."""
    return _pixel(px, x, size[0]), size[1] - _pixel(py, y, size[1])


def dot(px: float, py: float, x: Ends, y: Ends, size: tuple[float, float]) -> Box:
    """Return the room of a mark."""
    cx, cy = at(px, py, x, y, size)
    return Box(cx - 5, cy - 5, cx + 5, cy + 5)


def whisker(px: float, lo: float, hi: float, x: Ends, y: Ends, size: tuple[float, float]) -> Box:
    """Return the room of a vertical interval."""
    cx, bottom = at(px, max(lo, y[0]), x, y, size)
    return Box(cx - 1, at(px, min(hi, y[1]), x, y, size)[1], cx + 1, bottom)


def above_left(px: float, py: float, text: str, x: Ends, y: Ends, size: tuple[float, float]) -> Box:
    """Return the room of a text that ends left of a point and stands above it."""
    cx, cy = at(px, py, x, y, size)
    return Box(cx - 4 - LETTER_PX * len(text), cy - 3 - LINE_PX, cx - 3, cy)


def below_right(px: float, py: float, text: str, x: Ends, y: Ends, size: tuple[float, float]) -> Box:
    """Return the room of a text that begins right of a point and stands below it."""
    cx, cy = at(px, py, x, y, size)
    return Box(cx + 6, cy + 4, cx + 6 + LETTER_PX * len(text), cy + 4 + LINE_PX)


def along(low: tuple[float, float], high: tuple[float, float]) -> list[tuple[float, float]]:
    """Return points between two on logarithmic axes, from the middle outwards: where a line's name may stand."""
    shares = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9, 0.98)
    return [(low[0] * (high[0] / low[0]) ** s, low[1] * (high[1] / low[1]) ** s) for s in shares]


def free(box: Box, taken: Sequence[Box], size: tuple[float, float]) -> bool:
    """Tell whether a box lies in the plot and meets nothing."""
    inside = box.left >= 0 and box.top >= 0 and box.right <= size[0] and box.bottom <= size[1]
    return inside and not any(box.meets(other) for other in taken)


def _pixel(value: float, ends: Ends, length: float) -> float:
    return length * math.log(value / ends[0]) / math.log(ends[1] / ends[0])
