"""Seeded weights that keep every activation finite and of order one.

A network of random weights is only a fair stand-in for a trained one if its numbers are: PyTorch's default
initialisation lets activations vanish over depth until they are subnormal, and subnormal arithmetic is up to
30 times slower on some CPUs. So: He initialisation, then one calibration pass that gives BatchNorm the statistics
of real activations. `audit` proves it, operation by operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
MAX_SUBNORMAL_SHARE = 1e-3
STD_RANGE = (1e-3, 1e3)
CALIBRATION_BATCH = 4
LEVELLED = (1e-6, 1e6)  # what lies further off is no matter of weights any more
DRAWN = 1 << 20  # numbers drawn at once; of a multiple of 16, PyTorch draws the same ones as of all at once


def noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw standard normal numbers in double precision.

    In single precision PyTorch draws with other instructions on other CPUs, which differ in the last bit; rounded to
    single precision afterwards, these are the same on all of them.
    """
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _draw(tensor: Tensor, generator: torch.Generator, std: float, mean: float) -> None:
    """Fill a tensor with the `noise` of its shape, a part at a time: a large layer in double precision is gigabytes."""
    flat = torch.empty(tensor.numel(), dtype=tensor.dtype)
    done = 0
    while done < flat.numel():
        left = flat.numel() - done
        n = left if left < 2 * DRAWN else DRAWN  # below 16 numbers PyTorch draws in another way
        flat[done : done + n] = noise((n,), generator).mul_(std).add_(mean)
        done += n
    tensor.copy_(flat.view(tensor.shape))


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Give every layer seeded weights: He et al. 2015 (fan in) for convolutions, unit gain for linear layers.

    Biases and the affine part of a normalisation are drawn near, but not at, their neutral value: a runtime must
    not be able to drop them, and a parity check must notice when it does.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor: Tensor, std: float, mean: float = 0.0) -> None:
        _draw(tensor, generator, std, mean)

    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            normal(module.weight, math.sqrt(2.0 / module.weight[0].numel()))
        elif isinstance(module, nn.Linear):
            normal(module.weight, math.sqrt(1.0 / module.in_features))
        elif isinstance(module, _BatchNorm) and module.affine:
            normal(module.weight, 0.1, mean=1.0)
            normal(module.bias, 0.1)
        bias = getattr(module, "bias", None)
        if isinstance(bias, nn.Parameter) and not isinstance(module, _BatchNorm):
            normal(bias, 0.05)
    # What is left and constant (the scale of a LayerNorm or of a whole branch, which may begin at 1e-6, a position
    # bias of zeros) would let a runtime drop what it is applied to, and nobody would notice.
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
            normal(parameter, *((0.1, 1.0) if parameter.flatten()[0] else (0.05, 0.0)))


class _Depthwise(TorchFunctionMode):
    """Computes depthwise convolutions tap by tap: in double precision PyTorch loops over groups, ten times as long."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not torch.conv2d or kwargs or len(args) != 7 or isinstance(args[4], str):
            return func(*args, **(kwargs or {}))
        x, weight, bias, (down, right), (top, left), (apart, aside), groups = args
        if not groups == weight.shape[0] == x.shape[1]:
            return func(*args)
        x = nn.functional.pad(x, (left, left, top, top))
        rows, columns = ((x.shape[2] - apart * (weight.shape[2] - 1) - 1) // down * down + 1,
                         (x.shape[3] - aside * (weight.shape[3] - 1) - 1) // right * right + 1)  # fmt: skip
        taps = [(i, j) for i in range(weight.shape[2]) for j in range(weight.shape[3])]
        parts = (
            weight[:, :, i, j, None]
            * x[:, :, i * apart : i * apart + rows : down, j * aside : j * aside + columns : right]
            for i, j in taps
        )
        result = next(parts)
        for part in parts:
            result += part
        return result if bias is None else result + bias[:, None, None]


@torch.no_grad()
def calibrate(model: nn.Module, shape: tuple[int, ...], seed: int, exactly: bool = False) -> None:
    """Set the running statistics of every BatchNorm from one pass over seeded noise of `shape`, at least 4 images.

    The pass sums in an order that depends on the CPU. Made `exactly`, in double precision, what is rounded to single
    afterwards is the same on every CPU, and so is the hash of the exported file.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_var is not None]
    if not norms:
        return
    generator = torch.Generator().manual_seed(seed + 1)
    x = noise((max(CALIBRATION_BATCH, shape[0]), *shape[1:]), generator).float()

    def run() -> None:
        if exactly:
            with _Depthwise():
                model.double()(x.double())
            model.float()
        else:
            model(x)

    _pass(norms, model, run)


