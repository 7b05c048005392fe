"""Brings a bundle to a device, one small task after the other, so that rows go on being written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from bench.base.errors import BenchError, MeasureError
from bench.measure import device
from bench.measure.bundle import Bundle

Call = tuple[Callable[..., dict[str, Any]], tuple[Any, ...]]
Steps = Generator[Call, dict[str, Any], None]


def steps(bundle: Bundle) -> Steps:
    """Yield what the device is to be asked next; each answer is sent in.

    Raises:
        MeasureError: the device answered with an error.
        ArtifactError, OSError: a file cannot be read here any more.
    """
    have = _sound((yield device.begin, (bundle.manifest,)))["have"]
    for name in bundle.paths:
        if name not in have:
            for offset, chunk in bundle.chunks(name):
                _sound((yield device.put, (bundle.hash, name, offset, chunk)))
    _sound((yield device.finish, (bundle.hash,)))


def error_of(answer: dict[str, Any]) -> BenchError | None:
    """Return the error that a device answered with, if it did."""
    if "error" not in answer:
        return None
    error = MeasureError(str(answer["error"]), str(answer.get("hint", "")))
    error.status = str(answer.get("status", "failed"))
    return error


def _sound(answer: dict[str, Any]) -> dict[str, Any]:
    error = error_of(answer)
    if error is not None:
        raise error
    return answer
