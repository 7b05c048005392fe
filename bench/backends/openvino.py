"""OpenVINO on the CPU.

Timed as ``start_async`` and ``wait`` of one infer request whose input and output tensors are bound to NumPy memory:
``infer()`` of the Python API builds a dictionary of the outputs in every call. In mode throughput each of the
compiled model's streams has a request of its own, started anew by a thread of ours as soon as it has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.artifact.artifact import Artifact
from bench.backends import isa
from bench.backends.base import (
    CALIBRATION,
    Array,
    Backend,
    Capabilities,
    Effective,
    Lane,
    Operator,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.buffers import unwritten
from bench.backends.ov_graph import operators
from bench.backends.ov_profile import OvProfiler
from bench.backends.ran import precision_of
from bench.base.errors import DEBUG, OutOfMemory, Unsupported, clip
from bench.base.process import no_telemetry
from bench.base.words import counted
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import openvino as ov

    from bench.backends.ort_kernels import KernelList

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
DEVICE = "CPU"


class OpenVinoSession(Session):
    """A network in an OpenVINO compiled model of the CPU plugin with one stream, or several in mode throughput."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import numpy as np

        self._isa = str(options["isa"])
        isa.require(self._isa, isa.environment(self._isa))
        self._streams = settings.streams
        config = configuration(settings, options, artifact.precision)
        self._artifact, self._config = artifact, config
        try:
            self._compiled, self.compile_ns = self._compile(config)
        except Exception as error:  # RuntimeError and plain C++ exceptions
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            if "bad_alloc" in str(error):
                raise OutOfMemory(f"openvino cannot load the model: {clip(lines[-1], 200)}") from error
            raise Unsupported(f"openvino cannot load the model: {clip(lines[-1], 200)}", DEBUG) from error
        inputs, reference = artifact.reference()
        self._inputs = [np.asarray(x, order="C") for x in inputs]
        self._operators: list[Operator] | None = None
        self._passed_on = self._find_passed_on()
        self._outputs = unwritten(artifact, reference)
        self._request, self.infer = self._bind(self._compiled, self._outputs)

    def _find_passed_on(self) -> set[int]:
        """Find the outputs that are inputs, untouched: the plugin writes none of them into a tensor bound to it."""
        inputs = {(info.dtype, info.shape) for info in self._artifact.inputs}
        if not any((info.dtype, info.shape) in inputs for info in self._artifact.outputs):
            return set()  # the runtime model of a large network is not there at once
        results = [result.input_value(0).get_node() for result in self._compiled.get_runtime_model().get_results()]
        return {i for i, node in enumerate(results) if node.get_type_name() == "Parameter"}

    def _compile(self, config: dict[str, object]) -> tuple[ov.CompiledModel, int]:
        import openvino as ov

        core = ov.Core()
        model = core.read_model(str(self._artifact.path))
        begin = time.perf_counter_ns()
        return core.compile_model(model, DEVICE, config), time.perf_counter_ns() - begin

    def _bind(self, compiled: ov.CompiledModel, outputs: list[Array]) -> tuple[ov.InferRequest, Callable[[], None]]:
        import openvino as ov

        request = compiled.create_infer_request()
        places = {name: i for i, port in enumerate(compiled.inputs) for name in port.get_names()}
        for i, (info, x) in enumerate(zip(self._artifact.inputs, self._inputs, strict=True)):
            # An input may lose its name to the output that it is passed on to.
            request.set_input_tensor(places.get(info.name, i), ov.Tensor(x, shared_memory=True))
        for i, y in enumerate(outputs):
            if i not in self._passed_on:
                request.set_output_tensor(i, ov.Tensor(y, shared_memory=True))
        start, wait = request.start_async, request.wait

        def infer() -> None:
            start()
            wait()

        return request, infer

    def outputs(self) -> list[Array]:
        """Return the bound outputs, and a copy of those that are passed on."""
        return self._outputs_of(self._request, self._outputs)

    def _outputs_of(self, request: ov.InferRequest, outputs: list[Array]) -> list[Array]:
        for i in self._passed_on:
            outputs[i] = request.get_output_tensor(i).data.copy()
        return outputs

    def lanes(self) -> list[Lane]:
        """Bind a request for each stream; the input is shared, which nothing writes."""
        lanes = []
        for _ in range(self._streams or 1):
            outputs = unwritten(self._artifact, self._artifact.reference()[1])
            request, infer = self._bind(self._compiled, outputs)
            lanes.append(Lane(infer, partial(self._outputs_of, request, outputs)))
        return lanes

    def effective(self) -> Effective:
        """Read back every property of the compiled model, and the precision from the operators that ran."""
        import openvino as ov

        properties: dict[str, object] = {}
        for name in self._compiled.get_property("SUPPORTED_PROPERTIES"):
            if name != "SUPPORTED_PROPERTIES":
                properties[name] = str(self._compiled.get_property(name))
        precision = precision_of(self.operators())
        if self._isa != isa.NATIVE:
            kernels = dict.fromkeys(op.implementation for op in self.operators() if op.macs)
            properties["kernels"] = ", ".join(kernels)
        version = ov.__version__.partition("-")[0]
        streams = int(self._compiled.get_property("NUM_STREAMS"))
        threads = int(self._compiled.get_property("INFERENCE_NUM_THREADS")) // streams
        asked = self._streams or 1
        unmet: tuple[str, ...] = () if streams == asked else (f"ran {counted(streams, 'stream')}, not {asked}",)
        remarks: tuple[str, ...] = ()
        # The plugin's own operators, which multiply nothing, ask the CPU and not oneDNN.
        heavy, light = (
            isa.newer(
                self._isa, dict.fromkeys(op.implementation for op in self.operators() if bool(op.macs) is multiplies)
            )
            for multiplies in (True, False)
        )
        if heavy:
            unmet += (f"ran {', '.join(heavy)}, not isa={self._isa}",)
        if light:
            remarks = (f"operators without MACs ran {', '.join(light)}, whatever isa={self._isa} says",)
        ran = None if self._streams is None else streams
        # Where a plugin hands a network on, all of it goes: the runtime model names no device for an operator.
        devices = [str(name) for name in self._compiled.get_property("EXECUTION_DEVICES")]
        share = float(devices == [DEVICE])
        elsewhere = () if share else (f"the network on {' and '.join(devices) or 'an unknown device'}",)
        placement = Placement(DEVICE, share, share, elsewhere)
        return Effective(version, DEVICE.lower(), precision, threads, placement, properties, unmet, remarks, ran)

    def operators(self) -> list[Operator]:
        """Read the runtime model: every operator with its layout, precision and implementation."""
        if self._operators is None:
            import openvino as ov

            self._operators = operators(self._compiled, ov.Core().read_model(str(self._artifact.path)), self._artifact)
        return self._operators

    def profiler(self) -> OvProfiler:
        """Compile a twin with counters; see `bench.backends.profiling`."""
        compiled, _ = self._compile(self._config | {"PERF_COUNT": True})
        buffers = (self._inputs, self._outputs)
        return OvProfiler(compiled, *self._bind(compiled, self._outputs), buffers, str(self._artifact.path))

    def close(self) -> None:
        """Drop the request and the compiled model."""
        del self._request, self._compiled, self.infer


