"""Runtimes held to older instructions: what they are told before they begin, and whether what they ran is no newer.

oneDNN, which computes PyTorch's and OpenVINO's convolutions, generates code up to ``ONEDNN_MAX_CPU_ISA`` and reads it
once, when it is first used: so it is set for the whole process, by whoever starts it.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping

from bench.base.errors import Unsupported
from bench.plan.parameter import Parameter

NATIVE = "native"
ONEDNN = {"avx2": "AVX2", "sse41": "SSE41"}
ISAS = (NATIVE, *ONEDNN)
OPTION = Parameter("isa", NATIVE, choices=ISAS, help="x86: the newest instructions that products may use")
# Which instructions the name of a kernel may have.
_OLDER = {"avx2": ("avx2", "avx", "sse41", "sse42", "sse"), "sse41": ("sse41", "sse42", "sse")}
_ISA = re.compile(r"avx512|avx10|avx2|avx|amx|sse4[12]|sse")


def environment(isa: str) -> dict[str, str]:
    """Return the variable that holds oneDNN to these instructions."""
    return {"ONEDNN_MAX_CPU_ISA": ONEDNN[isa]} if isa in ONEDNN else {}


def require(isa: str, variables: Mapping[str, str]) -> None:
    """Make sure that this process began with the variables that the option asks for.

    Raises:
        Unsupported: it did not, or this is no x86 CPU.
    """
    if isa == NATIVE:
        return
    if platform.machine() not in ("x86_64", "AMD64"):
        raise Unsupported(f"isa={isa} is of x86 CPUs, and this one is {platform.machine()}", "leave isa out")
    missing = [name for name, value in variables.items() if os.environ.get(name) != value]
    if missing:
        raise Unsupported(
            f"isa={isa} is decided when a process begins, and this one began without {', '.join(missing)}",
            "measure it with `bench`, which starts a worker with them",
        )


def newer(isa: str, kernels: Iterable[str]) -> list[str]:
    """Return the kernels whose names tell newer instructions than the option allows."""
    if isa == NATIVE:
        return []
    return [kernel for kernel in kernels if (found := _ISA.search(kernel)) and found[0] not in _OLDER[isa]]
