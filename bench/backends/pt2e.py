"""Quantisation by PyTorch's export (pt2e): a module, observed on calibration inputs, becomes a graph with int8 in it.

The graph runs in PyTorch, too, every quantised operator in fp32 between a dequantisation and a quantisation: that is
the reference implementation of what a backend makes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.artifact import calibration
from bench.artifact.artifact import Array, Artifact
from bench.artifact.reference import relative_l2
from bench.backends.torch_place import outputs
from bench.base.errors import MissingExtra

if TYPE_CHECKING:
    import torch

CONVOLUTIONS, PRODUCTS = ("convolution", "conv2d"), ("linear", "addmm", "mm")
FOLLOWS = ("relu", "relu_", "hardtanh", "hardtanh_", "clamp")  # what is fused into the operator before it


def require(hint: str) -> None:
    """Raise MissingExtra where pt2e's package is not installed."""
    if find_spec("torchao") is None:
        raise MissingExtra("torchao, which quantises modules,", hint=hint)


def quantize(
    module: torch.nn.Module, quantizer: Any, artifact: Artifact, samples: Sequence[Sequence[Array]]
) -> tuple[torch.nn.Module, list[Array], float]:
    """Return the quantised graph, its outputs for the artifact's reference inputs, and what quantisation costs.

    That is the worst relative L2 error against the module itself on several inputs.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    tried = calibration.fresh(artifact)
    with torch.no_grad():
        exported = torch.export.export(module, tensors(tried[0])).module()
        observed = prepare_pt2e(exported, quantizer)
        for x in samples:
            observed(*tensors(x))
        quantised = convert_pt2e(observed)
        exact = [[y.numpy() for y in outputs(module(*tensors(x)))] for x in tried]
        found = [[y.numpy() for y in outputs(quantised(*tensors(x)))] for x in tried]
    return quantised, found[0], max(relative_l2(y, r) for y, r in zip(found, exact, strict=True))


def tensors(arrays: Sequence[Array]) -> tuple[torch.Tensor, ...]:
    """Make tensors with memory of their own."""
    import torch

    return tuple(torch.from_numpy(np.array(x)) for x in arrays)


def work(graphs: Iterable[torch.fx.Graph]) -> tuple[dict[str, int], int]:
    """Count MACs by the precision that their operators are written in, and operators that only quantise.

    An operator computes in int8 where its data and its weight come out of a dequantisation and its result goes into a
    quantisation, perhaps past an activation. The (de)quantisations of such operators are part of them; others are left
    in between.
    """
    macs: Counter[str] = Counter()
    between = 0
    for graph in graphs:
        for node in graph.nodes:
            name = _name(node)
            if name in (*CONVOLUTIONS, *PRODUCTS):
                macs["int8" if _quantised(node) else "fp32"] += macs_of(node)
            elif name.startswith("quantize_"):
                between += not _quantised(_maker(node))
            elif name.startswith("dequantize_") and node.args[0].op != "get_attr" and not _stored(node.args[0]):
                between += any(not _quantised(user) for user in node.users)
    return dict(macs), between


def _name(node: torch.fx.Node | None) -> str:
    """Return the name of an operator, without namespace and overload."""
    if node is None or node.op != "call_function":
        return ""
    name = str(getattr(node.target, "__name__", node.target))
    return name.removeprefix("aten.").removeprefix("quantized_decomposed.").partition(".")[0]


def _stored(node: Any) -> bool:
    """Tell whether a node is a weight: a placeholder that is lifted, and no activation."""
    return node.op in ("get_attr", "placeholder") and not str(node.name).startswith(
        ("x", "input", "arg", "aten", "quantized")
    )


def _maker(node: torch.fx.Node) -> Any:
    """Return the operator whose result a quantisation takes, past an activation."""
    found = node.args[0]
    alone = _name(found) not in FOLLOWS or _name(found.args[0]).startswith("dequantize_")
    return found if alone else found.args[0]


def _quantised(node: Any) -> bool:
    if not hasattr(node, "op") or node.op != "call_function":
        return False
    data = [arg for arg in _flat(node.args) if hasattr(arg, "op")]
    inputs = [arg for arg in data if not _is_bias(node, arg)]
    users = list(node.users)
    if len(users) == 1 and _name(users[0]) in FOLLOWS:
        users = list(users[0].users)
    dequantised = bool(inputs) and all(_name(arg).startswith("dequantize_") for arg in inputs)
    return dequantised and bool(users) and all(_name(user).startswith("quantize_") for user in users)


def _is_bias(node: Any, arg: Any) -> bool:
    name = _name(node)
    if name in CONVOLUTIONS or name == "linear":
        return len(node.args) > 2 and arg is node.args[2]
    return name == "addmm" and arg is node.args[0]


def _flat(args: Iterable[Any]) -> list[Any]:
    return [one for arg in args for one in (_flat(arg) if isinstance(arg, list | tuple) else [arg])]


def macs_of(node: Any) -> int:
    """Return the MACs of an operator of an exported graph, from the shapes that the export wrote beside it."""
    name = _name(node)
    if name not in (*CONVOLUTIONS, *PRODUCTS, "bmm"):
        return 0
    result = int(prod(node.meta["val"].shape))
    weight = node.args[2 if name == "addmm" else 1].meta["val"].shape
    return result * int(prod(weight[1:]) if name in CONVOLUTIONS else weight[-1 if name == "linear" else -2])
