"""A person's ONNX file, read with suspicion: what it claims is checked by arithmetic before anything is allocated.

No file outside the model's folder is opened: the paths of external data are checked before anyone follows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path

from bench.base.errors import ArtifactError, clip, first_line
from bench.graph.reading import OnnxGraph, OnnxModel, OnnxNode, OnnxTensor

LARGEST_BYTES = 2**31 - 1  # what protobuf can read, and so what an ONNX file without external data can hold
AGAIN = "export it again"
# Bits of the element types whose name does not say them.
BITS = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}
STORED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
DENSEST = 4  # elements that one entry of `STORED` holds at most (of 2 bits)


def read(path: Path, name: str) -> tuple[OnnxModel, tuple[str, ...]]:
    """Return the model without its external data, and where in the model's folder that data is.

    `name` is what messages call the model.

    Raises:
        ArtifactError: it is no valid ONNX model, or claims what it does not have.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if path.stat().st_size > LARGEST_BYTES:
        raise ArtifactError(f"{name} has more than 2 GiB, which no ONNX file can", "save it with external data")
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ArtifactError(f"{name} is not a readable ONNX file", f"it may be truncated; {AGAIN}") from error
    if not model.graph.node:
        raise ArtifactError(f"{name} is not an ONNX model, or has no nodes", AGAIN)
    _check_versions(model, name)
    locations = {_check_tensor(tensor, path.parent, name) for tensor in tensors(model)} - {""}
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # its errors share no base class
        hint = "put a copy in the place of the link" if " link" in str(error) else AGAIN
        raise ArtifactError(f"{name} is not a valid ONNX model: {first_line(error)}", hint) from error
    return model, tuple(sorted(locations))


def tensors(model: OnnxModel) -> Iterator[OnnxTensor]:
    """Yield every tensor that is stored in a model: weights, constants, those of subgraphs and functions."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def bits(data_type: int, name: str) -> int:
    """Return the bits of an element of an ONNX data type; ArtifactError where there is no such type."""
    from onnx import TensorProto

    try:
        kind = TensorProto.DataType.Name(data_type)
    except ValueError:
        raise ArtifactError(f"{name} has a tensor of the unknown type {data_type}", AGAIN) from None
    digits = re.search(r"\d+", kind)
    return BITS.get(kind) or (int(digits.group()) if digits else 0)


def lighten(model: OnnxModel) -> None:
    """Drop the content of big weights in place: counting needs their shapes alone."""
    from onnx import TensorProto

    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 1 << 16:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL


def check_sizes(inferred: OnnxModel, name: str) -> None:
    """Refuse a model with a tensor that this machine cannot hold; `inferred` is the model after shape inference."""
    import psutil

    memory = psutil.virtual_memory().total
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        tensor = value.type.tensor_type
        dims = [d.dim_value for d in tensor.shape.dim if d.HasField("dim_value")]
        size = prod(dims) * bits(tensor.elem_type, name) // 8
        if size > memory:
            raise ArtifactError(
                f"{name}: the tensor {clip(value.name)} takes {size / 2**30:.3g} GiB and this machine has "
                f"{memory / 2**30:.3g} GiB",
                "give a smaller --shape, or check the model",
            )


def _tensors_of_graph(graph: OnnxGraph) -> Iterator[OnnxTensor]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of_nodes(graph.node)


def _tensors_of_nodes(nodes: Iterable[OnnxNode]) -> Iterator[OnnxTensor]:
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            sparse = [*attribute.sparse_tensors, *([attribute.sparse_tensor] * attribute.HasField("sparse_tensor"))]
            for one in sparse:
                yield from (one.values, one.indices)
            for graph in [*attribute.graphs, *([attribute.g] * attribute.HasField("g"))]:
                yield from _tensors_of_graph(graph)


def _check_versions(model: OnnxModel, name: str) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and not 1 <= opset.version <= newest:
            raise ArtifactError(
                f"{name} uses opset {opset.version}; onnx {onnx.__version__} knows 1 to {newest}",
                "export it again with an older opset, or update onnx and onnxruntime",
            )


def _check_tensor(tensor: OnnxTensor, folder: Path, name: str) -> str:
    """Check that a tensor has what it claims; return where its external data is, or nothing."""
    from onnx import TensorProto

    called = f"{name}: the tensor {clip(tensor.name) or '(without a name)'}"
    if any(d < 0 for d in tensor.dims):
        raise ArtifactError(f"{called} claims an axis of {min(tensor.dims)} elements", AGAIN)
    elements = prod(tensor.dims)
    claimed = -(-elements * bits(tensor.data_type, name) // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        return _check_external(tensor, claimed, folder, called)
    stored = sum(len(getattr(tensor, field)) for field in STORED)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != claimed:
            raise ArtifactError(f"{called} claims {claimed} bytes and has {len(tensor.raw_data)}", AGAIN)
    elif elements > DENSEST * stored:
        raise ArtifactError(f"{called} claims {elements} elements and has {stored}", AGAIN)
    return ""


def _check_external(tensor: OnnxTensor, claimed: int, folder: Path, called: str) -> str:
    """Check a tensor's external data without opening it; return its path inside the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    shown = clip(location)
    root = os.path.realpath(folder)
    try:
        there = os.path.realpath(os.path.join(root, location))
    except (ValueError, OSError):  # a zero byte
        there = ""
    outside = os.path.isabs(location) or ".." in Path(location).parts
    if not location or outside or not there.startswith(root.rstrip(os.sep) + os.sep):
        raise ArtifactError(
            f"{called} has its data in {shown!r}, outside the model's folder", "put model and data into one folder"
        )
    if not os.path.isfile(there):
        raise ArtifactError(f"{called} has its data in {shown}, which is not there", "put it beside the model")
    try:
        offset, size = int(entries.get("offset") or 0), os.path.getsize(there)
        length = int(entries.get("length") or claimed)
    except ValueError:
        raise ArtifactError(f"{called} has no readable place in {shown}", AGAIN) from None
    if length != claimed or offset < 0 or offset + claimed > size:
        raise ArtifactError(
            f"{called} claims {claimed} bytes and {shown} has {max(0, min(length, size - offset))} for it",
            "the data may be truncated, or of another model; " + AGAIN,
        )
    return str(os.path.normpath(location))
