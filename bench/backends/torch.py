"""PyTorch on the CPU and on CUDA, eager or compiled."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench.artifact.artifact import Artifact
from bench.artifact.build import rebuild
from bench.backends.base import (
    Array,
    Backend,
    Capabilities,
    Clocks,
    Effective,
    Operator,
    Options,
    Placement,
    Session,
    parameters,
)
from bench.backends.torch_graph import operators_of
from bench.backends.torch_profile import TorchProfiler
from bench.base.errors import OutOfMemory, Unsupported, clip
from bench.machine.threads import count_computing
from bench.plan.case import Settings
from bench.plan.parameter import Parameter

# An element-wise operator of this size is shared among all threads: far above torch's grain of 32768 elements.
SHARED_ELEMENTS = 1 << 22


class TorchSession(Session):
    """A network in PyTorch, with the weights of the artifact."""

    def __init__(self, artifact: Artifact, settings: Settings, options: Options) -> None:
        import torch

        self._device = torch.device(str(options["device"]))
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise Unsupported(
                "torch finds no CUDA device here",
                "use torch:device=cpu, or install a CUDA build of torch and its driver",
            )
        self._tf32 = bool(options["tf32"])
        self._compile = bool(options["compile"])
        torch.set_num_threads(settings.threads)
        _set_precision(self._tf32)
        torch.set_grad_enabled(False)
        module = rebuild(artifact)
        inputs, _ = artifact.reference()
        try:
            self._module = module.to(self._device)
            self._inputs = [torch.from_numpy(x).to(self._device) for x in inputs]
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(f"the model does not fit: {clip(str(error), 200)}", "try a smaller batch") from error
        if options["channels_last"]:
            self._module = self._module.to(memory_format=torch.channels_last)
            self._inputs = [x.to(memory_format=torch.channels_last) for x in self._inputs]
        self._artifact = artifact
        self._run = self._compiled() if self._compile else self._module
        self._result: object = None
        self._operators: list[Operator] | None = None
        if self._device.type == "cuda":
            self._begin, self._end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self.infer, self.clocks = self._infer_cuda, Clocks(device_ns=self._device_ns)
        else:
            self.infer = self._infer_cpu

    def _compiled(self) -> Any:
        """Compile the module, from the beginning: what was compiled before, and how often, is forgotten."""
        import torch
        import torch._dynamo

        torch._dynamo.reset()
        self._frames = _compiled_frames()
        return torch.compile(self._module)

    def _infer_cpu(self) -> None:
        self._result = self._run(*self._inputs)

    def _infer_cuda(self) -> None:
        # The events give the device's time, the caller's clock around this method the host's, waiting included.
        self._begin.record()
        self._result = self._run(*self._inputs)
        self._end.record()
        self._end.synchronize()

    def _device_ns(self) -> int:
        return int(self._begin.elapsed_time(self._end) * 1e6)

    def outputs(self) -> list[Array]:
        """Copy the result of the last inference to the host."""
        result = self._result if isinstance(self._result, (tuple, list)) else (self._result,)
        return [np.asarray(y.detach().to("cpu").numpy()) for y in result]

    def effective(self) -> Effective:
        """Read back threads, precision switches and device from torch."""
        import torch

        settings = precision_switches()
        unmet: tuple[str, ...] = ()
        if self._compile:
            tried, done = (now - before for now, before in zip(_compiled_frames(), self._frames, strict=True))
            if not done or done < tried:
                unmet = (f"torch.compile compiled {done} of {tried} functions: the rest ran uncompiled",)
        settings["compile"] = self._compile and not unmet
        settings["autocast"] = torch.is_autocast_enabled(self._device.type)
        dtype = next(self._module.parameters()).dtype
        precision = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, str(dtype))
        reduced = "tf32" if self._device.type == "cuda" else "bf16"
        if precision == "fp32" and any(v in ("tf32", "bf16") for k, v in settings.items() if self._device.type in k):
            precision = reduced
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "cpu"
        placement = Placement.of(self._device.type, self.operators())
        return Effective(torch.__version__, name, precision, self._threads(), placement, settings, unmet)

    def _threads(self) -> int:
        """Count the threads that share a large operator: torch tells what it was asked for, whatever OpenMP allows."""
        import torch

        told = int(torch.get_num_threads())
        if told == 1 or self._device.type != "cpu":
            return told
        large = torch.ones(SHARED_ELEMENTS)
        return min(told, count_computing(lambda: large.mul_(1.0)) or told)

    def operators(self) -> list[Operator]:
        """Write down one eager pass (the graph that ``torch.compile`` is given as well)."""
        if self._operators is None:
            self._operators = operators_of(self._module, self._inputs, self._artifact)
        return self._operators

    def profiler(self) -> TorchProfiler:
        """Profile this very module; see `bench.backends.profiling`."""
        import torch

        run, inputs, cuda = self._run, self._inputs, self._device.type == "cuda"

        def infer() -> None:  # of its own, because the session may be closed first
            run(*inputs)
            if cuda:
                torch.cuda.synchronize()

        return TorchProfiler(infer, cuda)

    def close(self) -> None:
        """Drop the module."""
        del self._module, self._run, self._inputs, self._result, self.infer


class Torch(Backend):
    """PyTorch, eager or compiled, on the CPU or a CUDA device."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "PyTorch, eager or compiled, CPU or CUDA"
    modules: ClassVar[tuple[str, ...]] = ("torch",)
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    extra: ClassVar[str] = "zoo"
    parameters: ClassVar[dict[str, Parameter]] = parameters(
        Parameter("precision", "fp32", choices=("fp32",), help="the weights' precision"),
        Parameter("device", "cpu", choices=("cpu", "cuda"), help="where it runs"),
        Parameter("compile", False, help="through torch.compile"),
        Parameter("channels_last", False, help="NHWC memory format"),
        Parameter("tf32", False, help="let CUDA convolutions and products round to TF32"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(takes="module", graph=True, profiles=True)

    def asked_precision(self, artifact: Artifact, options: Options) -> str:
        """Return ``tf32`` where it is switched on for CUDA."""
        if options["tf32"] and options["device"] == "cuda":
            return "tf32"
        return super().asked_precision(artifact, options)

    def load(self, artifact: Artifact, settings: Settings, options: Options) -> TorchSession:
        """Build the module and give it the artifact's weights; see `bench.backends.base.Backend.load`."""
        return TorchSession(artifact, settings, options)


def _set_precision(tf32: bool) -> None:
    """Switch every reduced-precision shortcut off, or TF32 on CUDA on.

    CUDA convolutions are TF32 by default. The older ``allow_tf32`` flags are set first, to the same: torch 2.13 has
    parts that ask for them (``torch.export``), and raises where the two ways disagree.
    """
    import torch

    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    cuda = "tf32" if tf32 else "ieee"
    torch.backends.cuda.matmul.fp32_precision = cuda
    torch.backends.cudnn.conv.fp32_precision = cuda
    torch.backends.cudnn.rnn.fp32_precision = cuda
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"
    torch.backends.mkldnn.conv.fp32_precision = "ieee"


def _compiled_frames() -> tuple[int, int]:
    """Return how many functions dynamo has tried to compile in this process, and how many it has compiled."""
    from torch._dynamo.utils import counters

    return counters["frames"]["total"], counters["frames"]["ok"]


def precision_switches() -> dict[str, object]:
    """Return the state of every switch by which torch may compute fp32 in less."""
    import torch

    return {
        "cuda.matmul.fp32_precision": torch.backends.cuda.matmul.fp32_precision,
        "cuda.conv.fp32_precision": torch.backends.cudnn.conv.fp32_precision,
        "cpu.matmul.fp32_precision": torch.backends.mkldnn.matmul.fp32_precision,
        "cpu.conv.fp32_precision": torch.backends.mkldnn.conv.fp32_precision,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
    }
