"""The command as a process, without paying for its imports each time: forked from one that has made them.

``python -m tests.forked`` reads a request in a line of JSON, forks, becomes ``python -m bench`` with the arguments,
folder and environment that were asked for, and answers with the exit code. `Forks` is the other end. The children of
such a process, workers and exports, are forked from it in turn. What is true of one that really starts is tested by the
rooms that start it (`measure`, `export`, `transport`), and by the tests that run ``python -m bench``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300.0
QUIET = ("PYTHONWARNINGS", "PYTHONUNBUFFERED")  # what an export adds


class Forks:
    """A process to fork from, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run ``bench`` as `subprocess.run` would; subprocess.TimeoutExpired after five minutes."""
        if self._process is None or self._process.poll() is not None:
            pipe = subprocess.PIPE
            alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # what is forked should have one thread
            command = [sys.executable, "-m", "tests.forked"]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=alone)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="bench-forked-") as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {"arguments": arguments, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], TIMEOUT_S)[0]:
                self.close()
                raise subprocess.TimeoutExpired(arguments, TIMEOUT_S, out.read_bytes(), err.read_bytes())
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End it, with whatever it has started."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None


def main() -> None:
    """Serve requests until there are no more."""
    import bench.cli._fleet
    import bench.cli._local
    import bench.export.child
    import bench.export.graph_of
    import bench.export.onnx_file
    import bench.findings.catalog
    import bench.measure.cases
    import bench.measure.runner
    import bench.measure.worker
    import bench.report.text.run
    import bench.rows.frame
    import bench.transport.local
    from bench.__main__ import main as command
    from bench.cli import COMMANDS

    for name in COMMANDS:
        __import__(f"bench.cli.{name}")
    started = SimpleNamespace(**vars(subprocess) | {"Popen": popen})
    bench.transport.local.subprocess = bench.base.child.subprocess = started  # type: ignore[assignment]
    child = 0

    def end(*_: object) -> None:
        if child:
            os.killpg(child, signal.SIGKILL)
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            become(asked)
            command()
        _, status = os.waitpid(child, 0)
        child = 0
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(asked: dict[str, Any]) -> None:
    """Be a process of one's own, as it would be if it had been started."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for fd, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, fd)
        os.close(opened)
    sys.argv = [str(ROOT / "bench" / "__main__.py"), *asked["arguments"]]
    sys.path[0] = asked["cwd"]


def popen(command: list[str], **how: Any) -> subprocess.Popen[bytes] | Fork:
    """Start a process, or fork it where it is to be this interpreter with a program of ours."""
    from bench.base import child
    from bench.measure import worker

    ours = {"bench.measure.worker": worker.main, "bench.base.child": child.main}
    python = {key: value for key, value in how["env"].items() if key.startswith("PYTHON") and key not in QUIET}
    here = {key: value for key, value in os.environ.items() if key.startswith("PYTHON") and key not in QUIET}
    if command[:3] != [sys.executable, "-P", "-m"] or command[3] not in ours or python != here:
        return subprocess.Popen(command, **how)
    return Fork(ours[command[3]], command[3:], how["stderr"], how["env"])


class Fork:
    """A process that goes on from here with `program`: what is used of `subprocess.Popen`, with pipes to its ends."""

    def __init__(
        self, program: Callable[[], int], arguments: list[str], stderr: int | IO[bytes], env: dict[str, str]
    ) -> None:
        (stdin, write), (read, stdout) = os.pipe(), os.pipe()
        heard, said = os.pipe() if isinstance(stderr, int) else (None, stderr.fileno())
        self.pid = os.fork()
        if not self.pid:
            _go_on(program, arguments, (stdin, stdout, said), env)
        for end in (stdin, stdout, *([said] if heard is not None else [])):
            os.close(end)
        self.stdin, self.stdout = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self.stderr = None if heard is None else os.fdopen(heard, "rb")
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._end(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (timeout or 0.0)
        while (code := self._end(os.WNOHANG if timeout is not None else 0)) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout or 0.0)
            time.sleep(0.002)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _end(self, how: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, how)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def _go_on(program: Callable[[], int], arguments: list[str], ends: tuple[int, ...], env: dict[str, str]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        for fd, end in enumerate(ends):
            os.dup2(end, fd)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # nobody else's pipe or lock is held open by it
        os.environ.clear()
        os.environ.update(env)
        if env.get("PYTHONWARNINGS") == "ignore":
            warnings.simplefilter("ignore")
        sys.argv = list(arguments)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        code = program()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
