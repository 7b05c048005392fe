"""Measures how long a neural network takes on a device, and says why.

From Python: `run`, `ab`, `inspect`, `profile` and `load` (``docs/python.md``). They are imported when they are first
used, and nothing heavy before that: a runtime is imported in the worker that measures it, PyTorch in the process that
exports. The way of the data and the rooms of the house are told in ``docs/architecture.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import (
        BenchError,
        Breakdown,
        Comparison,
        Inspection,
        Progress,
        Results,
        ab,
        inspect,
        load,
        profile,
        run,
    )

    __version__: str

__all__ = [
    "BenchError", "Breakdown", "Comparison", "Inspection", "Progress", "Results", "__version__", "ab", "inspect",
    "load", "profile", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    if name == "__version__":
        return globals().setdefault(name, _version())
    from importlib import import_module

    return getattr(import_module("bench.api"), name)


def _version() -> str:
    """Return what the build read from the last tag; ``unknown`` of sources that nobody installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("isoflops")
    except PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
