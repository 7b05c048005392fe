"""Every error keeps what it is on its way; what is no answer is quoted."""

from __future__ import annotations

import math

import msgspec
import pytest

import bench.papers.tables  # for its class of errors
from bench.base import errors, wire
from bench.base.errors import BenchError, MeasureError, MissingExtra, OutOfMemory, UnknownName, WorkerCrashed

assert bench.papers.tables.TableError

SPECIAL = {
    UnknownName: lambda: UnknownName("model", "mobilnet", ["mobilenet"], "bench models"),
    MissingExtra: lambda: MissingExtra("PyTorch", "zoo"),
}


def travel(error: Exception) -> BenchError:
    with pytest.raises(BenchError) as caught:
        wire.take(wire.failed(error).encode(), object)
    return caught.value


def classes() -> list[type[BenchError]]:
    return [cls for cls in wire._tree(BenchError) if cls.__module__.startswith("bench.")]


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_every_class_arrives_as_it_left(cls: type[BenchError]) -> None:
    error = SPECIAL.get(cls, lambda: cls("what is wrong", "what to do"))()
    arrived = travel(error)
    assert type(arrived) is cls
    assert (arrived.message, arrived.hint, arrived.status, arrived.exit_code) == (
        error.message, error.hint, error.status, error.exit_code,
    )  # fmt: skip
    assert str(arrived) == str(error)


def test_the_tree_is_not_empty() -> None:
    assert {MeasureError, OutOfMemory, UnknownName, errors.LinkLost} <= set(classes())


def test_an_unknown_class_becomes_its_nearest_base() -> None:
    told = wire.Fault(("NewerCrash", "WorkerCrashed", "MeasureError", "BenchError"), "crashed", "m", "h")
    assert type(told.error()) is WorkerCrashed
    stranger = wire.Fault(("Odd",), "strange", "m")
    assert (type(stranger.error()), stranger.error().status) == (MeasureError, "failed")
    partly = wire.Fault(("NewerTimeout", "MeasureError", "BenchError"), "timeout", "m")
    assert (type(partly.error()), partly.error().status) == (MeasureError, "timeout")
    assert MeasureError("m").status == "failed"  # the class is as it was


def test_errors_from_outside_are_one_line() -> None:
    arrived = travel(ValueError("bad shape\nat line 3\x1b[31m"))
    assert (type(arrived), arrived.message, arrived.status) == (MeasureError, "ValueError: bad shape", "failed")
    assert travel(KeyError()).message == "KeyError"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("CUDA out of memory")])
def test_want_of_memory_is_told_as_such(error: Exception) -> None:
    assert type(travel(error)) is OutOfMemory


def test_numbers_that_are_not_finite_arrive() -> None:
    got = wire.take(wire.ok({"a": math.inf, "b": [math.nan]}).encode(), dict[str, object])
    assert got["a"] == math.inf
    assert math.isnan(got["b"][0])  # type: ignore[index]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"ok": 5}',
        b"[]",
        b"5",
        b"hello",
        b"\xff",
        b'{"ok": {}, "more": 1}',
        b'{"error": "x"}',
        b"[" * 9999,
    ],
)
def test_what_is_no_answer_is_quoted(line: bytes) -> None:
    with pytest.raises(WorkerCrashed, match="no answer of isoflops") as caught:
        wire.take(line, dict[str, object])
    assert line.decode(errors="replace")[:20] in caught.value.message
    assert caught.value.status == "crashed"


def test_records_are_checked_where_they_arrive() -> None:
    line = wire.ok(wire.Fault(("A",), "failed", "m")).encode()
    assert wire.take(line, wire.Fault).kinds == ("A",)
    with pytest.raises(WorkerCrashed):
        wire.take(line, int)
    assert msgspec.json.decode(line)["ok"]["message"] == "m"


def test_what_comes_before_the_mark_is_nobodys() -> None:
    marked = wire.Marked()
    assert marked.feed(b"Welcome!\nYou have mail") == b""
    assert marked.noise() == "You have mail"
    assert marked.feed(wire.MARK[:4]) == b""
    assert marked.feed(wire.MARK[4:] + b'{"ok"') == b'{"ok"'
    assert marked.feed(wire.MARK) == wire.MARK  # later it is what it is
