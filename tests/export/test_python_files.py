"""A person's ``file.py:factory``: its neighbours, its arguments, its mistakes, here and in the worker of torch."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench import backends, export
from bench.artifact.reference import relative_l2
from bench.base.errors import ArtifactError
from bench.export.key import key_of, reachable, recipe
from bench.plan import zoo
from bench.plan.case import Network, Settings
from tests.conftest import Bench

pytest.importorskip("torch")

NET = """
import sys
import torch
from models import Block
from models.head import head

def make(width=4):
    return torch.nn.Sequential(Block(width), *head())

make.resolution = 14

def needs(width, depth):
    return make(width)

def two():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = make()
        def forward(self, x):
            return self.body(x), x
    return Two()

def leaves():
    sys.exit("no")

def odd():
    return make()

odd.resolution = "large"
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A file beside a package that is called as ours at the top of the repository."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("from .block import Block\n")
    (tmp_path / "models" / "block.py").write_text(
        "import torch\n\nclass Block(torch.nn.Conv2d):\n"
        "    def __init__(self, width):\n        super().__init__(3, width, 3)\n"
    )
    (tmp_path / "models" / "head.py").write_text(
        "import torch\n\ndef head():\n    return torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()\n"
    )
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "net.py"


def case(spec: str) -> Network:
    return Network(zoo.resolve(spec))


def test_a_file_with_a_package_called_models_runs_in_torch(net: Path, bench: Bench) -> None:
    result = bench(
        "run", "--model", "net.py:make:width=6", "--backend", "torch", "--launches", 1, "--budget", 1,
        "--output", "r.csv",
    )  # fmt: skip
    with (net.parent / "r.csv").open() as handle:
        row = list(csv.DictReader(handle))[-1]
    assert row["status"] in ("ok", "noisy"), row["error"] + result.stderr
    assert (row["macs"], row["macs_executed"], row["resolution"]) == (str(6 * 144 * 27),) * 2 + ("14",)
    assert float(row["parity_rel_l2"]) < 1e-5


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("needs", "needs:width=VALUE,depth=VALUE"),
        ("needs:width=3", "'depth'"),
        ("make:depth=3", "it takes (width=4)"),
        ("leaves", "SystemExit: no"),
        ("odd", "resolution is large"),
    ],
)
def test_a_mistake_is_one_line(net: Path, function: str, says: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        export.ensure(case(f"{net}:{function}"))
    assert says in caught.value.message + " " + caught.value.hint


@pytest.mark.parametrize("changed", ["__init__.py", "block.py", "head.py"])
def test_a_changed_neighbour_is_another_artifact(net: Path, changed: str) -> None:
    before = key_of(recipe(case(f"{net}:make"), 0))
    with (net.parent / "models" / changed).open("a") as handle:
        handle.write("\n# changed\n")
    reachable.cache_clear()
    assert key_of(recipe(case(f"{net}:make"), 0)) != before


@pytest.mark.parametrize("name", ["torch.py", "bench.py"])
def test_a_file_may_be_called_like_what_we_import(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        "from torch import nn\n\ndef make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    assert export.ensure(case(f"{tmp_path / name}:make")).params == 4 * 27 + 4


def test_large_weights_go_into_a_file_of_their_own(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of networks of more than 2 GiB, here from the first byte on."""
    from bench.artifact.artifact import load
    from bench.export import child

    monkeypatch.setattr(child, "EXTERNAL_BYTES", 0)
    draft = tmp_path / "draft"
    draft.mkdir()
    wanted = case(f"{net}:make")
    child.export(recipe(wanted, 0), draft)
    artifact = load(draft)
    assert artifact.data == ("model.onnx.data",)
    assert (draft / "model.onnx.data").stat().st_size >= 4 * 4 * 27
    reference = backends.resolve("onnxruntime")
    session = backends.get("onnxruntime").load(artifact, Settings(), reference.options)
    session.infer()
    assert relative_l2(session.outputs(), artifact.reference()[1]) < 1e-5
    (draft / "model.onnx.data").unlink()
    with pytest.raises(ArtifactError, match="not whole"):
        load(draft)
