"""AOTInductor: PyTorch's compiler run ahead of time. What it writes is machine code, for the CPU that it was made on.

A package holds a library that the C++ compiler made, and the weights. So that the graph can be told, the artifact's own
weights lie beside it; they are read only for that.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.artifact.artifact import Artifact
from bench.backends import converter
from bench.base.errors import Unsupported, first_line
from bench.machine.environment import local

if TYPE_CHECKING:
    import torch

NET, MACHINE, WEIGHTS = "net.pt2", "machine.json", "weights.pt"
# Without the first, the number of threads is that of the process which compiles.
CONFIG = {"cpp.dynamic_threads": True, "compile_threads": 1}


def write(artifact: Artifact, module: torch.nn.Module, inputs: list[torch.Tensor], folder: Path) -> None:
    """Export and compile a module, for inputs of these types and layouts, into a package in `folder`.

    Raises:
        Unsupported: there is no C++ compiler, or the network cannot be exported or compiled.
    """
    import torch
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception as error:  # of a class that moves from version to version
        raise Unsupported(
            "AOTInductor needs a C++ compiler, and none is installed", "apt-get install g++, or name one by CXX"
        ) from error
    with converter.library("AOTInductor"), torch.no_grad():
        exported = torch.export.export(module, tuple(inputs))
        torch._inductor.aoti_compile_and_package(
            exported, package_path=str(folder / NET), inductor_configs=dict(CONFIG)
        )
    shutil.copyfile(artifact.weights, folder / WEIGHTS)
    (folder / MACHINE).write_text(json.dumps(_machine()), "utf-8")


def load(artifact: Artifact) -> Any:
    """Return the compiled network, to be called like the module.

    Raises:
        Unsupported: it was compiled for another CPU, or the package cannot be read.
    """
    import torch

    made_on, here = json.loads(artifact.converted_path(MACHINE).read_text("utf-8")), _machine()
    if made_on != here:
        raise Unsupported(
            f"this network was compiled for {made_on['cpu']} ({made_on['microarchitecture']}), "
            f"and this is {here['cpu']} ({here['microarchitecture']})",
            f"AOTInductor compiles for the machine that it runs on; {converter.REMEDY}",
        )
    try:
        return torch._inductor.aoti_load_package(str(artifact.converted_path(NET)))
    except Exception as error:  # of the archive, or of the loader of libraries
        raise Unsupported(f"PyTorch cannot load the package: {first_line(error)}", converter.REMEDY) from error


def _machine() -> dict[str, str]:
    """What the machine code depends on."""
    told = asdict(local())
    return {name: str(told[name]) for name in ("arch", "cpu", "microarchitecture")}
