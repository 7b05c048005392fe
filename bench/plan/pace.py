"""The time between the starts of two inferences, as a person writes it: ``33ms``, ``0.5s``, ``30hz``, ``none``."""

from __future__ import annotations

import re

from bench.base.errors import UsageError, clip


def read(text: str) -> float | None:
    """Return the time in ms, None for ``none``; UsageError where it is no such time."""
    if text == "none":
        return None
    match = re.fullmatch(r"([0-9.]+) ?(ms|s|hz)", text.lower())
    try:
        number = float(match[1]) if match else 0.0
        found = {"ms": number, "s": number * 1000, "hz": 1000 / number}[match[2]] if match else 0.0
    except (ValueError, ZeroDivisionError):
        found = 0.0
    if not 0.001 <= found <= 60_000:
        raise UsageError(f"the pace {clip(text)!r} is no time between two inferences", "write 33ms, 0.5s, 30hz or none")
    return found
