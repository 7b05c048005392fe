"""Artifacts on their way: what travels, what arrives, what is refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import export
from bench.artifact import artifact as artifacts
from bench.artifact import package
from bench.artifact.artifact import Artifact
from bench.artifact.package import Held, Package
from bench.base.errors import ArtifactError, OutputError, Unsupported
from bench.plan import zoo
from bench.plan.case import Network
from bench.transport.agent import buildable


@pytest.fixture
def made(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    return export.ensure(Network(zoo.resolve(str(tiny))))


@pytest.fixture
def packed(made: Artifact) -> Package:
    return package.pack(made, "onnx")


def send(packed: Package, here: dict[str, int]) -> str:
    for name, path in packed.paths.items():
        with path.open("rb") as handle:
            handle.seek(here[name])
            package.put(packed.digest, name, here[name], handle.read())
    return package.done(packed.digest)


def want(packed: Package) -> Held:
    return package.want(packed.manifest, buildable)


def test_what_arrives_is_an_artifact_wherever_the_model_was(made: Artifact, packed: Package, tiny: Path) -> None:
    assert made.path == tiny  # in its place here, in the folder there
    folder = send(packed, want(packed).here)
    tiny.unlink()
    arrived = artifacts.load(Path(folder))
    assert arrived.path == Path(folder, "model.onnx")
    assert (arrived.macs, arrived.sha256) == (made.macs, made.sha256)
    assert arrived.reference()[1][0].shape == (1, 10)
    assert want(packed) == Held(folder)


def test_a_file_that_came_half_is_continued(packed: Package) -> None:
    want(packed)
    with packed.paths["model.onnx"].open("rb") as handle:
        package.put(packed.digest, "model.onnx", 0, handle.read(1000))
    assert want(packed).here == {name: 1000 if name == "model.onnx" else 0 for name in packed.paths}
    assert send(packed, want(packed).here)


def test_a_torn_or_damaged_file_is_refused_and_sent_anew(packed: Package) -> None:
    here = want(packed).here
    with pytest.raises(OutputError, match="arrived damaged"):
        package.done(packed.digest)  # torn: nothing came
    package.put(packed.digest, "model.onnx", 0, os.urandom(1000))
    with pytest.raises(OutputError, match=r"model\.onnx arrived damaged"):
        send(packed, here | {"model.onnx": 1000})
    assert want(packed).here["model.onnx"] == 0
    assert send(packed, want(packed).here)


def test_what_was_damaged_in_the_store_comes_anew(packed: Package) -> None:
    folder = Path(send(packed, want(packed).here))
    (folder / "model.onnx").write_bytes(b"torn")
    assert want(packed).folder == ""
    assert send(packed, want(packed).here) == str(folder)
    assert artifacts.load(folder)


def test_two_lines_bring_the_same_artifact(packed: Package) -> None:
    here = want(packed).here
    package.put(packed.digest, "model.onnx", 0, packed.paths["model.onnx"].read_bytes()[:2000])
    package.put(packed.digest, "model.onnx", 0, packed.paths["model.onnx"].read_bytes()[:1000])  # the slower one
    assert want(packed).here["model.onnx"] == 2000
    folder = package.lay(packed)
    assert oct(folder.stat().st_mode & 0o777) == "0o755"  # a container's user is somebody else
    assert send(packed, here) == str(folder)
    assert package.lay(packed) == folder


def changed(packed: Package, change: Callable[[dict[str, Any]], object]) -> bytes:
    told = json.loads(packed.manifest)
    change(told)
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["files"][0].update(name="../../x"),
        lambda told: told["files"][0].update(name="/etc/x"),
        lambda told: told["files"][0].update(name="artifact.json"),
        lambda told: told["files"][0].update(bytes=-1),
        lambda told: told["files"][0].update(sha256="00"),
        lambda told: told["files"].append(told["files"][0]),
        lambda told: told["files"].append(told["files"][0] | {"name": "more.bin"}),
        lambda told: told["files"].pop(),
        lambda told: told.update(more=1),
        lambda told: told["artifact"].update(onnx="/etc/passwd"),
        lambda told: told["artifact"].update(folder="/etc"),
        lambda told: told["artifact"].update(macs="many"),
        lambda told: told["artifact"].update(stamps=[{"path": "/etc/passwd", "bytes": 1, "mtime_ns": 1}]),
        lambda told: told["artifact"].update(data=["../x"]),
        lambda told: told["artifact"].update(kind="python", source='{"source": "/tmp/x.py:f", "params": {}}'),
        lambda told: told["artifact"].update(kind="zoo", source='{"source": "../x", "params": {}}'),
        lambda told: told["artifact"].update(kind="zoo", source='{"source": "os", "params": {}}'),
        lambda told: told["artifact"].update(kind="zoo", source="no JSON"),
        lambda told: told["artifact"].update(kind="zoo", source="[]"),
    ],
)
def test_a_manifest_that_pack_does_not_write_is_refused(packed: Package, change: Callable[..., object]) -> None:
    with pytest.raises(ArtifactError):
        package.want(changed(packed, change), buildable)
    for junk in (b"", b"{}", b"[" * 10_000, b"\xff", b'"x"'):
        with pytest.raises(ArtifactError, match="its manifest is none"):
            package.want(junk, buildable)


def test_what_may_be_built_is_said_by_the_caller(packed: Package) -> None:
    ours = '{"source": "mobilenetv2", "params": {}}'
    for kind, source in (("zoo", ours), ("timm", "{}"), ("torchvision", "{}")):
        manifest = changed(
            packed, lambda told, kind=kind, source=source: told["artifact"].update(kind=kind, source=source)
        )
        assert package.want(manifest, buildable).here
        with pytest.raises(ArtifactError):
            package.want(manifest, lambda kind, source: False)


@pytest.mark.parametrize(("name", "at", "size"), [("../../x", 0, 1), ("other.onnx", 0, 1), ("model.onnx", -1, 1),
                                                  ("model.onnx", 1 << 40, 1), ("manifest.json", 0, 1)])  # fmt: skip
def test_only_announced_bytes_are_written(packed: Package, name: str, at: int, size: int) -> None:
    want(packed)
    with pytest.raises(ArtifactError):
        package.put(packed.digest, name, at, b"x" * size)


def test_nothing_is_written_for_what_was_not_announced(packed: Package) -> None:
    stranger = hashlib.sha256(b"x").hexdigest()
    with pytest.raises(ArtifactError, match="does not expect"):
        package.put(stranger, "model.onnx", 0, b"x")
    with pytest.raises(ArtifactError, match="does not expect"):
        package.done(stranger)
    for digest in ("../" + packed.digest, packed.digest[:32], ""):
        with pytest.raises(ArtifactError, match="no hash"):
            package.put(digest, "model.onnx", 0, b"x")


def test_only_pytorch_gets_the_weights_and_no_python_file_travels(made: Artifact, packed: Package) -> None:
    Path(made.folder, "weights.pt").write_bytes(b"weights")
    with_weights = package.pack(made, "module")
    assert set(with_weights.paths) - set(packed.paths) == {"weights.pt"}
    assert with_weights.digest != packed.digest
    from dataclasses import replace

    ours = replace(made, kind="python", source='{"source": "/home/me/net.py:build", "params": {}}')
    assert b"net.py" not in package.pack(ours, "onnx").manifest
    with pytest.raises(Unsupported, match="does not travel"):
        package.pack(ours, "module")