def configuration(settings: Settings, options: Options, stored: str) -> dict[str, object]:
    """Return the properties that a model, whose weights are `stored` in a precision, is compiled with."""
    asked, streams = str(options["precision"]), settings.streams
    # Everything that changes a result silently is set. Left alone, this plugin runs bf16 wherever the CPU can,
    # and f16 with fast math on ARM. Its own pinning is off: the worker pins the whole process instead.
    config: dict[str, object] = {
        "PERFORMANCE_HINT": "LATENCY" if streams is None else "THROUGHPUT",
        "NUM_STREAMS": streams or 1,
        "INFERENCE_NUM_THREADS": settings.threads * (streams or 1),
        "ENABLE_CPU_PINNING": False,
        "ENABLE_HYPER_THREADING": True,
        "CPU_DENORMALS_OPTIMIZATION": False,
        "CACHE_DIR": "",
        "INFERENCE_PRECISION_HINT": PRECISIONS.get(stored if asked == "model" else asked, "f32"),
    }
    if asked in ("model", "fp32") and stored == "fp32":
        config["EXECUTION_MODE_HINT"] = "ACCURACY"  # on ARM the other mode turns fast math on
    return config


class OpenVino(Backend):
    """OpenVINO's CPU plugin."""

    name: ClassVar[str] = "openvino"
    title: ClassVar[str] = "OpenVINO, CPU plugin"
    modules: ClassVar[tuple[str, ...]] = ("openvino",)
    packages: ClassVar[tuple[str, ...]] = ("openvino",)
    extra: ClassVar[str] = "openvino"
    wheel: ClassVar[str] = "openvino"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", *PRECISIONS, "int8"), help="inference precision"),
        CALIBRATION,
        isa.OPTION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        graph=True, profiles=True, probes=True, kernel_times=True, streams=True
    )

    def import_runtime(self) -> None:
        """Import OpenVINO, with its telemetry off: its wheel brings a package that sends usage."""
        no_telemetry()
        import openvino  # noqa: F401

    def environment(self, options: Options) -> dict[str, str]:
        """Return what holds the plugin's oneDNN to the instructions that `isa` allows."""
        return isa.environment(str(options["isa"]))

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> OpenVinoSession:
        """Compile the artifact; see `bench.backends.base.Backend.load`."""
        return OpenVinoSession(artifact, settings, options)

    def kernels(self, model: Path, threads: int, options: Options) -> KernelList:
        """List the nodes of the runtime model, compiled as a session would."""
        import openvino as ov

        from bench.backends.ov_kernels import kernels_of

        core = ov.Core()
        source = core.read_model(str(model))
        config = configuration(Settings(threads), options, "fp32")
        return kernels_of(core.compile_model(source, DEVICE, config), core.read_model(str(model)))
