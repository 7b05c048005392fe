"""Files from the field, each valid, or nearly, and odd in one way: what is counted of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import export
from bench.api import inspect
from bench.api.graphs import Inspection
from bench.base.errors import BenchError
from bench.plan import shapes, zoo
from bench.plan.case import Network
from tests.backends.networks import (
    FLOAT,
    SAME,
    constant_weights,
    constant_weights_fp16,
    dead_conv,
    dynamic_int8_mlp,
    given,
    mnist_mlp,
    model,
    node,
    pass_through,
    static_qgemm,
    strided_1x1,
    value,
    weight,
    weight_only_int8,
    whole,
)  # fmt: skip


def two_convs(inputs: Any, outputs: Any, inside: Any) -> Any:
    nodes = [
        node("Conv", ["x", "w1"], ["a"], "first", **SAME),
        node("Relu", ["a"], ["b"], "relu"),
        node("Conv", ["b", "w2"], ["y"], "second", **SAME),
    ]
    return model(nodes, inputs, outputs, [weight("w1", 4, 3, 3, 3), weight("w2", 4, 4, 3, 3)], inside=inside)


def stale_batch() -> Any:
    """Shapes kept inside the file say batch 1, the input says N."""
    inside = [value("a", 1, 4, 8, 8), value("b", 1, 4, 8, 8)]
    return two_convs([value("x", "N", 3, 8, 8)], [value("y", "N", 4, 8, 8)], inside)


def stale_resolution() -> Any:
    """Shapes kept inside the file say 8 x 8 pixels, the input says H x W."""
    inside = [value("a", 1, 4, 8, 8), value("b", 1, 4, 8, 8)]
    return two_convs([value("x", 1, 3, "H", "W")], [value("y", 1, 4, "H", "W")], inside)


def stale_and_static() -> Any:
    """Everything is static, and what is kept inside is too large."""
    inside = [value("a", 2, 4, 80, 80), value("b", 2, 4, 80, 80)]
    return two_convs([value("x", 1, 3, 8, 8)], [value("y", 3, 4, 80, 80)], inside)


def stale_in_a_branch() -> Any:
    """The stale shape is inside a branch that is always taken."""
    then = helper.make_graph([node("Conv", ["x", "w"], ["a"], "inner", **SAME)], "then", [], [value("a", 1, 4, 8, 8)])
    other = helper.make_graph([node("Conv", ["x", "w"], ["b"], "other")], "else", [], [value("b", 1, 4, 6, 6)])
    nodes = [node("If", ["yes"], ["y"], "if", then_branch=then, else_branch=other)]
    weights = [given("yes", True, np.bool_), weight("w", 4, 3, 3, 3)]
    return model(nodes, [value("x", "N", 3, 8, 8)], [value("y", 1, 4, 8, 8)], weights)


def value_floats() -> Any:
    """A Constant with a list of numbers as its attribute, made a matrix."""
    nodes = [
        node("Constant", [], ["flat"], value_floats=[0.1] * 24),
        node("Constant", [], ["shape"], value_ints=[8, 3]),
        node("Reshape", ["flat", "shape"], ["w"]),
        node("MatMul", ["x", "w"], ["y"], "fc"),
    ]
    return model(nodes, [value("x", 2, 8)], [value("y", 2, 3)])


def in_a_function() -> Any:
    """The weight is a Constant inside a function of the file."""
    inside = [node("Constant", [], ["w"], value=weight("w", 8, 3)), node("MatMul", ["a", "w"], ["b"], "fc")]
    function = helper.make_function("mine", "Layer", ["a"], ["b"], inside, [helper.make_opsetid("", 17)])
    made = model([node("Layer", ["x"], ["y"], "layer", domain="mine")], [value("x", 2, 8)], [value("y", 2, 3)])
    made.functions.append(function)
    return made


def qdq_conv() -> Any:
    """A quantised convolution in QDQ form: scales and zero points, an int32 bias, and a Clip with stored bounds."""
    weights = [whole("w", 8, 3, 3, 3), given("ws", [0.01] * 8), given("wz", [0] * 8, np.int8)]
    weights += [given("b", [5] * 8, np.int32), given("bs", [0.001] * 8), given("bz", [0] * 8, np.int32)]
    weights += [given("xs", 0.02), given("xz", 128, np.uint8), given("low", 0), given("high", 6)]
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], axis=0),
        node("DequantizeLinear", ["b", "bs", "bz"], ["db"], axis=0),
        node("Conv", ["d", "dw", "db"], ["c"], "conv", **SAME),
        node("Clip", ["c", "low", "high"], ["y"], "clip"),
    ]
    return model(nodes, [value("x", 1, 3, 16, 16)], [value("y", 1, 8, 16, 16)], weights)


def empty_cache() -> Any:
    """One step of attention with a cache whose length P may be 0."""
    nodes = [
        node("MatMul", ["q", "wq"], ["qq"], "query"),
        node("MatMul", ["q", "wk"], ["k"], "key"),
        node("Concat", ["past", "k"], ["present"], axis=1),
        node("Transpose", ["present"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["qq", "kt"], ["y"], "scores"),
    ]
    ins, outs = [value("q", 1, "S", 16), value("past", 1, "P", 16)], [value("y", 1, "S", "L")]
    return model(nodes, ins, [*outs, value("present", 1, "L", 16)], [weight("wq", 16, 16), weight("wk", 16, 16)])


def unsorted_nodes() -> Any:
    """A node stands before the one whose result it takes."""
    nodes = [node("Relu", ["a"], ["y"], "too_early"), node("MatMul", ["x", "w"], ["a"], "fc")]
    return model(nodes, [value("x", 2, 16)], [value("y", 2, 8)], [weight("w", 16, 8)])


def sequence(lengths: Sequence[int] = ()) -> Any:
    """The output is a sequence, of tensors of different lengths if so given."""
    cut = [given("lengths", lengths, np.int64)] if lengths else []
    nodes = [node("MatMul", ["x", "w"], ["a"], "fc")]
    nodes += [node("SplitToSequence", ["a", *(t.name for t in cut)], ["y"], axis=0)]
    end = helper.make_tensor_sequence_value_info("y", FLOAT, None)
    return model(nodes, [value("x", 4, 64)], [end], [weight("w", 64, 32), *cut])


def open_by_minus_one() -> Any:
    """Open axes are -1, as converters write them."""
    return two_convs([value("x", -1, 3, -1, -1)], [value("y", -1, 4, -1, -1)], [value("a", -1, 4, -1, -1)])


def pooled(op: str, opset: int, side: int, kernel: int, stride: int, pad: int) -> Any:
    """Pooling whose number of windows is rounded up, and a convolution behind it."""
    pads = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": 1}
    nodes = [node(op, ["x"], ["p"], "pool", **pads), node("Conv", ["p", "w"], ["y"], "conv")]
    return model(nodes, [value("x", 1, 3, side, side)], [value("y", 1, 4, "H", "W")], [weight("w", 4, 3, 1, 1)], opset)


def counted(folder: Path, made: Any, *shape: str) -> Inspection:
    path = folder / "net.onnx"
    onnx.save(made, path)
    return inspect(path, shapes=dict(shapes.parse(shape)))


# (file, shapes, MACs, parameters)
RIGHT: list[tuple[Callable[[], Any], tuple[str, ...], int, int]] = [
    (stale_batch, ("x=8x3x8x8",), 129024, 252),
    (stale_resolution, ("x=1x3x32x32",), 258048, 252),
    (stale_and_static, (), 16128, 252),
    (stale_in_a_branch, ("x=8x3x8x8",), 8 * 4 * 64 * 27, 108),
    (dead_conv, (), 55296, 216),
    (constant_weights, (), 55296, 224),
    (constant_weights_fp16, (), 55296, 224),
    (value_floats, (), 48, 24),
    (in_a_function, (), 48, 24),
    (mnist_mlp, (), 109184, 109386),
    (strided_1x1, (), 2490368, 16 * 144 + 512),
    (dynamic_int8_mlp, (), 24576, 64 * 64 + 64 + 64 * 32 + 32),
    (static_qgemm, (), 24576, 64 * 64 + 64 + 64 * 32 + 32),
    (weight_only_int8, (), 3 << 20, 3 << 20),
    (qdq_conv, (), 55296, 224),
    (empty_cache, ("q=1x4x16", "past=1x0x16"), 2304, 512),
    (pass_through, (), 256, 128),
    (open_by_minus_one, ("x=8x3x8x8",), 129024, 252),
]


@pytest.mark.parametrize(("make", "shape", "macs", "params"), RIGHT, ids=lambda p: getattr(p, "__name__", ""))
def test_the_right_counts(tmp_path: Path, make: Any, shape: tuple[str, ...], macs: int, params: int) -> None:
    found = counted(tmp_path, make(), *shape)
    assert (found.macs, found.params) == (macs, params)
    assert not found.summary.graph.uncounted
    artifact = ensure(tmp_path / "net.onnx", *shape)
    assert (artifact.macs, artifact.params, artifact.uncounted) == (macs, params, ())


def ensure(path: Path, *shape: str) -> export.Artifact:
    return export.ensure(Network(zoo.resolve(str(path)), shapes=shapes.parse(shape)))


@pytest.mark.parametrize(
    ("make", "precision"),
    [(constant_weights_fp16, "fp16"), (weight_only_int8, "int8"), (qdq_conv, "int8"), (in_a_function, "fp32")],
)
def test_the_precision_is_that_of_the_weights(tmp_path: Path, make: Callable[[], Any], precision: str) -> None:
    onnx.save(make(), tmp_path / "net.onnx")
    assert ensure(tmp_path / "net.onnx").precision == precision


def test_a_weight_is_read_as_it_is_stored(tmp_path: Path) -> None:
    found = counted(tmp_path, weight_only_int8()).summary
    assert found.memory_access_bytes == pytest.approx(3.2e6, rel=0.02)


def four_bits(kind: int = TensorProto.INT4) -> Any:
    packed = helper.make_tensor("w", kind, [64, 32], np.zeros(2048, np.int8))
    nodes = [node("DequantizeLinear", ["w", "s"], ["d"], axis=1), node("MatMul", ["x", "d"], ["y"], "fc")]
    made = model(nodes, [value("x", 1, 64)], [value("y", 1, 32)], [packed, given("s", [0.1] * 32)])
    made.opset_import[0].version = 21
    return made


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_four_bits_are_known(tmp_path: Path, kind: int) -> None:
    found = counted(tmp_path, four_bits(kind))
    assert (found.macs, found.params) == (2048, 2048)
    [product] = found.summary.graph.nodes
    assert product.read_bytes == 64 * 4 + 1024 + 32 * 4
    assert ensure(tmp_path / "net.onnx").precision == "int4"


def refused(path: Path) -> BenchError:
    for look in (lambda: inspect(path), lambda: ensure(path)):
        with pytest.raises(BenchError) as caught:
            look()
        assert len(caught.value.message) < 400
    return caught.value


def test_the_order_of_nodes_is_told(tmp_path: Path) -> None:
    onnx.save(unsorted_nodes(), tmp_path / "net.onnx")
    said = refused(tmp_path / "net.onnx").message
    assert "order" in said
    assert "too_early" in said
    assert not said.rstrip().endswith(":")


@pytest.mark.parametrize("lengths", [(), (1, 3)])
def test_a_sequence_is_refused(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    onnx.save(sequence(lengths), tmp_path / "net.onnx")
    assert "the output y is a sequence, not a tensor" in refused(tmp_path / "net.onnx").message


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    (tmp_path / "net.onnx").write_bytes(pointer)
    error = refused(tmp_path / "net.onnx")
    assert "Git LFS pointer" in error.message
    assert "git lfs pull" in error.hint


def test_data_that_is_a_pointer_is_named(tmp_path: Path) -> None:
    product = model(
        [node("MatMul", ["x", "w"], ["y"])], [value("x", 2, 64)], [value("y", 2, 64)], [weight("w", 64, 64)]
    )
    onnx.save(product, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "Git LFS pointer" in refused(tmp_path / "net.onnx").message


def linked(folder: Path) -> Path:
    """A cache of downloads: model and data are links to blobs without an ending."""
    product = model(
        [node("MatMul", ["x", "w"], ["y"])], [value("x", 2, 64)], [value("y", 2, 64)], [weight("w", 64, 64)]
    )
    (blobs := folder / "blobs").mkdir(parents=True)
    (links := folder / "snapshots" / "rev" / "onnx").mkdir(parents=True)
    where = blobs / "model.onnx"
    onnx.save(product, where, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    for name, blob in (("model.onnx", "5f1c0a"), ("model.onnx_data", "b27e94")):
        (blobs / name).rename(blobs / blob)
        (links / name).symlink_to(Path("../../../blobs", blob))
    return links / "model.onnx"


def test_links_into_a_store_are_followed(tmp_path: Path) -> None:
    path = linked(tmp_path)
    assert inspect(path).macs == 8192
    artifact = ensure(path)
    assert artifact.macs == 8192
    assert artifact.reference()[1][0].shape == (2, 64)


def test_a_link_to_a_model_finds_the_data_beside_it(tmp_path: Path) -> None:
    product = model(
        [node("MatMul", ["x", "w"], ["y"])], [value("x", 2, 64)], [value("y", 2, 64)], [weight("w", 64, 64)]
    )
    (tmp_path / "there").mkdir()
    onnx.save(product, tmp_path / "there" / "net.onnx", save_as_external_data=True, location="d", size_threshold=0)
    (tmp_path / "link.onnx").symlink_to(tmp_path / "there" / "net.onnx")
    assert ensure(tmp_path / "link.onnx").macs == inspect(tmp_path / "link.onnx").macs == 8192


def test_a_link_out_of_the_store_is_not_followed(tmp_path: Path) -> None:
    path = linked(tmp_path)
    data = path.with_name("model.onnx_data")
    (tmp_path / "secret").write_bytes(bytes(64 * 64 * 4))
    data.unlink()
    data.symlink_to(tmp_path / "secret")
    assert "outside the model's folder" in refused(path).message


def test_an_input_of_nothing_alone_is_refused(tmp_path: Path) -> None:
    product = model(
        [node("MatMul", ["x", "w"], ["y"])], [value("x", "N", 64)], [value("y", "N", 64)], [weight("w", 64, 64)]
    )
    onnx.save(product, tmp_path / "net.onnx")
    with pytest.raises(BenchError, match="axis of 0"):
        inspect(tmp_path / "net.onnx", shapes={"x": (0, 64)})


# Public reports on other tools, each a kind of its own (docs/method.md, "Reports on other tools, tried here").


def test_an_axis_of_minus_one_is_asked_for(tmp_path: Path) -> None:
    """microsoft/onnxruntime#1439: converters leave -1, which runtimes take for an open axis."""
    onnx.save(open_by_minus_one(), tmp_path / "net.onnx")
    error = refused(tmp_path / "net.onnx")
    assert "x is ?x3x?x?" in error.message
    assert "--shape x=1x3x224x224" in error.hint


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize("opset", [11, 19, 22])
@pytest.mark.parametrize("window", [(2, 3, 3, 1), (9, 4, 4, 2), (12, 1, 2, 0), (7, 3, 2, 1), (6, 2, 4, 0)])
def test_windows_that_begin_in_the_padding(
    tmp_path: Path, op: str, opset: int, window: tuple[int, int, int, int]
) -> None:
    """pytorch/pytorch#131272: whether the last window counts differs between specification, exporter and runtime."""
    onnx.save(pooled(op, opset, *window), tmp_path / "net.onnx")
    artifact = ensure(tmp_path / "net.onnx")
    [output] = artifact.outputs  # as ONNX Runtime computed it
    assert (artifact.macs, artifact.uncounted) == (3 * int(np.prod(output.shape)), ())


def test_a_file_that_is_too_new_says_what_to_update(tmp_path: Path) -> None:
    """microsoft/onnxruntime#20559: exported with a newer onnx than the runtime knows."""
    made = mnist_mlp()
    made.ir_version = onnx.IR_VERSION + 1
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    error = refused(tmp_path / "net.onnx")
    assert f"IR version {onnx.IR_VERSION + 1}" in error.message
    assert "update onnx and onnxruntime" in error.hint
