"""Times as a person writes them: between the starts of two inferences (``33ms``, ``30hz``), or of a run (``2m``)."""

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


def seconds(text: str) -> float:
    """Return how many seconds ``90s``, ``2m`` or ``1h`` are; UsageError where it is no time up to a day."""
    match = re.fullmatch(r"([0-9.]+) ?(s|m|h)", text.strip().lower())
    try:
        found = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    except ValueError:
        found = 0.0
    if not 1 <= found <= 86_400:
        raise UsageError(f"{clip(text)!r} is no time from 1 second to a day", "write 90s, 2m or 1h")
    return found
