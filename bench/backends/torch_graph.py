"""The operators of a PyTorch module: one eager pass, written down as it is dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.artifact.artifact import Artifact
from bench.backends.base import Operator
from bench.backends.ran import settle
from bench.graph.classes import OpClass, classify

# What operators that multiply and accumulate are called, where their class is not known by their name.
HEAVY = (
    "conv",
    "matmul",
    "linear",
    "_mm",
    "mm_",
    "bmm",
    "attention",
    "transformer",
    "lstm",
    "gru",
    "rnn",
    "einsum",
    "dot",
)

PRECISIONS = {"torch.float32": "fp32", "torch.float64": "fp64", "torch.float16": "fp16", "torch.bfloat16": "bf16"}

if TYPE_CHECKING:
    import torch


def operators_of(
    module: torch.nn.Module, inputs: list[torch.Tensor], artifact: Artifact | None = None
) -> list[Operator]:
    """Run a module once; return the operators that did something, with MACs, precision and the device they ran on.

    Views are left out. The MACs are those of torch's own flop counter, and of fused attention, which that does not know
    on the CPU. With the `artifact` it is told which operators may hide others.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry, sdpa_flop_count

    found: list[Operator] = []
    suspects: set[int] = set()

    class Writer(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if not isinstance(func, torch._ops.OpOverload):  # a control-flow operator: what is in it comes by itself
                return func(*args, **kwargs)
            kind = func.overloadpacket.__name__
            count = flop_registry.get(func.overloadpacket)
            attention = count is None and "scaled_dot_product" in kind
            if count is None:  # as the flop counter does: what is made of other operators is counted as those
                with self:
                    made = func.decompose(*args, **kwargs)
                    if made is not NotImplemented:
                        return made
            out = func(*args, **kwargs)
            leaves = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
            # A number without axes is the host's wherever the network runs: a shape, a probability.
            devices = {leaf.device.type for leaf in leaves if leaf.dim() or leaf.device.type != "cpu"}
            if devices and not func.is_view:
                macs = None
                if count is not None:
                    macs = int(count(*args, **kwargs, out_val=out)) // 2
                elif attention and all(x.dim() == 4 for x in args[:3]):
                    macs = int(sdpa_flop_count(*(x.shape for x in args[:3]))) // 2
                elif _may_hide(kind):
                    suspects.add(len(found))
                found.append(
                    Operator(
                        f"{kind}.{len(found)}",
                        kind,
                        macs=macs,
                        precision=next((PRECISIONS.get(str(x.dtype), "") for x in leaves if x.is_floating_point()), ""),
                        device=" ".join(sorted(devices)),
                    )
                )
            return out

    with Writer():
        module(*inputs)
    return found if artifact is None else settle(found, suspects, artifact)


def _may_hide(kind: str) -> bool:
    """Tell whether an operator that was not counted may multiply and accumulate."""
    op_class = classify(kind)
    named = any(word in kind for word in HEAVY) and not kind.startswith(("upsample", "_upsample"))
    return op_class is OpClass.MATMUL or op_class.family == "convolution" or (op_class is OpClass.OTHER and named)
