"""LiteRT (TensorFlow Lite) on the CPU, through XNNPACK. Converted from the ``nn.Module`` by litert-torch.

Timed as ``invoke``. Inputs are written into the interpreter's own tensors once, outputs read from them after the last
inference. In int8 the converted network is quantised by LiteRT's own quantiser, and held against LiteRT's own reference
kernels. XNNPACK takes over what it can of the graph, one DELEGATE operator for each connected part; what it leaves
runs on kernels that are several times slower, and no call fails. So who ran what is read back from the operators.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artifact import calibration
from bench.artifact.artifact import Artifact, Quantization
from bench.artifact.build import rebuild
from bench.artifact.reference import relative_l2
from bench.backends import converter, tflite_graph
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
    running_threads,
)
from bench.backends.delegate import Node, Shares, shares, tflite_macs
from bench.backends.ran import precision_by_error, threads_by_time
from bench.base.errors import MissingExtra, Unsupported, first_line
from bench.base.wire import Unchecked
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

NET = "net.tflite"
QUANTISER = "ai-edge-quantizer"
RECIPE = "static_wi8_ai8"


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
            self._net.set_tensor(detail["index"], _stored(x, detail))
        self._details = _ordered(self._net.get_output_details())
        self._results = [detail["index"] for detail in self._details]
        self.infer = self._net.invoke

    def outputs(self) -> list[Array]:
        """Copy the outputs: the interpreter runs no inference while somebody holds its memory."""
        return [_real(self._net.get_tensor(detail["index"]), detail) for detail in self._details]

    def effective(self) -> Effective:
        """Read back types of tensors and who runs which operator; threads are counted.

        Of a quantised network the types of tensors tell the precision, of any other the error.
        """
        found = self.shares()
        types = Counter(np.dtype(detail["dtype"]).name for detail in self._net.get_tensor_details())
        settings = {**found.settings, "tensor_types": dict(types), "process_threads": running_threads()}
        threads = threads_by_time(self.infer, self._asked)
        told, only = version("ai-edge-litert"), found.placement
        if self._artifact.quantization is None:
            precision = precision_by_error(self._artifact, self.outputs())
            return Effective(told, "cpu", precision, threads, only, settings, found.unmet, found.remarks)
        work = tflite_graph.work(self._net._get_ops_details(), tflite_graph.tensors(self._net.get_tensor_details()))
        return Effective(
            told, "cpu", work.precision, threads, only, settings, found.unmet, found.remarks,
            macs=work.macs, between=work.between,
        )  # fmt: skip

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
        Parameter("precision", "model", choices=("model", "fp32", "int8"), help="that of the converted network"),
        CALIBRATION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        takes="module", conversion=Conversion(packages=("litert-torch", "litert-converter", "torch", QUANTISER))
    )

    def import_runtime(self) -> None:
        """Import the interpreter."""
        import ai_edge_litert.interpreter  # noqa: F401

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> Quantized | None:
        """Convert by litert-torch, and quantise where int8 is asked for."""
        if find_spec("litert_torch") is None:
            arm = "" if platform.machine() in ("x86_64", "AMD64") else "; it is there for x86-64: convert on such a one"
            raise MissingExtra("litert-torch, which converts modules for LiteRT,", hint=f"{self.install_hint()}{arm}")
        int8 = options["precision"] == "int8"
        if int8 and find_spec("ai_edge_quantizer") is None:
            raise MissingExtra(f"{QUANTISER}, which quantises for LiteRT,", hint=self.install_hint())
        if int8:
            calibration.only_fp32(artifact)
            samples, said = calibration.inputs(artifact, str(options["calibration"]))
        import litert_torch
        import torch

        inputs, _ = artifact.reference()
        with converter.library("litert-torch"):
            made = litert_torch.convert(rebuild(artifact), tuple(torch.from_numpy(x) for x in inputs))
            made.export(str(folder / NET))
        return _quantize(artifact, folder / NET, samples, said) if int8 else None

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> LiteRtSession:
        """Load what was converted; see `bench.backends.base.Backend.load`."""
        return LiteRtSession(artifact, settings, options)


def _quantize(artifact: Artifact, path: Path, samples: Sequence[Sequence[Array]], said: str) -> Quantized:
    """Quantise a converted network in its place, and run it by LiteRT's reference kernels."""
    from ai_edge_quantizer import quantizer, recipe

    with converter.library(QUANTISER):
        tool = quantizer.Quantizer(str(path))
        tool.load_quantization_recipe(getattr(recipe, RECIPE)())
        plain = _reference(path)
        key, signature = next(iter(plain.get_signature_list().items()))
        names = sorted(signature["inputs"], key=lambda name: (len(name), name))
        stored = plain.get_signature_runner(key).get_input_details()  # ids become int32 in a conversion
        data = [{n: _stored(a, stored[n]) for n, a in zip(names, x, strict=True)} for x in samples]
        ranges = tool.calibrate({key: data})
        small = path.with_name(f".{path.name}.int8")
        tool.quantize(ranges).export_model(str(small), overwrite=True)
        tried = calibration.fresh(artifact)
        exact = [_run(plain, x) for x in tried]
        small.replace(path)
        quantized = _reference(path)
        found = [_run(quantized, x) for x in tried]
    cost = max(relative_l2(y, r) for y, r in zip(found, exact, strict=True))
    recipe_told = f"{RECIPE}, {QUANTISER} {version(QUANTISER)}"
    by = f"LiteRT {version('ai-edge-litert')}'s reference kernels, of the quantised network"
    return Quantized(Quantization(recipe_told, said, cost), found[0], by)


def _reference(path: Path) -> Interpreter:
    """Load a network with LiteRT's reference kernels, which nothing takes over."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    net = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    return net


def _run(net: Interpreter, inputs: Sequence[Array]) -> list[Array]:
    for detail, x in zip(net.get_input_details(), inputs, strict=True):
        net.set_tensor(detail["index"], _stored(x, detail))
    net.invoke()
    return [np.array(_real(net.get_tensor(detail["index"]), detail)) for detail in net.get_output_details()]


def _stored(x: Array, detail: Unchecked) -> Array:
    """Write numbers as a tensor stores them: quantised where it is of integers with a scale."""
    scale, zero = detail["quantization"]
    kind = np.dtype(detail["dtype"])
    if not scale or kind.kind not in "iu":
        return np.asarray(x, kind)
    ends = np.iinfo(str(kind))
    return np.asarray(np.clip(np.round(x / scale) + zero, ends.min, ends.max), kind)


def _real(y: Array, detail: Unchecked) -> Array:
    """Return the numbers that a tensor stands for."""
    scale, zero = detail["quantization"]
    return np.asarray((np.asarray(y, np.float32) - zero) * np.float32(scale) if scale and y.dtype.kind in "iu" else y)
