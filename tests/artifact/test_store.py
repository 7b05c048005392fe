"""The cache: what is listed, what goes first where there is a limit, and what never goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.artifact import store
from bench.base.errors import UsageError
from tests.conftest import Bench, one_line_error, tiny_model


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(cache: Path, key: str, model: str, size: int, used_s: float, part: str = "artifacts") -> Path:
    folder = cache / part / key
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(bytes(size))
    (folder / "artifact.json").write_text(json.dumps({"model": model}))
    os.utime(folder / "artifact.json", (used_s, used_s))
    return folder


@pytest.mark.parametrize(
    ("text", "most"),
    [("5GB", 5e9), ("1.5 GiB", 1.5 * 2**30), ("500mb", 5e8), ("70K", 7e4), ("12B", 12.0), ("0", 0.0), ("none", None)],
)
def test_sizes(text: str, most: float | None) -> None:
    assert store.size(text) == most


@pytest.mark.parametrize("text", ["", "GB", "12", "-5GB", "5 apples", "1e9", "nan"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        store.size(text)


def test_what_was_used_least_recently_goes_first(cache: Path) -> None:
    old = put(cache, "a", "old", 1000, 100.0)
    new = put(cache, "b", "new", 1000, 300.0)
    middle = put(cache, "c", "middle", 1000, 200.0, "converted")
    gone, left = store.trim(2500)
    assert [entry.model for entry in gone] == ["old"]
    assert left <= 2500
    assert [folder.exists() for folder in (old, middle, new)] == [False, True, True]
    assert not list((cache / "artifacts").glob(".*"))
    store.hold(middle)  # used again
    assert [entry.model for entry in store.trim(1500)[0]] == ["new"]
    store.let_go(middle)
    assert [entry.model for entry in store.trim(0)[0]] == ["middle"]


def test_a_copy_of_weights_goes_before_any_artifact(cache: Path) -> None:
    old, new = put(cache, "a", "old", 1000, 100.0), put(cache, "b", "new", 1000, 200.0)
    (new / "weights.pt").write_bytes(bytes(5000))
    (new / "changed.pt").write_bytes(bytes(10))
    assert store.trim(3000)[0] == []
    assert (old.exists(), (new / "weights.pt").exists(), (new / "changed.pt").exists()) == (True, False, True)


def test_what_another_process_uses_stays(cache: Path) -> None:
    used, idle = put(cache, "a", "used", 1000, 100.0), put(cache, "b", "idle", 1000, 200.0)
    code = "import sys; from pathlib import Path; from bench.artifact import store\n"
    code += "store.hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(used)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "held\n"
        assert {entry.model: entry.busy for entry in store.entries()} == {"used": True, "idle": False}
        assert [entry.model for entry in store.trim(0)[0]] == ["idle"]
        process.stdin.close()
        process.wait()
    assert (used.exists(), idle.exists()) == (True, False)
    assert [entry.model for entry in store.trim(0)[0]] == ["used"]


def install(cache: Path, key: str, size: int, used_s: float) -> Path:
    folder = cache / "runtimes" / key
    folder.mkdir(parents=True)
    (folder / "runtime.so").write_bytes(bytes(size))
    (folder / "python").symlink_to(sys.executable)  # which is not the environment's own
    (folder / "pyvenv.cfg").touch()
    os.utime(folder / "pyvenv.cfg", (used_s, used_s))
    return folder


def test_runtimes_that_were_installed_count_and_go_like_the_rest(cache: Path) -> None:
    put(cache, "a", "old", 1000, 100.0)
    (cache / "runtimes").mkdir(parents=True)
    (cache / "runtimes" / ".onnxruntime-1.22.1-abc.lock").touch()
    runtime = install(cache, "onnxruntime-1.22.1-abc", 3000, 200.0)
    old, listed = store.entries()
    assert (listed.model, listed.part, listed.bytes, listed.busy) == ("onnxruntime 1.22.1", "runtimes", 3000, False)
    assert [entry.model for entry in store.trim(3500)[0]] == [old.model]
    store.hold(runtime)  # a command that measures with it
    assert store.entries()[0].busy
    assert store.trim(0) == ([], 3000)
    store.let_go(runtime)
    assert [entry.model for entry in store.trim(0)[0]] == ["onnxruntime 1.22.1"]
    assert not runtime.exists()


def test_a_limit_is_kept_from_then_on(cache: Path, tmp_path: Path) -> None:
    import onnx

    from bench import export
    from bench.plan import zoo
    from bench.plan.case import Network

    put(cache, "a", "old", 50_000_000, 100.0)
    store.set_limit(10e6)
    onnx.save(tiny_model(3), tmp_path / "net.onnx")
    made = export.ensure(Network(zoo.resolve(str(tmp_path / "net.onnx"))))
    assert [entry.folder for entry in store.entries()] == [Path(made.folder)]
    store.let_go(Path(made.folder))
    store.set_limit(None)
    assert store.limit() is None


def test_the_command(tmp_path: Path, bench: Bench) -> None:
    cache = tmp_path / "cache"
    put(cache, "a", "shufflenetv2", 4_000_000, 100.0)
    put(cache, "b", "shufflenetv2", 2_000_000, 200.0, "converted")
    put(cache, "c", "=evil\x1b[31m", 1_000_000, 300.0)
    own = {"ISOFLOPS_CACHE": str(cache)}
    said = bench("cache", **own).stdout
    assert said.index("shufflenetv2") < said.index("evil")
    assert "\x1b" not in said
    assert "3 artifacts, 7 MB" in said
    told = json.loads(bench("cache", "--format", "json", **own).stdout)
    assert (told[0]["model"], told[0]["mb"], told[0]["in_use"]) == ("shufflenetv2", 6.0, False)
    assert "removed 1 artifact, 4 MB" in bench("cache", "--max", "5MB", **own).stdout
    assert "at most 5 MB" in bench("cache", **own).stdout
    assert "at most" not in bench("cache", "--max", "none", **own).stdout
    assert "is no size" in one_line_error(bench("cache", "--max", "much", **own))
    assert "removed 2 artifacts" in bench("cache", "clear", **own).stdout
    assert "0 artifacts" in bench("cache", **own).stdout
    install(cache, "onnxruntime-1.22.1-abc", 5_000_000, 100.0)
    assert "0 artifacts and 1 runtime, 5 MB" in bench("cache", **own).stdout
    (told,) = json.loads(bench("cache", "--format", "json", **own).stdout)
    assert (told["model"], told["runtimes"], told["mb"]) == ("onnxruntime 1.22.1", 1, 5.0)
    assert "removed 0 artifacts and 1 runtime" in bench("cache", "clear", **own).stdout
