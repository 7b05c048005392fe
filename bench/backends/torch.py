"""PyTorch on the CPU and on CUDA: eager, compiled when it is loaded or ahead of time, or captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.artifact.artifact import Artifact
from bench.artifact.build import rebuild
from bench.artifact.probe import Probe
from bench.backends import torch_aot
from bench.backends.base import (
    Array,
    Capabilities,
    Clocks,
    Conversion,
    Effective,
    Lane,
    Operator,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.cuda import DEVICE, ROUNDING, OnCuda
from bench.backends.isa import OPTION
from bench.backends.ran import precision_of
from bench.backends.torch_cuda import Cuda
from bench.backends.torch_graph import operators_of
from bench.backends.torch_isa import environment, held, read_back
from bench.backends.torch_place import DTYPES, inputs, outputs, placed
from bench.backends.torch_probe import module_of
from bench.backends.torch_profile import TorchProfiler
from bench.backends.torch_switches import precision_switches, set_precision
from bench.base.errors import Unsupported
from bench.machine import gpu
from bench.machine.threads import count_computing
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

if TYPE_CHECKING:
    import torch

AOT = Conversion(options=("compile", "precision", "channels_last"), packages=("torch",))
# An element-wise operator of this size is shared among all threads: far above torch's grain of 32768 elements.
SHARED_ELEMENTS = 1 << 22


class TorchSession(Session):
    """A network in PyTorch, with the weights of the artifact.

    `module` is built, and not yet anywhere; there is none where it was compiled ahead of time.
    """

    def __init__(
        self, artifact: Artifact, module: torch.nn.Module | None, settings: Settings, options: Options
    ) -> None:
        import torch

        index = gpu.index_of(str(options["device"]))
        self._cuda = None if index is None else Cuda(index)
        self._compile, self._graph = str(options["compile"]), bool(options["graph"])
        if self._graph and self._cuda is None:
            raise Unsupported("graph=true captures a CUDA graph, and device=cpu has none", "add device=cuda")
        self._isa = held(str(options["isa"]), eager=self._compile == "false" and self._cuda is None)
        self._streams = settings.streams
        torch.set_num_threads(settings.threads)
        set_precision(bool(options["tf32"]))
        torch.set_grad_enabled(False)
        self._artifact, self._module = artifact, module
        self._result: object = None
        self._operators: list[Operator] | None = None
        if self._cuda is None:
            self._place(torch.device("cpu"), options)
            self.infer = self._infer
            return
        try:
            self._place(self._cuda.place, options)
            run = self._infer
            if self._graph:
                run, self._result = self._cuda.capture(self._run, self._inputs)
        except torch.OutOfMemoryError as error:
            raise self._cuda.too_large(error) from error
        self.infer = self._cuda.timed(run)
        self.clocks, self.device = Clocks(device_ns=self._cuda.device_ns), self._cuda.gpu

    def _place(self, device: torch.device, options: Options) -> None:
        """Put weights and inputs where they run, in the type that was asked for, and compile if that was."""
        artifact = self._artifact
        self._inputs = inputs(artifact, device, options)
        if self._module is not None:
            self._module = placed(self._module, device, options)
        self._eager: Callable[[], torch.nn.Module] = lambda: placed(rebuild(artifact), device, options)
        runs: dict[str, Callable[[], Any]] = {
            "false": lambda: self._module,
            "true": self._compiled,
            "aot": partial(torch_aot.load, artifact),
        }
        self._run = runs[self._compile]()

    def _compiled(self) -> Any:
        """Compile the module, from the beginning: what was compiled before, and how often, is forgotten."""
        import torch
        import torch._dynamo

        torch._dynamo.reset()
        self._frames = _compiled_frames()
        return torch.compile(self._module)

    def _infer(self) -> None:
        self._result = self._run(*self._inputs)

    def outputs(self) -> list[Array]:
        """Copy the result of the last inference to the host, in the artifact's types."""
        return self._on_host(self._result)

    def lanes(self) -> list[Lane]:
        """Let threads call the one module. Between operators they wait for each other: for the interpreter's lock.

        Raises:
            Unsupported: it is compiled, which is not known to be safe.
        """
        if self._compile != "false":
            raise Unsupported(
                "torch runs several inferences at once only uncompiled",
                f"leave compile={self._compile} out, or measure mode=latency",
            )
        return [self._lane() for _ in range(self._streams or 1)]

    def _lane(self) -> Lane:
        import torch

        run, given, last = self._run, self._inputs, [None]

        def infer() -> None:
            torch.set_grad_enabled(False)  # a thread's own setting
            last[0] = run(*given)

        return Lane(infer, lambda: self._on_host(last[0]))

    def _on_host(self, result: object) -> list[Array]:
        several = outputs(result)
        types = [np.dtype(info.dtype) for info in self._artifact.outputs]
        found = []
        for y, dtype in zip_longest(several, types[: len(several)]):
            y = y.detach().to("cpu")
            if y.is_floating_point() and y.element_size() < 4:
                y = y.float()  # NumPy has no bf16
            found.append(np.asarray(y.numpy(), dtype))
        return found

    def effective(self) -> Effective:
        """Read back threads, precision switches and device from torch."""
        import torch

        kind = "cpu" if self._cuda is None else "cuda"
        settings = precision_switches()
        unmet: tuple[str, ...] = ()
        remarks: tuple[str, ...] = ()
        settings["compile"] = self._compile
        if self._compile == "true":
            tried, done = (now - before for now, before in zip(_compiled_frames(), self._frames, strict=True))
            if not done or done < tried:
                unmet = (f"torch.compile compiled {done} of {tried} functions: the rest ran uncompiled",)
            settings["compile"] = str(not unmet).lower()
        settings["autocast"] = torch.is_autocast_enabled(kind)
        operators = self.operators()
        precision = precision_of(operators)
        if precision == "fp32" and any(v in ("tf32", "bf16") for k, v in settings.items() if k.startswith(kind)):
            precision = "bf16" if self._cuda is None else "tf32"
        name = place = "cpu"
        if self._cuda is None:
            told, newer = read_back(self._isa, self._infer)
            settings, unmet = settings | told, unmet + newer
        else:
            name, place = self._cuda.name, self._cuda.place.type
            settings |= self._cuda.settings() | {"graph": self._graph}
            remarks = (self._cuda.gpu.lacks,) if self._cuda.gpu.lacks else ()
        return Effective(
            torch.__version__, name, precision, self._threads(), Placement.of(place, operators), settings, unmet,
            remarks, streams=self._streams,
        )  # fmt: skip

    def _threads(self) -> int:
        """Count the threads that share a large operator: torch tells what it was asked for, whatever OpenMP allows."""
        import torch

        told = int(torch.get_num_threads())
        if told == 1 or self._cuda is not None:
            return told
        large = torch.ones(SHARED_ELEMENTS)
        return min(told, count_computing(lambda: large.mul_(1.0), told) or told)

    def operators(self) -> list[Operator]:
        """Write down one eager pass (the graph that ``torch.compile`` and a capture are given as well)."""
        if self._operators is None:
            module = self._eager() if self._module is None else self._module
            self._operators = operators_of(module, self._inputs, self._artifact)
        return self._operators

    def profiler(self) -> TorchProfiler:
        """Profile this very module; see `bench.backends.profiling`."""
        import torch

        if self._graph:
            raise Unsupported("a captured graph is one launch, and has no operators to profile", "leave graph=true out")
        if self._compile == "aot":
            raise Unsupported(
                "what was compiled ahead of time is one call, and has no operators to profile",
                "compile=true tells those of the same kernels",
            )
        run, given, cuda = self._run, self._inputs, self._cuda is not None

        def infer() -> None:  # of its own, because the session may be closed first
            run(*given)
            if cuda:
                torch.cuda.synchronize()

        return TorchProfiler(infer, cuda)

    def close(self) -> None:
        """Drop the module, and what it held on the device."""
        del self._module, self._run, self._inputs, self._result, self.infer
        if self._cuda is not None:
            self._cuda.close()


