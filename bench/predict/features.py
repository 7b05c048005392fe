"""What a regressor is told of a kernel: its work, its shapes, and the layout and implementation it runs in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.kernel import BLOCKED, Kernel
from bench.graph.classes import CONVOLUTIONS, RUNTIME_CONVOLUTIONS, OpClass

Array = NDArray[np.float64]
Shape = tuple[int, ...]
CLASSES = tuple(OpClass)
# Operators that differ within a class by more than their shapes say.
KINDS = (
    "Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "Transpose", "Split", "Slice", "Concat",
    "Gather", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceMax", "ReduceL2", "ReorderInput",
    "ReorderOutput", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Relu", "LeakyRelu", "Elu", "Clip", "Gelu",
    "QuickGelu", "BiasGelu", "FastGelu", "Erf", "Exp", "Sqrt", "Pow", "Softplus", "Add", "Sub", "Mul", "Div",
    "BatchNormalization", "LayerNormalization", "SkipLayerNormalization", "InstanceNormalization", "Softmax", "Resize",
    "Upsample", "Pad", "Expand", "Cast", "Where", "Convolution", "FullyConnected", "Eltwise", "Subgraph",
    "Pooling", "Reduce", "MVN", "Reorder",
    "Concatenation", "StridedSlice", "Interpolate", "ScaledDotProductAttention", "Math",
)  # fmt: skip
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish")
IMPLEMENTATIONS = ("brg", "jit", "gemm", "mlas", "acl", "dw", "1x1", "ref", "simple", "avx2", "avx512", "amx")
FUSED = ("Add", "Multiply", "Relu", "Clamp", "Sigmoid", "Swish", "HSwish", "HSigmoid", "Gelu", "Erf", "Tanh", "Divide",
         "Subtract", "FakeQuantize")  # fmt: skip
LAYOUTS = ("16b", "16c", "8b", "acdb", "abcd", "acb", "abc")


def macs(kernel: Kernel) -> int:
    """Return the multiply-accumulates of a kernel on its padded shapes; 0 for what has none or cannot be counted."""
    if "macs" in kernel.attributes:  # the runtime has told what follows from no ONNX operator
        return int(kernel.attributes["macs"])
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
    given = kernel.attributes
    x = kernel.inputs[0].shape if kernel.inputs else ()
    y = kernel.outputs[0].shape if kernel.outputs else ()
    other = kernel.inputs[1].shape if len(kernel.inputs) > 1 else ()
    name = kernel.op.rpartition(".")[2]
    convolves = name in CONVOLUTIONS or name in RUNTIME_CONVOLUTIONS
    weight = next((o.shape for o in kernel.inputs[1:] if o.constant and len(o.shape) > 1), ())
    group = int(given.get("group", 1))
    window = (weight[2:] if convolves else ()) or _numbers(given.get("kernel_shape", ()))
    strides = _numbers(given.get("strides", ())) or (_stride(x, y),)
    dilations = _numbers(given.get("dilations", ())) or (1,)
    c_in, c_out = (shape[1] if len(shape) > 1 else 1 for shape in (x, y))
    work, moved, held = macs(kernel), moved_bytes(kernel), weight_bytes(kernel)
    rows, columns, shared = _product(kernel, x, y, weight, group, convolves)
    inner, outer = _around(x, y, given)
    numbers = [
        _log(work), _log(moved), _log(held), _log(work) - _log(moved), _log(moved - held),
        _log(prod(x)), _log(prod(y)), _log(prod(y)) - _log(prod(x)), _log(prod(other)) - _log(prod(y)),
        _log(c_in), _log(c_out), _log(c_in / group), _log(c_out / group),
        _log(x[-1] if x else 1), _log(y[-1] if y else 1), _log(prod(y[2:])), _log(prod(window)),
        float(window[0] if window else 0), float(window[-1] if window else 0), float(max(strides)),
        float(max(dilations)), _log(group), float(x[0] if x else 1), _log(rows), _log(columns), _log(shared),
        rows % 16, columns % 16, shared % 16, float(x[-1] % 16 if x else 0), _log(inner), _log(outer),
        float(len(kernel.inputs)), float(len(kernel.outputs)), float(len(x)), float(len(other)),
        float(kernel.op.startswith(BLOCKED)), float("activation" in given), float(len(kernel.inputs) > 3),
        float(c_in % 16 == 0), float(c_out % 16 == 0), float(c_in % 4 == 0), float(c_out % 4 == 0),
        float(any(_numbers(given.get("pads", ())))), _first(given.get("axis", -1)), *_order(given.get("perm", ())),
        float(sum(o.constant for o in kernel.inputs)),
    ]  # fmt: skip
    told = str(given.get("implementation", "")).lower()
    fused = given.get("fused", ())
    texts = [
        *(float(str(given.get("activation", "")) == a) for a in ACTIVATIONS),
        *(float(part in told) for part in IMPLEMENTATIONS),
        *(float(part in str(given.get("layout", ""))) for part in LAYOUTS),
        *(float(part in str(given.get("layout_in", ""))) for part in LAYOUTS),
        *(float(fused.count(part)) for part in FUSED), float(len(fused)),
        float("linear" in str(given.get("mode", ""))),
    ]  # fmt: skip
    return [*numbers, *texts, *(float(kernel.op_class is c) for c in CLASSES), *(float(name == k) for k in KINDS)]


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


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else ()


def _first(value: Any) -> float:
    """Return an axis, the first of several."""
    numbers = _numbers(value)
    return float(numbers[0] if numbers else value if isinstance(value, int) else -1)


def _order(perm: Sequence[int]) -> list[float]:
    """Describe a transposition: whether the last axis stays last, and how many axes move."""
    return [float(bool(perm) and perm[-1] == len(perm) - 1), float(sum(a != i for i, a in enumerate(perm)))]


def _stride(x: Shape, y: Shape) -> int:
    return max(1, round(x[-1] / y[-1])) if len(x) == len(y) == 4 and y[-1] else 1


def _product(
    kernel: Kernel, x: Shape, y: Shape, weight: Shape, group: int, convolves: bool
) -> tuple[float, float, float]:
    """Return rows, columns and the shared side of the matrix product that a kernel is or resembles; 0 for others."""
    if convolves and len(y) > 1:
        return y[1] / group, float(prod(y[2:])), float(prod(weight[1:]))
    if kernel.op_class is OpClass.MATMUL and x and y:
        shared = macs(kernel) / max(1, prod(y))
        return float(y[-2] if len(y) > 1 else 1), float(y[-1]), shared
    return 0.0, 0.0, 0.0


def _around(x: Shape, y: Shape, given: dict[str, Any]) -> tuple[int, int]:
    """Return how many elements lie together in what an operator takes, and how often it takes so many.

    Those behind the axis of a concatenation, split or normalisation, behind the last axis that a transposition moves,
    or behind the last one that differs between what goes in and what comes out.
    """
    perm = _numbers(given.get("perm", ()))
    if perm:
        last = max((i for i, a in enumerate(perm) if i != a), default=0) + 1
    elif isinstance(given.get("axis"), int):
        last = int(given["axis"]) % max(1, len(x))
    else:
        last = max((i + 1 for i in range(min(len(x), len(y))) if x[i] != y[i]), default=0)
    return prod(x[last:]), prod(x[:last])
