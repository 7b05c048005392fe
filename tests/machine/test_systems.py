"""macOS and Windows as far as Linux can play them: the command runs, and says in the row what is missing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.base import child, system
from bench.rows import file as records
from bench.rows.schema import Row
from tests.conftest import Bench
from tests.machine import played

QUICK = ("--launches", 2, "--budget", 1)


@pytest.fixture(params=["darwin", "win32"])
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def playing(platform: str, tmp_path: Path) -> dict[str, str]:
    return played.environment(tmp_path / "played", platform, os.environ["PATH"])


def run(bench: Bench, playing: dict[str, str], tmp_path: Path, *words: object) -> Row:
    done = bench("run", *words, *QUICK, "--output", "r.csv", **playing)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    (row,) = records.read(tmp_path / "r.csv")
    return row


def test_a_run_there_says_what_it_goes_without(
    platform: str, playing: dict[str, str], bench: Bench, tiny: Path, tmp_path: Path
) -> None:
    backend = "onnxruntime" if platform == "darwin" else "fake"  # that runtime's own files ask for Windows' DLLs
    row = run(bench, playing, tmp_path, "--model", tiny, "--backend", backend)
    assert row.status in ("ok", "noisy"), row.error
    said = row.remark or ""
    assert "stolen time" in said
    assert row.steal_ms is None
    if platform == "darwin":
        assert row.latency_ms
        assert (row.cpu, row.cpu_id, row.os) == (
            "Apple M2",
            "cpufamily=-634136515",
            f"macOS 14.5, kernel {os.uname().release}",
        )
        assert "not pinned to cores: this system pins no threads" in said
        assert "not told on macOS 14.5: " in said
        assert (row.cores, row.involuntary_switches is None) in ((None, False), ("", False))
    else:
        assert (row.cpu, row.cpu_id) == ("Played CPU @ 3.00GHz", "family=6 model=186 stepping=3")
        assert (row.os or "").startswith("Windows 11 10.0.22631, kernel ")
        assert "context switches" in said
        assert row.involuntary_switches is None
        assert row.cores  # pinned: Windows can
        assert (tmp_path / "played/locks").read_text()  # rows were locked, its way
    assert "throttling" in said


def test_the_doctor_there_says_what_it_cannot_see(platform: str, playing: dict[str, str], bench: Bench) -> None:
    done = bench("doctor", **playing)
    assert done.returncode == 0, done.stderr
    assert "does not tell stolen time" in " ".join(done.stdout.split())
    states = [line for line in done.stdout.splitlines() if "unknown" in line]
    assert len(states) >= 6
    fix = bench("doctor", "--fix", **playing)
    assert "lets nobody set clocks" in fix.stderr
    assert "there is nothing to change" in fix.stdout


def test_where_nothing_splits_the_working_half_is_a_process(tmp_path: Path) -> None:
    """As on macOS and Windows: the answer, an error, and the end with the parent are the same."""
    patched = tmp_path / "sitecustomize.py"
    patched.write_text("import os\ndel os.pidfd_open\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    assert child.ask("tests.machine.test_systems:echo", "hello", 60.0, environment=environment) == "hello\n"
    with pytest.raises(child.ChildFailed) as caught:
        child.ask("tests.machine.test_systems:refuse", None, 60.0, environment=environment)
    assert caught.value.told is not None
    assert caught.value.told.message == "no"
    with pytest.raises(child.ChildFailed, match="was killed"):
        child.ask("tests.machine.test_systems:die", None, 60.0, environment=environment)
    with pytest.raises(child.ChildFailed, match="took more than"):
        child.ask("tests.machine.test_systems:hang", str(tmp_path / "pid"), 5.0, environment=environment)
    number = int((tmp_path / "pid").read_text())
    for _ in range(2000):
        if not alive(number):
            break
        threading.Event().wait(0.01)
    assert not alive(number)


def echo(request: object) -> None:
    print(request)


def refuse(request: object) -> None:
    from bench.base.errors import ParameterError

    raise ParameterError("no")


def die(request: object) -> None:
    os.kill(os.getpid(), system.KILLED)


def hang(request: object) -> None:
    Path(str(request)).write_text(str(os.getpid()))
    threading.Event().wait(600)


def alive(number: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


class Locks:
    """Windows' locks on one file: whoever has the byte."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.holder: int | None = None
        self.places: set[int] = set()

    def locking(self, number: int, how: int, size: int) -> None:
        self.places.add(os.lseek(number, 0, os.SEEK_CUR))
        if how == self.LK_UNLCK:
            self.holder = None
        elif self.holder not in (None, number):
            raise OSError(errno.EACCES, "Permission denied")
        else:
            self.holder = number


def test_locks_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = Locks()
    monkeypatch.setattr(system, "_fcntl", None)
    monkeypatch.setattr(system, "_msvcrt", locks)
    path = tmp_path / "f"
    with path.open("ab+") as one, path.open("ab+") as other:
        one.write(b"text")
        one.flush()
        system.lock(one)
        with pytest.raises(BlockingIOError):
            system.lock(other, wait=False)
        monkeypatch.setattr(system.time, "sleep", lambda seconds: system.unlock(one))
        system.lock(other)  # waits until the first lets go
        assert locks.places == {system.FAR}  # nobody is kept from reading what is there
        assert one.tell() == 4
        system.sync(path)
    monkeypatch.setattr(system, "_msvcrt", None)
    with path.open("ab+") as one:
        system.lock(one)  # a system without locks goes without


def test_a_pipe_where_select_takes_sockets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SELECTS", False)
    read, write = os.pipe()
    incoming = system.Incoming(read)
    with pytest.raises(TimeoutError):
        incoming.read(0.0)
    os.write(write, b"one")
    assert incoming.read(60.0) == b"one"
    os.close(write)
    assert incoming.read(60.0) == incoming.read(60.0) == b""
    os.close(read)


def test_a_family_is_ended_where_there_are_no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "killpg")
    script = "import subprocess, sys; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True); c.wait()"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    system.end_group(parent)
    assert parent.wait(60) == -system.KILLED
    parent.stdout.close()
    for _ in range(2000):
        if not alive(grandchild):
            break
        threading.Event().wait(0.01)
    assert not alive(grandchild)


def test_what_is_not_counted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_resource", None)
    assert system.usage() == {}
    assert system.peak_rss_bytes() > 1 << 20  # psutil's
    system.limit_data(1, 1)  # limits nothing
    monkeypatch.delattr(os, "sysconf")
    with pytest.raises(ValueError, match="clock ticks"):
        system.ticks_per_s()
    assert (system.killed_by(-9), system.killed_by(-200)) == ("SIGKILL", "signal 200")


def test_one_that_is_not_there_is_no_program(tmp_path: Path) -> None:
    from bench.machine import systems

    assert systems.ask(tmp_path, "sysctl") == ""
    broken = tmp_path / "bin/x"
    broken.parent.mkdir()
    broken.write_text("#!/nowhere\n")
    broken.chmod(0o755)
    assert systems.ask(tmp_path, "x") == ""
