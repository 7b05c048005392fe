"""A disk without room: what is begun goes away again, and what is said is true of the disk, not of the network."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from bench import export
from bench.artifact import digest
from bench.base import cache
from bench.base.errors import ArtifactError, OutputError, Unsupported
from bench.base.words import size
from bench.export import deliver
from bench.plan import zoo
from bench.plan.case import Network
from tests.conftest import tiny_model

FULL = "[Errno 28] No space left on device"
ROOM = SimpleNamespace(free=1 << 40)


def made(folder: Path, error: Exception) -> None:
    with cache.whole_folder(folder / "a") as draft:
        (draft / "half").write_text("half")
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        Unsupported(f"the converter of x failed: OSError: {FULL}"),
        ArtifactError(f"exporting net.onnx failed: OSError: {FULL}"),
    ],
)
def test_whatever_says_that_the_disk_is_full_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: ROOM)
    with pytest.raises(OutputError, match=f"cache folder {tmp_path} cannot be written: No space left") as caught:
        made(tmp_path, error)
    assert caught.value.hint.startswith(f"make room in {tmp_path}, or set ISOFLOPS_CACHE")
    assert caught.value.status == "failed"
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_say_so_fails_for_it_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Unsupported("the converter of x failed: RuntimeError: file write failed")
    with pytest.raises(Unsupported, match="file write failed"):
        made(tmp_path, silent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4096))
    with pytest.raises(OutputError, match="No space left") as caught:
        made(tmp_path, silent)
    assert f"make room in {tmp_path}" in caught.value.hint


def test_the_folder_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "temporary"
    monkeypatch.setattr("bench.base.cache.tempfile.gettempdir", lambda: str(there))
    usage = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage if Path(path) == there else ROOM)
    with pytest.raises(OutputError, match="no temporary file") as caught:
        made(tmp_path, Unsupported(f"x failed: {FULL}"))
    assert caught.value.hint == f"make room in {there}, or set TMPDIR to another folder"


def test_a_digest_that_cannot_be_kept_is_found_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"big")
    os.utime(path, (0, 0))  # settled long ago
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digest, "BIG_BYTES", 0)

    def torn(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", torn)
        found = digest.sha256_of(path)
    assert list((tmp_path / "cache" / "digests").iterdir()) == []
    assert digest.sha256_of(path) == found == hashlib.sha256(b"big").hexdigest()
    assert len(list((tmp_path / "cache" / "digests").iterdir())) == 1


@pytest.mark.parametrize("force", [False, True])
def test_an_export_without_room_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    source, out = tmp_path / "from" / "net.onnx", tmp_path / "to" / "deep" / "e.onnx"
    source.parent.mkdir()
    onnx.save(tiny_model(), source, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0)
    artifact = export.ensure(Network(zoo.resolve(str(source))))
    if force:
        deliver.deliver(artifact, out, force)
    before = {path.name: path.read_bytes() for path in out.parent.glob("*")}
    copied: list[Path] = []

    def torn(source: Path, target: Path) -> None:
        copied.append(target)
        target.write_bytes(source.read_bytes()[:10])
        if len(copied) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(deliver.shutil, "copyfile", torn)
    with pytest.raises(OutputError, match="No space left") as caught:
        deliver.deliver(artifact, out, force)
    assert caught.value.hint == "make room, or choose another --output"
    assert {path.name: path.read_bytes() for path in out.parent.glob("*")} == before
    assert (tmp_path / "to").exists() is force  # a folder that was made for it goes, too


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (270_039, "263.7 KiB"), (3 << 40, "3072 GiB")]
)
def test_sizes_have_a_unit_that_fits(number: int, told: str) -> None:
    assert size(number) == told
