"""LiteRT's graph, read from what the interpreter tells: operators, the numbers of their tensors, types and shapes.

It lists the operators that a delegate has replaced beside the one that replaced them, so that the MACs of a converted
file are told whoever runs them; and a delegate runs an operator in the type of its tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from bench.backends.delegate import DELEGATE
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
        found = _macs(op["op_name"], inputs, outputs)
        if found:
            kinds = {inputs[DATA].kind, inputs[WEIGHT].kind}
            macs[inputs[DATA].kind if len(kinds) == 1 else "fp32"] += found
    return Work(dict(macs), between)


def _macs(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """Return the MACs of an operator: TensorFlow Lite has channels last and output channels first in a weight."""
    if len(inputs) < 2 or not outputs:
        return 0
    weight, result = inputs[WEIGHT].shape, prod(outputs[0].shape)
    if kind == "CONV_2D":
        return result * prod(weight[1:])
    if kind == "DEPTHWISE_CONV_2D":
        return result * prod(weight[1:3])
    if kind == "FULLY_CONNECTED":
        return result * weight[-1]
    if kind == "BATCH_MATMUL":
        return result * inputs[DATA].shape[-1]
    return 0
