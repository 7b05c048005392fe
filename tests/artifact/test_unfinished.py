"""What a killed process leaves in the cache: nobody's, it is counted, and goes; what somebody still makes stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import export
from bench.artifact import artifact as artifacts
from bench.artifact import package, store
from bench.plan import zoo
from bench.plan.case import Network
from bench.transport.agent import buildable
from tests.conftest import Bench

HALF = 2_000_000
BEGIN = f"""
import sys
from pathlib import Path
from bench.artifact.artifact import made

def make(draft):
    (draft / "half").write_bytes(bytes({HALF}))
    print("begun", flush=True)
    sys.stdin.read()

made(Path(sys.argv[1]), make)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    for part in store.PARTS:
        (tmp_path / "cache" / part).mkdir(parents=True)
    return tmp_path / "cache"


def begun(final: Path) -> subprocess.Popen[str]:
    """Start a process that has begun to make an artifact."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", BEGIN, str(final)], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def folders(part: Path) -> list[str]:
    return [path.name for path in part.iterdir() if path.is_dir()]


def test_what_is_being_made_stays_and_what_a_killed_process_began_goes(cache: Path) -> None:
    process = begun(cache / "converted" / "k-e-y")
    assert store.unfinished() == store.sweep() == (0, 0)
    assert len(folders(cache / "converted")) == 1
    killed(process)
    assert store.unfinished() == (1, HALF)
    assert len(folders(cache / "converted")) == 1
    assert store.trim(1e9) == ([], 0)  # counts against no limit: it goes first
    assert folders(cache / "converted") == []
    assert store.unfinished() == (0, 0)


def test_making_anything_removes_it(cache: Path, tiny: Path) -> None:
    draft = cache / "artifacts" / ".key-abcdefgh"
    draft.mkdir()
    upload = cache / "carried" / ".digest.part"
    upload.mkdir()
    (upload / store.MANIFEST).touch()
    export.ensure(Network(zoo.resolve(str(tiny))), seed=1)
    assert not draft.exists()
    assert upload.exists()  # goes on where it stopped


def test_an_upload_stays_as_long_as_its_process(cache: Path, tiny: Path) -> None:
    packed = package.pack(export.ensure(Network(zoo.resolve(str(tiny)))), "onnx")
    package.want(packed.manifest, buildable)
    (draft,) = (cache / "carried").glob(".*.part")
    assert store.sweep() == (0, 0)
    store.let_go(draft)  # as when the agent ends
    assert store.sweep()[0] == 1
    assert folders(cache / "carried") == []
    for name, path in packed.paths.items():  # and it comes anew
        package.want(packed.manifest, buildable)
        package.put(packed.digest, name, 0, path.read_bytes())
    artifacts.load(Path(package.done(packed.digest)))


def test_a_removal_that_was_killed_is_ended(cache: Path) -> None:
    away = [cache / "artifacts" / f".a-b.{pid}{store.GONE}" for pid in (os.getpid(), 2**30)]
    for folder in away:
        folder.mkdir()
    assert store.sweep()[0] == 1
    assert [folder.exists() for folder in away] == [True, False]


def test_the_command_counts_and_clears_it(cache: Path, bench: Bench) -> None:
    own = {"ISOFLOPS_CACHE": str(cache)}
    killed(begun(cache / "artifacts" / "key"))
    told = bench("cache", **own).stdout
    assert "0 artifacts, 0 MB" in told
    assert "1 folder that a killed command had begun, 2 MB: `bench cache clear` removes it" in told
    bench("cache", "clear", **own)
    assert folders(cache / "artifacts") == []
    assert "had begun" not in bench("cache", **own).stdout
