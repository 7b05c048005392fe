"""ONNX Runtime on the CPU, or through another of its execution providers.

Timed through ``io_binding`` on buffers bound once: ``run()`` would allocate outputs and convert feeds in every call. On
CUDA the buffers lie on the device, so that no copy is timed, and an inference ends when the device has ended.

In mode throughput threads of ours call it at once, which it allows (the interpreter's lock is released inside). Where
each inference has one thread they share a session, and so its weights, as a server's would; a session has one pool of
threads, so that with more of them each stream gets a session of its own.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.artifact.artifact import Artifact
from bench.backends import ort_graph
from bench.backends.base import (
    CALIBRATION,
    Array,
    Capabilities,
    Effective,
    Lane,
    Operator,
    Options,
    Placement,
    Session,
    parameters,
    running_threads,
)
from bench.backends.buffers import unwritten
from bench.backends.cuda import DEVICE, ROUNDING, OnCuda
from bench.backends.ort_profile import OrtProfiler
from bench.backends.ort_providers import CPU, CUDA, TF32, asked_provider, options_of, provider_of
from bench.backends.ran import precision_of
from bench.base.errors import DEBUG, OutOfMemory, Unsupported, clip
from bench.base.process import no_telemetry
from bench.machine import gpu
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import onnxruntime as ort

    from bench.backends.ort_kernels import KernelList

SPINNING = "session.intra_op.allow_spinning"
LEVELS = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


class OnnxRuntimeSession(Session):
    """A network in an ``InferenceSession``."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import numpy as np
        import onnxruntime as ort

        self._artifact, self._settings, self._options = artifact, settings, options
        self._operators: list[Operator] | None = None
        self._outputs: list[list[ort.OrtValue]] = []
        index, provider = gpu.index_of(str(options["device"])), asked_provider(options)
        self._found = None if index is None else gpu.find(index)
        self._provider = provider_of(provider)
        self.device = self._gpu = None if self._found is None else gpu.Gpu(self._found)
        before = running_threads()
        self._session = self._load(str(artifact.path))
        after = running_threads()
        # The calling thread computes too, so a pool of n has n - 1 threads of its own. CUDA's driver has some, too.
        self._threads = None if before is None or after is None else after - before + 1
        if self._found is not None:
            self._threads = int(self._session.get_session_options().intra_op_num_threads)
        inputs, _ = artifact.reference()
        self._place = ("cpu", 0) if self._found is None else ("cuda", self._found.index)
        self._inputs = [ort.OrtValue.ortvalue_from_numpy(np.asarray(x, order="C"), *self._place) for x in inputs]
        self._binding = self._bind(self._session, self._buffers())
        run, binding = self._session.run_with_iobinding, self._binding
        self.infer = lambda: run(binding)  # bound once: an attribute look-up per call is not the network's time

    def _buffers(self) -> list[ort.OrtValue]:
        """Return buffers for the outputs, which have to live as long as what is bound to them."""
        import onnxruntime as ort

        reference = self._artifact.reference()[1]
        empty = unwritten(self._artifact, reference)
        self._outputs.append([ort.OrtValue.ortvalue_from_numpy(y, *self._place) for y in empty])
        return self._outputs[-1]

    def _bind(self, session: ort.InferenceSession, outputs: list[ort.OrtValue] | None = None) -> ort.IOBinding:
        """Bind the inputs, which everything shares, and these outputs; by default those of this session."""
        outputs = outputs or self._outputs[0]
        binding = session.io_binding()
        for info, value in zip(self._artifact.inputs, self._inputs, strict=True):
            binding.bind_ortvalue_input(info.name, value)
        inputs = {info.name for info in self._artifact.inputs}
        for info, value in zip(self._artifact.outputs, outputs, strict=True):
            if info.name in inputs:  # passed on: nothing writes it into a buffer of ours
                binding.bind_output(info.name)
            else:
                binding.bind_ortvalue_output(info.name, value)
        return binding

    def _load(
        self, model: str | bytes, optimized: Path | None = None, profile: Path | None = None
    ) -> ort.InferenceSession:
        import onnxruntime as ort

        so = ort.SessionOptions()
        # Everything that changes a result silently is set, even where the default is the same today.
        so.intra_op_num_threads = self._settings.threads
        so.inter_op_num_threads = 1
        so.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        so.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[str(self._options["optimization"])])
        so.add_session_config_entry(SPINNING, "1" if self._options["spinning"] else "0")
        # Within an inference only: a pool that spins on for a while would do so beside the next case's block.
        so.add_session_config_entry("session.force_spinning_stop", "1")
        so.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
        so.add_session_config_entry("session.set_denormal_as_zero", "0")
        so.log_severity_level = 4 if optimized else 3
        if optimized:
            so.optimized_model_filepath = str(optimized)
        if profile:
            so.enable_profiling = True
            so.profile_file_prefix = str(profile)
        wanted = [
            (name, options_of(name, self._found, bool(self._options["tf32"])))
            for name in dict.fromkeys((self._provider, CPU))
        ]
        try:
            # Its own fallback would load the model on the CPU, and say so on stdout alone.
            session = ort.InferenceSession(model, so, providers=wanted, enable_fallback=0)
        except Exception as error:  # its exceptions share no base class
            first = str(error).strip().splitlines()[0]
            if "memory" in first.lower():
                raise OutOfMemory(f"onnxruntime cannot load the model: {clip(first, 200)}") from error
            raise Unsupported(f"onnxruntime cannot load the model: {clip(first, 200)}", DEBUG) from error
        if self._provider not in session.get_providers():
            raise Unsupported(
                f"onnxruntime could not start its {self._provider}, and would run on the CPU",
                "a library that it needs does not load; run again with --debug for its words (docs/gpu.md)",
            )
        return session

    def outputs(self) -> list[Array]:
        """Return the bound outputs, and a copy of those that are inputs passed on."""
        if self._found is not None:
            return list(self._binding.copy_outputs_to_cpu())
        return _written(self._binding)

    def lanes(self) -> list[Lane]:
        """Bind a set of outputs for each stream."""
        lanes, several = [], self._settings.threads > 1
        for i in range(self._settings.streams or 1):
            session = self._load(str(self._artifact.path)) if several and i else self._session
            binding = self._bind(session, self._buffers())
            lanes.append(Lane(partial(session.run_with_iobinding, binding), partial(_written, binding)))
        return lanes

    def effective(self) -> Effective:
        """Read back provider, options and, from the optimised graph, the precision."""
        import onnxruntime as ort

        so = self._session.get_session_options()
        entries = {}
        for key in (SPINNING, "session.force_spinning_stop", "mlas.enable_gemm_fastmath_arm64_bfloat16"):
            entries[key] = so.get_session_config_entry(key)
        settings = {
            "providers": self._session.get_providers(),
            "intra_op_num_threads": so.intra_op_num_threads,
            "inter_op_num_threads": so.inter_op_num_threads,
            "graph_optimization_level": str(so.graph_optimization_level),
            "execution_mode": str(so.execution_mode),
            **entries,
        }
        operators = self.operators()
        precision = precision_of(operators)
        if entries["mlas.enable_gemm_fastmath_arm64_bfloat16"] != "0":
            precision = "bf16"
        device = str(self._options["provider"]) if self._found is None else self._found.name
        cuda = self._session.get_provider_options().get(CUDA, {})
        settings |= {f"{CUDA} {key}": value for key, value in cuda.items()}
        if precision == "fp32" and self._found is not None and cuda.get(TF32) != "0":
            precision = "tf32"
        placement = Placement.of(self._provider, [op for op in operators if not op.kind.startswith("Memcpy")])
        remarks = [self._gpu.lacks] if self._gpu is not None and self._gpu.lacks else []
        if self._settings.threads > 1 and entries[SPINNING] == "0":
            remarks.append("its threads do not spin while they wait, as they do by default (spinning=false)")
        return Effective(
            ort.__version__, device, precision, self._threads, placement, settings, (), tuple(remarks),
            streams=self._settings.streams,
        )  # fmt: skip

    def operators(self) -> list[Operator]:
        """Read the optimised graph, which a second session with the same options writes down.

        That session runs once with the profiler on, which tells shapes, types and provider of every node that ran.
        """
        if self._operators is not None:
            return self._operators
        import onnx

        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            path = Path(folder, "optimized.onnx")
            twin = self._load(str(self._artifact.path), path, Path(folder, "profile"))
            twin.run_with_iobinding(self._bind(twin))
            told = ort_graph.inferences(json.loads(Path(twin.end_profiling()).read_text("utf-8")))
            events = ort_graph.Events(event for run in told for event in run)
            model = onnx.load(path, load_external_data=False)
            self._operators = ort_graph.operators(model, self._artifact, events)
        return self._operators

    def profiler(self) -> OrtProfiler:
        """Load a profiled twin on the same buffers; see `bench.backends.profiling`."""
        if self._found is not None:
            raise Unsupported(
                "onnxruntime's profiler tells when a kernel was launched on CUDA, not how long it ran",
                "torch:device=cuda tells the time of kernels",
            )
        return OrtProfiler(str(self._artifact.path), self._load, self._bind, (self._inputs, self._outputs))

    def close(self) -> None:
        """Drop the session and its buffers."""
        self.infer = _closed
        del self._binding, self._inputs, self._outputs, self._session


