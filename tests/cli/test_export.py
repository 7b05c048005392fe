"""``bench export``, and the reference that it sends along."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from bench import export
from bench.base.errors import ArtifactError, OutputError
from bench.export.deliver import deliver
from bench.plan import shapes, zoo
from bench.plan.case import Network
from tests.conftest import TINY_MACS, Bench, one_line_error, tiny_model

NET = """
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

make.resolution = 12
"""


def case(path: Path, *given: str) -> Network:
    return Network(zoo.resolve(str(path)), shapes=shapes.parse(given))


def delivered(source: Path, target: Path, *given: str, force: bool = False) -> list[Path]:
    return deliver(export.ensure(case(source, *given)), target, force)


def test_pytorchs_reference_travels_with_the_file(tmp_path: Path, bench: Bench) -> None:
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(NET)
    made = bench("export", "net.py:make", "--output", "out/net.onnx")
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["net.onnx", "net.reference.npz"]
    run = bench("run", "--model", "out/net.onnx", "--launches", 1, "--budget", 1, "--output", "r.csv")
    with (tmp_path / "r.csv").open() as handle:
        row = list(csv.DictReader(handle))[-1]
    assert row["status"] in ("ok", "noisy"), run.stderr
    assert row["parity_reference"].startswith("torch ")
    assert "net.reference.npz" in row["parity_reference"]
    assert float(row["parity_rel_l2"]) < 1e-4
    assert (row["macs"], row["params"], row["resolution"]) == (str(4 * 100 * 27), str(4 * 27 + 4), "12")
    assert "is there already" in one_line_error(bench("export", "net.py:make", "--output", "out/net.onnx"))
    assert bench("export", "net.py:make", "--output", "out/net.onnx", "--force").returncode == 0


def test_a_carried_reference_is_used_and_no_other(tiny: Path) -> None:
    target = tiny.with_name("carried.onnx")
    delivered(tiny, target)
    artifact = export.ensure(case(target))
    assert "carried in carried.reference.npz" in artifact.reference_by
    assert artifact.macs == TINY_MACS
    onnx.save(tiny_model(weights_seed=3), target)
    with pytest.raises(ArtifactError, match="another version") as caught:
        export.ensure(case(target))
    assert "--force" in caught.value.hint
    target.with_name("carried.reference.npz").unlink()
    assert "carried" not in export.ensure(case(target)).reference_by


def test_a_dynamic_file_is_delivered_static(tmp_path: Path) -> None:
    onnx.save(tiny_model(batch="N"), tmp_path / "net.onnx")
    delivered(tmp_path / "net.onnx", tmp_path / "static.onnx", "x=2x3x16x16")
    artifact = export.ensure(case(tmp_path / "static.onnx"))
    assert (artifact.batch, artifact.path) == (2, tmp_path / "static.onnx")


def test_external_data_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    source = tmp_path / "from" / "net.onnx"
    onnx.save(tiny_model(), source, save_as_external_data=True, location="net.data", size_threshold=0)
    target = tmp_path / "to" / "net.onnx"
    paths = delivered(source, target)
    assert [p.name for p in paths] == ["net.onnx", "net.data", "net.reference.npz"]
    shutil.rmtree(source.parent)
    assert export.ensure(case(target)).macs == TINY_MACS


def test_a_static_copy_shares_the_data_that_is_there(tmp_path: Path) -> None:
    dynamic = tmp_path / "net.onnx"
    onnx.save(tiny_model(batch="N"), dynamic, save_as_external_data=True, location="net.data", size_threshold=0)
    data = (tmp_path / "net.data").read_bytes()
    target = tmp_path / "static.onnx"
    paths = delivered(dynamic, target, "x=1x3x16x16")
    assert [p.name for p in paths] == ["static.onnx", "static.reference.npz"]
    assert (tmp_path / "net.data").read_bytes() == data
    assert export.ensure(case(target)).macs == TINY_MACS
    with pytest.raises(OutputError, match="data of the model"):
        delivered(dynamic, tmp_path / "net.data", "x=1x3x16x16", force=True)


def test_nothing_is_overwritten(tiny: Path) -> None:
    with pytest.raises(OutputError, match="there already"):
        delivered(tiny, tiny)
    before = tiny.read_bytes()
    with pytest.raises(OutputError, match="own file"):
        delivered(tiny, tiny, force=True)
    assert tiny.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "cut", "no meta", "pickle", "other shapes"])
def test_a_damaged_reference_is_one_line(tiny: Path, damage: str) -> None:
    target = tiny.with_name("carried.onnx")
    delivered(tiny, target)
    path = target.with_name("carried.reference.npz")
    with np.load(path) as data:
        arrays = dict(data)
    if damage == "text":
        path.write_text("a letter")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "no meta":
        del arrays["meta"]
        np.savez(path, **arrays)
    elif damage == "pickle":
        np.savez(path, **arrays | {"meta": np.array([{}], dtype=object)})
    else:
        np.savez(path, **arrays | {"input_0": np.zeros((1, 3, 8, 8), np.float32)})
    with pytest.raises(ArtifactError, match=r"carried\.reference\.npz"):
        export.ensure(case(target))


def test_the_output_is_an_onnx_file(tiny: Path, bench: Bench) -> None:
    assert "does not end in .onnx" in one_line_error(bench("export", "tiny.onnx", "--output", "net.pt"))
    said = one_line_error(bench("export", "shufflenetv2", "--output", "a.onnx", "--shape", "x=1"))
    assert "--shape is for ONNX files" in said
