"""LiteRT's graph, read from what the interpreter tells: operators, the numbers of their tensors, types and shapes.

It lists the operators that a delegate has replaced beside the one that replaced them, so that the MACs of a converted
file are told whoever runs them; and a delegate runs an operator in the type of its tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.backends.delegate import DELEGATE, tflite_macs
from bench.base.wire import Unchecked
from bench.graph.classes import QUANTIZERS

TYPES = {"float32": "fp32", "float16": "fp16", "int8": "int8", "uint8": "int8", "int4": "int4"}
# Where an operator that multiplies and accumulates has its data and its weight.
DATA, WEIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """Type and shape of a tensor."""

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What a converted graph has: MACs by the precision of its tensors, and operators that only quantise."""

    macs: dict[str, int]
    between: int

    @property
    def precision(self) -> str:
        """The precision of most MACs; ``unknown`` without any."""
        return max(self.macs, key=lambda one: self.macs[one]) if self.macs else "unknown"


def tensors(details: Sequence[Unchecked]) -> dict[int, Tensor]:
    """Read ``Interpreter.get_tensor_details``."""
    return {
        int(d["index"]): Tensor(TYPES.get(np.dtype(d["dtype"]).name, ""), tuple(map(int, d["shape"]))) for d in details
    }


def work(operators: Sequence[Unchecked], known: Mapping[int, Tensor]) -> Work:
    """Count a graph that ``Interpreter._get_ops_details`` told."""
    macs: Counter[str] = Counter()
    between = 0
    for op in operators:
        if op["op_name"] == DELEGATE:
            continue
        between += op["op_name"] in QUANTIZERS
        inputs, outputs = ([known[int(i)] for i in op[side] if int(i) in known] for side in ("inputs", "outputs"))
        found = tflite_macs(op["op_name"], *([one.shape for one in side] for side in (inputs, outputs)))
        if found:
            kinds = {inputs[DATA].kind, inputs[WEIGHT].kind}
            macs[inputs[DATA].kind if len(kinds) == 1 else "fp32"] += found
    return Work(dict(macs), between)
