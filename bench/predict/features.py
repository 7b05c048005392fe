"""What a regressor is told of a kernel: its work, its shapes and its layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import BLOCKED, Kernel
from bench.graph.classes import CONVOLUTIONS, OpClass

Array = NDArray[np.float64]
CLASSES = tuple(OpClass)
# Operators that differ within a class by more than their shapes say.
KINDS = ("Conv", "FusedConv", "Gemm", "MatMul", "Transpose", "Split", "Slice", "Concat", "MaxPool", "AveragePool",
         "GlobalAveragePool", "ReduceMean", "ReorderInput", "ReorderOutput", "Sigmoid", "HardSigmoid", "Clip", "Add",
         "Mul", "Resize", "Pad", "Softmax")  # fmt: skip


def macs(kernel: Kernel) -> int:
    """Return the multiply-accumulates of a kernel on its padded shapes; 0 for what has none or cannot be counted."""
    name = kernel.op.rpartition(".")[2]
    shapes = [operand.shape for operand in kernel.inputs]
    if name in CONVOLUTIONS and len(shapes) > 1:
        return prod(kernel.outputs[0].shape) * prod(shapes[1][1:])
    if name == "ConvTranspose" and len(shapes) > 1:
        return prod(shapes[0]) * prod(shapes[1][1:])
    if kernel.op_class is OpClass.MATMUL and len(shapes) > 1 and shapes[0]:
        shared = shapes[0][0] if kernel.attributes.get("transA") else shapes[0][-1]
        return prod(kernel.outputs[0].shape) * shared
    return 0


def weight_bytes(kernel: Kernel) -> int:
    """Return the bytes of constant operands, 4 for each element."""
    return 4 * sum(operand.elements for operand in kernel.inputs if operand.constant)


def moved_bytes(kernel: Kernel) -> int:
    """Return the bytes of all operands, each once, 4 for each element."""
    return 4 * sum(operand.elements for operand in {o.name: o for o in (*kernel.inputs, *kernel.outputs)}.values())


def features(kernel: Kernel) -> list[float]:
    """Describe a kernel in numbers; sizes as logarithms."""
    x = kernel.inputs[0].shape if kernel.inputs else ()
    y = kernel.outputs[0].shape if kernel.outputs else ()
    weight = next((o.shape for o in kernel.inputs[1:] if o.constant and len(o.shape) > 1), ())
    group = int(kernel.attributes.get("group", 1))
    window = weight[2:] or tuple(kernel.attributes.get("kernel_shape", ()))
    strides = tuple(kernel.attributes.get("strides", ())) or (1,)
    dilations = tuple(kernel.attributes.get("dilations", ())) or (1,)
    c_in, c_out = (shape[1] if len(shape) > 1 else 1 for shape in (x, y))
    work, moved, held = macs(kernel), moved_bytes(kernel), weight_bytes(kernel)
    numbers = [
        _log(work), _log(moved), _log(held), _log(work) - _log(moved),
        _log(prod(x)), _log(prod(y)), _log(c_in), _log(c_out), _log(c_in / group), _log(c_out / group),
        _log(x[-1] if x else 1), _log(y[-1] if y else 1), _log(prod(y[2:])), _log(prod(window)),
        float(max(strides)), float(max(dilations)), _log(group), float(x[0] if x else 1),
        float(len(kernel.inputs)), float(len(kernel.outputs)), float(len(x)),
        float(kernel.op.startswith(BLOCKED)), float("activation" in kernel.attributes),
        float(len(kernel.inputs) > 3), float(c_in % 16 == 0), float(c_out % 16 == 0), float(c_in % 4 == 0),
        float(c_out % 4 == 0), float(any(kernel.attributes.get("pads", ()))),
        float(int(kernel.attributes.get("axis", -1))), *_order(kernel.attributes.get("perm", ())),
    ]  # fmt: skip
    name = kernel.op.rpartition(".")[2]
    return [*numbers, *(float(kernel.op_class is c) for c in CLASSES), *(float(name == kind) for kind in KINDS)]


def matrix(kernels: Sequence[Kernel]) -> Array:
    """Return the features of kernels, one row each."""
    return np.array([features(kernel) for kernel in kernels], dtype=np.float64)


def simple(kernel: Kernel) -> list[float]:
    """Return what nn-Meter tells its random forests: side, channels, window, stride, MACs, parameters, unscaled."""
    x = kernel.inputs[0].shape if kernel.inputs else ()
    y = kernel.outputs[0].shape if kernel.outputs else ()
    window = tuple(kernel.attributes.get("kernel_shape", ())) or (1,)
    strides = tuple(kernel.attributes.get("strides", ())) or (1,)
    channels = [float(shape[1] if len(shape) > 1 else 1) for shape in (x, y)]
    sizes = [float(x[-1] if x else 1), *channels, float(window[0]), float(strides[0])]
    return [*sizes, float(macs(kernel)), float(weight_bytes(kernel) // 4)]


def _log(number: float) -> float:
    return math.log1p(max(number, 0.0))


def _order(perm: Sequence[int]) -> list[float]:
    """Describe a transposition: whether the last axis stays last, and how many axes move."""
    return [float(bool(perm) and perm[-1] == len(perm) - 1), float(sum(a != i for i, a in enumerate(perm)))]
