"""ONNX files with several inputs, dynamic axes, other types and external data, from the file to the runtimes."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench import backends, export
from bench.artifact import digest
from bench.artifact.reference import relative_l2
from bench.base.errors import ArtifactError, ParameterError, UnknownName
from bench.plan import shapes, zoo
from bench.plan.case import Case, Network, Settings, cross
from tests.conftest import TINY_MACS, Bench, one_line_error, tiny_model


def case(path: Path, *given: str, **settings: object) -> Network:
    return Network(zoo.resolve(str(path)), shapes=shapes.parse(given), **settings)


def encoder(path: Path, batch: object = "N", length: object = "L", vocabulary: int = 2, external: bool = False) -> Path:
    """A network of three inputs: ids and a mask of ``[N, L]``, and the scalar `scale`; 8 x 32 MACs per position."""
    rng = np.random.default_rng(0)
    weights = {"table": rng.standard_normal((vocabulary, 8)), "w": rng.standard_normal((8, 32))}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["a"], "embed"),
        helper.make_node("Cast", ["mask"], ["m"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["m", "two"], ["u"], "unsqueeze"),
        helper.make_node("Mul", ["a", "u"], ["b"], "hide"),
        helper.make_node("MatMul", ["b", "w"], ["c"], "product"),
        helper.make_node("Mul", ["c", "scale"], ["y"], "scaled"),
    ]
    inputs = [
        helper.make_tensor_value_info("mask", TensorProto.BOOL, [batch, length]),
        helper.make_tensor_value_info("ids", TensorProto.INT64, [batch, length]),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, []),
    ]
    stored = [numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items()]
    stored.append(numpy_helper.from_array(np.array([2]), "two"))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, length, 32])
    graph = helper.make_graph(nodes, "encoder", inputs, [output], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(
        model, path, save_as_external_data=external, location=f"{path.name}.data" if external else None,
        size_threshold=64,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("external", [False, True])
def test_three_inputs_of_three_types_run(tmp_path: Path, backend: str, external: bool) -> None:
    path = encoder(tmp_path / "encoder.onnx", external=external)
    given = case(path, "ids=2x5")  # the mask has the same axes
    artifact = export.ensure(given)
    assert [(i.name, i.dtype, i.shape) for i in artifact.inputs] == [
        ("mask", "bool", (2, 5)),
        ("ids", "int64", (2, 5)),
        ("scale", "float32", ()),
    ]
    assert artifact.macs == 2 * 5 * 8 * 32
    assert artifact.path.parent != tmp_path
    reference = backends.resolve(backend)
    runtime = backends.get(backend)
    if not backends.installed(runtime):
        pytest.skip(f"{backend} is not installed")
    session = runtime.load(artifact, Settings(), reference.options)
    session.infer()
    assert relative_l2(session.outputs(), artifact.reference()[1]) < 1e-5
    assert np.linalg.norm(artifact.reference()[1][0]) > 0.1


@pytest.mark.parametrize("dtype", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_other_floats_run(tmp_path: Path, dtype: int) -> None:
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    weight = numpy_helper.from_array(np.random.default_rng(0).standard_normal((4, 3)).astype(kind), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "product")],
        "floats",
        [helper.make_tensor_value_info("x", dtype, [2, 4])],
        [helper.make_tensor_value_info("y", dtype, [2, 3])],
        [weight],
    )
    path = tmp_path / "floats.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    artifact = export.ensure(case(path))
    assert artifact.inputs[0].dtype == artifact.outputs[0].dtype == str(kind)
    for name in ("onnxruntime", "openvino"):
        if backends.installed(backends.get(name)):
            reference = backends.resolve(name)
            session = backends.get(name).load(artifact, Settings(), reference.options)
            session.infer()
            assert relative_l2(session.outputs(), artifact.reference()[1]) < 2e-2


def test_a_model_that_takes_no_zero_is_run_on_ones(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["n"], ["f"], "cast", to=1), helper.make_node("Reciprocal", ["f"], ["y"], "inverse")],
        "g",
        [helper.make_tensor_value_info("n", TensorProto.INT32, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
    )
    path = tmp_path / "inverse.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert np.all(export.ensure(case(path)).reference()[0][0] == 1)


@pytest.mark.parametrize(
    ("given", "settings", "says"),
    [
        (("y=1x3x16x16",), {}, "no input of net.onnx named 'y'"),
        (("xx=1x3x16x16",), {}, "did you mean x?"),
        (("x=1x3x16",), {}, "does not fit Nx3x16x16"),
        (("x=1x4x16x16",), {}, "does not fit Nx3x16x16"),
        (("x=2000000000x3x16x16",), {}, "2 GiB is the limit"),
        (("x=2x3x16x16",), {"batch": 4}, "has batch 2, not 4"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, given: tuple[str, ...], settings: dict[str, int], says: str) -> None:
    onnx.save(tiny_model(batch="N"), tmp_path / "net.onnx")
    error = UnknownName if given and given[0].partition("=")[0] != "x" else ArtifactError
    with pytest.raises(error) as caught:
        export.ensure(case(tmp_path / "net.onnx", *given, **settings))
    assert says in caught.value.message + " " + caught.value.hint


def test_the_hint_is_what_works(tmp_path: Path) -> None:
    path = encoder(tmp_path / "encoder.onnx")
    with pytest.raises(ArtifactError) as caught:
        export.ensure(case(path))
    words = caught.value.hint.split()
    given = [words[i + 1] for i, word in enumerate(words) if word == "--shape"]
    assert export.ensure(case(path, *given)).macs == 128 * 8 * 32


@pytest.mark.parametrize("text", ["x", "x=", "=1x3", "x=1x", "x=-1x3", "x=1,3", "x=99999999999", "x=axb"])
def test_texts_that_are_no_shapes(text: str) -> None:
    with pytest.raises(ParameterError):
        shapes.parse([text])


def test_shapes_are_part_of_the_case() -> None:
    assert shapes.parse(["b=2", "a=b=1x3"]) == (("a=b", (1, 3)), ("b", (2,)))
    with pytest.raises(ParameterError, match="twice"):
        shapes.parse(["a=1", "a=2"])
    with pytest.raises(ParameterError, match="ONNX"):
        cross([zoo.resolve("shufflenetv2")], [backends.resolve("fake")], shapes=shapes.parse(["x=1x3"]))


def test_shapes_tell_cases_apart(tiny: Path) -> None:
    networks = case(tiny), case(tiny, "x=1x2", "y=3"), case(tiny, "y=3", "x=1x2")
    plain, one, two = (Case(network, backends.resolve("fake")) for network in networks)
    assert len({plain.id, one.id}) == 2
    assert one.id == two.id
    assert "shapes" not in plain.identity()
    assert Settings.read(json.loads(json.dumps(asdict(one.settings)))) == one.settings
    assert "x=1x2" in str(one)


def test_a_dynamic_file_is_measured(tmp_path: Path, bench: Bench) -> None:
    onnx.save(tiny_model(batch="N"), tmp_path / "net.onnx")
    arguments = ("--model", "net.onnx", "--launches", 1, "--budget", 1, "--output", "r.csv")
    wrong = (*arguments, "--shape", "x=1x4x16x16")
    assert "does not fit Nx3x16x16" in one_line_or_row(tmp_path, bench, wrong)
    bench("run", *arguments, "--shape", "x=2x3x16x16")
    row = last_row(tmp_path / "r.csv")
    assert (row["shapes"], row["macs"], row["batch"]) == ("x=2x3x16x16", str(2 * TINY_MACS), "2")
    assert float(row["parity_rel_l2"]) < 1e-4
    said = one_line_error(bench("run", "--model", "shufflenetv2", "--shape", "x=1", "--output", "r.csv"))
    assert "--shape is for ONNX files" in said


def one_line_or_row(folder: Path, bench: Bench, arguments: tuple[object, ...]) -> str:
    result = bench("run", *arguments)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return last_row(folder / "r.csv")["error"]


def last_row(path: Path) -> dict[str, str]:
    with path.open() as handle:
        return list(csv.DictReader(handle))[-1]


def test_changed_external_data_is_another_artifact(tmp_path: Path) -> None:
    path = encoder(tmp_path / "net.onnx", batch=1, length=4, external=True)
    before = export.ensure(case(path))
    assert before.data == ("net.onnx.data",)
    outputs = before.reference()[1][0]
    data = bytearray((tmp_path / "net.onnx.data").read_bytes())
    data[3] ^= 0x80  # a sign: the size stays
    (tmp_path / "net.onnx.data").write_bytes(data)
    after = export.ensure(case(path))
    assert after.sha256 != before.sha256
    assert not np.array_equal(after.reference()[1][0], outputs)


def test_a_dynamic_file_leaves_the_persons_data_alone(tmp_path: Path) -> None:
    """A link to it would make `onnx.checker` refuse it: two shapes in turn would fail."""
    path = encoder(tmp_path / "net.onnx", external=True)
    copies = [export.ensure(case(path, f"ids=1x{length}")).path.parent / "net.onnx.data" for length in (4, 8)]
    assert not any(copy.samefile(tmp_path / "net.onnx.data") for copy in copies)
    assert os.stat(tmp_path / "net.onnx.data").st_nlink == 1


def test_the_digest_of_a_big_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "BIG_BYTES", 1)
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "big"
    file.write_bytes(b"one")
    young = digest.sha256_of(file)
    assert not list((tmp_path / "cache" / "digests").iterdir())
    os.utime(file, (1, 1))
    assert digest.sha256_of(file) == young
    kept = list((tmp_path / "cache" / "digests").iterdir())
    assert len(kept) == 1
    kept[0].write_text("f" * 64)
    assert digest.sha256_of(file) == "f" * 64
    file.write_bytes(b"two")
    os.utime(file, (1, 1))  # the size and this time are the same
    assert digest.sha256_of(file) not in (young, "f" * 64)


def test_data_feeds_a_file(tmp_path: Path) -> None:
    from bench.plan import given

    path = encoder(tmp_path / "encoder.onnx", vocabulary=30)
    ids = np.random.default_rng(0).integers(0, 30, (4, 7))
    mask = np.ones((4, 7), bool)
    np.savez(tmp_path / "a.npz", ids=ids, mask=mask, scale=np.float32(2))
    network = Network(zoo.resolve(str(path)), batch=2, input=given.read(str(tmp_path / "a.npz")))
    artifact = export.ensure(network)
    assert [i.shape for i in artifact.inputs] == [(2, 7), (2, 7), ()]
    np.testing.assert_array_equal(artifact.reference()[0][1], ids[:2])
    for name in ("onnxruntime", "openvino"):
        if backends.installed(backends.get(name)):
            session = backends.get(name).load(artifact, Settings(), backends.resolve(name).options)
            session.infer()
            assert relative_l2(session.outputs(), artifact.reference()[1]) < 1e-5
    np.savez(tmp_path / "b.npz", ids=ids + 0.5, mask=mask, scale=np.float32(2))
    with pytest.raises(ArtifactError, match="is float64, and the network takes int64"):
        export.ensure(Network(zoo.resolve(str(path)), input=given.read(str(tmp_path / "b.npz"))))
    np.savez(tmp_path / "c.npz", ids=ids + 30, mask=mask, scale=np.float32(2))
    with pytest.raises(ArtifactError, match="does not run on the given data: ") as caught:
        export.ensure(Network(zoo.resolve(str(path)), input=given.read(str(tmp_path / "c.npz"))))
    assert "the given data may be what is wrong: ids goes from 3" in caught.value.hint
    np.savez(tmp_path / "d.npz", ids=ids, mask=mask, scale=np.float32(np.nan))
    with pytest.raises(ArtifactError, match="gives NaN or infinity on the given data") as caught:
        export.ensure(Network(zoo.resolve(str(path)), input=given.read(str(tmp_path / "d.npz"))))
    assert "scale has NaN or infinity" in caught.value.hint


def test_an_open_batch_is_the_batch(tmp_path: Path) -> None:
    onnx.save(tiny_model(batch="N"), tmp_path / "net.onnx")
    found = [export.ensure(case(tmp_path / "net.onnx", batch=n)) for n in (1, 3)]
    assert [(a.batch, a.macs) for a in found] == [(1, TINY_MACS), (3, 3 * TINY_MACS)]


def test_a_type_that_the_file_has_not(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="the input ids is int64, not int32"):
        export.ensure(case(encoder(tmp_path / "encoder.onnx"), "ids=1x4:int32"))
    with pytest.raises(ParameterError, match="no type int65"):
        shapes.parse(["ids=1x4:int65"])
