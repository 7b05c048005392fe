"""LiteRT (TensorFlow Lite) on the CPU, through XNNPACK. Converted from the ``nn.Module`` by litert-torch.

Timed as ``invoke``. Inputs are written into the interpreter's own tensors once, outputs read from them after the last
inference. XNNPACK takes over what it can of the graph, one DELEGATE operator for each connected part; what it leaves
runs on kernels that are several times slower, and no call fails. So who ran what is read back from the operators.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench.artifact.artifact import Artifact
from bench.artifact.build import rebuild
from bench.backends import converter
from bench.backends.base import (
    Array,
    Backend,
    Capabilities,
    Conversion,
    Effective,
    Options,
    Session,
    parameters,
    running_threads,
)
from bench.backends.delegate import Node, Shares, shares, tflite_macs
from bench.backends.ran import precision_by_error, threads_by_time
from bench.base.errors import MissingExtra, Unsupported, first_line
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

NET = "net.tflite"


class LiteRtSession(Session):
    """A network in an ``Interpreter`` with its default delegate, XNNPACK."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._artifact, self._asked = artifact, settings.threads
        try:
            self._net = Interpreter(str(artifact.converted_path(NET)), num_threads=settings.threads)
            self._net.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise Unsupported(f"LiteRT cannot load the network: {first_line(error)}", converter.REMEDY) from error
        inputs, _ = artifact.reference()
        for detail, x in zip(_ordered(self._net.get_input_details()), inputs, strict=True):
            self._net.set_tensor(detail["index"], np.asarray(x, detail["dtype"]))
        self._results = [detail["index"] for detail in _ordered(self._net.get_output_details())]
        self.infer = self._net.invoke

    def outputs(self) -> list[Array]:
        """Copy the outputs: the interpreter runs no inference while somebody holds its memory."""
        return [np.asarray(self._net.get_tensor(index)) for index in self._results]

    def effective(self) -> Effective:
        """Read back types of tensors and who runs which operator; threads are counted, and the error decides."""
        found = self.shares()
        types = Counter(np.dtype(detail["dtype"]).name for detail in self._net.get_tensor_details())
        settings = {**found.settings, "tensor_types": dict(types), "process_threads": running_threads()}
        precision = precision_by_error(self._artifact, self.outputs())
        threads = threads_by_time(self.infer, self._asked)
        told, only = version("ai-edge-litert"), found.placement
        return Effective(told, "cpu", precision, threads, only, settings, found.unmet, found.remarks)

    def shares(self) -> Shares:
        """Read back who runs which operator."""
        details = self._net._get_ops_details()  # no public method tells it
        shapes = {int(d["index"]): tuple(map(int, d["shape"])) for d in self._net.get_tensor_details()}
        nodes = []
        for d in details:
            inputs, outputs = tuple(map(int, d["inputs"])), tuple(map(int, d["outputs"]))
            read, written = ([shapes[i] for i in side if i in shapes] for side in (inputs, outputs))
            nodes.append(Node(d["op_name"], inputs, outputs, tflite_macs(d["op_name"], read, written)))
        return shares(nodes, self._results)

    def close(self) -> None:
        """Drop the interpreter."""
        del self.infer, self._net


def _ordered(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put inputs or outputs in the order of the module's, which their names number (``args_0``, ``output:1``)."""
    numbers = [re.search(r"args_(\d+)|:(\d+)$", str(detail["name"])) for detail in details]
    if len(details) < 2 or None in numbers:
        return details
    found = [int(next(group for group in match.groups() if group)) for match in numbers if match]
    return [detail for _, detail in sorted(zip(found, details, strict=True), key=lambda pair: pair[0])]


class LiteRt(Backend):
    """LiteRT's interpreter, as its wheel from PyPI has it."""

    name: ClassVar[str] = "litert"
    title: ClassVar[str] = "LiteRT (TensorFlow Lite), CPU through XNNPACK"
    modules: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)
    packages: ClassVar[tuple[str, ...]] = ("ai-edge-litert",)
    extra: ClassVar[str] = "litert"
    wheel: ClassVar[str] = "ai-edge-litert"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", "fp32"), help="that of the converted network"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        takes="module", conversion=Conversion(packages=("litert-torch", "litert-converter", "torch"))
    )

    def import_runtime(self) -> None:
        """Import the interpreter."""
        import ai_edge_litert.interpreter  # noqa: F401

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> None:
        """Convert by litert-torch."""
        if find_spec("litert_torch") is None:
            arm = "" if platform.machine() in ("x86_64", "AMD64") else "; it is there for x86-64: convert on such a one"
            raise MissingExtra("litert-torch, which converts modules for LiteRT,", hint=f"{self.install_hint()}{arm}")
        import litert_torch
        import torch

        inputs, _ = artifact.reference()
        with converter.library("litert-torch"):
            made = litert_torch.convert(rebuild(artifact), tuple(torch.from_numpy(x) for x in inputs))
            made.export(str(folder / NET))

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> LiteRtSession:
        """Load what was converted; see `bench.backends.base.Backend.load`."""
        return LiteRtSession(artifact, settings, options)
