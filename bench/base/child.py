"""A child process that does one thing in a while and answers in a line: it ends with its parent, and in time.

The child, ``python -m bench.base.child``, splits in two before it imports anything else: one half works, the other
waits for it and for the parent's death, which it learns by the end of its stdin. So a parent that is killed leaves
nothing behind, whatever the working half has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from importlib import import_module
from types import NoneType
from typing import IO

from bench.base import system, wire
from bench.base.errors import DEBUG, BenchError, OutOfMemory, WorkerCrashed, clip
from bench.base.process import NO_TELEMETRY, no_telemetry
from bench.base.words import last_line

TOLD = 3  # exit code of a child that has told its error
LOG_BYTES = 8000
HALF = "half"  # what tells the working half where it is started as a process of its own


class ChildFailed(Exception):
    """A child did not do its work: `message` in a line, `hint` what to do, `told` the error that it told, if it did.

    `log` is the end of its stderr, `memory` says that it was killed as the kernel does for want of memory.
    """

    def __init__(
        self, message: str, hint: str = "", told: BenchError | None = None, log: str = "", memory: bool = False
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.told, self.log, self.memory = message, hint, told, log, memory

    def error(self, what: str, kind: type[BenchError], hint: str = "") -> BenchError:
        """Return the error that it told; else one that says `what` failed and how, of a `kind`, or that of memory."""
        return self.told or (OutOfMemory if self.memory else kind)(f"{what} {self.message}", self.hint or hint)


def ask(
    function: str, request: object, timeout_s: float, python: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """Call ``module:function`` with a request, plain data, in a child; return what it printed.

    `python` is the interpreter, empty for this one; `environment` is added to this process's.

    Raises:
        ChildFailed: it raised, died, or took longer than `timeout_s`.
    """
    # -P: a person's bench.py or onnx.py in the current folder must not stand in for ours.
    command = [python or sys.executable, "-P", "-m", "bench.base.child", function]
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **NO_TELEMETRY, **(environment or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"cannot be started by {command[0]}: {error.strerror}", "check python=") from error
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    out, log = _Reader(child.stdout), _Reader(child.stderr)
    try:
        with contextlib.suppress(BrokenPipeError):  # it died before it read; why is told below
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()  # and stays open: its end says that this process has died
        code = child.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"took more than {timeout_s:g} s and was ended") from error
    finally:
        system.end_group(child)  # with whatever it has started
        child.wait()
        out.join()
        log.join()
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
    if code:
        raise _failure(code, out.text(), log.text()[-LOG_BYTES:])
    return out.text()


class _Reader(threading.Thread):
    """Empties a pipe, so that nobody who writes into it has to wait."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe, self._data = pipe, b""
        self.start()

    def run(self) -> None:
        """Read to the end."""
        with self._pipe:
            self._data = self._pipe.read()

    def text(self) -> str:
        """Return what was read."""
        return self._data.decode(errors="replace")


def _failure(code: int, out: str, log: str) -> ChildFailed:
    if code == TOLD:
        try:
            wire.take(out.rstrip().rpartition("\n")[2].encode(), NoneType)
        except WorkerCrashed:
            pass  # its last words do not read: how it died is told below
        except BenchError as told:
            return ChildFailed(told.message, told.hint, told, log)
    if code == -system.KILLED:
        return ChildFailed("was killed", "it probably ran out of memory", log=log, memory=True)
    last = clip(last_line(log, "the process died without a word"), 300)
    how = f"died of {system.killed_by(code)}" if code < 0 else "failed"
    return ChildFailed(f"{how}: {last}", DEBUG, log=log)


def main() -> int:
    """Be the child: read the request, split in two."""
    asked = _line()
    request = json.loads(asked)
    half = sys.argv[2:] == [HALF]
    if not half and not system.SPLITS:
        return _stand_by(asked)
    worker = 0 if half else os.fork()
    if worker:
        return _watch(worker)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = _work(sys.argv[1], request)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _work(function: str, request: object) -> int:
    """Call the function; tell what a person can do something about as the last line on stdout."""
    no_telemetry()
    try:
        module, _, name = function.partition(":")
        getattr(import_module(module), name)(request)
    except BenchError as error:
        traceback.print_exc()
        print("\n" + wire.failed(error), end="")
        return TOLD
    except BaseException:  # a person's network and a stranger's converter can raise anything
        traceback.print_exc()
        return 1
    return 0


def _line() -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        found += piece
    return found or b"null"


def _stand_by(asked: bytes) -> int:
    """Do the same where a process cannot be split (macOS, Windows): the working half is started anew."""
    command = [sys.executable, "-P", "-m", "bench.base.child", sys.argv[1], HALF]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        worker.stdin.write(asked)
        worker.stdin.close()

    def watch() -> None:
        while os.read(0, 1 << 16):
            pass
        system.end_family(worker)

    threading.Thread(target=watch, daemon=True).start()
    code = worker.wait()
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


def _watch(worker: int) -> int:
    """Wait for the working half; end the whole group when the parent goes (Linux)."""
    ended = os.pidfd_open(worker)
    while True:
        if ended in select.select([ended, 0], [], [])[0]:
            code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
            if code < 0:  # die as it died, so that the parent can say of what
                with contextlib.suppress(OSError):
                    signal.signal(-code, signal.SIG_DFL)
                os.kill(os.getpid(), -code)
            return code
        if not os.read(0, 1 << 16):
            os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
