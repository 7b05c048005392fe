"""ONNX Runtime's execution providers: which one is meant, whether it is there, and what it must not do in silence."""

from __future__ import annotations

from bench.backends.base import Options
from bench.base.errors import Unsupported
from bench.machine.gpu import CudaDevice

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TF32 = "use_tf32"


def asked_provider(options: Options) -> str:
    """Return the provider that is meant: the device's own, unless another is named.

    Raises:
        Unsupported: the provider runs on a device that was not asked for.
    """
    device, provider = str(options["device"]), str(options["provider"])
    if device == "cpu" and provider in ("cuda", "tensorrt"):
        raise Unsupported(
            f"provider={provider} runs on a CUDA device, and device=cpu was asked for", "write device=cuda"
        )
    return "cuda" if device != "cpu" and provider == "cpu" else provider


def provider_of(name: str) -> str:
    """Return the execution provider that ``provider=name`` means.

    Raises:
        Unsupported: this build of onnxruntime does not have it.
    """
    import onnxruntime as ort

    offered = {full.removesuffix("ExecutionProvider").lower(): full for full in ort.get_available_providers()}
    if name == "cuda" and name in offered and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA and cuDNN as packages of their own, or PyTorch's; nothing where there are none
    if name == "cuda" and name not in offered:
        raise Unsupported(
            "this build of onnxruntime has no CUDA: it is the one for the CPU",
            "pip uninstall onnxruntime, then pip install 'isoflops[onnxruntime-gpu]' (docs/gpu.md)",
        )
    if name not in offered:
        raise Unsupported(
            f"this build of onnxruntime has no execution provider {name!r}", f"it has {', '.join(sorted(offered))}"
        )
    return str(offered[name])


def options_of(provider: str, device: CudaDevice | None, tf32: bool) -> dict[str, str]:
    """Return a provider's own options: those that change a result silently. TF32 is the default of CUDA's."""
    if device is None or provider != CUDA:
        return {}
    return {
        "device_id": str(device.index),
        TF32: "1" if tf32 else "0",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "do_copy_in_default_stream": "1",
    }
