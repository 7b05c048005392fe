"""The operators of a PyTorch module: one eager pass, written down as it is dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.backends.base import Operator

if TYPE_CHECKING:
    import torch


def operators_of(module: torch.nn.Module, inputs: list[torch.Tensor]) -> list[Operator]:
    """Run a module once; return the operators that did something, with MACs and the type of device they ran on.

    Views are left out. The MACs are those of torch's own flop counter.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry

    found: list[Operator] = []

    class Writer(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if not isinstance(func, torch._ops.OpOverload):  # a control-flow operator: what is in it comes by itself
                return func(*args, **kwargs)
            count = flop_registry.get(func.overloadpacket)
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
                macs = None if count is None else int(count(*args, **kwargs, out_val=out)) // 2
                kind = func.overloadpacket.__name__
                found.append(Operator(f"{kind}.{len(found)}", kind, macs=macs, device=" ".join(sorted(devices))))
            return out

    with Writer():
        module(*inputs)
    return found
