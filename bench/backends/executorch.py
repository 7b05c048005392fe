"""ExecuTorch on the CPU, through XNNPACK. Converted from the ``nn.Module`` by way of ``torch.export``.

Timed as ``execute`` of the loaded method on tensors that were made before; it returns new tensors in every call, which
is what anybody who calls it from Python gets. How much of the network XNNPACK took over is known when it is converted,
and written beside it. In int8 the module is quantised by pt2e with XNNPACK's own quantiser, and held against the same
graph in PyTorch.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artifact import calibration
from bench.artifact.artifact import Artifact, Quantization
from bench.artifact.build import rebuild
from bench.backends import converter, pt2e
from bench.backends.base import (
    CALIBRATION,
    Array,
    Backend,
    Capabilities,
    Conversion,
    Effective,
    Options,
    Quantized,
    Session,
    parameters,
)
from bench.backends.delegate import Shares
from bench.backends.ran import precision_by_error
from bench.base.errors import MissingExtra, Unsupported, first_line
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import torch

NET, PARTS = "net.pte", "parts.json"
RECIPE = "pt2e s8s8 per channel, XNNPACKQuantizer"


class ExecuTorchSession(Session):
    """A network in a ``Method`` of ExecuTorch's runtime."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import torch
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        self._artifact, self._pool = artifact, portable_lib
        # One pool for the process, of all cores, which no public call changes. A session that is loaded holds on to it,
        # so it is replaced only where its size is wrong.
        if portable_lib._threadpool_get_thread_count() != settings.threads:
            portable_lib._unsafe_reset_threadpool(settings.threads)
        try:
            self._program = Runtime.get().load_program(artifact.converted_path(NET))
            method = self._program.load_method("forward")
        except (RuntimeError, KeyError, IndexError) as error:
            raise Unsupported(f"ExecuTorch cannot load the network: {first_line(error)}", converter.REMEDY) from error
        if method is None:
            raise Unsupported("ExecuTorch finds no method `forward` in the network", converter.REMEDY)
        inputs, _ = artifact.reference()
        self._inputs = [torch.from_numpy(np.array(x)) for x in inputs]
        self._result: Any = None
        execute, given = method.execute, self._inputs

        def infer() -> None:
            self._result = execute(given)

        self.infer = infer

    def outputs(self) -> list[Array]:
        """Copy the result of the last inference."""
        return [np.array(y.numpy()) for y in self._result]

    def effective(self) -> Effective:
        """Read back the size of the pool and what the conversion gave to XNNPACK.

        The error tells the precision; of a quantised network it is that of most MACs, as they were converted.
        """
        parts = json.loads(self._artifact.converted_path(PARTS).read_text("utf-8"))
        found = Shares(**parts | {"outside": Counter(parts["outside"])})
        quantization = self._artifact.quantization
        macs = quantization.macs if quantization is not None else None
        precision = max(macs, key=macs.__getitem__) if macs else precision_by_error(self._artifact, self.outputs())
        threads = int(self._pool._threadpool_get_thread_count())
        told, only = version("executorch"), found.placement
        between = quantization.between if quantization is not None else None
        return Effective(
            told, "cpu", precision, threads, only, found.settings, found.unmet, found.remarks,
            macs=macs, between=between,
        )  # fmt: skip

    def close(self) -> None:
        """Drop the program and its method."""
        del self.infer, self._program, self._inputs, self._result


class ExecuTorch(Backend):
    """ExecuTorch's runtime for Python, as its wheel from PyPI has it."""

    name: ClassVar[str] = "executorch"
    title: ClassVar[str] = "ExecuTorch, CPU through XNNPACK"
    modules: ClassVar[tuple[str, ...]] = ("executorch", "torch")
    packages: ClassVar[tuple[str, ...]] = ("executorch", "torch")
    extra: ClassVar[str] = "executorch"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", "fp32", "int8"), help="that of the converted network"),
        CALIBRATION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(takes="module", conversion=Conversion())

    def import_runtime(self) -> None:
        """Import the runtime, which brings torch."""
        import executorch.runtime  # noqa: F401

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> Quantized | None:
        """Export, quantise where int8 is asked for, give to XNNPACK what it takes, and write the program."""
        if find_spec("executorch") is None:
            raise MissingExtra("ExecuTorch's converter", hint=self.install_hint())
        int8, quantized = options["precision"] == "int8", None
        if int8:
            calibration.only_fp32(artifact)
            pt2e.require(self.install_hint())
            samples, said = calibration.inputs(artifact, str(options["calibration"]))
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        with converter.library("ExecuTorch"):
            module = rebuild(artifact)
            if int8:
                module, outputs, cost = pt2e.quantize(module, _quantiser(), artifact, samples)
            exported = torch.export.export(module, pt2e.tensors(artifact.reference()[0]))
            lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            graph = lowered.exported_program().graph_module
            parts = _parts(graph)
            if int8:
                inside = (part.original_module.graph_module for part in _delegates(graph))
                macs, between = pt2e.work(one.graph for one in (graph, *inside))
                told = Quantization(f"{RECIPE}, torchao {version('torchao')}", said, cost, macs, between)
                quantized = Quantized(told, outputs, f"torch {torch.__version__}, of the quantised graph")
            program = lowered.to_executorch()
        (folder / NET).write_bytes(program.buffer)
        (folder / PARTS).write_text(json.dumps(parts), "utf-8")
        return quantized

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> ExecuTorchSession:
        """Load what was converted; see `bench.backends.base.Backend.load`."""
        return ExecuTorchSession(artifact, settings, options)


def _quantiser() -> Any:
    """Return XNNPACK's quantiser for pt2e: weights per channel, activations per tensor, both signed."""
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack

    return xnnpack.XNNPACKQuantizer().set_global(xnnpack.get_symmetric_quantization_config(is_per_channel=True))


def _delegates(graph: torch.fx.GraphModule) -> list[Any]:
    """Return what was given to a delegate, each with its own graph."""
    return [part for _, part in graph.named_children() if hasattr(part, "original_module")]


def _parts(graph: torch.fx.GraphModule) -> dict[str, Any]:
    """Count the parts of a lowered graph that a delegate has, what is in them, and the operators outside by name.

    As `bench.backends.delegate.Shares` has it. What only takes apart what others return is no operator.
    """
    outside = _operators(graph)
    partitions = [node for node in outside if "call_delegate" in _name(node)]
    outside = [node for node in outside if node not in partitions]
    inside = [node for part in _delegates(graph) for node in _operators(part.original_module.graph_module)]
    left = sum(map(pt2e.macs_of, outside))
    return {
        "partitions": len(partitions),
        "outside": dict(Counter(map(_name, outside))),
        "inside": len(inside),
        "macs": left + sum(map(pt2e.macs_of, inside)),
        "macs_outside": left,
    }


def _operators(graph: torch.fx.GraphModule) -> list[torch.fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "call_function" and _name(node) != "getitem"]


def _name(node: torch.fx.Node) -> str:
    return str(getattr(node.target, "__name__", node.target))
