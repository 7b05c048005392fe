"""Which points of a scatter get their name beside them: as many as have room, without covering each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LETTER_PX = 6.0  # mean width of a letter at 11 px
LINE_PX = 13.0
GAP_PX = 8.0


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


def sides(
    points: Sequence[tuple[float, float, str]],
    x: Sequence[float],
    y: Sequence[float],
    size: tuple[float, float],
    most: int = 60,
    rise: float = 0,
    written: Sequence[tuple[float, float, str]] = (),
) -> list[str]:
    """Return for each point (x, y, name) ``right``, ``left``, or the empty text where its name has no room.

    Args:
        points: positive coordinates on log axes; those that come first are served first.
        x, y: ends of the axes.
        size: of the plot in pixels, width and height.
        most: names.
        rise: by how many pixels a name stands above its point.
        written: texts that stand there already, left of and above their point.
    """
    at = [(_pixel(px, x, size[0]), size[1] - _pixel(py, y, size[1])) for px, py, _ in points]
    dots = [Box(cx - 5, cy - 5, cx + 5, cy + 5) for cx, cy in at]
    taken = []
    for px, py, text in written:
        right, bottom = _pixel(px, x, size[0]), size[1] - _pixel(py, y, size[1])
        taken.append(Box(right - LETTER_PX * len(text), bottom - LINE_PX, right, bottom))
    result = []
    for i, ((cx, cy), (_, _, name)) in enumerate(zip(at, points, strict=True)):
        width, top = LETTER_PX * len(name), cy - rise - LINE_PX / 2
        choices = {
            "right": Box(cx + GAP_PX, top, cx + GAP_PX + width, top + LINE_PX),
            "left": Box(cx - GAP_PX - width, top, cx - GAP_PX, top + LINE_PX),
        }
        chosen = ""
        for side, box in choices.items() if len(taken) - len(written) < most else ():
            inside = box.left >= 0 and box.right <= size[0]
            near = (other for j, other in enumerate(dots) if j != i)
            if inside and not any(box.meets(other) for other in (*taken, *near)):
                chosen = side
                taken.append(box)
                break
        result.append(chosen)
    return result


def _pixel(value: float, ends: Sequence[float], length: float) -> float:
    return length * math.log(value / ends[0]) / math.log(ends[1] / ends[0])
