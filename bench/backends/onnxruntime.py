"""ONNX Runtime on the CPU.

Timed through ``io_binding`` on buffers bound once: ``run()`` would allocate outputs and convert feeds in every call.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from bench.artifact.artifact import Artifact
from bench.backends import ort_graph as ort_optimized
from bench.backends.base import Array, Effective, Operator, parameters
from bench.backends.ort_profile import OrtProfiler
from bench.base.errors import OutOfMemory, Unsupported, clip
from bench.plan.case import Settings
from bench.plan.parameter import Parameter, Value

LEVELS = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


class OnnxRuntimeSession:
    """A network in an ``InferenceSession`` of the CPU execution provider."""

    def __init__(self, artifact: Artifact, settings: Settings, options: dict[str, Value]) -> None:
        import numpy as np
        import onnxruntime as ort

        self._artifact, self._settings, self._options = artifact, settings, options
        self._operators: list[Operator] | None = None
        before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
        self._session = self._load(str(artifact.path))
        after = len(os.listdir("/proc/self/task")) if before else 0
        # The calling thread computes too, so a pool of n has n - 1 threads of its own.
        self._threads = after - before + 1 if before else settings.threads
        inputs, _ = artifact.reference()
        self._inputs = [ort.OrtValue.ortvalue_from_numpy(np.asarray(x, order="C")) for x in inputs]
        self._outputs = [
            ort.OrtValue.ortvalue_from_numpy(np.empty(info.shape, info.dtype)) for info in artifact.outputs
        ]
        self._binding = self._bind(self._session)
        run, binding = self._session.run_with_iobinding, self._binding
        self.infer = lambda: run(binding)  # bound once: an attribute look-up per call is not the network's time

    def _bind(self, session: Any) -> Any:
        binding = session.io_binding()
        for info, value in zip(self._artifact.inputs, self._inputs, strict=True):
            binding.bind_ortvalue_input(info.name, value)
        for info, value in zip(self._artifact.outputs, self._outputs, strict=True):
            binding.bind_ortvalue_output(info.name, value)
        return binding

    def _load(self, model: str | bytes, optimized: Path | None = None, profile: Path | None = None) -> Any:
        import onnxruntime as ort

        so = ort.SessionOptions()
        # Everything that changes a result silently is set, even where the default is the same today.
        so.intra_op_num_threads = self._settings.threads
        so.inter_op_num_threads = 1
        so.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        so.graph_optimization_level = getattr(ort.GraphOptimizationLevel, LEVELS[str(self._options["optimization"])])
        so.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._options["spinning"] else "0")
        so.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
        so.add_session_config_entry("session.set_denormal_as_zero", "0")
        so.log_severity_level = 4 if optimized else 3
        if optimized:
            so.optimized_model_filepath = str(optimized)
        if profile:
            so.enable_profiling = True
            so.profile_file_prefix = str(profile)
        try:
            return ort.InferenceSession(model, so, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class
            first = str(error).strip().splitlines()[0]
            if "memory" in first.lower():
                raise OutOfMemory(f"onnxruntime cannot load the model: {clip(first, 200)}") from error
            raise Unsupported(
                f"onnxruntime cannot load the model: {clip(first, 200)}", "run again with --debug for the whole story"
            ) from error

    def outputs(self) -> list[Array]:
        """Return the bound outputs."""
        return [value.numpy() for value in self._outputs]

    def effective(self) -> Effective:
        """Read back provider, options and, from the optimised graph, the precision."""
        import onnxruntime as ort

        so = self._session.get_session_options()
        entries = {}
        for key in ("session.intra_op.allow_spinning", "mlas.enable_gemm_fastmath_arm64_bfloat16"):
            entries[key] = so.get_session_config_entry(key)
        settings = {
            "providers": self._session.get_providers(),
            "intra_op_num_threads": so.intra_op_num_threads,
            "inter_op_num_threads": so.inter_op_num_threads,
            "graph_optimization_level": str(so.graph_optimization_level),
            "execution_mode": str(so.execution_mode),
            **entries,
        }
        precision = ort_optimized.precision(self.operators())
        if entries["mlas.enable_gemm_fastmath_arm64_bfloat16"] != "0":
            precision = "bf16"
        return Effective(ort.__version__, "cpu", precision, self._threads, settings)

    def operators(self) -> list[Operator]:
        """Read the optimised graph, which a second session with the same options writes down."""
        if self._operators is not None:
            return self._operators
        import onnx

        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            path = Path(folder, "optimized.onnx")
            self._load(str(self._artifact.path), path)
            self._operators = ort_optimized.operators(onnx.load(path, load_external_data=False), self._artifact)
        return self._operators

    def profiler(self) -> OrtProfiler:
        """Load a profiled twin on the same buffers; see `bench.backends.profiling`."""
        return OrtProfiler(str(self._artifact.path), self._load, self._bind, (self._inputs, self._outputs))

    def close(self) -> None:
        """Drop the session and its buffers."""
        self.infer = _closed
        del self._binding, self._inputs, self._outputs, self._session


class OnnxRuntime:
    """ONNX Runtime's CPU execution provider."""

    name: ClassVar[str] = "onnxruntime"
    title: ClassVar[str] = "ONNX Runtime, CPU execution provider"
    modules: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")
    extra: ClassVar[str] = ""
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", "fp32"), help="the CPU provider runs the model's own"),
        Parameter("optimization", "all", choices=tuple(LEVELS), help="graph optimisation level"),
        Parameter("spinning", False, help="worker threads spin while they wait"),
    )

    def import_runtime(self) -> None:
        """Import onnxruntime."""
        import onnxruntime  # noqa: F401

    def load(self, artifact: Artifact, settings: Settings, options: dict[str, Value]) -> OnnxRuntimeSession:
        """Load the artifact; see `bench.backends.base.Backend.load`."""
        return OnnxRuntimeSession(artifact, settings, options)


def _closed() -> None:
    raise RuntimeError("the session is closed")
