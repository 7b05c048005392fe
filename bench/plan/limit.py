"""A limit that latency has to keep, as a person writes it: ``p99=33ms``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.base.errors import UsageError, clip

# `latency` is the headline, the others are columns of a row: NAME_ms.
QUANTITIES = ("p50", "p90", "p99", "mean", "first")
HEADLINE = "latency"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `ms` milliseconds for a quantity: `latency` or one of `QUANTITIES`."""

    quantity: str
    ms: float

    def __str__(self) -> str:
        return f"{self.quantity}<={self.ms:g}ms"


def time_ms(text: str) -> float:
    """Read a time with its unit, in ms; UsageError where it is none, or none that an inference can take."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?(us|ms|s)", text.strip().lower())
    found = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not 0 < found <= 3_600_000:
        raise UsageError(f"the limit {clip(text)!r} is no time", "write 10ms, 0.5s or 800us")
    return found


def read(text: str) -> Limit:
    """Read ``p99=33ms``; UsageError where it is no limit."""
    quantity, sign, time = text.partition("=")
    if not sign or quantity not in QUANTITIES:
        raise UsageError(f"{clip(text)!r} is no limit", f"write p99=33ms; quantities are {', '.join(QUANTITIES)}")
    return Limit(quantity, time_ms(time))


def written(limits: tuple[Limit, ...]) -> str:
    """Write limits as `asked` returns them: ``latency<=10ms p99<=33ms``."""
    return " ".join(map(str, limits))


def asked(text: str | None) -> str:
    """Return what a row's column `limit` asks, without what was found."""
    return re.sub(r" \([^)]*\)", "", text or "")
