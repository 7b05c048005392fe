"""The command as a process, without paying for its imports each time: forked from one that has made them.

``python -m tests.forked`` reads a request in a line of JSON, forks, becomes ``python -m bench`` with the arguments,
folder and environment that were asked for, and answers with the exit code. `Forks` is the other end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300.0


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
    import bench.findings.catalog
    import bench.measure.cases
    import bench.measure.runner
    import bench.report.text.run
    import bench.rows.frame  # noqa: F401
    from bench.__main__ import main as command
    from bench.cli import COMMANDS

    for name in COMMANDS:
        __import__(f"bench.cli.{name}")
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


if __name__ == "__main__":
    main()
