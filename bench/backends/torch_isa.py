"""PyTorch held to older instructions: what its libraries are told before they begin, and what they say they ran.

ATen chooses among its own kernels by ``ATEN_CPU_CAPABILITY``, oneDNN (convolutions) generates code up to
``ONEDNN_MAX_CPU_ISA``, MKL (matrix products) takes ``MKL_ENABLE_INSTRUCTIONS``. Each reads its variable once, when it
is first used: so they are set for the whole process, by whoever starts it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import tempfile
from collections.abc import Callable

from bench.base.errors import Unsupported

NATIVE = "native"
# By the name of the option: the variables, what ATen then calls itself, and how oneDNN names code of these instructions
# and older ones.
_LIBRARIES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS")
_SET = {"avx2": ("avx2", "AVX2", "AVX2"), "sse41": ("default", "SSE41", "SSE4_2")}
_CAPABILITY = {"avx2": "AVX2", "sse41": "DEFAULT"}
_OLDER = {"avx2": ("avx2", "avx", "sse41", "sse"), "sse41": ("sse41", "sse")}
ISAS = (NATIVE, *_SET)
_ISA = re.compile(r"\b(avx512|avx10|avx2|avx|sse41|sse|amx)")


def environment(isa: str) -> dict[str, str]:
    """Return the variables that hold a process of torch to these instructions."""
    return dict(zip(_LIBRARIES, _SET[isa], strict=True)) if isa in _SET else {}


def require(isa: str) -> None:
    """Make sure that this process began with what the option asks for.

    Raises:
        Unsupported: it did not, or this is no x86 CPU.
    """
    if isa == NATIVE:
        return
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Unsupported(f"isa={isa} is of x86 CPUs, and this one is {platform.machine()}", "leave isa out")
    missing = [name for name, value in environment(isa).items() if os.environ.get(name) != value]
    if missing:
        raise Unsupported(
            f"isa={isa} is decided when a process begins, and this one began without {', '.join(missing)}",
            "measure it with `bench`, which starts a worker with them",
        )


def read_back(isa: str, infer: Callable[[], None]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what ATen and oneDNN tell of the instructions that ran, and in a phrase each what is not as asked.

    oneDNN names its kernels (``jit_uni_dw:avx2``) while `infer` runs once, where its build can tell.
    """
    import torch

    capability = str(torch.backends.cpu.get_cpu_capability())
    told: dict[str, object] = {"cpu capability": capability}
    if isa == NATIVE:
        return told, ()
    unmet = [] if capability == _CAPABILITY[isa] else [f"ATen ran {capability}, not isa={isa}"]
    kernels = onednn_kernels(infer)
    told["onednn kernels"] = ", ".join(kernels) or "not told"
    newer = [kernel for kernel in kernels if (found := _ISA.search(kernel)) and found[1] not in _OLDER[isa]]
    if newer:
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
