"""Files from the field, each valid, or nearly, and odd in one way: what is counted of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from bench import export
from bench.api import inspect
from bench.api.graphs import Inspection
from bench.base.errors import BenchError
from bench.plan import shapes, zoo
from bench.plan.case import Network
from tests.backends.networks import (
    constant_weights,
    constant_weights_fp16,
    dead_conv,
    mnist_mlp,
    pass_through,
    strided_1x1,
)
from tests.backends.quantised import dynamic_int8_mlp, static_qgemm, weight_only_int8
from tests.graph.field import (
    empty_cache,
    four_bits,
    in_a_function,
    open_by_minus_one,
    pooled,
    product,
    qdq_conv,
    sequence,
    stale_and_static,
    stale_batch,
    stale_in_a_branch,
    stale_resolution,
    unsorted_nodes,
    value_floats,
)  # fmt: skip


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
    onnx.save(product(), tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "Git LFS pointer" in refused(tmp_path / "net.onnx").message


def linked(folder: Path) -> Path:
    """A cache of downloads: model and data are links to blobs without an ending."""
    (blobs := folder / "blobs").mkdir(parents=True)
    (links := folder / "snapshots" / "rev" / "onnx").mkdir(parents=True)
    where = blobs / "model.onnx"
    onnx.save(product(), where, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
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
    (tmp_path / "there").mkdir()
    onnx.save(product(), tmp_path / "there" / "net.onnx", save_as_external_data=True, location="d", size_threshold=0)
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
    onnx.save(product("N"), tmp_path / "net.onnx")
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
