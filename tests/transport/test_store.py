"""Artifacts on their way: what travels, what arrives, what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bench import export
from bench.artifact import artifact as artifacts
from bench.artifact import package as parcel
from bench.artifact.artifact import Artifact
from bench.base.errors import OutputError
from bench.plan import zoo
from bench.plan.case import Network
from bench.transport import store


@pytest.fixture
def found(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Artifact, parcel.Parcel]:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    made = export.ensure(Network(zoo.resolve(str(tiny))))
    return made, parcel.pack(made, "fake")


def send(found: parcel.Parcel, here: dict[str, int]) -> str:
    for file in found.files:
        with file.open() as handle:
            handle.seek(here[file.name])
            store.put(found.digest, file.name, here[file.name], handle.read())
    return store.done(found.digest, [[file.name, file.sha256] for file in found.files])


def wanted(found: parcel.Parcel) -> dict:
    return store.want(found.digest, [[file.name, file.size_bytes] for file in found.files])


def test_what_arrives_is_an_artifact_wherever_the_model_was(found: tuple[Artifact, parcel.Parcel], tiny: Path) -> None:
    made, packed = found
    assert made.path == tiny  # in its place here, in the folder there
    folder = send(packed, wanted(packed)["here"])
    tiny.unlink()
    arrived = artifacts.load(Path(folder))
    assert arrived.path == Path(folder, "model.onnx")
    assert (arrived.macs, arrived.sha256) == (made.macs, made.sha256)
    assert arrived.reference()[1][0].shape == (1, 10)
    assert wanted(packed) == {"folder": folder}


def test_a_file_that_came_half_is_continued(found: tuple[Artifact, parcel.Parcel]) -> None:
    _, packed = found
    model = next(file for file in packed.files if file.name == "model.onnx")
    with model.open() as handle:
        store.put(packed.digest, model.name, 0, handle.read(1000))
    here = wanted(packed)["here"]
    assert here == {file.name: 1000 if file is model else 0 for file in packed.files}
    assert send(packed, here)


def test_a_damaged_file_is_refused_and_sent_anew(found: tuple[Artifact, parcel.Parcel]) -> None:
    _, packed = found
    here = wanted(packed)["here"]
    store.put(packed.digest, "model.onnx", 0, os.urandom(1000))
    with pytest.raises(OutputError, match=r"model\.onnx arrived damaged"):
        send(packed, here | {"model.onnx": 1000})
    assert wanted(packed)["here"]["model.onnx"] == 0
    assert send(packed, wanted(packed)["here"])


def test_two_lines_bring_the_same_artifact(found: tuple[Artifact, parcel.Parcel]) -> None:
    _, packed = found
    folder = store.lay(packed)
    assert oct(folder.stat().st_mode & 0o777) == "0o755"  # a container's user is somebody else
    assert send(packed, {file.name: 0 for file in packed.files}) == str(folder)
    assert store.lay(packed) == folder


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/../../x", ""])
def test_no_name_leads_out_of_the_folder(found: tuple[Artifact, parcel.Parcel], name: str) -> None:
    with pytest.raises(OutputError, match="no name of a file"):
        store.put(found[1].digest, name, 0, b"x")
    with pytest.raises(OutputError, match="no hash"):
        store.want("../" + found[1].digest, [])


def test_only_pytorch_gets_the_weights(found: tuple[Artifact, parcel.Parcel], tmp_path: Path) -> None:
    made, packed = found
    Path(made.folder, "weights.pt").write_bytes(b"weights")
    names = [file.name for file in parcel.pack(made, "torch").files]
    assert set(names) - {file.name for file in packed.files} == {"weights.pt"}
    shutil.rmtree(made.folder)
