"""Squeeze-and-excitation blocks among executed operators (Hu et al., CVPR 2018, Figure 2).

Found from shapes alone, because every runtime fuses them in its own way: something that takes a whole map and one
value for each of its channels and gives a map is the gate; what made those values stands before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from bench.graph.classes import OpClass
from bench.profiling.network import ProfiledOperator, Shape

GATES = (OpClass.MULTIPLY, OpClass.ELEMENTWISE)


def gates(operators: Sequence[ProfiledOperator]) -> list[tuple[int, ...]]:
    """Return the operators of each block, by index, the gate last; no operator is in two."""
    found: list[tuple[int, ...]] = []
    taken: set[int] = set()
    for i, op in enumerate(operators):
        if op.op_class not in GATES or not _is_gate(op):
            continue
        mine = [i]
        for j in range(i - 1, -1, -1):
            before = operators[j]
            if j in taken:
                break
            if _is_vector(before.shape_out):
                mine.append(j)
                if before.op_class is OpClass.POOLING:  # the squeeze: the block begins here
                    break
        if len(mine) > 1:
            found.append(tuple(reversed(mine)))
            taken |= set(mine)
    return found


def _is_gate(op: ProfiledOperator) -> bool:
    maps = [shape for shape in op.shapes_in if _is_map(shape)]
    vectors = [shape for shape in op.shapes_in if _is_vector(shape)]
    return bool(maps) and any(prod(v) == prod(m[:2]) for m in maps for v in vectors) and _is_map(op.shape_out)


def _is_map(shape: Shape) -> bool:
    return len(shape) == 4 and prod(shape[2:]) > 1


def _is_vector(shape: Shape) -> bool:
    return len(shape) == 4 and prod(shape[2:]) == 1 and shape[1] > 1