def _pass(norms: list[_BatchNorm], model: nn.Module, run: Callable[[], object]) -> None:
    """Let the norms average over what one run brings."""
    momenta = [m.momentum for m in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average: after one pass, exactly that pass
        norm.train()
    run()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        # A channel that is constant over the pass would be blown up by 1 / sqrt(eps).
        norm.running_var.clamp_(min=1e-3)
    model.eval()


@torch.no_grad()
def calibrate_on(model: nn.Module, *x: Tensor) -> None:
    """Set the running statistics of every BatchNorm from one pass over the network's own inputs."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_var is not None]
    if not norms:
        return
    _pass(norms, model, lambda: model(*x))


@torch.no_grad()
def level(model: nn.Module, *x: Tensor) -> None:
    """Scale every convolution and linear layer so that its output has unit variance on `x` (Mishkin and Matas 2016).

    For networks that He's initialisation does not keep level: without normalisation, as re-parameterised ones are.
    """
    done: set[nn.Module] = set()

    def scale(module: nn.Module, _: Any, output: Tensor) -> Tensor | None:
        std = float(output.std()) if output.numel() > 1 else 0.0
        if module in done or not LEVELLED[0] <= std <= LEVELLED[1]:
            return None
        done.add(module)  # a layer that is used twice is scaled at its first use
        for parameter in (module.weight, module.bias):
            if isinstance(parameter, nn.Parameter):
                parameter.div_(std)
        return output / std

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))]
    hooks = [layer.register_forward_hook(scale) for layer in layers]
    try:
        model(*x)
    finally:
        for hook in hooks:
            hook.remove()


class _Audit(TorchDispatchMode):
    """Looks at the result of every operation while the model runs."""

    SCALED = ("convolution", "addmm", "mm", "bmm", "native_batch_norm")

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.numel():
                self._look(func.overloadpacket.__name__, tensor)
        return result

    def _look(self, op: str, tensor: Tensor) -> None:
        magnitude = tensor.detach().abs()
        # A mask hides by minus infinity; anything else that is not finite is a fault.
        allowed = torch.isfinite(magnitude) | ((tensor == -math.inf) if op not in self.SCALED else False)
        if not bool(allowed.all()):
            self.complaints.append(f"{op} gives NaN or infinity")
            return
        magnitude = magnitude[torch.isfinite(magnitude)] if op not in self.SCALED else magnitude
        if not magnitude.numel():
            return
        subnormal = ((magnitude > 0) & (magnitude < SMALLEST_NORMAL)).float().mean().item()
        if subnormal > MAX_SUBNORMAL_SHARE:
            self.complaints.append(f"{op}: {subnormal:.1%} of the result is subnormal")
        if op in self.SCALED and tensor.numel() > 64:
            std = tensor.detach().float().std().item()
            if not STD_RANGE[0] <= std <= STD_RANGE[1]:
                self.complaints.append(f"{op}: standard deviation {std:.2g}")


@torch.no_grad()
def finite(model: nn.Module, *x: Tensor) -> bool:
    """Tell whether all that the model returns is finite."""
    result = model(*x)
    return all(bool(torch.isfinite(y).all()) for y in (result if isinstance(result, tuple) else (result,)))


@torch.no_grad()
def audit(model: nn.Module, *x: Tensor) -> list[str]:
    """Run the model once and list what is wrong with its numbers (an empty list: nothing).

    Every floating-point result must be finite (but for the minus infinity of a mask) and at most 0.1% subnormal; the
    results of convolutions, matrix products and normalisations must have a standard deviation between 1e-3 and 1e3.
    """
    with _Audit() as watcher:
        result = model(*x)
    for y in result if isinstance(result, tuple) else (result,):
        if isinstance(y, Tensor) and not bool(torch.isfinite(y).all()):
            watcher.complaints.append("the output holds NaN or infinity")
    return watcher.complaints
