"""Hostile ONNX files: each gives one line, nothing crashes, no file outside the model's folder is read."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench import export
from bench.base.errors import ArtifactError, BenchError
from bench.plan import shapes, zoo
from bench.plan.case import Network
from tests.conftest import Bench, one_line_error, tiny_model


def ensure(path: Path, *given: str) -> export.Artifact:
    return export.ensure(Network(zoo.resolve(str(path)), shapes=shapes.parse(given)))


def refused(path: Path, *given: str) -> str:
    """Assert that a file is refused in a line that a terminal can show, and return it."""
    with pytest.raises(BenchError) as caught:
        ensure(path, *given)
    for text in (caught.value.message, caught.value.hint):
        assert text.isprintable()
        assert 0 < len(text) < 600
    return caught.value.message


def product(shape: list[Any], node: Any = None, weight: Any = None) -> Any:
    """A model of one matrix product ``[.., 4] x [4, 3]``, or of `node`."""
    weight = weight or numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    graph = helper.make_graph(
        [node or helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["A", "B"])],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def claims(dims: list[int], raw: bytes = b"") -> Any:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    if raw:
        tensor.raw_data = raw
    return tensor


def unknown_opset() -> Any:
    model = tiny_model()
    model.opset_import[0].version = 999
    return model


def with_names(text: str) -> Any:
    model = product([1, 4], helper.make_node("Nonsense", [text, "w"], ["y"], text))
    model.graph.input[0].name = text
    return model


def deep() -> Any:
    """An If whose branch holds a constant that claims a terabyte."""
    inner = helper.make_node("Constant", [], ["y"], "inner")
    inner.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=claims([1 << 38])))
    branch = helper.make_graph([inner], "b", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    condition = numpy_helper.from_array(np.array(True), "w")
    return product([1], helper.make_node("If", ["w"], ["y"], "if", then_branch=branch, else_branch=branch), condition)


def expanding() -> Any:
    """A small input that is blown up to 64 TiB."""
    shape = numpy_helper.from_array(np.array([1 << 22, 1 << 22]), "w")
    return product([1, 1], helper.make_node("Expand", ["x", "w"], ["y"], "expand"), shape)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "an empty graph": (lambda: helper.make_model(helper.make_graph([], "g", [], [])), "no nodes"),
    "weights without content": (lambda: product([1, 4], weight=claims([1 << 20, 1 << 20])), "claims 1099511627776"),
    "weights of too little": (
        lambda: product([1, 4], weight=claims([1 << 31, 2], b"1234")),
        "claims 17179869184 bytes",
    ),
    "a negative axis": (lambda: product([1, 4], weight=claims([-4, -3], bytes(48))), "axis of -4"),
    "overflowing axes": (lambda: product([1, 4], weight=claims([1 << 62, 4], b"1234")), "claims"),
    "an unknown type": (lambda: product([1, 4], weight=TensorProto(name="w", data_type=99, dims=[1])), "type 99"),
    "a huge input": (lambda: product([1, 3, 100_000, 100_000]), "take 112 GiB"),
    "an overflowing input": (lambda: product([1 << 62, 1 << 62, 4]), "GiB"),
    "a negative input": (lambda: product([-2, 4]), "axis of -2"),
    "a zero input": (lambda: product([0, 4]), "axis of 0"),
    "a huge constant in a branch": (deep, "claims 274877906944"),
    "a huge result": (expanding, "GiB and this machine has"),
    "an opset of the future": (unknown_opset, "opset 999"),
    "an unknown operator": (lambda: product([1, 4], helper.make_node("Nonsense", ["x"], ["y"], "n")), "Nonsense"),
    "an unknown domain": (
        lambda: product([1, 4], helper.make_node("Secret", ["x"], ["y"], "n", domain="com.example")),
        "com.example",
    ),
    "names with newlines": (lambda: with_names("x\n\x1b[31m\x00y"), ""),
    "names without end": (lambda: with_names("x" * 100_000), ""),
    "shapes that do not fit": (lambda: product([1, 5]), ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_model_is_one_line(tmp_path: Path, what: str) -> None:
    make, says = WRONG[what]
    path = tmp_path / "bad.onnx"
    path.write_bytes(make().SerializeToString())
    assert says in refused(path)


def external(folder: Path, **entries: object) -> Path:
    """A model whose weight of 48 bytes lies where `entries` say."""
    folder.mkdir(exist_ok=True)
    weight = claims([4, 3])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=str(value))
    path = folder / "net.onnx"
    path.write_bytes(product([1, 4], weight=weight).SerializeToString())
    return path


def test_external_data_that_is_in_order_runs(tmp_path: Path) -> None:
    path = external(tmp_path / "m", location="sub/w.bin", offset=4, length=48)
    (tmp_path / "m" / "sub").mkdir()
    (tmp_path / "m" / "sub" / "w.bin").write_bytes(bytes(4) + np.full(12, 2, np.float32).tobytes())
    inputs, outputs = ensure(path).reference()
    assert np.allclose(outputs[0], 2 * inputs[0].sum())


@pytest.mark.parametrize("how", ["parent", "absolute", "link", "linked folder", "zero byte", "nothing", "itself"])
def test_external_data_outside_is_not_read(tmp_path: Path, how: str) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(12, np.float32).tobytes())
    folder = tmp_path / "m"
    locations = {"parent": "../secret.bin", "absolute": str(secret), "link": "w.bin", "linked folder": "sub/secret.bin"}
    locations |= {"zero byte": "a\0b", "nothing": "", "itself": "."}
    path = external(folder, location=locations[how])
    if how == "link":
        (folder / "w.bin").symlink_to(secret)
    elif how == "linked folder":
        (folder / "sub").symlink_to(tmp_path)
    os.utime(secret, (1, 1))  # so that reading it would show, where access times are kept
    assert "outside the model's folder" in refused(path)
    assert secret.stat().st_atime == 1


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"location": "gone.bin"}, "gone.bin, which is not there"),
        ({"location": "short.bin"}, "claims 48 bytes and short.bin has 8"),
        ({"location": "long.bin", "offset": 1 << 62}, "has 0 for it"),
        ({"location": "long.bin", "offset": -8}, "claims"),
        ({"location": "long.bin", "length": 12}, "claims"),
        ({"location": "long.bin", "offset": "x"}, "no readable place"),
        ({"location": "folder"}, "which is not there"),
    ],
)
def test_external_data_that_is_not_whole(tmp_path: Path, entries: dict[str, object], says: str) -> None:
    path = external(tmp_path, **entries)
    (tmp_path / "short.bin").write_bytes(bytes(8))
    (tmp_path / "long.bin").write_bytes(bytes(480))
    (tmp_path / "folder").mkdir()
    assert says in refused(path)


def test_data_with_two_names_runs(tmp_path: Path) -> None:
    """Stores of downloads hold a file once and give it hard links."""
    path = external(tmp_path, location="w.bin")
    (tmp_path / "w.bin").write_bytes(bytes(48))
    os.link(tmp_path / "w.bin", tmp_path / "other.bin")
    assert ensure(path).macs == 12


def test_a_file_of_more_than_protobuf_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.onnx"
    with path.open("wb") as handle:
        handle.truncate(2**31 + 1)  # sparse: it takes no room
    monkeypatch.setattr("bench.export.key.sha256_of", lambda path: "not read")
    assert "more than 2 GiB" in refused(path)


@pytest.mark.parametrize("what", ["folder", "missing", "unreadable", "text"])
def test_what_is_no_file_is_one_line(tmp_path: Path, bench: Bench, what: str) -> None:
    path = tmp_path / "x.onnx"
    if what == "folder":
        path.mkdir()
    elif what == "unreadable":
        onnx.save(tiny_model(), path)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("nothing is unreadable to this user")
    elif what == "text":
        path.write_text("a letter\n" * 99)
    result = bench("run", "--model", "x.onnx", "--backend", "fake", "--launches", 1, "--output", "r.csv")
    assert "Traceback" not in result.stderr
    if what in ("folder", "missing"):
        assert {"folder": "is a folder", "missing": "no file"}[what] in one_line_error(result)
    else:
        with (tmp_path / "r.csv").open() as handle:
            assert "x.onnx" in list(csv.DictReader(handle))[-1]["error"]
        assert result.returncode == 1


def test_names_reach_the_table_without_control_characters(tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "x.onnx").write_bytes(with_names("x\n\x1b[31mred").SerializeToString())
    result = bench("run", "--model", "x.onnx", "--backend", "fake", "--launches", 1, "--output", "r.csv")
    assert result.returncode == 1
    assert "\x1b[31mred" not in result.stdout + result.stderr + (tmp_path / "r.csv").read_text()


def test_a_model_cannot_write_through_the_copy(tmp_path: Path) -> None:
    """A static copy has names of the file's choice beside it: they must not meet files of the cache."""
    weight = claims([4, 3])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="artifact.json")
    data = np.ones(12, np.float32).tobytes()
    (tmp_path / "artifact.json").write_bytes(data)
    path = tmp_path / "net.onnx"
    path.write_bytes(product(["N", 4], weight=weight).SerializeToString())
    assert ensure(path, "x=2x4").outputs[0].shape == (2, 3)
    assert (tmp_path / "artifact.json").read_bytes() == data


def test_a_model_that_is_its_own_data_has_no_copy(tmp_path: Path) -> None:
    weight = claims([4, 3])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="net.onnx")
    path = tmp_path / "net.onnx"
    path.write_bytes(product(["N", 4], weight=weight).SerializeToString())
    with pytest.raises(ArtifactError, match="both model and data"):
        ensure(path, "x=2x4")
