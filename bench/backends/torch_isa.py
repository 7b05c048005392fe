"""PyTorch held to older instructions (`bench.backends.isa`), and what its libraries say they ran.

Besides oneDNN, ATen chooses among its own kernels by ``ATEN_CPU_CAPABILITY``, and MKL (matrix products) takes
``MKL_ENABLE_INSTRUCTIONS``.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable

from bench.backends import isa as instructions
from bench.backends.isa import NATIVE
from bench.base.errors import Unsupported

_ATEN = {"avx2": "avx2", "sse41": "default"}
_MKL = {"avx2": "AVX2", "sse41": "SSE4_2"}


def environment(isa: str) -> dict[str, str]:
    """Return the variables that hold a process of torch to these instructions."""
    if isa == NATIVE:
        return {}
    aten = {"ATEN_CPU_CAPABILITY": _ATEN[isa], "MKL_ENABLE_INSTRUCTIONS": _MKL[isa]}
    return aten | instructions.environment(isa)


def held(isa: str, eager: bool) -> str:
    """Return the option, where this process was begun for it and runs torch's own kernels on the CPU.

    Raises:
        Unsupported: else.
    """
    if isa != NATIVE and not eager:
        raise Unsupported(f"isa={isa} is of eager kernels on the CPU", "leave out isa, or compile and device")
    instructions.require(isa, environment(isa))
    return isa


def read_back(isa: str, infer: Callable[[], None]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what ATen and oneDNN tell of the instructions that ran, and in a phrase each what is not as asked.

    oneDNN names its kernels (``jit_dw:avx2``) while `infer` runs once, where its build can tell.
    """
    import torch

    capability = str(torch.backends.cpu.get_cpu_capability())
    told: dict[str, object] = {"cpu capability": capability}
    if isa == NATIVE:
        return told, ()
    unmet = [] if capability == _ATEN[isa].upper() else [f"ATen ran {capability}, not isa={isa}"]
    kernels = onednn_kernels(infer)
    told["onednn kernels"] = ", ".join(kernels) or "none"
    if newer := instructions.newer(isa, kernels):
        unmet.append(f"oneDNN ran {', '.join(newer)}, not isa={isa}")
    return told, tuple(unmet)


def onednn_kernels(infer: Callable[[], None]) -> list[str]:
    """Return the names of oneDNN's kernels in one inference; none where it ran none, or its build does not tell."""
    import torch

    flush, kept = ctypes.CDLL(None).fflush, os.dup(1)
    with tempfile.TemporaryFile() as log:
        flush(None)
        os.dup2(log.fileno(), 1)  # oneDNN prints to the process's own stdout
        try:
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
                infer()
            flush(None)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        log.seek(0)
        lines = log.read().decode(errors="replace").splitlines()
    return kernels_in(lines)


def kernels_in(lines: list[str]) -> list[str]:
    """Return the implementations that oneDNN's lines name, each once: those of convolutions and products."""
    found: dict[str, None] = {}
    for line in lines:
        parts = line.split(",")
        if "exec" in parts:
            primitive, kernel = parts[parts.index("exec") + 2 :][:2]
            if primitive in ("convolution", "inner_product", "matmul", "deconvolution"):
                found[kernel] = None
    return list(found)
