"""A person's ONNX file, read with suspicion: what it claims is checked by arithmetic before anything is allocated.

No file outside the model's folder is opened: the paths of external data are checked before anyone follows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path

from bench.base.errors import ArtifactError, clip, whole_line
from bench.graph.inference import SMALL, infer
from bench.graph.nodes import subgraphs, uses
from bench.graph.reading import OnnxGraph, OnnxModel, OnnxNode, OnnxTensor

LARGEST_BYTES = 2**31 - 1  # what protobuf can read, and so what an ONNX file without external data can hold
AGAIN = "export it again"
LFS = b"version https://git-lfs"
# Bits of the element types whose name does not say them.
BITS = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}
STORED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
DENSEST = 4  # elements that one entry of `STORED` holds at most (of 2 bits)


def read(path: Path, name: str) -> tuple[OnnxModel, tuple[str, ...], Path]:
    """Return the model without its external data, where in the model's folder that data is, and the model's path.

    That is `path`, or, where it is a link and the data lies beside the file it leads to, the path of that file. `name`
    is what messages call the model.

    Raises:
        ArtifactError: it is no valid ONNX model, or claims what it does not have.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if path.stat().st_size > LARGEST_BYTES:
        raise ArtifactError(f"{name} has more than 2 GiB, which no ONNX file can", "save it with external data")
    _check_start(path, name)
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ArtifactError(f"{name} is not a readable ONNX file", f"it may be truncated; {AGAIN}") from error
    if not model.graph.node:
        raise ArtifactError(f"{name} is not an ONNX model, or has no nodes", AGAIN)
    _check_versions(model, name)
    path = _home(model, path)
    locations = {_check_tensor(tensor, path, name) for tensor in tensors(model)} - {""}
    _check_order(model.graph, name)
    try:
        onnx.checker.check_model(_without_data(model))
    except Exception as error:  # its errors share no base class
        raise ArtifactError(f"{name} is not a valid ONNX model: {whole_line(error)}", AGAIN) from error
    return model, tuple(sorted(locations)), path


def read_shapes(path: str | os.PathLike[str]) -> OnnxModel:
    """Return the model of an ONNX file of this program's, with every shape and without the content of its weights."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    fetch_small(model, Path(path).parent)
    lighten(model)
    return infer(model)


def fetch_small(model: OnnxModel, folder: Path) -> None:
    """Read the external tensors that a shape may be computed from into the model; their places are checked already."""
    from onnx import TensorProto

    for tensor in tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL and tensor.external_data and prod(tensor.dims) <= SMALL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            size = -(-prod(tensor.dims) * bits(tensor.data_type, "the model") // 8)
            try:
                with (folder / entries["location"]).open("rb") as handle:
                    handle.seek(int(entries.get("offset") or 0))
                    data = handle.read(size)
            except OSError:  # a graph can be counted without its data, as far as no shape is in there
                continue
            tensor.raw_data = data
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")


def tensors(model: OnnxModel) -> Iterator[OnnxTensor]:
    """Yield every tensor that is stored in a model: weights, constants, those of subgraphs and functions."""
    yield from _tensors_of_graph(model.graph)
    for function in model.functions:
        yield from _tensors_of_nodes(function.node)


def locations_of(model: OnnxModel) -> tuple[str, ...]:
    """Return where a model says that its external data is: paths from the model's folder, in order, each once."""
    return tuple(sorted({e.value for t in tensors(model) for e in t.external_data if e.key == "location"}))


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

    for tensor in tensors(model):
        if prod(tensor.dims) > SMALL:
            for field in ("raw_data", "external_data", *STORED):
                tensor.ClearField(field)
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

    again = "export it again with an older one, or update onnx and onnxruntime"
    if model.ir_version > onnx.IR_VERSION:
        said = f"{name} is of IR version {model.ir_version}; onnx {onnx.__version__} knows up to {onnx.IR_VERSION}"
        raise ArtifactError(said, again)
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and not 1 <= opset.version <= newest:
            raise ArtifactError(
                f"{name} uses opset {opset.version}; onnx {onnx.__version__} knows 1 to {newest}",
                again,
            )


