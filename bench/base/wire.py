"""How processes of ours answer each other: a mark, then answers in lines of JSON; errors keep what they are.

A login shell may greet before our process runs, and an interpreter's sitecustomize may print in it. So the first thing
that a process writes is `MARK`, and what comes before that is nobody's. From then on its stdout is ours alone
(`claim_stdout`), and each answer is one line: ``{"ok": ...}`` or ``{"error": ...}`` with a `Fault`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, TextIO, TypeVar

import msgspec

from bench.base.errors import DEBUG, BenchError, MeasureError, OutOfMemory, WorkerCrashed, clip, first_line

MARK = b"\n#isoflops-wire\n"
QUOTED_BYTES = 8000
# How runtimes say that memory is wanting: C++, CUDA and PyTorch, cuBLAS and cuDNN, ONNX Runtime's arena.
DRY = ("bad_alloc", "out of memory", "_alloc_failed", "failed to allocate memory")
T = TypeVar("T")
Unchecked = dict[str, Any]  # an object of JSON or TOML from elsewhere, before anything has looked at its fields


class Fault(msgspec.Struct, frozen=True):
    """An error on the wire. `kinds` are the names of its class and of that class's bases, up to `BenchError`."""

    kinds: tuple[str, ...]
    status: str
    message: str
    hint: str = ""

    def error(self) -> BenchError:
        """Return the error; one of a class that is not known here is of its nearest base that is."""
        known = {cls.__name__: cls for cls in _tree(BenchError)}
        cls = next((known[kind] for kind in self.kinds if kind in known), MeasureError)
        error = cls.__new__(cls)  # a class may take other arguments than these
        BenchError.__init__(error, self.message, self.hint)
        if self.status != cls.status and self.status in {one.status for one in known.values()}:
            error.status = self.status
        return error


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    ok: object = msgspec.UNSET
    error: Fault | msgspec.UnsetType = msgspec.UNSET


def fault(error: BaseException) -> Fault:
    """Write an error down, whatever raised it; want of memory is told as such, however a runtime says it."""
    text = str(error)
    dry = isinstance(error, MemoryError) or any(said in text.lower() for said in DRY)
    if dry and not isinstance(error, OutOfMemory):
        error = OutOfMemory(f"out of memory: {clip(text, 200)}", "try a smaller batch or resolution")
    elif not isinstance(error, BenchError):
        kind, said = type(error).__name__, first_line(error)
        error = MeasureError(f"{kind}: {said}" if said != kind else kind, DEBUG)
    kinds = tuple(cls.__name__ for cls in type(error).__mro__ if issubclass(cls, BenchError))
    return Fault(kinds, error.status, error.message, error.hint)


def ok(value: object) -> str:
    """Return the line of an answer; records are written as objects, and numbers that are not finite as such."""
    return json.dumps({"ok": value}, default=msgspec.to_builtins) + "\n"


def failed(error: BaseException) -> str:
    """Return the line of an answer that tells an error."""
    return json.dumps({"error": fault(error)}, default=msgspec.to_builtins) + "\n"


def take(line: bytes, expected: type[T]) -> T:
    """Read an answer's line.

    Raises:
        BenchError: the error that it tells.
        WorkerCrashed: it is no answer, or not such a one; the message quotes it.
    """
    try:
        answer = msgspec.convert(json.loads(line), _Answer)
        told = answer.error
        if isinstance(told, msgspec.UnsetType):
            return msgspec.convert(answer.ok, expected)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise broken(line) from error
    raise told.error()


def broken(line: bytes) -> WorkerCrashed:
    """Return the error that quotes what should have been ours."""
    quoted = clip(line.decode(errors="replace").strip(), 120)
    return WorkerCrashed(
        f"what came is no answer of isoflops: {quoted!r}", "something prints there, or another version runs there"
    )


class Marked:
    """Lets through what a process writes after its mark, and keeps the end of what came before, to be quoted."""

    def __init__(self) -> None:
        self._before = b""
        self._passed = False

    def feed(self, data: bytes) -> bytes:
        """Return what of `data` is after the mark."""
        if self._passed:
            return data
        self._before, mark, rest = (self._before + data).partition(MARK)
        self._passed = bool(mark)
        self._before = self._before[-QUOTED_BYTES:]
        return rest

    def noise(self) -> str:
        """Return the last line before the mark, or before the end where no mark came."""
        lines = self._before.decode(errors="replace").split("\n")
        return next((clip(line.strip(), 120) for line in reversed(lines) if line.strip()), "")


def claim_stdout() -> TextIO:
    """Take stdout for answers, and write the mark; whatever else is printed in this process goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    replies.write(MARK.decode())
    replies.flush()
    return replies


def _tree(cls: type[BenchError]) -> Iterator[type[BenchError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)
