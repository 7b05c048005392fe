"""What in a person's file may make two runtimes disagree, though neither is at fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import clip
from bench.base.words import verb
from bench.graph.nodes import STANDARD, constant_of, everywhere, is_random, subgraphs
from bench.graph.onnx_read import tensors
from bench.graph.reading import OnnxModel, OnnxNode, OnnxTensor

SUBNORMAL_SHARE = 1e-3  # of a weight's elements: from here on a complaint about our own networks
TINY = float(np.finfo(np.float32).tiny)
CHUNK = 1 << 22


def remarks_on(model: OnnxModel, folder: Path) -> tuple[str, ...]:
    """Name random operators, a Dropout that trains, and subnormal weights; external data is read in pieces."""
    found = []
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    drawn = [node for node in everywhere(nodes) if not list(subgraphs(node)) and is_random(node)]
    if drawn:
        found.append(f"{_called(drawn)} {verb(len(drawn), 'draws', 'draw')} other numbers at every inference")
    training = [node for node in everywhere(nodes) if _trains(node, model)]
    if training:
        found.append(f"{_called(training)} {verb(len(training), 'is', 'are')} in training mode")
    tiny = {tensor.name: share for tensor in tensors(model) if (share := _share(tensor, folder))}
    if tiny:
        worst = max(tiny, key=lambda name: tiny[name])
        more = f" and of {len(tiny) - 1} more" if len(tiny) > 1 else ""
        found.append(
            f"{tiny[worst]:.2g} of the weight {clip(worst or 'without a name', 60)}{more} is subnormal, "
            "which some runtimes take for zero"
        )
    return tuple(found)


def subnormal_share(values: NDArray[Any]) -> float:
    """Return the share of elements that are too small to be normal in fp32, and not zero."""
    magnitude = np.abs(values)
    return float(np.mean((magnitude > 0) & (magnitude < TINY))) if magnitude.size else 0.0


def _called(nodes: list[OnnxNode]) -> str:
    first = nodes[0]
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"{first.op_type} ({clip(first.name or first.output[0], 40)}){more}"


def _trains(node: OnnxNode, model: OnnxModel) -> bool:
    """Tell whether a node is a Dropout in training mode: by its third input, before opset 7 by an attribute."""
    if node.op_type != "Dropout" or node.domain not in STANDARD:
        return False
    opset = max((o.version for o in model.opset_import if o.domain in STANDARD), default=1)
    if opset < 7:
        return not any(a.name == "is_test" and a.i for a in node.attribute)
    if len(node.input) < 3 or not node.input[2]:
        return False
    from onnx import numpy_helper

    held = {t.name: t for t in model.graph.initializer}
    held |= {n.output[0]: t for n in model.graph.node if n.op_type == "Constant" and (t := constant_of(n)) is not None}
    tensor = held.get(node.input[2])
    return tensor is not None and bool(np.any(numpy_helper.to_array(tensor)))


def _share(tensor: OnnxTensor, folder: Path) -> float:
    """Return the share of a tensor's elements that are subnormal; 0 for other types than fp32."""
    from onnx import TensorProto

    if tensor.data_type != TensorProto.FLOAT:
        return 0.0
    found = total = 0
    for piece in _pieces(tensor, folder):
        found += round(subnormal_share(piece) * piece.size)
        total += piece.size
    return found / total if total else 0.0


def _pieces(tensor: OnnxTensor, folder: Path) -> Iterator[NDArray[Any]]:
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        left = 4 * int(np.prod(tensor.dims, dtype=np.int64))
        with (folder / entries["location"]).open("rb") as handle:
            handle.seek(int(entries.get("offset") or 0))
            while left > 0 and (data := handle.read(min(left, CHUNK))):
                left -= len(data)
                yield np.frombuffer(data[: len(data) // 4 * 4], "<f4")
    elif tensor.HasField("raw_data"):
        yield np.frombuffer(tensor.raw_data, "<f4")
    else:
        yield np.array(tensor.float_data, np.float32)