def _check_start(path: Path, name: str) -> None:
    """Refuse what is no ONNX file by its first bytes, with what it is instead."""
    with path.open("rb") as handle:
        start = handle.read(64)
    if start.startswith(LFS):
        raise ArtifactError(f"{name} is a Git LFS pointer, not the model itself", "fetch it with `git lfs pull`")
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise ArtifactError(f"{name} is a page of HTML, not a model", "download the file itself")


def _home(model: OnnxModel, path: Path) -> Path:
    """Say where a model lives: at its path, or where its link leads if its data is there and not beside the link."""
    places = [place for place in locations_of(model) if "\0" not in place]
    real = Path(os.path.realpath(path))
    here, there = (all((p.parent / place).is_file() for place in places) for p in (path, real))
    return real if path.is_symlink() and places and there and not here else path


def _check_order(graph: OnnxGraph, name: str) -> None:
    """Refuse a graph in which a node takes what a later one makes: ONNX wants an order in which nothing waits."""
    made = {output: node for node in graph.node for output in node.output if output}
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for wanted in uses(node):
            if wanted in made and wanted not in known:
                called = clip(node.name or node.output[0], 60)
                maker = clip(made[wanted].name or made[wanted].op_type, 60)
                raise ArtifactError(
                    f"{name}: the order of its nodes is wrong: {called} ({clip(node.op_type)}) takes "
                    f"{clip(wanted, 60)}, which {maker} makes only after it",
                    "sort its nodes topologically, or export it again",
                )
        for inner in subgraphs(node):
            _check_order(inner, name)
        known.update(node.output)


def _without_data(model: OnnxModel) -> OnnxModel:
    """Return a copy for `onnx.checker` without weights: their sizes are checked here, and it takes no link for data."""
    import onnx

    held = [(tensor, tensor.raw_data) for tensor in tensors(model) if len(tensor.raw_data) > 1 << 16]
    for tensor, _ in held:
        tensor.raw_data = b""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor, data in held:
        tensor.raw_data = data
    for tensor in tensors(copy):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or (tensor.HasField("raw_data") and not tensor.raw_data):
            for field in ("external_data", "data_location", "dims"):
                tensor.ClearField(field)
            tensor.dims.append(0)
    return copy


def _check_tensor(tensor: OnnxTensor, path: Path, name: str) -> str:
    """Check that a tensor has what it claims; return where its external data is, or nothing."""
    from onnx import TensorProto

    called = f"{name}: the tensor {clip(tensor.name) or '(without a name)'}"
    if any(d < 0 for d in tensor.dims):
        raise ArtifactError(f"{called} claims an axis of {min(tensor.dims)} elements", AGAIN)
    elements = prod(tensor.dims)
    claimed = -(-elements * bits(tensor.data_type, name) // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        return _check_external(tensor, claimed, path, called)
    stored = sum(len(getattr(tensor, field)) for field in STORED)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != claimed:
            raise ArtifactError(f"{called} claims {claimed} bytes and has {len(tensor.raw_data)}", AGAIN)
    elif elements > DENSEST * stored:
        raise ArtifactError(f"{called} claims {elements} elements and has {stored}", AGAIN)
    return ""


def _check_external(tensor: OnnxTensor, claimed: int, path: Path, called: str) -> str:
    """Check a tensor's external data without opening it; return its path inside the model's folder.

    A link that leaves the folder is followed only as a cache of downloads has it: the model itself is a link, and the
    data lies beside the file that it leads to.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    shown = clip(location)
    root, store = os.path.realpath(path.parent), os.path.dirname(os.path.realpath(path))
    try:
        there = os.path.realpath(os.path.join(root, location))
    except (ValueError, OSError):  # a zero byte
        there = ""
    outside = os.path.isabs(location) or ".." in Path(location).parts
    inside = there.startswith(root.rstrip(os.sep) + os.sep) or (path.is_symlink() and os.path.dirname(there) == store)
    if not location or outside or not inside:
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
        with open(there, "rb") as handle:
            if handle.read(len(LFS)) == LFS:
                raise ArtifactError(
                    f"{called} has its data in {shown}, which is a Git LFS pointer", "fetch it with `git lfs pull`"
                )
        raise ArtifactError(
            f"{called} claims {claimed} bytes and {shown} has {max(0, min(length, size - offset))} for it",
            "the data may be truncated, or of another model; " + AGAIN,
        )
    return str(os.path.normpath(location))
