"""A module of PyTorch and its inputs, put where they run, in the type and layout that were asked for; its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.artifact.artifact import Artifact
from bench.backends.base import Options

if TYPE_CHECKING:
    import torch

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


def placed(module: torch.nn.Module, device: torch.device, options: Options) -> torch.nn.Module:
    """Put a module on a device."""
    import torch

    module = module.to(device=device, dtype=_dtype(options))
    return module.to(memory_format=torch.channels_last) if options["channels_last"] else module


def inputs(artifact: Artifact, device: torch.device, options: Options) -> list[torch.Tensor]:
    """Return the reference inputs as `placed` has the module."""
    import torch

    dtype = _dtype(options)
    found = [torch.from_numpy(x) for x in artifact.reference()[0]]
    found = [x.to(device, (dtype or x.dtype) if x.is_floating_point() else x.dtype) for x in found]
    images = torch.channels_last  # of whatever else there is, an order of axes has no meaning
    return [x.to(memory_format=images) if x.ndim == 4 else x for x in found] if options["channels_last"] else found


def outputs(result: object) -> Sequence[Any]:
    """Return the tensors that a module returned, be it one or several."""
    return result if isinstance(result, tuple | list) else (result,)


def _dtype(options: Options) -> torch.dtype | None:
    """Return the type that was asked for; None leaves a model what it has."""
    import torch

    asked = str(options["precision"])
    found: torch.dtype | None = None if asked == "fp32" else getattr(torch, DTYPES[asked])
    return found
