"""Networks of one's own with inputs of their own: several, integers, by keyword; examples, shapes, data; any result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import numpy as np
import pytest

from bench import backends, export
from bench.artifact.artifact import Artifact, load
from bench.artifact.reference import relative_l2
from bench.backends import prepare
from bench.base.errors import ArtifactError, BenchError, UnknownName, Unsupported
from bench.export import given as given_arrays
from bench.export.key import key_of, recipe
from bench.measure.cases import case_of_row
from bench.plan import given, shapes, zoo
from bench.plan import target as targets
from bench.plan.case import Case, Network, Settings
from bench.rows import file as records
from bench.rows.cells import cell, row_of
from tests.conftest import Bench, one_line_error

torch = pytest.importorskip("torch")
DONE: dict[str, Path] = {}
DRAFTS = TemporaryDirectory(prefix="bench-own-")

# Hugging Face's ways in a few lines: keyword inputs of integers, an optional mask, a dataclass that is a dict, too.
NET = """
import collections
import dataclasses
import torch
from torch import nn

VOCABULARY = 50

class Output(collections.OrderedDict):
    @property
    def logits(self):
        return self["logits"]

class Encoder(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, width)
        self.places = nn.Embedding(64, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 3)

    def forward(self, input_ids, attention_mask=None, return_dict=True):
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.words(input_ids) + self.places(places)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / x.shape[-1] ** 0.5
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask[:, None, :] == 0, float("-inf"))
        x = self.norm(x + scores.softmax(-1) @ v)
        out = Output(logits=self.head(x[:, 0]), last_hidden_state=x, loss=None)
        return out if return_dict else (out["logits"], x)

def encoder(width=16):
    return Encoder(width)

def ids(batch=1):
    return {"input_ids": torch.arange(16).repeat(batch, 1), "attention_mask": torch.ones(batch, 16, dtype=torch.long)}

class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(4, 4)

    def forward(self, x, mask):
        return (self.scale(x) * mask).sum(1) / mask.sum(1)

def mean():
    return Mean()

def told(width=16):
    return Encoder(width)

told.example_inputs = ids

def dummies():
    net = Encoder()
    net.dummy_inputs = {"input_ids": torch.tensor([[7, 6, 0], [1, 2, 3]])}
    return net

@dataclasses.dataclass
class Pair:
    total: torch.Tensor
    parts: tuple
    note: str = "no tensor"

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 8), nn.Linear(6, 8)

    def forward(self, a, b, /, scale=1.0):
        x, y = self.left(a), self.right(b)
        return Pair(scale * (x + y), (x, y))

def two():
    net = Two()
    net.example_inputs = (torch.randn(2, 4), torch.randn(2, 6), 0.5)
    return net

def image():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Cache:
    pass

def cached():
    class Cached(nn.Module):
        def forward(self, x):
            return {"x": x, "past": Cache()}
    return Cached()

def nothing():
    class Nothing(nn.Module):
        def forward(self, x):
            return {"n": 3}
    return Nothing()
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(NET)
    return path


def network(net: Path, function: str, *told: str, data: Path | None = None, **fields: object) -> Network:
    found = None if data is None else given.read(str(data))
    return Network(zoo.resolve(f"{net}:{function}"), shapes=shapes.parse(told), input=found, **fields)


def made(network: Network, seed: int = 0) -> Artifact:
    """Export in this process, which has PyTorch already: a child takes seconds to import it."""
    from bench.export.child import export

    if str(network) not in DONE:
        draft = Path(mkdtemp(dir=DRAFTS.name))
        export(recipe(network, seed), draft)
        DONE[str(network)] = draft
    return load(DONE[str(network)])


def agrees(artifact: Artifact, backend: str) -> float:
    """Return how far a backend's outputs are from the reference."""
    ref = backends.resolve(backend)
    folder = prepare.ensure(artifact, ref)
    session = backends.session(backends.get(ref.name), folder, Settings(), ref.options)
    session.infer()
    found = relative_l2(session.outputs(), artifact.reference()[1])
    session.close()
    return found


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


def saved(folder: Path, name: str = "data.npz", **arrays: object) -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


def test_data_is_what_the_reference_is_made_of(net: Path, tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 50, (3, 9))
    data = saved(tmp_path, input_ids=ids.astype(np.int64), attention_mask=np.ones((3, 9), np.int64))
    artifact = made(network(net, "encoder", data=data, batch=2))
    np.testing.assert_array_equal(artifact.reference()[0][0], ids[:2])
    assert max(agrees(artifact, name) for name in ("onnxruntime", "torch")) < 1e-4
    with pytest.raises(ArtifactError, match="3 samples, and the batch is 4"):
        made(network(net, "encoder", data=data, batch=4))


@pytest.mark.parametrize(
    ("arrays", "error", "says"),
    [
        ({"attention_mask": [[1]], "position": [[1]]}, UnknownName, "input of"),
        ({"attention_mask": [[1]], "return_dict": [[1]]}, ArtifactError, "no input_ids"),
        ({"input_ids": [[99]]}, ArtifactError, "does not run on the given data, 1x1 int64"),
        ({"input_ids": ["word"]}, ArtifactError, "no numbers"),
    ],
)
def test_data_that_does_not_fit(
    net: Path, tmp_path: Path, arrays: dict[str, Sequence[object]], error: type[BenchError], says: str
) -> None:
    data = saved(tmp_path, **{name: np.array(values) for name, values in arrays.items()})
    with pytest.raises(error) as caught:
        made(network(net, "encoder", data=data))
    assert says in caught.value.message
    if "given data" in says:
        assert "the given data may be what is wrong: input_ids goes from 99 to 99" in caught.value.hint


