"""Whole runs under limits of the kernel's: no row is lost, none is there twice, and what went wrong is a line."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.base import cache, files
from bench.base.errors import OutputError
from bench.rows import file as records
from tests.conftest import Bench, one_line_error

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
CASES = tuple(f"fake:latency_ms={i}" for i in (2, 3, 4))


def limited(folder: Path, limit: int, value: int, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command under a limit of the kernel's."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], cwd=folder, env=os.environ | more, capture_output=True,
        text=True, timeout=300, preexec_fn=lambda: resource.setrlimit(limit, (value, value)),
    )  # fmt: skip


def run(model: Path) -> tuple[object, ...]:
    backends = [part for spec in CASES for part in ("--backend", spec)]
    return ("run", "--model", model, *backends, "--launches", 1, "--output", "r.csv")


def told(result: subprocess.CompletedProcess[str]) -> str:
    """Assert that nothing was a surprise, and return what was said."""
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr, result.stderr
    return result.stderr


def whole_rows(path: Path) -> Counter[str]:
    return Counter(row.backend for row in records.read_any(path))


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """The size of the rows' file after its header and each row."""
    import onnx

    from tests.conftest import tiny_model

    folder = tmp_path_factory.mktemp("sizes")
    onnx.save(tiny_model(), folder / "tiny.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, run(folder / "tiny.onnx"))],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    ends, at = [], 0
    for line in (folder / "r.csv").read_bytes().splitlines(keepends=True):
        at += len(line)
        ends.append(at)
    return ends


@pytest.mark.parametrize("where", ["no header", "half a header", "half of row 1", "end of row 1", "half of row 3"])
def test_a_disk_that_is_full_loses_and_doubles_no_row(where: str, bench: Bench, tiny: Path, sizes: list[int]) -> None:
    """The file can grow to a size and not beyond, which cuts a write in the middle as a full disk does."""
    half = {"no header": 0, "half a header": sizes[0] // 2, "half of row 1": (sizes[0] + sizes[1]) // 2,
            "end of row 1": sizes[1], "half of row 3": (sizes[2] + sizes[3]) // 2}  # fmt: skip
    assert bench("inspect", tiny).returncode == 0  # what is counted is in no file of the run
    warm = bench(*run(tiny)[:-1], "other.csv")  # exported and in the cache
    assert warm.returncode == 0, warm.stderr
    full = limited(tiny.parent, resource.RLIMIT_FSIZE, half[where], *run(tiny))
    assert full.returncode == 2
    assert "error: " in told(full)
    again = bench(*run(tiny), "--resume")
    assert again.returncode == 0, again.stderr
    assert whole_rows(tiny.parent / "r.csv") == Counter(CASES)
    assert all(row.status in ("ok", "noisy") for row in records.read(tiny.parent / "r.csv"))


def test_a_terminal_that_is_closed_is_no_bug(tiny: Path) -> None:
    terminal, end = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.readline(); from bench.__main__ import main; "
         "sys.argv = ['bench', 'list', 'columns']; main()"],
        stdin=subprocess.PIPE, stdout=end, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(end)
    os.close(terminal)
    _, said = child.communicate("go\n", timeout=120)
    assert child.returncode == 2
    assert "internal error" not in said
    assert "Traceback" not in said


def test_a_relative_cache_is_one_folder(bench: Bench, tiny: Path) -> None:
    done = bench(*run(tiny), ISOFLOPS_CACHE="kept")
    assert done.returncode == 0, done.stderr
    assert len(list((tiny.parent / "kept" / "artifacts").glob("[0-9a-f]*"))) == 1
    assert [path.name for path in tiny.parent.glob("**/artifacts")] == ["artifacts"]


def test_a_home_that_cannot_be_written_is_a_line(bench: Bench, tiny: Path) -> None:
    (tiny.parent / "file").write_text("")
    said = one_line_error(
        bench("inspect", "shufflenetv2:width=0.5", ISOFLOPS_CACHE=str(tiny.parent / "file" / "cache"))
    )
    assert "set ISOFLOPS_CACHE" in said
    done = bench(*run(tiny), ISOFLOPS_CACHE="/proc/self/nowhere")
    assert done.returncode == 1
    assert "set ISOFLOPS_CACHE" in told(done) + done.stdout
    assert whole_rows(tiny.parent / "r.csv") == Counter(CASES)  # a row each, that says why


@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), OSError(28, "No space left on device")])
def test_a_cache_that_cannot_be_written_any_more_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("bench.base.cache.tempfile.mkdtemp", refuse)
        with pytest.raises(OutputError, match=str(error.strerror)), cache.whole_folder(tmp_path / "a"):
            pass
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with pytest.raises(OutputError, match="cannot be written"), cache.locked(tmp_path / "lock"):
            pass
    with monkeypatch.context() as patched:
        patched.setattr("bench.base.files.tempfile.TemporaryFile", refuse)
        with pytest.raises(OutputError, match="no temporary file") as caught:
            files.scratch("x")
    assert "TMPDIR" in caught.value.hint


def test_little_memory_is_a_row_that_says_so(bench: Bench, tiny: Path) -> None:
    warm = bench("run", "--model", tiny, "--backend", "onnxruntime", "--launches", 1, "--output", "other.csv")
    assert warm.returncode == 0, warm.stderr
    done = limited(tiny.parent, resource.RLIMIT_DATA, 60 << 20, "run", "--model", tiny, "--backend", "onnxruntime",
                   "--launches", 1, "--output", "r.csv")  # fmt: skip
    told(done)
    assert done.returncode in (1, 2)
    rows = records.read_any(tiny.parent / "r.csv")
    assert len(rows) <= 1
    assert all(row.status in ("oom", "crashed", "failed", "timeout") and row.error for row in rows)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    files.write_whole(path, b"first")

    def torn(self: Path, content: bytes) -> int:
        with self.open("wb") as handle:
            handle.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", torn)
        with pytest.raises(OutputError, match="No space left"):
            files.write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    link = tmp_path / "link.html"
    link.symlink_to(path)
    files.write_whole(link, b"third")
    assert link.is_symlink()
    assert path.read_bytes() == b"third"
    files.write_whole(Path("/dev/null"), b"gone")
    with pytest.raises(OutputError):
        files.write_whole(tmp_path / "no" / "folder", b"")


def test_a_chart_that_fails_leaves_no_file(bench: Bench, tmp_path: Path) -> None:
    from tests.report.results import two_targets

    two_targets(tmp_path / "r.csv")
    for chart in ("breakdown", "history"):
        said = one_line_error(bench("report", "r.csv", "--chart", chart, "--output", "new/x.png"))
        assert f"no data for {chart}" in said
    assert not list(tmp_path.glob("**/*.png"))
    (tmp_path / "kept.png").write_bytes(b"old")
    assert bench("report", "r.csv", "--chart", "breakdown", "--output", "kept.png").returncode == 2
    assert (tmp_path / "kept.png").read_bytes() == b"old"
