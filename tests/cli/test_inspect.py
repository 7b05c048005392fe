"""``bench inspect`` as a person meets it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.conftest import TINY_MACS, Bench, one_line_error, tiny_model


def test_the_table_shows_totals_classes_and_nodes(tiny: Path, bench: Bench) -> None:
    result = bench("inspect", "tiny.onnx", "--top", 2)
    assert result.returncode == 0, result.stderr
    text = result.stdout
    assert "conv depthwise" in text
    assert "pointwise" in text
    assert "relu" not in text  # neither of the two costliest
    assert "2 of 7 nodes, most macs first, 5 more: --top 7" in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_and_csv_agree(tiny: Path, bench: Bench) -> None:
    data = json.loads(bench("inspect", "tiny.onnx", "--format", "json").stdout)
    assert {"macs", "elementwise_ops", "params", "memory_access_bytes", "nodes"} <= set(data)
    weights = 16 * 27 + 16 * 9 + 18 * 16 + 180
    assert (data["macs"], data["flops"], data["params"]) == (TINY_MACS, 2 * TINY_MACS, weights)
    assert (data["params"], data["uncounted"]) == (data["stored_params"], [])
    assert data["macs_per_byte"] == pytest.approx(TINY_MACS / data["memory_access_bytes"])
    assert sum(c["macs_share"] for c in data["classes"]) == pytest.approx(1)
    rows = list(csv.DictReader(io.StringIO(bench("inspect", "tiny.onnx", "--format", "csv").stdout)))
    assert [row["name"] for row in rows] == [node["name"] for node in data["nodes"]]
    assert [int(row["macs"]) for row in rows] == [node["macs"] for node in data["nodes"]]
    assert rows[0]["weight"] == "16x3x3x3"
    by_bytes = json.loads(bench("inspect", "tiny.onnx", "--format", "json", "--sort", "bytes", "--top", 3).stdout)
    costs = [node["memory_access_bytes"] for node in by_bytes["nodes"]]
    assert costs == sorted((n["memory_access_bytes"] for n in data["nodes"]), reverse=True)[:3]
    assert by_bytes["macs"] == TINY_MACS


def test_params_are_those_of_the_row(tiny: Path, bench: Bench) -> None:
    """A carried reference knows how many parameters the network had; both commands believe it."""
    assert bench("export", "tiny.onnx", "--output", "carried.onnx").returncode == 0
    data = json.loads(bench("inspect", "carried.onnx", "--format", "json").stdout)
    bench("run", "--model", "carried.onnx", "--backend", "fake", "--output", "r.csv", "--launches", 1)
    with (tiny.parent / "r.csv").open() as handle:
        row = next(csv.DictReader(handle))
    assert (row["params"], row["macs"]) == (str(data["params"]), str(data["macs"]))


def test_dynamic_shapes_are_given(tmp_path: Path, bench: Bench) -> None:
    onnx.save(tiny_model(batch="N"), tmp_path / "net.onnx")
    for given in (("--batch", 4), ("--shape", "x=4x3x16x16")):
        found = bench("inspect", "net.onnx", *given, "--format", "json")
        assert json.loads(found.stdout)["macs"] == 4 * TINY_MACS
    assert "does not fit" in one_line_error(bench("inspect", "net.onnx", "--shape", "x=4x3x9x9"))


def test_an_operator_that_is_not_counted_is_a_line(tmp_path: Path, bench: Bench) -> None:
    model = tiny_model()
    model.graph.node.append(helper.make_node("Own", ["y"], ["z"], "strange", domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save(model, tmp_path / "net.onnx")
    result = bench("inspect", "net.onnx")
    assert result.returncode == 0, result.stderr
    first, rest = result.stdout.split("\n", 1)
    assert first == "not counted: Own (its MACs are not known)"
    assert "MACs             at least 55.476 k" in rest
    assert first in bench("inspect", "net.onnx", "--format", "csv").stderr
    data = json.loads(bench("inspect", "net.onnx", "--format", "json").stdout)
    assert (data["uncounted"], data["uncounted_macs"]) == (["Own"], ["Own"])
    assert (data["macs"], data["flops"], data["macs_per_byte"], data["macs_at_least"]) == (None, None, None, TINY_MACS)


def test_modules_are_summed_to_a_depth(tmp_path: Path, bench: Bench) -> None:
    nodes, weights, last = [], [], "x"
    for name in ("/stem/conv/Conv", "/body/body.0/conv/Conv", "/body/body.1/conv/Conv"):
        weights.append(numpy_helper.from_array(np.zeros((3, 3, 1, 1), np.float32), name + "w"))
        nodes.append(helper.make_node("Conv", [last, name + "w"], [name], name))
        last = name
    values = [helper.make_tensor_value_info(n, 1, [1, 3, 4, 4]) for n in ("x", last)]
    made = helper.make_graph(nodes, "g", values[:1], values[1:], weights)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "n.onnx")
    data = json.loads(bench("inspect", "n.onnx", "--depth", 1, "--format", "json").stdout)
    assert [(row["module"], row["nodes"], row["macs"]) for row in data["nodes"]] == [("stem", 1, 144), ("body", 2, 288)]
    assert "2 of 2 modules" in bench("inspect", "n.onnx", "--depth", 1).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope.onnx"], "there is no file"),
        (["shuflenetv2"], "did you mean shufflenetv2"),
        (["shufflenetv2", "--resolution", 5], "8 to 4096"),
        (["shufflenetv2", "--batch", 0], "1 to 4096"),
        (["shufflenetv2", "--shape", "x=1x3"], "is for ONNX files"),
    ],
)
def test_wrong_input_gets_a_line(arguments, said, bench: Bench) -> None:
    assert said in one_line_error(bench("inspect", *arguments))


def test_networks_of_findings_and_settings_in_the_text(bench: Bench) -> None:
    """`stack/` was known to `bench findings` alone, and inspect asked for a backend called fake."""
    pytest.importorskip("torch")
    one = json.loads(bench("inspect", "stack/conv:c=16@resolution=8", "--format", "json").stdout)
    two = json.loads(bench("inspect", "stack/conv:c=16@resolution=8@batch=2", "--format", "json").stdout)
    assert two["macs"] == 2 * one["macs"] > 0
    assert "nothing is run here" in one_line_error(bench("inspect", "stack/conv:c=16@threads=2"))
    assert "did you mean conv" in one_line_error(bench("inspect", "stack/cnov:c=16"))
