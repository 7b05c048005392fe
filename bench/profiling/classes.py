"""What an executed operator does: the classes and families of `bench.graph.classes`, for a runtime's own operators.

The families follow Figure 2 of the ShuffleNet V2 paper (Ma et al. 2018, arXiv 1807.11164), which splits run time into
convolution, data (movement), element-wise operations, channel shuffle and others.
"""

from __future__ import annotations

from bench.graph import classes as graph
from bench.graph.classes import OpClass

# Families in the order in which they are shown, each with its classes.
_ORDER = ("convolution", "matmul", "data movement", "element-wise", "pooling", "normalization", "other")
GROUPS = {family: tuple(str(c) for c in OpClass if c.family == family) for family in _ORDER}
GROUP_OF = {name: family for family, names in GROUPS.items() for name in names}

CONVOLUTIONS = (
    *(*graph.CONVOLUTIONS, *graph.RUNTIME_CONVOLUTIONS),
    *(name for name, c in (graph.CLASSES | graph.RUNTIME_CLASSES).items() if c is OpClass.TRANSPOSED),
)
MULTIPLIES = (
    *CONVOLUTIONS,
    *(name for name, c in (graph.CLASSES | graph.RUNTIME_CLASSES).items() if c is OpClass.MATMUL),
)
# What a channel shuffle (reshape, transpose, reshape) runs as, where it is not recognised as one operator.
_PARTS = (OpClass.TRANSPOSE, OpClass.VIEW, OpClass.COPY, OpClass.REORDER)


def classify(kind: str, weight: tuple[int, ...] = (), group: int = 1, shuffles: bool = False) -> OpClass:
    """Return the class of an operator.

    Args:
        kind: the runtime's word for it, with its domain where the runtime tells one.
        weight: of a convolution, ``[out, in / group, *kernel]`` as in the source graph.
        group: of a convolution.
        shuffles: it is part of a channel shuffle (reshape, transpose, reshape) of the source graph.
    """
    position = graph.CONVOLUTIONS.get(kind.rpartition(".")[2], 1)
    found = graph.classify(kind, {"group": group}, (*(None,) * position, weight or None))
    return OpClass.SHUFFLE if shuffles and found in _PARTS else found
