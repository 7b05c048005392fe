"""What the backends have in common that run on the CPU or, with an option, on a CUDA device."""

from __future__ import annotations

from bench.artifact.artifact import Artifact
from bench.backends.base import Backend, Options
from bench.machine import gpu
from bench.plan.parameter import Parameter

DEVICE = Parameter(
    "device", "cpu", pattern=gpu.PATTERN, help="where it runs: cpu, cuda, or another CUDA device, cuda:1"
)
ROUNDING = Parameter("tf32", False, help="let CUDA convolutions and products of fp32 round to TF32")


class OnCuda(Backend):
    """A backend whose parameters are `DEVICE` and `ROUNDING`, among others."""

    def accelerated(self, options: Options) -> bool:
        """Tell whether it runs on CUDA."""
        return gpu.index_of(str(options["device"])) is not None

    def asked_precision(self, artifact: Artifact, options: Options) -> str:
        """Return ``tf32`` where it is switched on for fp32 on CUDA."""
        asked = super().asked_precision(artifact, options)
        return "tf32" if asked == "fp32" and options["tf32"] and self.accelerated(options) else asked
