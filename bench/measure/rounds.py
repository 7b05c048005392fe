"""The schedule: who measures when, in random order from a recorded seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence


def groups(n: int, size: int) -> list[range]:
    """Split `n` cases, in plan order, into groups that share their replicates; sizes differ by at most one."""
    count = -(-n // size)
    edges = [round(i * n / count) for i in range(count + 1)] if count else [0]
    return [range(a, b) for a, b in itertools.pairwise(edges)]


def shuffled(items: Sequence[int], seed: int, *where: int) -> list[int]:
    """Return the items in an order that is random, and the same for the same seed and place in the schedule."""
    order = list(items)
    random.Random(f"{seed}/{where}").shuffle(order)
    return order
