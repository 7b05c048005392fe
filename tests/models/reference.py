"""The same networks in torchvision and timm, to compare outputs with; a test is skipped where they are missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from bench.models.weights import initialise
from torch import nn

from bench.artifact.build import _declare_compiled_operators

# Networks of the libraries that have PyTorch's epsilon of batch normalisation, 1e-5, where their authors have 1e-3.
DEFAULT_EPS = ("efficientnet_b", "legacy_xception", "mnasnet", "mobilenet_v2", "mobilenetv1_", "mobilenetv2_",
               "mobilenetv3_", "semnasnet_")  # fmt: skip
Order = Callable[[dict[str, torch.Tensor]], list[str]]


def _import(name: str) -> Any:
    try:
        return pytest.importorskip(name, reason=f"{name} is not installed")
    except RuntimeError:  # the operators are missing
        _declare_compiled_operators()
        return pytest.importorskip(name, reason=f"{name} is not installed")


def torchvision_model(name: str, **kwargs: Any) -> nn.Module:
    """Return a torchvision classification network without weights, or skip the test."""
    return _as_authors(name, _import("torchvision.models").get_model(name, weights=None, **kwargs).eval())


def timm_model(name: str, **kwargs: Any) -> nn.Module:
    """Return a timm network (by its name, or that of its class) without weights, or skip the test."""
    _import("torchvision")
    timm = _import("timm")
    if not timm.is_model(name):
        return getattr(timm.models, name)(**kwargs).eval()
    return _as_authors(name, timm.create_model(name, pretrained=False, **kwargs).eval())


def _as_authors(name: str, model: nn.Module) -> nn.Module:
    """Give a library's network the epsilon of its authors, where the library has PyTorch's default instead."""
    if name.startswith(DEFAULT_EPS):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.eps == 1e-5, f"{name} has the authors' epsilon: take it off the list"
                module.eps = 1e-3
    return model


@torch.no_grad()
def assert_same_network(
    ours: nn.Module, theirs: nn.Module, resolution: int, drop: tuple[str, ...] = (), order: Order = list
) -> None:
    """Copy random weights from `theirs` to `ours` in the order of ``state_dict`` and compare the outputs.

    `drop` names tensors of `theirs` that ours lacks; they are set to zero. `order` sorts the names of the others into
    the order of ours. A linear layer may stand for a 1x1 convolution. Each keeps its own epsilon.
    """
    initialise(theirs, 1)
    generator = torch.Generator().manual_seed(2)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    target = ours.state_dict()
    source = theirs.state_dict()
    for name in drop:
        source.pop(name).zero_()
    source = {name: source[name] for name in order(source)}
    assert len(source) == len(target)
    for (name, tensor), (from_name, value) in zip(target.items(), source.items(), strict=True):
        assert tensor.numel() == value.numel(), f"{name} {tuple(tensor.shape)}, {from_name} {tuple(value.shape)}"
        tensor.copy_(value.reshape(tensor.shape))
    x = torch.randn((2, 3, resolution, resolution), generator=generator)
    expected = theirs(x)
    assert expected.std() > 0.01  # else anything would be equal
    error = (ours.eval()(x) - expected).abs().max() / expected.abs().max()
    assert error <= 1e-5