class Torch(OnCuda):
    """PyTorch, eager, compiled or captured, on the CPU or a CUDA device."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "PyTorch, eager or compiled, CPU or CUDA"
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    extra: ClassVar[str] = "zoo"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "fp32", choices=tuple(DTYPES), help="of weights and arithmetic"),
        DEVICE,
        Parameter("compile", "false", pattern="false|true|aot", help="by torch.compile; aot: ahead, by AOTInductor"),
        Parameter("graph", False, help="captured once as a CUDA graph, and launched as one"),
        Parameter("channels_last", False, help="NHWC memory format"),
        ROUNDING,
        OPTION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        takes="module", graph=True, profiles=True, probes=True, streams=True
    )

    def environment(self, options: Options) -> dict[str, str]:
        """Return what holds ATen, oneDNN and MKL to the instructions that `isa` allows."""
        return environment(str(options["isa"]))

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> TorchSession:
        """Build the module and give it the artifact's weights; see `bench.backends.base.Backend.load`."""
        module = None if options["compile"] == "aot" else rebuild(artifact)
        return TorchSession(artifact, module, settings, options)

    def converts(self, options: Options) -> Conversion | None:
        """Return AOTInductor's, where it is to compile."""
        return AOT if options["compile"] == "aot" else None

    def prepare(self, artifact: Artifact, options: Options, folder: Path) -> None:
        """Compile ahead of time."""
        import torch

        if self.accelerated(options):
            raise Unsupported("compile=aot compiles for the CPU, and device= names another", "leave one of them out")
        set_precision(bool(options["tf32"]))
        here = torch.device("cpu")
        module = placed(rebuild(artifact), here, options)
        torch_aot.write(artifact, module, inputs(artifact, here, options), folder)

    def load_probe(self, artifact: Probe, settings: Settings, options: Options) -> TorchSession:
        """Make a module of the probe's ONNX graph."""
        if options["compile"] == "aot":
            raise Unsupported("no probe is compiled ahead of time", "compile=true has the same kernels")
        return TorchSession(artifact, module_of(artifact), settings, options)


def _compiled_frames() -> tuple[int, int]:
    """Return how many functions dynamo has tried to compile in this process, and how many it has compiled."""
    from torch._dynamo.utils import counters

    return counters["frames"]["total"], counters["frames"]["ok"]
