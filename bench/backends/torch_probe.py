"""A graph of ``bench roofline`` as a PyTorch module: MatMul with a weight, Conv with stride 1, and Add."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.artifact.probe import Probe
from bench.base.errors import Unsupported

if TYPE_CHECKING:
    import torch


def module_of(probe: Probe) -> torch.nn.Module:
    """Build the module that computes what the probe's ONNX file says; its weights are buffers.

    Raises:
        Unsupported: it holds another operator.
    """
    import onnx
    import torch
    from onnx import numpy_helper

    graph = onnx.load(probe.path).graph
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    calls: dict[str, Callable[..., Any]] = {"MatMul": torch.matmul, "Add": torch.add}
    steps = []
    for node in graph.node:
        call = calls.get(node.op_type)
        if node.op_type == "Conv":
            pads = next(list(a.ints) for a in node.attribute if a.name == "pads")
            call = partial(torch.nn.functional.conv2d, padding=pads[:2])
        if call is None:
            raise Unsupported(f"torch does not run {node.op_type} as a probe")
        steps.append((call, list(node.input), node.output[0]))

    class Module(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, weight in weights.items():
                self.register_buffer(name, weight)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            held: dict[str, torch.Tensor] = dict(zip(names, inputs, strict=True)) | dict(self.named_buffers())
            for call, arguments, result in steps:
                held[result] = call(*(held[name] for name in arguments))
            return held[graph.output[0].name]

    names = [info.name for info in probe.inputs]
    return Module().eval()
