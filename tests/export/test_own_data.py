"""Data of one's own for a network: arrays, images, what does not fit, and what may be wrong of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench import backends
from bench.base.errors import ArtifactError, BenchError, UnknownName
from bench.export import given as given_arrays
from bench.export.key import key_of, recipe
from bench.plan import given
from bench.plan.case import Case
from bench.rows import file as records
from tests.conftest import Bench, one_line_error
from tests.export.own import agrees, made, network

pytest.importorskip("torch")


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