def test_one_array_is_not_enough_for_two_inputs(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 4), np.int64))
    with pytest.raises(ArtifactError, match=r"one\.npy is one array, and net takes ids, mask") as caught:
        given_arrays.arrays(tmp_path / "one.npy", ["ids", "mask"], ["ids", "mask"], "net")
    assert "a .npz file" in caught.value.hint
    (only,) = given_arrays.arrays(tmp_path / "one.npy", ["ids", "mask"], ["ids"], "net")
    assert only == "ids"


def test_data_that_gives_no_numbers_is_doubted_before_the_network(net: Path, tmp_path: Path) -> None:
    data = saved(tmp_path, x=np.ones((1, 4), np.float32), mask=np.zeros((1, 4), np.int64))
    said = made(network(net, "mean", data=data)).complaint
    assert "with seeded weights and the given data gives unhealthy numbers: " in said
    assert said.endswith("; the given data may be what is wrong: mask is 0 throughout")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        ([[0, 0]], "x is 0 throughout"),
        ([[0.5, float("nan")]], "x has NaN or infinity"),
        ([[3, 7]], "x goes from 3 to 7, and an id must be from 0 to below the rows of its table"),
        ([[-1, 1]], "x goes from -1 to 1"),
        ([[0, 1]], "the given data may be what is wrong"),
    ],
)
def test_what_of_data_may_be_wrong(array: list[list[float]], says: str) -> None:
    said = given_arrays.doubt({"x": np.array(array)})
    assert said.startswith("the given data may be what is wrong")
    assert said.endswith(says) or says in said


def test_images_of_a_folder(net: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for i, color in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        image.new("RGB", (20 + i, 12), color).save(tmp_path / f"{i}.png")
    artifact = made(network(net, "image", data=tmp_path, batch=2, resolution=8))
    (x,) = artifact.reference()[0]
    assert x.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(x[1, 1], (1 - 0.456) / 0.224, rtol=1e-5)
    np.testing.assert_allclose(x[1, 0], -0.485 / 0.229, rtol=1e-5)
    assert [i.name for i in artifact.inputs] == ["input"]  # a plain network is exported as ever
    with pytest.raises(ArtifactError, match="3 images, and the batch is 4"):
        made(network(net, "image", data=tmp_path, batch=4, resolution=8))


def test_what_a_case_was_measured_on_is_part_of_it(net: Path, tmp_path: Path) -> None:
    one, other = (saved(tmp_path, f"{n}.npz", input_ids=np.full((1, 4), n)) for n in (1, 2))
    again = saved(tmp_path, "again.npz", input_ids=np.full((1, 4), 1))
    cases = [Case(network(net, "encoder", data=data), backends.resolve("fake")) for data in (one, other, again)]
    assert cases[0].id == cases[2].id != cases[1].id
    assert str(cases[0].network) == str(cases[2].network) != str(cases[1].network)
    assert key_of(recipe(cases[0].network, 0)) == key_of(recipe(cases[2].network, 0))
    plain = Case(network(net, "encoder"), backends.resolve("fake"))
    assert "input" not in plain.identity()
    assert plain.columns()["input"] is None
    assert cases[0].columns()["input"] == given.read(str(one)).digest


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


def test_rows_on_data_are_rows_of_their_own(net: Path, tmp_path: Path, bench: Bench) -> None:
    saved(tmp_path, "a.npz", input_ids=np.full((1, 8), 3))
    run = ("run", "--model", f"{net}:encoder", "--backend", "fake", "--launches", 2, "--budget", 1, "--output", "r.csv")
    assert bench(*run, "--input", "a.npz").returncode == 0
    (first,) = records.read(tmp_path / "r.csv")
    assert first.input == given.read(str(tmp_path / "a.npz")).digest
    said = bench("run", "--like", f"r.csv#{first.case_id}", "--launches", 2, "--output", "l.csv")
    assert f"data whose hash is {first.input}" in said.stdout.replace("\n", " ")
    found = bench("run", "--like", f"r.csv#{first.case_id}", "--input", "a.npz", "--launches", 2, "--output", "l.csv")
    assert "agrees" in found.stdout, found.stderr


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


def test_export_and_inspect_of_data(net: Path, tmp_path: Path, bench: Bench) -> None:
    saved(tmp_path, "a.npz", input_ids=np.full((1, 8), 3))
    said = bench("export", f"{net}:encoder", "--input", "a.npz", "--output", "net.onnx")
    assert said.returncode == 0, said.stderr
    with np.load(tmp_path / "net.reference.npz") as reference:
        assert reference["input_0"].tolist() == [[3] * 8]
    # Its inputs may be given to another network, and to the file itself.
    assert bench("inspect", "net.onnx", "--input", "net.reference.npz").returncode == 0
    assert "No such file" in one_line_error(bench("inspect", "net.onnx", "--input", "none.npz"))


def test_python_code_gives_arrays_and_shapes(net: Path) -> None:
    import bench

    run = {"launches": 2, "budget": 1.0}
    (one,) = bench.run(f"{net}:encoder", "fake", input={"input_ids": np.full((1, 6), 2)}, **run).rows
    (same,) = bench.run(f"{net}:encoder", "fake", input={"input_ids": np.full((1, 6), 2)}, **run).rows
    (drawn,) = bench.run(f"{net}:encoder", "fake", shapes={"input_ids": "1x6:int64"}, **run).rows
    assert one.status == same.status == drawn.status == "ok", one.error or drawn.error
    assert one.case_id == same.case_id != drawn.case_id
