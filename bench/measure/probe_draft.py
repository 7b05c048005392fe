"""Draws an ONNX graph operator by operator, in the forms that PyTorch's exporter gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.graph.reading import OnnxModel

OPSET, IR_VERSION = 20, 10
Shape = tuple[int, ...]
STEP = 1 << 14


class Draft:
    """A graph under way. Every method takes the names of tensors and returns that of its result."""

    def __init__(self, shape: Shape) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.shapes: dict[str, Shape] = {"x": shape}
        self.input = shape

    def op(self, kind: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> str:
        """Add an operator of one output of this shape."""
        return self.split(kind, inputs, [shape], **attributes)[0]

    def split(self, kind: str, inputs: Sequence[str], shapes: Sequence[Shape], **attributes: Any) -> list[str]:
        """Add an operator of several outputs."""
        from onnx import helper

        names = [f"t{len(self.shapes) + i}" for i in range(len(shapes))]
        self.shapes |= dict(zip(names, shapes, strict=True))
        self.nodes.append(helper.make_node(kind, list(inputs), names, f"n{len(self.nodes)}", **attributes))
        return names

    def constant(self, values: Sequence[int] | Sequence[float], dtype: Any = np.int64, scalar: bool = False) -> str:
        """Add a small constant."""
        from onnx import numpy_helper

        name = f"c{len(self.weights)}"
        array = np.asarray(values[0] if scalar else values, dtype)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, shape: Shape, fan_in: int) -> str:
        """Add a weight that keeps the magnitude of what goes through."""
        from onnx import numpy_helper

        name = f"c{len(self.weights)}"
        pattern = np.linspace(-0.9 / math.sqrt(fan_in), 1.1 / math.sqrt(fan_in), STEP, dtype=np.float32)
        size = math.prod(shape)
        array = np.tile(pattern, -(-size // STEP))[:size].reshape(shape)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight_of(self, shape: Shape) -> str:
        """Add a weight that is joined with other tensors."""
        name = self.weight(shape, 1)
        self.shapes[name] = shape
        return name

    def conv(
        self, x: str, out: int, kernel: int | Shape = 1, stride: int = 1, group: int = 1, dilation: int = 1
    ) -> str:
        """Add a convolution with bias, padded so that stride 1 keeps the sides."""
        _, c, *sides = self.shapes[x]
        window = (kernel,) * len(sides) if isinstance(kernel, int) else kernel
        pads = [dilation * (k - 1) // 2 for k in window]
        after = tuple(
            (s + 2 * p - dilation * (k - 1) - 1) // stride + 1 for s, p, k in zip(sides, pads, window, strict=True)
        )
        fan_in = c // group * math.prod(window)
        w, b = self.weight((out, c // group, *window), fan_in), self.weight((out,), out)
        return self.op(
            "Conv", [x, w, b], (1, out, *after), group=group, kernel_shape=list(window), pads=[*pads, *pads],
            strides=[stride] * len(sides), dilations=[dilation] * len(sides),
        )  # fmt: skip

    def linear(self, x: str, out: int) -> str:
        """Add a product with a weight and a bias, of any number of axes."""
        shape = self.shapes[x]
        w, b = self.weight((shape[-1], out), shape[-1]), self.weight((out,), out)
        if len(shape) == 2:
            return self.op("Gemm", [x, w, b], (shape[0], out))
        return self.op("Add", [self.op("MatMul", [x, w], (*shape[:-1], out)), b], (*shape[:-1], out))

    def act(self, x: str, kind: str) -> str:
        """Add an activation."""
        shape = self.shapes[x]
        if kind == "none":
            return x
        if kind == "relu6":
            return self.op("Clip", [x, *(self.constant([v], np.float32, scalar=True) for v in (0.0, 6.0))], shape)
        if kind == "silu":
            return self.op("Mul", [x, self.op("Sigmoid", [x], shape)], shape)
        if kind == "hardsigmoid":
            return self.op("HardSigmoid", [x], shape, alpha=1 / 6)
        if kind == "erf-gelu":  # as older exporters write it
            inner = self.op("Div", [x, self.constant([math.sqrt(2)], np.float32, scalar=True)], shape)
            plus = self.op(
                "Add", [self.op("Erf", [inner], shape), self.constant([1.0], np.float32, scalar=True)], shape
            )
            return self.op(
                "Mul", [self.op("Mul", [x, plus], shape), self.constant([0.5], np.float32, scalar=True)], shape
            )
        if kind == "tanh-gelu":
            return self.op("Gelu", [x], shape, approximate="tanh")
        names = {"relu": "Relu", "gelu": "Gelu", "hardswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh",
                 "elu": "Elu", "leaky": "LeakyRelu", "mish": "Mish"}  # fmt: skip
        return self.op(names[kind], [x], shape)

    def binary(self, kind: str, a: str, b: str) -> str:
        """Add an element-wise operator of two operands, with broadcasting."""
        return self.op(kind, [a, b], tuple(np.broadcast_shapes(self.shapes[a], self.shapes[b])))

    def scaled(self, x: str, shape: Shape, kind: str = "Mul") -> str:
        """Multiply by (or add) a weight of this shape."""
        return self.op(kind, [x, self.weight(shape, 1)], self.shapes[x])

    def batchnorm(self, x: str) -> str:
        """Add a BatchNormalization of its own."""
        c = self.shapes[x][1]
        parameters = [self.weight((c,), 1), self.weight((c,), c), self.weight((c,), c)]
        from onnx import numpy_helper

        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ones(c, np.float32), name))
        return self.op("BatchNormalization", [x, *parameters, name], self.shapes[x])

    def layernorm(self, x: str) -> str:
        """Normalise the last axis."""
        c = self.shapes[x][-1]
        return self.op("LayerNormalization", [x, self.weight((c,), 1), self.weight((c,), c)], self.shapes[x], axis=-1)

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """Permute the axes."""
        return self.op("Transpose", [x], tuple(self.shapes[x][p] for p in perm), perm=list(perm))

    def reshape(self, x: str, shape: Shape) -> str:
        """Give it another shape."""
        return self.op("Reshape", [x, self.constant(shape)], shape)

    def mean(self, x: str, axes: Sequence[int], keep: bool = True, kind: str = "ReduceMean") -> str:
        """Reduce axes."""
        shape = self.shapes[x]
        gone = {a % len(shape) for a in axes}
        after = tuple(1 if i in gone else s for i, s in enumerate(shape) if keep or i not in gone)
        return self.op(kind, [x, self.constant(axes)], after, keepdims=int(keep))

    def pool(self, x: str, kind: str, kernel: int, stride: int) -> str:
        """Add a pooling, padded so that stride 1 keeps the sides; of a kernel as large as its stride without pads."""
        n, c, *sides = self.shapes[x]
        pad = 0 if kernel == stride else kernel // 2
        after = [(s + 2 * pad - kernel) // stride + 1 for s in sides]
        given = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.op(kind, [x], (n, c, *after), **given)

    def concat(self, parts: Sequence[str], axis: int = 1) -> str:
        """Join along an axis."""
        shapes = [self.shapes[p] for p in parts]
        total = sum(s[axis] for s in shapes)
        return self.op("Concat", parts, (*shapes[0][:axis], total, *shapes[0][axis + 1 :]), axis=axis)

    def cut(self, x: str, start: int, end: int, axis: int, step: int = 1) -> str:
        """Take a slice of an axis."""
        shape = self.shapes[x]
        size = -(-(end - start) // step)
        given = [self.constant([v]) for v in (start, end, axis, step)]
        return self.op("Slice", [x, *given], (*shape[:axis], size, *shape[axis + 1 :]))

    def parts(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        """Split along an axis."""
        shape = self.shapes[x]
        after = [(*shape[:axis], s, *shape[axis + 1 :]) for s in sizes]
        return self.split("Split", [x, self.constant(sizes)], after, axis=axis)

    def resize(self, x: str, side: int, linear: bool) -> str:
        """Resize an image."""
        n, c, *_ = self.shapes[x]
        after = (n, c, side, side)
        how = "pytorch_half_pixel" if linear else "asymmetric"
        given = {"coordinate_transformation_mode": how, "mode": "linear" if linear else "nearest"}
        extra = {} if linear else {"nearest_mode": "floor"}
        return self.op("Resize", [x, "", "", self.constant(after)], after, **given, **extra)

    def model(self, outputs: Sequence[str]) -> OnnxModel:
        """Return the graph, with what no operator reads as an output, too."""
        from onnx import TensorProto, helper

        read = {name for node in self.nodes for name in node.input}
        ends = [n for node in self.nodes for n in node.output if n not in read]
        told = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.shapes.items() if n[0] == "t"]
        results = [v for v in told if v.name in {*ends, *outputs}]
        start = helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input)
        graph = helper.make_graph(self.nodes, "made", [start], results, self.weights, value_info=told)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
