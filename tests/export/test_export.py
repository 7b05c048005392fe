from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from bench import export
from bench.artifact.artifact import load
from bench.base.errors import ArtifactError, BenchError, UnknownName
from bench.export.key import key_of, reachable, recipe
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, tiny_model

NET = """
import torch
from neighbour import WIDTH

class Net(torch.nn.Sequential):
    pass

def make(depth=1):
    layers = [torch.nn.Conv2d(3, WIDTH, 3), *(torch.nn.Conv2d(WIDTH, WIDTH, 1) for _ in range(depth))]
    return Net(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

make.resolution = 20

def nothing():
    return 3

def grows():
    return Net(torch.nn.Conv2d(3, 4, 1), Times(1e30), torch.nn.Conv2d(4, 4, 1), Times(1e30))

class Times(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
"""


def case(spec: str, **settings: object) -> Network:
    return Network(zoo.resolve(spec), **settings)


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "neighbour.py").write_text("WIDTH = 6\n")
    return str(tmp_path / "net.py")


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_python_file_with_a_neighbour(net: str) -> None:
    pytest.importorskip("torch")
    artifact = export.ensure(case(f"{net}:make:depth=2"))
    assert artifact.resolution == 20
    assert artifact.macs == 18 * 18 * (6 * 27 + 2 * 36)
    assert artifact.reference_by.startswith("torch 2")
    assert 0 < artifact.noise < 1e-5
    inputs, outputs = artifact.reference()
    assert inputs[0].shape == (1, 3, 20, 20)
    assert outputs[0].shape == (1, 6)


@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        ("nothing", ArtifactError, "not an nn.Module"),
        ("mke", UnknownName, "did you mean make"),
        ("grows", ArtifactError, "unhealthy numbers"),
    ],
)
def test_a_python_file_that_does_not_do(net: str, function: str, error: type[BenchError], says: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(error) as caught:
        export.ensure(case(f"{net}:{function}"))
    assert says in caught.value.message + caught.value.hint


def test_an_onnx_file_stays_where_it_is(tiny: Path, fresh_cache: Path) -> None:
    artifact = export.ensure(case(str(tiny)))
    assert artifact.path == tiny
    assert (artifact.macs, artifact.batch, artifact.resolution) == (TINY_MACS, 1, 16)
    assert artifact.params == 16 * 27 + 16 * 9 + 18 * 16 + 180
    assert artifact.reference_by.startswith("onnxruntime")


def test_a_changed_file_is_another_artifact(tiny: Path, net: str) -> None:
    before = [key_of(recipe(case(s), 0)) for s in (str(tiny), f"{net}:make")]
    onnx.save(tiny_model(weights_seed=1), tiny)
    Path(net).with_name("neighbour.py").write_text("WIDTH = 8\n")
    reachable.cache_clear()
    after = [key_of(recipe(case(s), 0)) for s in (str(tiny), f"{net}:make")]
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_key_depends_on_everything_that_matters() -> None:
    base = case("shufflenetv2")
    others = [case("shufflenetv2", batch=2), case("shufflenetv2", resolution=64), case("shufflenetv2:width=2")]
    keys = {key_of(recipe(c, 0)) for c in (base, *others)} | {key_of(recipe(base, 1))}
    assert len(keys) == 5


def test_concurrent_exports_make_one_artifact(tiny: Path, fresh_cache: Path) -> None:
    code = f"""
from bench import backends, export
from bench.plan import zoo
from bench.plan.case import Network
made = []
case = Network(zoo.resolve({str(tiny)!r}))
print(export.ensure(case, 0, lambda: made.append(1)).macs, len(made))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate()[0].split() for process in processes]
    assert [macs for macs, _ in said] == [str(TINY_MACS)] * 4
    assert sum(int(made) for _, made in said) == 1
    assert len([p for p in (fresh_cache / "artifacts").iterdir() if p.is_dir()]) == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "half"])
def test_a_damaged_artifact_is_made_anew(tiny: Path, fresh_cache: Path, damage: str) -> None:
    folder = Path(export.ensure(case(str(tiny))).folder)
    if damage == "cut":
        text = (folder / "artifact.json").read_text()
        (folder / "artifact.json").write_text(text[: len(text) // 2])
    elif damage == "gone":
        (folder / "artifact.json").unlink()
    else:
        data = json.loads((folder / "artifact.json").read_text())
        (folder / "artifact.json").write_text(json.dumps(data | {"bytes": 1}))
    assert export.ensure(case(str(tiny))).macs == TINY_MACS


@pytest.mark.parametrize("name", ["reference.npz", "static/tiny.onnx"])
@pytest.mark.parametrize("hidden", [False, True], ids=["", "of the same times"])
def test_a_file_whose_bytes_changed_is_made_anew(tmp_path: Path, fresh_cache: Path, name: str, hidden: bool) -> None:
    """Of the same size: the backend would be blamed for it, or the row would name a hash that did not run."""
    onnx.save(tiny_model(batch="n"), tmp_path / "tiny.onnx")
    network = case(str(tmp_path / "tiny.onnx"), shapes=(("x", (1, 3, 16, 16)),))
    made: list[int] = []
    file = Path(export.ensure(network).folder, name)
    whole, times = file.read_bytes(), file.stat()
    file.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    if hidden:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ArtifactError, match="not whole"):
        load(file.parent if name == "reference.npz" else file.parent.parent)
    again = export.ensure(network, 0, lambda: made.append(1))
    assert made == [1]
    assert file.read_bytes() == whole
    assert export.ensure(network, 0, lambda: made.append(2)) == again
    assert made == [1]


def test_an_export_that_dies_leaves_nothing(tiny: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BenchError):
        export.ensure(case(str(tiny)))
    monkeypatch.undo()
    os.environ["ISOFLOPS_CACHE"] = str(fresh_cache)
    assert not [p for p in (fresh_cache / "artifacts").iterdir() if p.is_dir()]
    assert export.ensure(case(str(tiny))).macs == TINY_MACS


def bad_files() -> dict[str, bytes]:
    good = tiny_model().SerializeToString()
    cyclic = tiny_model()
    cyclic.graph.node[0].input[0] = "y"
    dynamic = tiny_model(batch="N")
    dynamic.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
    return {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "text": b"this is a letter, not a network\n" * 20,
        "cyclic": cyclic.SerializeToString(),
        "dynamic": dynamic.SerializeToString(),
    }


@pytest.mark.parametrize("kind", bad_files())
def test_a_bad_onnx_file_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(bad_files()[kind])
    with pytest.raises(ArtifactError) as caught:
        export.ensure(case(str(path)))
    assert "\n" not in caught.value.message
    assert "bad.onnx" in caught.value.message
    assert caught.value.hint


def test_a_file_has_the_batch_and_resolution_it_has(tiny: Path) -> None:
    for settings in ({"batch": 2}, {"resolution": 224}):
        with pytest.raises(ArtifactError, match=str(*settings.values())):
            export.ensure(case(str(tiny), **settings))
    assert export.ensure(case(str(tiny), resolution=16)).resolution == 16
