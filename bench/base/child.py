"""A child process that does one thing in a while and answers in a line: it ends with its parent, and in time.

The child splits in two: one half works, the other waits for it and for the parent's death, which it learns by the end
of its stdin. So nothing is left behind by a parent that was killed, whatever the working half has started.
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
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.base.errors import BenchError, Unsupported, clip, first_line

TOLD = 3  # exit code of a child that has told its error


class ChildFailed(Exception):
    """A child did not do its work: `message` in a line, `hint` what to do, `told` whether it said so itself.

    `log` is the end of its stderr, `memory` says that it was killed as the kernel does for want of memory.
    """

    def __init__(self, message: str, hint: str = "", told: bool = False, log: str = "", memory: bool = False) -> None:
        super().__init__(message)
        self.message, self.hint, self.told, self.log, self.memory = message, hint, told, log, memory


def ask(command: Sequence[str], request: Any, timeout_s: float, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that calls `answer`, and return what it printed.

    Raises:
        ChildFailed: it told an error, died, or took longer than `timeout_s`.
    """
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"{command[0]} cannot be started: {error.strerror}") from error
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    said: list[list[bytes]] = [[], []]
    readers = [
        threading.Thread(target=lambda pipe=pipe, into=into: into.append(pipe.read()), daemon=True)
        for pipe, into in zip((child.stdout, child.stderr), said, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()  # and stays open: its end says that this process has died
        except BrokenPipeError:
            pass  # it died before it read; why is told below
        code = child.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"took more than {timeout_s:g} s and was ended") from error
    finally:
        _end(child)
        for reader in readers:
            reader.join(5.0)
        for pipe in (child.stdin, child.stdout, child.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    out, log = (b"".join(part).decode(errors="replace") for part in said)
    if code == 0:
        return out
    raise _failure(code, out, log[-8000:])


def answer(work: Callable[[Any], None]) -> int:
    """Read the request from stdin and do the work in a half of this process; return the exit code.

    An error is told as the last line on stdout, in JSON. Call it before threads are started.
    """
    request = json.loads(_line())
    worker = os.fork()
    if worker:
        return _watch(worker)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    try:
        work(request)
        code = 0
    except BaseException as error:  # a person's network, or a converter, can raise anything
        traceback.print_exc()
        if not isinstance(error, BenchError):
            hint = "run again with --debug for the whole story"
            error = Unsupported(f"{type(error).__name__}: {first_line(error)}", hint)
        print("\n" + json.dumps({"error": error.message, "hint": error.hint}))
        code = TOLD
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _line() -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        found += piece
    return found


def _watch(worker: int) -> int:
    """Wait for the working half, and end the whole group when the parent goes."""
    ended = os.pidfd_open(worker)
    while True:
        ready, _, _ = select.select([ended, 0], [], [])
        if ended in ready:
            code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
            if code < 0:  # die as it died, so that the parent can say of what
                signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
                os.kill(os.getpid(), -code)
            return code
        if not os.read(0, 1 << 16):
            os.killpg(0, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and all that it has started, which may outlive it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _failure(code: int, out: str, log: str) -> ChildFailed:
    if code == TOLD:
        try:
            told = json.loads(out.strip().splitlines()[-1])
            return ChildFailed(str(told["error"]), str(told["hint"]), told=True, log=log)
        except (IndexError, ValueError, KeyError, TypeError):
            pass
    if code == -signal.SIGKILL:
        return ChildFailed("was killed", "it probably ran out of memory", log=log, memory=True)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    last = clip(lines[-1], 300) if lines else "the process died without a word"
    died = f"died of {signal.Signals(-code).name}" if code < 0 else f"left with code {code}"
    return ChildFailed(f"{died}: {last}", "run again with --debug for the whole story", log=log)