class OnnxRuntime(OnCuda):
    """ONNX Runtime, as its wheel from PyPI has it."""

    name: ClassVar[str] = "onnxruntime"
    title: ClassVar[str] = "ONNX Runtime, CPU or another execution provider"
    modules: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    packages: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    wheel: ClassVar[str] = "onnxruntime"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", "fp32", "int8"), help="int8 quantises it"),
        CALIBRATION,
        DEVICE,
        Parameter(
            "provider", "cpu", pattern="[a-z]{1,32}", help="another execution provider than the device's own, if there"
        ),
        ROUNDING,
        Parameter("optimization", "all", choices=tuple(LEVELS), help="graph optimisation level"),
        Parameter(
            "spinning", True, help="worker threads spin while they wait inside an inference, the runtime's default"
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        graph=True, profiles=True, probes=True, kernels=True, streams=True
    )

    def import_runtime(self) -> None:
        """Import onnxruntime, with its telemetry off; ONNX is read by the read-back alone."""
        no_telemetry()
        import onnxruntime  # noqa: F401

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> OnnxRuntimeSession:
        """Load the artifact; see `bench.backends.base.Backend.load`."""
        return OnnxRuntimeSession(artifact, settings, options)

    def versions(self) -> dict[str, str]:
        """Return the versions of its packages; the build for CUDA is another distribution of the same module."""
        found = super().versions()
        if not found["onnxruntime"]:
            with suppress(PackageNotFoundError):
                found["onnxruntime"] = version("onnxruntime-gpu")
        return found

    def kernels(self, model: Path, threads: int, options: Options) -> KernelList:
        """Cut the operators out of the optimised graph."""
        from bench.backends.ort_kernels import kernels_of, optimise

        if options["precision"] == "int8":
            raise Unsupported("the kernels of a network are those of its fp32", "leave precision=int8 out")
        if options["provider"] != "cpu" or self.accelerated(options):
            raise Unsupported("only the kernels of the CPU provider can be cut out", "leave device= and provider= out")
        return kernels_of(optimise(model, threads, options))

    def load_kernel(self, artifact: Artifact, settings: Settings, options: Options) -> OnnxRuntimeSession:
        """Load a kernel: it is cut from an optimised graph, so nothing is optimised, and a blocked one stays so."""
        return OnnxRuntimeSession(artifact, settings, options | {"optimization": "disable"})


def _written(binding: ort.IOBinding) -> list[Array]:
    """Return the outputs of a binding, those that are inputs passed on included."""
    return [value.numpy() for value in binding.get_outputs()]


def _closed() -> None:
    raise RuntimeError("the session is closed")
