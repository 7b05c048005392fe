"""What every process of ours does for the one that started it, and what of its environment a worker must not see."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.base import system

PR_SET_PDEATHSIG = 1  # prctl(2)

# Environment variables whose names begin so change thread pools, precision, kernels, memory or layout behind a
# session's back. By prefix, because every version of a runtime brings new ones.
HIDDEN = (
    *("OMP_", "GOMP_", "KMP_", "LIBOMP", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "BLAS_", "VECLIB_", "ACCELERATE_"),
    *("NUMEXPR_", "NPY_", "TBB_", "TORCH", "PYTORCH_", "ATEN_", "C10_", "INDUCTOR_", "TRITON_"),
    *("ORT_", "ONNXRUNTIME_", "OV_", "OPENVINO_", "ONEDNN_", "DNNL_", "MKLDNN_", "ACL_", "XNNPACK_", "KLEIDIAI_"),
    *("MNN_", "NCNN_", "TFLITE_", "LITERT_", "EXECUTORCH_"),
    *("CUBLAS", "CUDNN_", "CUDA_LAUNCH_BLOCKING", "NVIDIA_TF32_OVERRIDE"),
    *("LD_PRELOAD", "LD_AUDIT", "LD_BIND_NOW", "GLIBC_TUNABLES", "MALLOC_", "JEMALLOC_", "TCMALLOC_", "MIMALLOC_"),
    *("PYTHONMALLOC", "PYTHONDEVMODE"),
)
# ONNX Runtime else writes a device id and a store of events into the user's cache.
NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}
# What OpenVINO and NNCF import to send usage where somebody agreed to it once. Where it is not found they do without.
SENDS = ("openvino_telemetry",)
# Of the hidden ones, those that only say where something is kept, or that nothing is to be sent.
HARMLESS = (
    *NO_TELEMETRY,
    "TORCH_HOME",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "OPENVINO_LIB_PATHS",
    "OPENVINO_LIB_PATH",
)


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that does (Linux; nothing happens elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def no_telemetry() -> None:
    """Switch off what a runtime or a converter sends or stores about its use, before either is imported."""
    os.environ.update(NO_TELEMETRY)
    for package in SENDS:
        sys.modules.setdefault(package, None)  # type: ignore[arg-type]  # an import of it fails, as if it were not there


def hidden_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that may change what a runtime does, without a word in any option."""
    return sorted(name for name in environment if name.startswith(HIDDEN) and name not in HARMLESS)


def peak_rss_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Return the peak resident memory of this program.

    ``ru_maxrss`` lives on when a process becomes another program: it may be that of the parent which started this one.
    """
    try:
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(told.split()[1]) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return system.peak_rss_bytes()


def look_after_the_machine() -> None:
    """Die with the parent, and be the one that the kernel kills when memory runs out."""
    die_with_parent()
    if sys.platform != "linux":
        return
    set_timer_slack = 29  # PR_SET_TIMERSLACK of prctl(2), in ns
    # A paced inference is to start when it should, and not 50 microseconds later.
    ctypes.CDLL(None).prctl(set_timer_slack, 1)
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return  # it stays as likely a victim as before
