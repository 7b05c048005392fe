"""How far a measurement is: told to whoever listens, and shown in a notebook where nobody else does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.base.errors import ParameterError, clip


@dataclass(frozen=True, slots=True)
class Progress:
    """One step: `done` of `total` cases, pairs or launches have ended, and what is being done now, in a few words.

    `remark` marks what is worth a line that stays, not only one that the next step writes over.
    """

    done: int
    total: int
    doing: str
    remark: bool = False

    def __str__(self) -> str:
        return f"{self.done} of {self.total}: {self.doing}"


class _Handle(Protocol):
    def update(self, bundle: dict[str, str], *, raw: bool) -> None: ...


Listener = Callable[[Progress], None]
Display = Callable[..., _Handle]  # IPython's


def silent(step: Progress) -> None:
    """Tell nobody."""


def listener(given: Listener | None) -> Listener:
    """Return who is told: the caller's own, else a line of text in a notebook, else nobody."""
    if given is not None:
        if not callable(given):
            raise ParameterError(f"progress={clip(repr(given))} cannot be called", "write progress=print")
        return given
    display = _notebook()
    return silent if display is None else _Line(display)


def _notebook() -> Display | None:
    """Return IPython's `display` in a notebook; None elsewhere. IPython is never imported, only found."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    # A shell without a kernel is a terminal, in which a display would be a line for every step.
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Display = sys.modules["IPython"].display.display
    return display


class _Line:
    """A line of a notebook that each step writes over. Nothing refreshes by itself: a timer would disturb a block."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._handle: _Handle | None = None

    def __call__(self, step: Progress) -> None:
        from bench.base.escape import plain

        bundle = {"text/plain": plain(str(step))}
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
