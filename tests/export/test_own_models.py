"""Networks of one's own with inputs of their own: several, integers, by keyword; examples, shapes; any result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import backends, export
from bench.base.errors import ArtifactError, BenchError, UnknownName, Unsupported
from bench.measure.cases import case_of_row
from bench.plan import shapes
from bench.plan import target as targets
from bench.plan.case import Case
from bench.rows.cells import cell, row_of
from tests.conftest import Bench
from tests.export.own import agrees, made, network

torch = pytest.importorskip("torch")

IDS = ("input_ids=2x16:int64", "attention_mask=2x16:int64")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch", "mnn", "ncnn", "litert", "executorch"])
def test_a_small_transformer_runs_or_says_in_one_line_why_not(net: Path, backend: str) -> None:
    if not backends.installed(backends.get(backend)):
        pytest.skip(f"{backend} is not installed")
    artifact = made(network(net, "told"))
    if backend == "ncnn":
        with pytest.raises(Unsupported, match="ncnn takes and gives float32, and input_ids is none"):
            agrees(artifact, backend)
    else:
        assert agrees(artifact, backend) < 1e-3


def test_shapes_with_types_draw_whole_numbers_of_the_vocabulary(net: Path) -> None:
    artifact = made(network(net, "encoder", *IDS))
    assert [(i.name, i.dtype, i.shape) for i in artifact.inputs] == [
        ("input_ids", "int64", (2, 16)),
        ("attention_mask", "int64", (2, 16)),
    ]
    assert [o.name for o in artifact.outputs] == ["logits", "last_hidden_state"]
    ids, mask = artifact.reference()[0]
    assert 2 <= ids.max() < 50
    assert set(np.unique(mask)) <= {0, 1}
    assert (artifact.batch, artifact.macs > 0) == (2, True)
    assert all(np.isfinite(y).all() for y in artifact.reference()[1])


def test_an_example_is_a_function_of_the_batch(net: Path) -> None:
    one, four = (made(network(net, "told", batch=n)) for n in (1, 4))
    assert [i.shape for i in (*one.inputs, *four.inputs)] == [(1, 16), (1, 16), (4, 16), (4, 16)]
    assert four.macs == 4 * one.macs
    assert list(four.reference()[0][0][3]) == list(range(16))


def test_positions_constants_and_a_dataclass(net: Path) -> None:
    artifact = made(network(net, "two"))
    assert [i.name for i in artifact.inputs] == ["a", "b"]
    assert [o.name for o in artifact.outputs] == ["total", "parts_0", "parts_1"]
    total, left, right = artifact.reference()[1]
    np.testing.assert_allclose(total, 0.5 * (left + right), rtol=1e-5, atol=1e-6)
    assert made(network(net, "two", batch=6)).inputs[1].shape == (6, 6)
    assert max(agrees(artifact, name) for name in ("onnxruntime", "torch")) < 1e-5


def test_hugging_faces_dummies_are_an_example(net: Path) -> None:
    artifact = made(network(net, "dummies"))
    assert [i.name for i in artifact.inputs] == ["input_ids"]
    assert artifact.reference()[0][0].tolist() == [[7, 6, 0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("function", "told", "error", "says"),
    [
        ("encoder", (), ArtifactError, "--shape input_ids=1x16:int64"),
        ("encoder", (), ArtifactError, "its forward takes input_ids (and perhaps attention_mask, return_dict)"),
        ("encoder", ("input_ids=1x16",), ArtifactError, "input_ids=1x16:int64"),
        ("encoder", ("attention_mask=1x16:int64",), ArtifactError, "--shape says nothing of input_ids"),
        ("encoder", ("inputs=1x16",), UnknownName, "did you mean input_ids?"),
        ("encoder", ("input_ids=2000000000x16:int64",), ArtifactError, "2 GiB is the limit"),
        ("encoder", ("input_ids=1x99:int64",), ArtifactError, "does not run on 1x99 int64"),
        ("nothing", (), ArtifactError, "returns dict, which holds no tensor"),
        ("cached", (), ArtifactError, "returns Cache as past, which is no tensor and holds none"),
        ("cached", (), ArtifactError, "use_cache=False"),
    ],
)
def test_what_is_missing_is_named_as_forward_names_it(
    net: Path, function: str, told: tuple[str, ...], error: type[BenchError], says: str
) -> None:
    with pytest.raises(error) as caught:
        made(network(net, function, *told))
    assert says in caught.value.message + " " + caught.value.hint


def test_weights_are_kept_once(net: Path) -> None:
    """What follows from the seed is not kept; all of it is laid out for who loads the module, and is the same."""
    from bench.artifact.build import rebuild

    artifact = made(network(net, "image"))
    assert not artifact.weights.exists()
    kept = torch.load(Path(artifact.folder, "changed.pt"), weights_only=True)
    assert set(kept) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    before = rebuild(artifact).state_dict()
    export.lay_weights(artifact)
    after = rebuild(artifact).state_dict()
    assert artifact.weights.exists()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert agrees(artifact, "torch") < 1e-5


def test_a_row_of_shapes_and_types_is_a_case_again(net: Path) -> None:
    case = Case(network(net, "encoder", *IDS), backends.resolve("fake"))
    row = row_of({name: cell(value) for name, value in case.columns().items()} | {"case_id": case.id})
    assert case_of_row(row, targets.resolve("local")).id == case.id
    assert shapes.types(case.network.shapes) == {"input_ids": "int64", "attention_mask": "int64"}
    assert replace(case, target="other").id != case.id


@pytest.mark.parametrize("command", ["run", "ab", "profile", "predict", "export", "inspect"])
def test_every_command_takes_shapes_and_data(command: str, bench: Bench) -> None:
    said = bench(command, "--help").stdout
    assert "--shape NAME=1x16:int64" in said
    assert "--input DATA" in said
