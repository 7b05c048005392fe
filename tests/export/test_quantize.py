"""A network in int8: what is made of it, what runs, on what it is calibrated, and what is no network for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import export
from bench.artifact import calibration
from bench.artifact.artifact import Artifact
from bench.artifact.reference import relative_l2
from bench.backends.tolerance import MOST, PARITY_TOLERANCE, allowed
from bench.base.errors import ArtifactError, UsageError
from bench.export import quantize, rounded
from bench.plan import given, zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, Bench, one_line_error, tiny_model


def artifact_of(path: Path) -> Artifact:
    return export.ensure(Network(zoo.resolve(str(path))))


def test_a_network_in_int8_is_measured_against_itself(bench: Bench, tiny: Path) -> None:
    made = bench("export", tiny, "--int8", "--output", "q.onnx")
    assert made.returncode == 0, made.stderr
    assert "0.1 M MACs" in made.stdout
    assert "8 seeded draws; relative L2 error 0.0" in made.stdout
    quantised = onnx.load(tiny.with_name("q.onnx"))
    stored = {t.name: t for t in quantised.graph.initializer}
    scales = [len(onnx.numpy_helper.to_array(t).reshape(-1)) for name, t in stored.items() if name.endswith("w1_scale")]
    assert scales == [16]  # a scale for each channel
    points = {name: t.data_type for name, t in stored.items() if name.endswith("zero_point")}
    assert points["x_zero_point"] == onnx.TensorProto.UINT8
    assert points["w1_zero_point"] == onnx.TensorProto.INT8
    usual = ["--launches", "1", "--budget", "0.5", "--format", "json"]
    ran = bench("run", "--model", "q.onnx", "--backend", "onnxruntime", *usual)
    (row,) = json.loads(ran.stdout)
    assert row["status"] in ("ok", "noisy"), row["error"]
    assert row["precision_effective"] == "int8"
    assert row["macs"] == TINY_MACS
    # The same network, quantised on the way.
    (other,) = json.loads(bench("run", "--model", tiny, "--precision", "int8", *usual).stdout)
    assert other["status"] in ("ok", "noisy"), other["error"]
    same = ("precision", "precision_effective", "quantization", "quantization_rel_l2", "artifact_sha256", "macs")
    assert {name: other[name] for name in same} == {name: row[name] for name in same}
    assert (other["macs_int8"], other["macs_float"]) == (TINY_MACS, 0)
    assert 0 <= other["parity_rel_l2"] <= other["quantization_rel_l2"] < 0.1
    assert "8 seeded draws" in other["quantization"]
    assert other["backend"] == "onnxruntime:precision=int8"


def test_the_same_inputs_make_the_same_network(tiny: Path, tmp_path: Path) -> None:
    artifact, made = artifact_of(tiny), []
    one = quantize.ensure(artifact, told=lambda: made.append(1))
    assert quantize.ensure(artifact, told=lambda: made.append(2)).sha256 == one.sha256
    assert made == [1]
    np.savez(tmp_path / "mine.npz", x=np.full((2, *artifact.inputs[0].shape), 0.5, np.float32))
    other = quantize.ensure(artifact, str(tmp_path / "mine.npz"))
    assert other.sha256 != one.sha256
    assert other.quantization is not None
    assert other.quantization.calibration.startswith("2 inputs of mine.npz, sha256 ")
    # Changed in its place it is another calibration.
    np.savez(tmp_path / "mine.npz", x=np.full((3, *artifact.inputs[0].shape), 1.5, np.float32))
    assert quantize.ensure(artifact, str(tmp_path / "mine.npz")).sha256 != other.sha256


def test_what_quantisation_costs_is_what_an_output_may_be_off(tiny: Path) -> None:
    artifact = quantize.ensure(artifact_of(tiny))
    assert artifact.quantization is not None
    cost = artifact.quantization.cost
    plain = export.ensure(Network(zoo.resolve(str(tiny)))).reference()[1]
    assert relative_l2(artifact.reference()[1], plain) <= cost  # the worst of several inputs
    assert PARITY_TOLERANCE["fp32"] < allowed(artifact, "int8") == allowed(artifact, "fp32") == cost < MOST


@pytest.mark.parametrize(("precision", "bits"), [("fp16", 11), ("bf16", 8)])
def test_what_rounding_costs_is_found_by_rounding(tiny: Path, precision: str, bits: int) -> None:
    artifact = artifact_of(tiny)
    found = rounded.known(artifact, precision)
    cost = found.rounding[precision]
    assert 0.2 * 2.0**-bits < cost < 10 * 2.0**-bits
    assert allowed(found, precision) == 2 * cost
    assert allowed(artifact, precision) == PARITY_TOLERANCE[precision]  # where it was not found
    assert rounded.known(artifact, "tf32") is artifact


def test_what_is_no_fp32_is_not_quantised(tmp_path: Path) -> None:
    model = tiny_model()
    for tensor in model.graph.initializer:
        half = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        tensor.CopyFrom(half)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, tmp_path / "half.onnx")
    with pytest.raises(ArtifactError, match="only fp32 is quantised"):
        quantize.ensure(artifact_of(tmp_path / "half.onnx"))


def ids_model(path: Path) -> Path:
    """Write a network of ids 1x8 below 5: a table of rows, then a matrix product."""
    rng = np.random.default_rng(0)
    weights = {"table": rng.standard_normal((5, 16)), "w": rng.standard_normal((16, 4))}
    tensors = [onnx.numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 4])
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"]), helper.make_node("MatMul", ["rows", "w"], ["y"])]
    graph = helper.make_graph(nodes, "ids", [ids], [y], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_network_of_ids_is_quantised_on_ids_of_its_own(bench: Bench, tmp_path: Path) -> None:
    net = ids_model(tmp_path / "ids.onnx")
    np.savez(tmp_path / "ids.npz", ids=np.array([[4, 1, 1, 0, 2, 3, 4, 4]]))
    artifact = export.ensure(Network(zoo.resolve(str(net)), input=given.read(str(tmp_path / "ids.npz"))))
    (own, *drawn), (same, *fresh) = calibration.inputs(artifact)[0], calibration.fresh(artifact)
    np.testing.assert_array_equal(own[0], same[0])
    for (x,) in (*drawn, *fresh):
        assert (x.dtype, sorted(x.ravel())) == (np.int64, [0, 1, 1, 2, 3, 4, 4, 4])  # ids of the table, each as often
    assert any((x != own[0]).any() for (x,) in drawn)
    made = quantize.ensure(artifact)
    assert made.quantization is not None
    assert 0 < made.quantization.cost < 0.1
    run = ["run", "--model", net, "--input", "ids.npz", "--precision", "int8", "--launches", 1, "--budget", 0.5]
    (row,) = json.loads(bench(*run, "--format", "json").stdout)
    assert row["status"] in ("ok", "noisy"), row["error"]
    assert row["precision_effective"] == "int8"


def test_ids_to_calibrate_on_are_integers(tmp_path: Path) -> None:
    artifact = artifact_of(ids_model(tmp_path / "ids.onnx"))
    np.savez(tmp_path / "good.npz", ids=np.arange(24).reshape(3, 8) % 5)
    np.savez(tmp_path / "bad.npz", ids=np.full((3, 8), 0.5))
    found, said = calibration.inputs(artifact, str(tmp_path / "good.npz"))
    assert [(x.shape, x.dtype) for (x,) in found] == [((1, 8), np.int64)] * 3
    assert said.startswith("3 inputs of good.npz")
    with pytest.raises(ArtifactError, match="has float64 for ids, which takes int64"):
        calibration.inputs(artifact, str(tmp_path / "bad.npz"))


def test_a_network_without_anything_to_quantise_is_one_line(tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Erf", ["x"], ["y"], "only")], "one", [x], [y])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "erf.onnx"
    )
    with pytest.raises(ArtifactError, match="has no operator that onnxruntime's quantiser quantises") as found:
        quantize.ensure(artifact_of(tmp_path / "erf.onnx"))
    assert found.value.hint


def arrays(**given: object) -> object:
    return lambda path: np.savez(path, **given)


SHAPE = (1, 3, 16, 16)  # of the tiny network's input
BAD = {
    "no such": (None, "cannot be read: No such file or directory"),
    "text": (lambda path: path.write_text("no zip"), "is none that can be read"),
    "pickled": (arrays(x=np.array([{}], object)), "is none that can be read"),
    "names": (arrays(a=np.zeros(3), b=np.zeros(3)), "has no array x, but a, b"),
    "shape": (arrays(x=np.zeros((4, 3, 8, 8), np.float32)), "has 4x3x8x8 for x, which takes 1x3x"),
    "scalar": (arrays(x=np.float32(1)), "has a scalar for x"),
    "none": (arrays(x=np.zeros((0, *SHAPE), np.float32)), "has no sample for x"),
    "texts": (arrays(x=np.array(["a"])), "holds no numbers for x"),
    "nan": (arrays(x=np.full((2, *SHAPE), np.nan, np.float32)), "has NaN or infinity for x"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_calibration_file_that_does_not_fit_is_one_line(name: str, tiny: Path, tmp_path: Path) -> None:
    write, said = BAD[name]
    path = tmp_path / "bad.npz"
    if write is not None:
        write(path)
    artifact = artifact_of(tiny)
    assert tuple(artifact.inputs[0].shape) == SHAPE
    with pytest.raises(ArtifactError if write is not None else UsageError) as found:
        calibration.inputs(artifact, str(path))
    assert said in found.value.message
    assert found.value.hint
    assert "\n" not in found.value.message


def test_samples_lie_along_a_first_axis_of_their_own_or_that_of_the_batch(tiny: Path, tmp_path: Path) -> None:
    artifact, path = artifact_of(tiny), tmp_path / "images.npz"
    images = np.random.default_rng(0).standard_normal((5, *SHAPE[1:]))
    np.savez(path, images)  # whatever its name, the only one is meant
    found, said = calibration.inputs(artifact, str(path))
    assert [x[0].shape for x in found] == [SHAPE] * 5
    assert all(x[0].dtype == np.float32 for x in found)
    assert said.startswith("5 inputs of images.npz")
    np.savez(path, images[:, None])
    assert np.array_equal(calibration.inputs(artifact, str(path))[0][2][0], found[2][0])


def test_a_calibration_file_that_is_not_there_is_told_once_and_nothing_runs(
    bench: Bench, tiny: Path, tmp_path: Path
) -> None:
    int8 = ("--precision", "int8", "--calibration", "gone.npz")
    for words in (
        ("run", "--model", tiny, *int8, "--backend", "onnxruntime", "--backend", "openvino", "--output", "r.csv"),
        ("run", "--model", tiny, "--backend", "onnxruntime:precision=int8,calibration=gone.npz", "--output", "r.csv"),
        ("ab", f"{tiny}@onnxruntime:precision=int8,calibration=gone.npz", tiny, "--output", "r.csv"),
        ("export", tiny, "--int8", "--calibration", "gone.npz", "--output", "o.onnx"),
    ):
        done = bench(*words)
        assert "the calibration file gone.npz cannot be read: No such file" in one_line_error(done)
        assert done.returncode == 2
        assert not list(tmp_path.glob("r.*"))


def test_a_bad_calibration_file_is_a_row_that_says_so(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    asked = ["run", "--model", tiny, "--precision", "int8", "--calibration", "bad.npz", "--format", "json"]
    (row,) = json.loads(bench(*asked).stdout)
    assert row["status"] == "failed"
    assert row["error"].startswith("the calibration file bad.npz is none that can be read")
    assert row["backend"] == "onnxruntime:precision=int8,calibration=bad.npz"
    without = bench("run", "--model", tiny, "--calibration", "gone.npz")
    assert "a calibration file is of int8" in one_line_error(without)
    other = bench("export", tiny, "--output", "o.onnx", "--calibration", "gone.npz")
    assert "a calibration file is of --int8" in one_line_error(other)
