"""MNN on the CPU: Alibaba's runtime for phones. Converted from ONNX by the wheel's own converter.

Timed as the copy of the inputs into the session's tensors and ``runSession``: MNN gives the memory of an input to later
results once it is used, so that everybody who infers copies it anew. Outputs are copied out after the last inference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bench.artifact.artifact import Artifact, TensorInfo
from bench.backends import converter
from bench.backends.base import (
    Array,
    Backend,
    Capabilities,
    Conversion,
    Effective,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.buffers import unwritten
from bench.backends.mnn_profile import MnnProfiler
from bench.backends.ran import precision_by_error, threads_by_time
from bench.base.errors import MeasureError, MissingExtra, Unsupported, clip
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import MNN

NET = "net.mnn"
# The module's own words. On x86-64 all three compute in fp32; the output tells.
PRECISIONS = {"fp32": "high", "fp16": "low", "bf16": "low_bf16"}
# MNN has no 64-bit integers: its converter makes 32 bits of them.
TYPES = {"float32": "Halide_Type_Float", "int32": "Halide_Type_Int", "int64": "Halide_Type_Int"}
# The function, never the command of the same name: its Python wrapper installed a package for telemetry.
CONVERT = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"
REFUSED = re.compile(r"not support|unsupport|can't|error|fail", re.IGNORECASE)
STAMP = re.compile(r"^\[[\d:]+\] [^ ]*\d+: ")  # time and place in its source


class MnnSession(Session):
    """A network in a session of an ``MNN.Interpreter``."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import MNN

        self._artifact, self._asked = artifact, settings.threads
        asked = str(options["precision"])
        self._reduced = asked if asked in ("fp16", "bf16") else ""
        self._config = {
            "backend": "CPU",
            "numThread": settings.threads,
            "precision": PRECISIONS.get(asked, "high"),
        }
        self._net, self._session = self._load(artifact.converted_path(NET))
        inputs, reference = artifact.reference()
        self._feeds = [
            (self._net.getSessionInput(self._session, info.name).copyFrom, _host(info, x))
            for info, x in zip(artifact.inputs, inputs, strict=True)
        ]
        self._results = [self._net.getSessionOutput(self._session, info.name) for info in artifact.outputs]
        self._hosts = [_host(info, y) for info, y in zip(artifact.outputs, unwritten(artifact, reference), strict=True)]
        self.infer = self._runner(self._net.runSession)
        self._version = str(MNN.version())

    def _load(self, path: Path) -> tuple[MNN.Interpreter, MNN.Session]:
        import MNN

        try:
            net = MNN.Interpreter(str(path))
            return net, net.createSession(self._config)
        except Exception as error:  # of no class of its own
            raise Unsupported(f"MNN cannot load the network: {clip(str(error), 200)}", converter.REMEDY) from error

    def _runner(self, run: Callable[..., int], *callbacks: Callable[..., bool]) -> Callable[[], None]:
        session, feeds = self._session, self._feeds

        def infer() -> None:
            for copy, host in feeds:
                copy(host)
            code = run(session, *callbacks)
            if code:
                raise MeasureError(f"MNN's runSession failed with error code {code}")

        return infer

    def outputs(self) -> list[Array]:
        """Copy the outputs out of the session."""
        found = []
        for result, host, info in zip(self._results, self._hosts, self._artifact.outputs, strict=True):
            result.copyToHostTensor(host)
            found.append(np.array(host.getNumpyData()).reshape(info.shape).astype(info.dtype))
        return found

    def effective(self) -> Effective:
        """Count the threads; nothing tells the precision but the error of the output."""
        precision = precision_by_error(self._artifact, self.outputs(), self._reduced)
        threads = threads_by_time(self.infer, self._asked)
        settings: dict[str, object] = {f"asked.{key}": value for key, value in self._config.items()}
        return Effective(self._version, "cpu", precision, threads, Placement.only("cpu"), settings)

    def profiler(self) -> MnnProfiler:
        """Profile this session by callbacks around every operator; see `bench.backends.profiling`."""
        run = self._net.runSessionWithCallBackInfo
        return MnnProfiler(self.infer, lambda before, after: self._runner(run, before, after)())

    def close(self) -> None:
        """Drop the session and its tensors, and then the network."""
        del self.infer, self._feeds, self._results, self._hosts, self._session, self._net


class Mnn(Backend):
    """MNN, as its wheel from PyPI has it."""

    name: ClassVar[str] = "mnn"
    title: ClassVar[str] = "MNN, CPU"
    modules: ClassVar[tuple[str, ...]] = ("MNN",)
    packages: ClassVar[tuple[str, ...]] = ("MNN",)
    extra: ClassVar[str] = "mnn"
    wheel: ClassVar[str] = "MNN"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "model", choices=("model", *PRECISIONS), help="what the runtime may compute in"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(conversion=Conversion(), profiles=True)

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> None:
        """Convert by the wheel's own converter, called as a function in a process of its own."""
        if find_spec("_tools") is None:
            raise MissingExtra("MNN's converter, a part of its wheel,", hint=self.install_hint())
        for info in (*artifact.inputs, *artifact.outputs):
            if info.dtype not in TYPES:
                raise Unsupported(f"MNN takes no {info.dtype}, as {clip(info.name)} is", "use another runtime")
        command = [sys.executable, "-P", "-c", CONVERT]
        command += ["-f", "ONNX", "--modelFile", str(artifact.path), "--MNNModel", str(folder / NET), "--bizCode", "x"]
        said = converter.run("MNN's converter", command, folder)
        if not (folder / NET).exists():
            refused = [STAMP.sub("", line).strip() for line in said.splitlines() if REFUSED.search(line)]
            why = clip(refused[0], 200) if refused else converter.last_line(said)
            raise Unsupported(f"MNN's converter wrote no network: {why}", "use another runtime")

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> MnnSession:
        """Load what was converted; see `bench.backends.base.Backend.load`."""
        return MnnSession(artifact, settings, options)


def _host(info: TensorInfo, x: Array) -> MNN.Tensor:
    """Return a tensor in plain layout that holds a copy of the array."""
    import MNN

    dtype = "float32" if info.dtype == "float32" else "int32"
    data = np.ascontiguousarray(x, dtype)
    return MNN.Tensor(info.shape, getattr(MNN, TYPES[info.dtype]), data, MNN.Tensor_DimensionType_Caffe)
